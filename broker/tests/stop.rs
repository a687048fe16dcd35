//! Stopping: in order under load, with exit code 0 and a mark that spares the next start its scan; and without waiting for
//! clients that wait, read slowly, or are in the middle of a request.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod support;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use model::{Producer, ProducerEpoch, ProducerId};
use rustix::process::Signal;
use support::process::Process;
use support::{Client, batch_of, wait_until};
use wire::messages::create_topics::{CreatableTopic, CreateTopicsRequest};
use wire::messages::fetch::{FetchPartition, FetchRequest, FetchTopic};
use wire::messages::find_coordinator::FindCoordinatorRequest;
use wire::messages::init_producer_id::InitProducerIdRequest;
use wire::messages::join_group::{JoinGroupRequest, JoinGroupRequestProtocol};

/// Nobody is waited for longer than this, whatever he does; what a busy machine adds included.
const AT_ONCE: Duration = Duration::from_secs(4);

fn start(dir: &Path, settings: &str) -> Process {
    let mut broker = Process::new(dir, settings);
    broker.start();
    let topic = CreatableTopic { name: "t".into(), num_partitions: 4, replication_factor: 1, ..Default::default() };
    let request = CreateTopicsRequest { topics: vec![topic], timeout_ms: 5_000, ..Default::default() };
    let created = Client::connect(broker.address()).unwrap().ask(7, &request);
    assert_eq!(created.topics[0].error_code, 0);
    broker
}

/// Sends one record after another until the broker is gone; gives what was acknowledged.
fn produce(address: SocketAddr, partition: i32, busy: &AtomicBool) -> Vec<(i64, String)> {
    let mut client = Client::connect(address).unwrap();
    let request = InitProducerIdRequest {
        transactional_id: None,
        transaction_timeout_ms: 1000,
        producer_id: -1,
        producer_epoch: -1,
        ..Default::default()
    };
    let id = ProducerId(client.ask(4, &request).producer_id);
    let mut acknowledged = Vec::new();
    for base_sequence in 0.. {
        let value = format!("{partition}-{base_sequence}-{}", "x".repeat(500));
        let batch = batch_of(&value, Producer { id, epoch: ProducerEpoch(0), base_sequence });
        match client.produce("t", partition, &batch) {
            Ok(Ok(offset)) => acknowledged.push((offset, value)),
            // It leads no more, or is gone.
            Ok(Err(6)) | Err(_) => break,
            Ok(Err(code)) => panic!("a produce failed with {code}"),
        }
        busy.store(true, Ordering::Relaxed);
    }
    acknowledged
}

#[test]
fn sigterm_under_load_stops_in_order_with_exit_code_0_and_a_mark_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    for settings in ["", "log.flush.interval.messages=1"] {
        let dir = tempfile::tempdir_in(dir.path()).unwrap();
        let mut broker = start(dir.path(), settings);
        let address = broker.address();
        let busy: [AtomicBool; 4] = Default::default();
        let acknowledged: Vec<Vec<(i64, String)>> = std::thread::scope(|scope| {
            let producers: Vec<_> = (0..4)
                .zip(&busy)
                .map(|(partition, busy)| scope.spawn(move || produce(address, partition, busy)))
                .collect();
            wait_until("load", || busy.iter().all(|busy| busy.load(Ordering::Relaxed)));
            let started = Instant::now();
            assert_eq!(broker.stop(), Some(0), "{}", broker.log());
            assert!(started.elapsed() < AT_ONCE, "{:?}", started.elapsed());
            producers.into_iter().map(|producer| producer.join().unwrap()).collect()
        });
        assert!(dir.path().join("data/.kafka_cleanshutdown").exists());
        broker.start();
        let mut client = Client::connect(address).unwrap();
        for (partition, acknowledged) in acknowledged.iter().enumerate() {
            let records = client.read_all("t", partition as i32).unwrap();
            for (offset, value) in acknowledged {
                assert_eq!(records[*offset as usize].value.as_deref(), Some(value.as_bytes()));
            }
        }
        assert_eq!(broker.log_lines("scanned_bytes=0"), 2, "nothing was scanned: {}", broker.log());
        assert_eq!(broker.stop(), Some(0));
    }
}

