//! What a broker that cannot start does: one clear line on stderr, exit code 1, and nothing touched.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod support;

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::SystemTime;

use model::Producer;
use support::process::Process;
use support::{Client, batch_of};
use wire::messages::create_topics::{CreatableTopic, CreateTopicsRequest};

/// What can be seen of a folder: each name, with content and time of change.
fn tree(root: &Path) -> BTreeMap<String, (Option<Vec<u8>>, SystemTime)> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.ends_with("server.log") {
                continue;
            }
            let meta = std::fs::symlink_metadata(&path).unwrap();
            let content = (!meta.is_dir()).then(|| std::fs::read(&path).unwrap());
            found.insert(path.display().to_string(), (content, meta.modified().unwrap()));
            if meta.is_dir() {
                folders.push(path);
            }
        }
    }
    found
}

/// Starts `broker`, which must end with exit code 1 and, last, one line with all of `words`; and leave `data` as it was.
fn refused(broker: &mut Process, data: &Path, words: &[&str]) {
    let before = tree(data);
    let logged = broker.log().lines().count();
    broker.spawn();
    assert_eq!(broker.ended(), Some(1), "{words:?}: {}", broker.log());
    let log = broker.log();
    let mut told: Vec<&str> = log.lines().skip(logged).collect();
    told.retain(|line| !line.contains(" WARN ") && !line.contains(" INFO "));
    let [line] = told[..] else { panic!("{words:?}: one line, not {told:#?}") };
    assert!(line.starts_with("error: ") && words.iter().all(|word| line.contains(word)), "{words:?}: {line}");
    let parts: Vec<&str> = line.split(": ").collect();
    assert!(parts.windows(2).all(|two| two[0] != two[1]), "nothing is said twice: {line}");
    let after = tree(data);
    let changed: Vec<_> =
        after.keys().chain(before.keys()).filter(|name| after.get(*name) != before.get(*name)).collect();
    assert!(changed.is_empty(), "{words:?}: {changed:#?} changed");
}

/// A broker that has served, with a topic and a record, and was stopped in order.
fn with_data(dir: &Path, settings: &str) -> Process {
    let mut broker = Process::new(dir, settings);
    broker.start();
    let mut client = Client::connect(broker.address()).unwrap();
    let topic = CreatableTopic { name: "t".into(), num_partitions: 2, replication_factor: 1, ..Default::default() };
    let created = client.ask(7, &CreateTopicsRequest { topics: vec![topic], timeout_ms: 5_000, ..Default::default() });
    assert_eq!(created.topics[0].error_code, 0);
    for partition in 0..2 {
        client.produce("t", partition, &batch_of("kept", Producer::NONE)).unwrap().unwrap();
    }
    assert_eq!(broker.stop(), Some(0));
    broker
}

/// It starts again and has what it had.
fn serves(broker: &mut Process) {
    broker.start();
    let mut client = Client::connect(broker.address()).unwrap();
    for partition in 0..2 {
        assert_eq!(client.read_all("t", partition).unwrap().len(), 1);
    }
    assert_eq!(broker.stop(), Some(0));
}

#[test]
fn a_port_in_use_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let mut broker = with_data(dir.path(), "");
    let data = dir.path().join("data");
    for (port, what) in [(broker.address().port(), "PLAINTEXT"), (broker.http().port(), "HTTP")] {
        let taken = TcpListener::bind(("127.0.0.1", port)).unwrap();
        refused(&mut broker, &data, &["listen", what, &port.to_string(), "in use"]);
        drop(taken);
    }
    serves(&mut broker);
}

