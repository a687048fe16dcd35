//! What many connections cost together: what they announce costs nothing, and what they send or do not take stays within
//! the budget, `queued.max.request.bytes`.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod support;

use std::net::SocketAddr;

use model::Producer;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use support::process::Process;
use support::{Client, batch_of, wait_until};
use wire::messages::create_topics::{CreatableTopic, CreateTopicsRequest};
use wire::messages::fetch::{FetchPartition, FetchRequest, FetchTopic};
use wire::messages::metadata::MetadataRequest;

const MIB: u64 = 1 << 20;
const HELD: &str = "milena_request_bytes";

fn create(client: &mut Client, name: &str, partitions: i32) {
    let topic =
        CreatableTopic { name: name.into(), num_partitions: partitions, replication_factor: 1, ..Default::default() };
    let answer = client.ask(7, &CreateTopicsRequest { topics: vec![topic], timeout_ms: 20_000, ..Default::default() });
    assert_eq!(answer.topics[0].error_code, 0, "{answer:?}");
}

/// How many connections this process may have open, `wanted` at most.
fn connections(wanted: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }).unwrap();
    // The broker has the same limit, and both need some for themselves.
    let most = usize::try_from(limit.maximum.unwrap_or(u64::MAX)).unwrap_or(usize::MAX).saturating_sub(200);
    if most < wanted {
        println!("only {most} of {wanted} connections: the limit of open files is {:?}", limit.maximum);
    }
    wanted.min(most)
}

/// So many connections that have each sent `bytes`.
fn crowd(address: SocketAddr, count: usize, bytes: &[u8]) -> Vec<Client> {
    let connect = |_| {
        let mut client = Client::connect(address).unwrap();
        client.send_raw(bytes).unwrap();
        client
    };
    (0..count).map(connect).collect()
}

#[test]
fn ten_thousand_connections_that_announce_100_mib_and_send_nothing_more_cost_under_64_mib_in_all() {
    let dir = tempfile::tempdir().unwrap();
    let mut broker = Process::new(dir.path(), "");
    broker.start();
    let before = broker.memory_bytes();
    let count = connections(10_000);
    let crowd = crowd(broker.address(), count, &(100i32 << 20).to_be_bytes());
    let open = || broker.metric("kafka_server_socket_server_metrics_connection_count", &[]) as usize;
    wait_until("all connections to be served", || open() == count);
    let memory = broker.memory_bytes();
    println!("{count} connections: {} KiB, {} bytes each", memory >> 10, (memory - before) / count as u64);
    assert!(memory < 64 * MIB, "{memory} bytes in all");
    assert!(Client::connect(broker.address()).unwrap().call(1, &MetadataRequest::default()).is_ok());
    drop(crowd);
    wait_until("all connections to be closed", || open() == 0);
}

#[test]
fn half_received_requests_count_against_the_budget_and_small_requests_are_served_all_the_same() {
    const BUDGET: u64 = 16 * MIB;
    let dir = tempfile::tempdir().unwrap();
    let settings = format!("socket.request.max.bytes={}\nqueued.max.request.bytes={BUDGET}\n", 4 * MIB);
    let mut broker = Process::new(dir.path(), &settings);
    broker.start();
    let before = broker.memory_bytes();
    // 200 MiB are sent. What the broker does not read stays with the kernel, or with the senders.
    let half = [&(2i32 << 20).to_be_bytes()[..], &vec![7; 1 << 20]].concat();
    let senders: Vec<_> = (0..200)
        .map(|_| {
            let mut client = Client::connect(broker.address()).unwrap();
            let half = half.clone();
            std::thread::spawn(move || (client.send_raw(&half).is_ok(), client).1)
        })
        .collect();
    wait_until("the budget to be used up", || broker.metric(HELD, &[]) >= BUDGET as f64);
    for _ in 0..100 {
        let mut small = Client::connect(broker.address()).unwrap();
        small.ask(1, &MetadataRequest::default());
    }
    let (held, grown) = (broker.metric(HELD, &[]), broker.memory_bytes().saturating_sub(before));
    println!("{held} bytes held, {grown} bytes more");
    assert!(held <= (BUDGET + 4 * MIB) as f64, "{held} bytes held");
    // A buffer may have room for twice its bytes, and the allocator keeps some for the next ones.
    assert!(grown < 4 * BUDGET, "{grown} bytes more");
    // Nobody goes on: those who hold most of the budget are closed, and others get their turn.
    wait_until("room for others", || broker.log_lines("memory is short") > 4);
    drop(senders);
    assert_eq!(broker.stop(), Some(0));
}

