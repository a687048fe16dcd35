//! What probes are told, over HTTP and by `milena-broker health`, while a broker recovers, serves and stops.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

mod support;

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use model::Producer;
use support::batch_of;
use support::http::{Metrics, get};
use support::in_process::Broker;
use support::process::Process;
use wire::messages::api_versions::ApiVersionsRequest;
use wire::messages::create_topics::{CreatableTopic, CreateTopicsRequest};
use wire::messages::delete_topics::{DeleteTopicState, DeleteTopicsRequest};
use wire::messages::list_offsets::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};

const PATIENCE: Duration = Duration::from_secs(30);
const STORAGE_ERROR: i16 = 56;

/// A broker with topic `t` of three partitions that hold a record each.
fn prepared(dir: &Path) -> Process {
    let mut broker = Process::new(dir, "");
    broker.start();
    let mut client = support::Client::connect(broker.address()).unwrap();
    let topic = CreatableTopic { name: "t".into(), num_partitions: 3, replication_factor: 1, ..Default::default() };
    let created = client.ask(7, &CreateTopicsRequest { topics: vec![topic], ..Default::default() });
    assert_eq!(created.topics[0].error_code, 0);
    for partition in 0..3 {
        client.produce("t", partition, &batch_of("kept", Producer::NONE)).unwrap().unwrap();
    }
    broker
}

/// Exit code and line of `milena-broker health`.
fn health(probe: &str, http: SocketAddr) -> (Option<i32>, String) {
    let binary = std::env::var("MILENA_BROKER").unwrap_or_else(|_| env!("CARGO_BIN_EXE_milena-broker").to_owned());
    let ran = Command::new(binary).args(["health", probe, "--http", &http.to_string()]).output().unwrap();
    (ran.status.code(), String::from_utf8(ran.stdout).unwrap().trim().to_owned())
}

fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_long_recovery_is_told_to_probes_and_to_the_log_until_it_is_over() {
    let dir = tempfile::tempdir().unwrap();
    let mut broker = prepared(dir.path());
    let http = broker.http();
    assert_eq!(
        get(http, "/health/startup").unwrap(),
        (200, "{\"recovered\":0,\"status\":\"ok\",\"total\":0}\n".into())
    );
    broker.kill();

    // One log takes as long as this test likes: whoever opens a pipe waits for its other end. What a log reads first may
    // be there or not after a kill.
    let file = dir.path().join("data/t-1/log.state");
    let content = std::fs::read(&file).unwrap_or_default();
    let _ = std::fs::remove_file(&file);
    rustix::fs::mknodat(rustix::fs::CWD, &file, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();

    std::thread::scope(|scope| {
        scope.spawn(|| broker.start());
        let expected = "{\"recovered\":2,\"status\":\"starting\",\"total\":3}\n";
        until("two logs of three are open", || {
            get(http, "/health/startup").ok().filter(|answer| *answer == (503, expected.to_owned()))
        });
        assert_eq!(get(http, "/health/live").unwrap(), (200, "{\"status\":\"ok\"}\n".to_owned()));
        let ready = "{\"reason\":\"logs are being recovered\",\"status\":\"failing\"}";
        assert_eq!(get(http, "/health/ready").unwrap(), (503, format!("{ready}\n")));
        assert_eq!(health("live", http), (Some(0), "live: {\"status\":\"ok\"}".to_owned()));
        assert_eq!(health("ready", http), (Some(1), format!("ready: HTTP 503 {ready}")));
        assert_eq!(health("startup", http), (Some(1), format!("startup: HTTP 503 {}", expected.trim())));
        let metrics = Metrics::scrape(http);
        assert_eq!(metrics.value("kafka_server_kafkaserver_brokerstate"), 2.0);
        assert_eq!((metrics.value("milena_recovery_logs_done"), metrics.value("milena_recovery_logs")), (2.0, 3.0));
        assert_eq!(metrics.value("kafka_server_replicamanager_offlinereplicacount"), 0.0, "not open is not offline");
        assert_eq!(metrics.value("kafka_controller_kafkacontroller_offlinepartitionscount"), 0.0);
        let log = dir.path().join("server.log");
        until("a line of progress", || {
            let told = std::fs::read_to_string(&log).unwrap();
            told.contains("recovering logs done=2 of=3").then_some(())
        });

        std::fs::OpenOptions::new().write(true).open(&file).unwrap().write_all(&content).unwrap();
    });
    let done = "{\"recovered\":3,\"status\":\"ok\",\"total\":3}";
    until("it serves", || (get(http, "/health/ready").unwrap().0 == 200).then_some(()));
    assert_eq!(get(http, "/health/startup").unwrap(), (200, format!("{done}\n")));
    assert_eq!(health("startup", http), (Some(0), format!("startup: {done}")));
    let metrics = Metrics::scrape(http);
    assert_eq!(metrics.value("kafka_server_kafkaserver_brokerstate"), 3.0);
    let mut client = support::Client::connect(broker.address()).unwrap();
    assert_eq!(client.read_all("t", 1).unwrap().len(), 1);
    broker.kill();
    let (code, line) = health("live", http);
    assert_eq!(code, Some(1));
    assert!(line.starts_with(&format!("live: cannot ask {http}: ")), "{line}");
}

#[test]
fn listeners_without_a_host_answer_over_ipv4_and_ipv6() {
    let broker = Broker::start(&[("listeners", "PLAINTEXT://:0"), ("milena.http.listener", ":0")]);
    let mut loopbacks: Vec<IpAddr> = vec![Ipv4Addr::LOCALHOST.into()];
    if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok() {
        loopbacks.push(Ipv6Addr::LOCALHOST.into());
    }
    for ip in loopbacks {
        assert_eq!(get((ip, broker.http().port()).into(), "/health/live").unwrap().0, 200, "{ip}");
        let mut client = support::Client::connect((ip, broker.address().port()).into()).unwrap();
        assert_eq!(client.ask(2, &ApiVersionsRequest::default()).error_code, 0, "{ip}");
    }
}

#[test]
fn a_partition_that_cannot_be_opened_is_offline_and_the_others_are_served() {
    let dir = tempfile::tempdir().unwrap();
    let mut broker = prepared(dir.path());
    let http = broker.http();
    assert_eq!(broker.stop(), Some(0));
    let folder = dir.path().join("data/t-1");
    std::fs::rename(&folder, dir.path().join("elsewhere")).unwrap();
    std::fs::write(&folder, "no folder").unwrap();
    broker.start();
    let metrics = until("it serves", || {
        let metrics = Metrics::scrape(http);
        (metrics.value("kafka_server_kafkaserver_brokerstate") == 3.0).then_some(metrics)
    });
    assert_eq!(metrics.value("kafka_server_replicamanager_offlinereplicacount"), 1.0);
    assert_eq!(metrics.value("kafka_controller_kafkacontroller_offlinepartitionscount"), 1.0);
    assert_eq!(metrics.value("kafka_server_replicamanager_leadercount"), 2.0);
    assert_eq!(metrics.get("kafka_log_log_size{topic=\"t\",partition=\"1\"}"), None);
    assert_eq!(health("ready", http), (Some(0), "ready: {\"status\":\"ok\"}".to_owned()));

    // As of a log directory that failed.
    let mut client = support::Client::connect(broker.address()).unwrap();
    for (partition, code) in [(0, 0), (1, STORAGE_ERROR), (2, 0)] {
        let produced = client.produce("t", partition, &batch_of("more", Producer::NONE)).unwrap();
        assert_eq!(produced.err().unwrap_or(0), code, "produce to {partition}");
        let fetched = client.fetch("t", partition, 0).unwrap();
        assert_eq!(fetched.err().unwrap_or(0), code, "fetch from {partition}");
        assert_eq!(end_offset_code(&mut client, partition), code, "end of {partition}");
    }
    let topic = DeleteTopicState { name: Some("t".into()), ..Default::default() };
    let deleted = client.ask(6, &DeleteTopicsRequest { topics: vec![topic], timeout_ms: 10_000, ..Default::default() });
    assert_eq!(deleted.responses[0].error_code, 0);
    until("nothing is offline", || {
        (Metrics::scrape(http).value("kafka_server_replicamanager_offlinereplicacount") == 0.0).then_some(())
    });
}

/// The error code of ListOffsets for the end of a partition of `t`.
fn end_offset_code(client: &mut support::Client, partition_index: i32) -> i16 {
    let partition =
        ListOffsetsPartition { partition_index, current_leader_epoch: -1, timestamp: -1, ..Default::default() };
    let topic = ListOffsetsTopic { name: "t".into(), partitions: vec![partition], ..Default::default() };
    let request = ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..Default::default() };
    client.ask(7, &request).topics[0].partitions[0].error_code
}