#[test]
fn a_directory_that_cannot_be_used_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "not a directory").unwrap();
    for bad in [file.clone(), file.join("below")] {
        let mut broker = Process::new(dir.path(), &format!("log.dirs={}", bad.display()));
        refused(&mut broker, dir.path(), &["log directory", &bad.display().to_string()]);
    }
    // Of two, the one that is well is left alone, too.
    let mut broker =
        Process::new(dir.path(), &format!("log.dirs={},{}", dir.path().join("new").display(), file.display()));
    refused(&mut broker, dir.path(), &["log directory", "file"]);
    if rustix::process::geteuid().is_root() {
        println!("permissions are not tried: root may do everything");
        return;
    }
    let closed = dir.path().join("closed");
    let mut broker = with_data(dir.path(), &format!("log.dirs={}", closed.display()));
    for mode in [0o000, 0o500] {
        std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(mode)).unwrap();
        broker.spawn();
        assert_eq!(broker.ended(), Some(1), "{mode:o}");
        std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o700)).unwrap();
        serves(&mut broker);
    }
}

#[test]
fn the_directory_of_another_broker_or_cluster_or_of_kafka_is_named() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut broker = with_data(dir.path(), "");
    let data = dir.path().join("data");
    let mut second = Process::new(other.path(), &format!("log.dirs={}", data.display())).node(2);
    refused(&mut second, &data, &[&data.display().to_string(), "node 1", "node.id is 2"]);
    assert!(!other.path().join("data").exists());

    let theirs = tempfile::tempdir().unwrap();
    with_data(theirs.path(), "");
    let theirs = theirs.path().join("data");
    let both = format!("log.dirs={},{}", data.display(), theirs.display());
    let mut mixed = Process::new(other.path(), &both);
    let before = tree(&data);
    refused(&mut mixed, &theirs, &[&theirs.display().to_string(), "cluster"]);
    assert_eq!(tree(&data), before);

    let kafkas = other.path().join("kafka-logs");
    std::fs::create_dir_all(kafkas.join("__cluster_metadata-0")).unwrap();
    let meta = "#\n#Wed Nov 25 15:45:00 UTC 2026\ncluster.id=Some0cluster0of0Kafka\ndirectory.id=AQEBAQEBAQEBAQEBAQEBAQ\n\
                node.id=1\nversion=1\n";
    std::fs::write(kafkas.join("meta.properties"), meta).unwrap();
    let mut broker_on_kafkas = Process::new(other.path(), &format!("log.dirs={}", kafkas.display()));
    refused(&mut broker_on_kafkas, &kafkas, &[&kafkas.display().to_string(), "Apache Kafka"]);
    for (text, word) in
        [("", "node.id"), ("node.id=x\n", "node.id"), ("\0\u{1}", "node.id"), ("node.id=1\n", "directory.id")]
    {
        std::fs::write(kafkas.join("meta.properties"), text).unwrap();
        refused(&mut broker_on_kafkas, &kafkas, &["meta.properties", word]);
    }
    serves(&mut broker);
}

#[test]
fn data_whose_owner_is_not_known_is_named() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut broker = with_data(dir.path(), "");
    let data = dir.path().join("data");
    let (shown, meta) = (data.display().to_string(), data.join("meta.properties"));
    let ours = std::fs::read_to_string(&meta).unwrap();
    let cluster = ours.lines().find_map(|line| line.strip_prefix("cluster.id=")).unwrap();
    std::fs::write(&meta, ours.replace(cluster, "Some0other0cluster0000")).unwrap();
    refused(&mut broker, &data, &[&shown, "metadata of cluster", cluster, "Some0other0cluster0000"]);

    std::fs::remove_file(&meta).unwrap();
    refused(&mut broker, &data, &[&shown, "__cluster_metadata-0", "no meta.properties"]);
    let aside = other.path().join("aside");
    std::fs::rename(data.join("__cluster_metadata-0"), &aside).unwrap();
    refused(&mut broker, &data, &[&shown, "t-0", "no meta.properties"]);
    // Nor is another directory of the same broker touched.
    let fresh = other.path().join("fresh");
    let mut second = Process::new(other.path(), &format!("log.dirs={},{shown}", fresh.display()));
    refused(&mut second, &data, &[&shown, "t-0", "no meta.properties"]);
    assert!(!fresh.exists());

    std::fs::rename(&aside, data.join("__cluster_metadata-0")).unwrap();
    std::fs::write(&meta, &ours).unwrap();
    serves(&mut broker);
}

