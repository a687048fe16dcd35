//! A write that fails for another reason than a full disk takes its directory offline until a restart; what was acknowledged
//! stays, other directories go on, and without any directory the broker ends. Failed syncs are tried on the simulated disk
//! (`core/partition`, `core/storage`): no plain system fails one on demand.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod support;

use std::path::Path;

use model::Producer;
use support::process::Process;
use support::{Client, batch_of, wait_until};
use wire::messages::create_topics::{CreatableTopic, CreateTopicsRequest};
use wire::messages::describe_log_dirs::DescribeLogDirsRequest;

const STORAGE_ERROR: i16 = 56;
const OFFLINE: &str = "a log directory failed and is offline";
/// Files beyond this cannot be written.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// A broker whose files can be limited, with directories `a` and `b`.
fn broker(dir: &Path, settings: &str) -> Process {
    let [a, b] = ["a", "b"].map(|name| dir.join(name).display().to_string());
    Process::new(dir, &format!("log.dirs={a},{b}\n{settings}")).limited("trap '' XFSZ")
}

fn create(client: &mut Client, name: &str, partitions: i32) -> i16 {
    let topic =
        CreatableTopic { name: name.into(), num_partitions: partitions, replication_factor: 1, ..Default::default() };
    client.ask(7, &CreateTopicsRequest { topics: vec![topic], timeout_ms: 5_000, ..Default::default() }).topics[0]
        .error_code
}

fn produce(client: &mut Client, topic: &str, partition: i32, value: &str) -> Result<i64, i16> {
    client.produce(topic, partition, &batch_of(value, Producer::NONE)).unwrap()
}

/// Writes numbered records of 100 KiB until one is refused; gives how many were acknowledged.
fn fill(client: &mut Client, partition: i32) -> i64 {
    for number in 0..1000 {
        match produce(client, "t", partition, &large(number)) {
            Ok(offset) => assert_eq!(offset, number),
            Err(code) => {
                assert_eq!(code, STORAGE_ERROR);
                return number;
            }
        }
    }
    panic!("the disk takes everything");
}

fn large(number: i64) -> String {
    format!("{number}-{}", "x".repeat(100 << 10))
}

/// The partition begins with the first `count` numbered records, and has at most one more.
fn has(client: &mut Client, partition: i32, count: i64) {
    let records = client.read_all("t", partition).unwrap();
    assert!((count..=count + 1).contains(&(records.len() as i64)), "{} of {count}", records.len());
    for (number, record) in records.iter().enumerate() {
        assert_eq!(record.value.as_deref(), Some(large(number as i64).as_bytes()));
    }
}

/// The name of the directory with partition `folder`.
fn dir_of(dir: &Path, folder: &str) -> &'static str {
    if dir.join("a").join(folder).exists() { "a" } else { "b" }
}

#[test]
fn a_failed_write_takes_its_directory_offline_for_good_and_the_other_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut broker = broker(dir.path(), &format!("metadata.log.dir={}", dir.path().join("meta").display()));
    broker.start();
    let mut client = Client::connect(broker.address()).unwrap();
    assert_eq!((create(&mut client, "t", 2), create(&mut client, "u", 2)), (0, 0));
    let (bad, good) = (0, 1);
    let lies_bad = dir_of(dir.path(), "t-0");
    assert_ne!(dir_of(dir.path(), "t-1"), lies_bad, "a topic's partitions are spread");
    let neighbour = if dir_of(dir.path(), "u-0") == lies_bad { 0 } else { 1 };
    produce(&mut client, "u", neighbour, "well").unwrap();

    broker.limit_file_bytes(Some(FILE_BYTES_MAX));
    let acknowledged = fill(&mut client, bad);
    assert!(acknowledged > 0);
    wait_until("the neighbour to go offline", || client.fetch("u", neighbour, 0).unwrap().is_err());
    assert_eq!(produce(&mut client, "u", neighbour, "late"), Err(STORAGE_ERROR));
    for (topic, partition) in [("t", bad), ("u", neighbour)] {
        assert_eq!(client.fetch(topic, partition, 0).unwrap().unwrap_err(), STORAGE_ERROR);
    }
    assert_eq!(produce(&mut client, "t", good, "well"), Ok(0));
    assert_eq!(client.read_all("t", good).unwrap().len(), 1);
    let dirs = client.ask(4, &DescribeLogDirsRequest { topics: None, ..Default::default() }).results;
    let failed: Vec<_> =
        dirs.iter().filter(|one| one.error_code == STORAGE_ERROR).map(|one| one.log_dir.to_string()).collect();
    assert_eq!(failed, [dir.path().join(lies_bad).display().to_string()]);
    assert_eq!(broker.metric("kafka_log_logmanager_offlinelogdirectorycount", &[]), 1.0);
    assert_eq!(create(&mut client, "v", 4), 0, "new partitions go to the other directory");
    for partition in 0..4 {
        assert_eq!(produce(&mut client, "v", partition, "well"), Ok(0));
    }

    // That the disk is well again changes nothing.
    broker.limit_file_bytes(None);
    assert_eq!(produce(&mut client, "t", bad, "late"), Err(STORAGE_ERROR));
    assert_eq!(broker.log_lines(OFFLINE), 1, "{}", broker.log());
    assert_eq!(broker.stop(), Some(1));
    let told = broker.log().lines().filter(|line| line.starts_with("error: log directory ")).count();
    assert_eq!(told, 1, "{}", broker.log());
    for name in ["a", "b", "meta"] {
        assert!(!dir.path().join(name).join(".kafka_cleanshutdown").exists(), "{name}");
    }

    broker.start();
    let mut client = Client::connect(broker.address()).unwrap();
    has(&mut client, bad, acknowledged);
    assert_eq!(client.read_all("u", neighbour).unwrap().len(), 1);
    assert!(produce(&mut client, "t", bad, "again").is_ok());
    assert_eq!(broker.stop(), Some(0));
}