fn fetch_all(partitions: i32, max_wait_ms: i32, min_bytes: i32) -> FetchRequest {
    let partition = |partition| FetchPartition {
        partition,
        current_leader_epoch: -1,
        fetch_offset: 0,
        last_fetched_epoch: -1,
        log_start_offset: -1,
        partition_max_bytes: 50 << 20,
        ..Default::default()
    };
    FetchRequest {
        max_wait_ms,
        min_bytes,
        max_bytes: 50 << 20,
        session_epoch: -1,
        topics: vec![FetchTopic {
            topic: "t".into(),
            partitions: (0..partitions).map(partition).collect(),
            ..Default::default()
        }],
        ..Default::default()
    }
}

#[test]
fn clients_that_do_not_take_their_answers_cost_no_more_than_the_budget() {
    const BUDGET: u64 = 8 * MIB;
    const PARTITIONS: i32 = 2000;
    let dir = tempfile::tempdir().unwrap();
    let settings = format!("socket.request.max.bytes={MIB}\nqueued.max.request.bytes={BUDGET}\n");
    let mut broker = Process::new(dir.path(), &settings);
    broker.start();
    let mut client = Client::connect(broker.address()).unwrap();
    create(&mut client, "t", PARTITIONS);
    let value = "x".repeat(900 << 10);
    for _ in 0..20 {
        client.produce("t", 0, &batch_of(&value, Producer::NONE)).unwrap().unwrap();
    }
    let before = broker.memory_bytes();
    let mut slow = Vec::new();
    for _ in 0..100 {
        // Answers of 18 MiB from a file, and of 100 KiB of names, forty times over.
        let mut client = Client::connect(broker.address()).unwrap();
        client.send(12, &fetch_all(1, 0, 1)).unwrap();
        slow.push(client);
        let mut client = Client::connect(broker.address()).unwrap();
        for _ in 0..40 {
            client.send(12, &MetadataRequest { topics: None, ..Default::default() }).unwrap();
        }
        slow.push(client);
    }
    for _ in 0..50 {
        client.ask(12, &MetadataRequest { topics: None, ..Default::default() });
        assert_eq!(client.fetch("t", 0, 19).unwrap().unwrap().len(), 1);
    }
    let grown = broker.memory_bytes().saturating_sub(before);
    println!("{grown} bytes more");
    assert!(grown < 3 * BUDGET, "{grown} bytes more");
}

#[test]
fn requests_that_wait_for_long_stay_within_the_budget() {
    const BUDGET: u64 = 8 * MIB;
    let dir = tempfile::tempdir().unwrap();
    let settings = format!("socket.request.max.bytes={MIB}\nqueued.max.request.bytes={BUDGET}\n");
    let mut broker = Process::new(dir.path(), &settings);
    broker.start();
    let mut client = Client::connect(broker.address()).unwrap();
    create(&mut client, "t", 2000);
    client.produce("t", 0, &batch_of("small", Producer::NONE)).unwrap().unwrap();
    let before = broker.memory_bytes();
    // Each request names 2,000 partitions in 56 KiB, of which the broker makes more, and waits for bytes that never come.
    let patient: Vec<Client> = (0..300)
        .map(|_| {
            let mut client = Client::connect(broker.address()).unwrap();
            client.send(12, &fetch_all(2000, 60_000, 1 << 20)).unwrap();
            client
        })
        .collect();
    wait_until("the budget to be used up", || broker.metric(HELD, &[]) >= BUDGET as f64 * 0.9);
    for _ in 0..50 {
        client.produce("t", 0, &batch_of("small", Producer::NONE)).unwrap().unwrap();
    }
    let (held, grown) = (broker.metric(HELD, &[]), broker.memory_bytes().saturating_sub(before));
    println!("{held} bytes held, {grown} bytes more");
    assert!(held <= 1.5 * BUDGET as f64, "{held} bytes held");
    assert!(grown < 8 * BUDGET, "{grown} bytes more");
    drop(patient);
    wait_until("everything to be given back", || broker.metric(HELD, &[]) == 0.0);
    assert_eq!(broker.stop(), Some(0));
}