#[test]
fn the_directory_of_a_living_process_is_named_and_that_process_goes_on() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut broker = with_data(dir.path(), "");
    broker.start();
    assert_eq!(Client::connect(broker.address()).unwrap().read_all("t", 0).unwrap().len(), 1);
    let data = dir.path().join("data");
    let fresh = other.path().join("fresh");
    let both = format!("log.dirs={},{}", fresh.display(), data.display());
    let mut second = Process::new(other.path(), &both);
    refused(&mut second, &data, &[&data.display().to_string(), "in use by another process"]);
    assert!(!fresh.exists());
    let mut client = Client::connect(broker.address()).unwrap();
    assert_eq!(client.read_all("t", 0).unwrap().len(), 1);
    assert_eq!(broker.stop(), Some(0));
    serves(&mut broker);
}

#[test]
fn a_value_that_is_wrong_is_named_with_its_key_and_what_is_allowed() {
    let dir = tempfile::tempdir().unwrap();
    for (line, words) in [
        ("num.partitions=0", ["num.partitions", "0", "at least 1"]),
        ("log.segment.bytes=1000", ["log.segment.bytes", "1000", "at least 1048576"]),
        ("message.max.bytes=many", ["message.max.bytes", "many", "at least 0"]),
        (
            "compression.type=brotli",
            ["compression.type", "brotli", "one of uncompressed, zstd, lz4, snappy, gzip, producer"],
        ),
        ("queued.max.request.bytes=1000", ["queued.max.request.bytes", "1000", "at least socket.request.max.bytes"]),
        ("listeners=PLAINTEXT://127.0.0.1:99999", ["listeners", "99999", "NAME://host:port"]),
    ] {
        let mut broker = Process::new(dir.path(), line);
        refused(&mut broker, dir.path(), &words);
    }
    assert!(!dir.path().join("data").exists());
}

#[test]
fn a_damaged_metadata_log_is_named_and_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let mut broker = with_data(dir.path(), "");
    let data = dir.path().join("data");
    let log = data.join("__cluster_metadata-0/00000000000000000000.log");
    let whole = std::fs::read(&log).unwrap();
    let mark = data.join(".kafka_cleanshutdown");
    let clean = std::fs::read(&mark).unwrap();
    // After an orderly stop, and after a kill: what was synced is not mistaken for an unfinished write.
    for marked in [true, false] {
        if !marked {
            std::fs::remove_file(&mark).unwrap();
        }
        // In a header, in the records, and at the end.
        for at in [16, 70, whole.len() / 2, whole.len() - 1] {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x40;
            std::fs::write(&log, &damaged).unwrap();
            broker.spawn();
            assert_eq!(broker.ended(), Some(1), "damage at {at}: {}", broker.log());
            assert!(broker.log().contains("metadata log"), "damage at {at}: {}", broker.log());
            assert_eq!(std::fs::read(&log).unwrap(), damaged, "damage at {at}");
            assert_eq!(mark.exists(), marked, "damage at {at}");
        }
    }
    std::fs::write(&log, &whole).unwrap();
    std::fs::write(&mark, &clean).unwrap();
    // What the system says is told once.
    let (folder, aside) = (data.join("__cluster_metadata-0"), dir.path().join("aside"));
    std::fs::rename(&folder, &aside).unwrap();
    std::fs::write(&folder, "no folder").unwrap();
    refused(&mut broker, &data, &["metadata log", &folder.display().to_string(), "os error"]);
    std::fs::remove_file(&folder).unwrap();
    std::fs::rename(&aside, &folder).unwrap();
    serves(&mut broker);
    assert_eq!(std::fs::read(&mark).unwrap(), clean, "an orderly stop leaves its mark again");
}