fn long_poll(client: &mut Client) {
    let partition = FetchPartition {
        current_leader_epoch: -1,
        last_fetched_epoch: -1,
        log_start_offset: -1,
        partition_max_bytes: 1 << 20,
        ..Default::default()
    };
    let fetch = FetchRequest {
        max_wait_ms: i32::MAX,
        min_bytes: 1 << 20,
        max_bytes: 1 << 20,
        session_epoch: -1,
        topics: vec![FetchTopic { topic: "t".into(), partitions: vec![partition], ..Default::default() }],
        ..Default::default()
    };
    client.send(12, &fetch).unwrap();
}

/// Joins a group that waits for its first member's companions.
fn join(client: &mut Client) {
    client.ask(3, &FindCoordinatorRequest { key: "g".into(), ..Default::default() });
    let join = JoinGroupRequest {
        group_id: "g".into(),
        session_timeout_ms: 60_000,
        rebalance_timeout_ms: 300_000,
        protocol_type: "consumer".into(),
        protocols: vec![JoinGroupRequestProtocol { name: "range".into(), ..Default::default() }],
        ..Default::default()
    };
    client.send(3, &join).unwrap();
}

/// Asks for more than the sockets between us hold, and reads none of it.
fn read_nothing(client: &mut Client) {
    let partition = FetchPartition {
        partition: 1,
        current_leader_epoch: -1,
        last_fetched_epoch: -1,
        log_start_offset: -1,
        partition_max_bytes: 50 << 20,
        ..Default::default()
    };
    let fetch = FetchRequest {
        min_bytes: 1,
        max_bytes: 50 << 20,
        session_epoch: -1,
        topics: vec![FetchTopic { topic: "t".into(), partitions: vec![partition], ..Default::default() }],
        ..Default::default()
    };
    client.send(12, &fetch).unwrap();
}

#[test]
fn a_stop_waits_for_nobody_who_waits_reads_nothing_or_sent_half_a_request() {
    let dir = tempfile::tempdir().unwrap();
    let mut broker = start(dir.path(), "group.initial.rebalance.delay.ms=600000");
    let mut client = Client::connect(broker.address()).unwrap();
    for _ in 0..20 {
        client.produce("t", 1, &batch_of(&"x".repeat(900 << 10), Producer::NONE)).unwrap().unwrap();
    }
    let mut clients: Vec<Client> = (0..4).map(|_| Client::connect(broker.address()).unwrap()).collect();
    long_poll(&mut clients[0]);
    join(&mut clients[1]);
    read_nothing(&mut clients[2]);
    clients[3].send_raw(&[0, 0, 1, 0, 0, 1]).unwrap();
    let parked = || broker.metric("kafka_server_delayedoperationpurgatory_purgatorysize", &["Fetch"]);
    wait_until("the long poll", || parked() == 1.0);
    let started = Instant::now();
    assert_eq!(broker.stop(), Some(0), "{}", broker.log());
    assert!(started.elapsed() < AT_ONCE, "{:?}: {}", started.elapsed(), broker.log());
    assert_eq!(broker.log_lines("cut off"), 0, "{}", broker.log());
}

#[test]
fn sigint_stops_in_order_too_and_a_second_signal_stops_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut broker = start(dir.path(), "");
    let data = dir.path().join("data");
    broker.signal(Signal::INT);
    assert_eq!(broker.ended(), Some(0));
    assert!(data.join(".kafka_cleanshutdown").exists());
    broker.start();
    assert!(Client::connect(broker.address()).unwrap().fetch("t", 0, 0).is_ok());
    broker.signal(Signal::TERM);
    broker.signal(Signal::INT);
    let code = broker.ended();
    assert!(matches!(code, Some(0 | 130)), "{code:?}");
    if code == Some(0) {
        println!("the first signal was faster than the second");
    }
    broker.start();
    assert!(Client::connect(broker.address()).unwrap().fetch("t", 0, 0).is_ok());
    assert_eq!(broker.stop(), Some(0));
}