#[test]
fn a_broker_without_any_directory_ends_with_one_line_and_exit_code_1() {
    let dir = tempfile::tempdir().unwrap();
    let mut broker = broker(dir.path(), &format!("metadata.log.dir={}", dir.path().join("meta").display()));
    broker.start();
    let mut client = Client::connect(broker.address()).unwrap();
    assert_eq!(create(&mut client, "t", 2), 0);
    broker.limit_file_bytes(Some(FILE_BYTES_MAX));
    let acknowledged = [fill(&mut client, 0), fill(&mut client, 1)];
    assert_eq!(broker.ended(), Some(1), "{}", broker.log());
    let log = broker.log();
    let last = log.lines().last().unwrap_or_default();
    assert!(last.starts_with("error: log directory ") && last.contains("File too large"), "{last}");
    broker.start();
    let mut client = Client::connect(broker.address()).unwrap();
    for (partition, acknowledged) in acknowledged.into_iter().enumerate() {
        has(&mut client, partition as i32, acknowledged);
    }
    assert_eq!(broker.stop(), Some(0));
}

#[test]
fn a_broker_whose_metadata_log_failed_ends_with_one_line_and_exit_code_1() {
    let dir = tempfile::tempdir().unwrap();
    let mut broker = broker(dir.path(), "");
    broker.start();
    let mut client = Client::connect(broker.address()).unwrap();
    assert_eq!(create(&mut client, "t", 2), 0);
    assert_eq!(produce(&mut client, "t", 0, &large(0)), Ok(0));
    // So that what the broker logs, to a file as well, stays below the limit.
    assert_eq!(create(&mut client, "many", 1000), 0);
    let log = dir.path().join("a/__cluster_metadata-0/00000000000000000000.log");
    broker.limit_file_bytes(Some(std::fs::metadata(log).unwrap().len() + 50));
    assert_ne!(create(&mut client, "lost", 2), 0);
    assert_eq!(broker.ended(), Some(1), "{}", broker.log());
    let log = broker.log();
    let last = log.lines().last().unwrap_or_default();
    assert!(last.starts_with("error: ") && last.contains("metadata log"), "{last}");
    broker.start();
    let mut client = Client::connect(broker.address()).unwrap();
    has(&mut client, 0, 1);
    assert_eq!(create(&mut client, "lost", 2), 0, "what was refused is not there");
    assert_eq!(broker.stop(), Some(0));
}

#[test]
fn a_directory_that_vanishes_goes_offline_when_it_is_missed_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let settings = format!("metadata.log.dir={}\nlog.segment.bytes=1048576", dir.path().join("meta").display());
    let mut broker = broker(dir.path(), &settings);
    broker.start();
    let mut client = Client::connect(broker.address()).unwrap();
    assert_eq!(create(&mut client, "t", 2), 0);
    assert_eq!(produce(&mut client, "t", 0, &large(0)), Ok(0));
    let (here, away) = (dir.path().join(dir_of(dir.path(), "t-0")), dir.path().join("away"));
    std::fs::rename(&here, &away).unwrap();
    let mut acknowledged = 1;
    while let Ok(offset) = produce(&mut client, "t", 0, &large(acknowledged)) {
        assert_eq!(offset, acknowledged);
        acknowledged += 1;
        assert!(acknowledged < 1000, "nobody misses the directory");
    }
    assert_eq!(produce(&mut client, "t", 1, "well"), Ok(0));
    assert!(!here.exists(), "nothing is made in its place");
    assert_eq!(broker.stop(), Some(1));
    std::fs::rename(&away, &here).unwrap();
    broker.start();
    has(&mut Client::connect(broker.address()).unwrap(), 0, acknowledged);
    assert_eq!(broker.stop(), Some(0));
}
