//! An acknowledged record is never lost: kill -9 at random moments under producers and a group, with a ledger.
//!
//! `MILENA_KILLS` sets how often (12 here, 200 in CI), `MILENA_SEED` repeats a run's moments, `MILENA_BROKER` names
//! another binary.

#![allow(clippy::unwrap_used, reason = "a helper of tests fails as a test does")]

mod support;

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use model::{Producer, ProducerEpoch, ProducerId};
use support::process::Process;
use support::{Client, batch_of};
use wire::messages::find_coordinator::FindCoordinatorRequest;
use wire::messages::init_producer_id::InitProducerIdRequest;
use wire::messages::join_group::{JoinGroupRequest, JoinGroupRequestProtocol};
use wire::messages::metadata::{MetadataRequest, MetadataRequestTopic};
use wire::messages::offset_commit::{OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use wire::messages::offset_fetch::{OffsetFetchRequest, OffsetFetchRequestTopic};
use wire::messages::sync_group::{SyncGroupRequest, SyncGroupRequestAssignment};

const TOPIC: &str = "storm";
const GROUP: &str = "storm-readers";
const PARTITIONS: i32 = 3;

/// What was promised to somebody.
#[derive(Default)]
struct Ledger {
    /// Acknowledged to a producer.
    acknowledged: HashMap<(i32, i64), String>,
    /// Seen by a consumer.
    seen: HashMap<(i32, i64), String>,
    /// Acknowledged commits, the highest per partition.
    committed: BTreeMap<i32, i64>,
}

#[test]
fn kill_minus_nine_loses_no_acknowledged_record_and_no_committed_offset() {
    let kills: u32 = std::env::var("MILENA_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(12);
    let seed: u64 = std::env::var("MILENA_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or_else(rand::random);
    println!("MILENA_SEED={seed} MILENA_KILLS={kills}");
    let dir = tempfile::tempdir().unwrap();
    // Small segments, so that kills hit rolls too.
    let settings = format!("num.partitions={PARTITIONS}\nlog.segment.bytes=1048576\nlog.index.interval.bytes=256\n");
    let mut broker = Process::new(dir.path(), &settings);
    broker.start();
    let address = broker.address();
    create_topic(address);

    let ledger = Mutex::new(Ledger::default());
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for partition in 0..PARTITIONS {
            let (ledger, stop) = (&ledger, &stop);
            scope.spawn(move || produce(address, partition, ledger, stop));
        }
        scope.spawn(|| consume(address, &ledger, &stop));
        let mut random = seed;
        for _ in 0..kills {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            std::thread::sleep(Duration::from_millis(20 + (random >> 33) % 230));
            broker.kill();
            broker.start();
        }
        // One more life in peace, so that everybody ends with an acknowledgement.
        std::thread::sleep(Duration::from_millis(500));
        stop.store(true, Ordering::Relaxed);
    });

    let ledger = ledger.into_inner().unwrap();
    check(address, &ledger);
    assert_eq!(broker.stop(), Some(0), "{}", broker.log());
    broker.start();
    check(address, &ledger);
    println!(
        "{} records acknowledged, {} seen, {:?} committed",
        ledger.acknowledged.len(),
        ledger.seen.len(),
        ledger.committed
    );
}

fn check(address: SocketAddr, ledger: &Ledger) {
    let mut client = Client::connect(address).unwrap();
    let mut total = 0;
    for partition in 0..PARTITIONS {
        let records = client.read_all(TOPIC, partition).unwrap();
        let mut values = HashMap::new();
        for (at, record) in records.iter().enumerate() {
            assert_eq!(record.offset.0, at as i64, "partition {partition} has no gap");
            let value = String::from_utf8(record.value.clone().unwrap().to_vec()).unwrap();
            let twice = values.insert(value.clone(), record.offset);
            assert_eq!(twice, None, "an idempotent producer's {value} is there once, in partition {partition}");
        }
        for books in [&ledger.acknowledged, &ledger.seen] {
            for ((_, offset), value) in books.iter().filter(|((of, _), _)| *of == partition) {
                let found = records.get(*offset as usize).and_then(|record| record.value.as_deref());
                let found = found.map(String::from_utf8_lossy);
                assert_eq!(found.as_deref(), Some(value.as_str()), "partition {partition}, offset {offset}");
            }
        }
        total += records.len();
    }
    assert!(ledger.acknowledged.len() > 100 && total >= ledger.acknowledged.len(), "the storm had something to lose");
    let committed = fetch_committed(&mut client).unwrap();
    for (partition, offset) in &ledger.committed {
        assert!(committed[partition] >= *offset, "partition {partition}: {} after {offset}", committed[partition]);
    }
    assert!(!ledger.committed.is_empty(), "the group has committed something");
}

fn create_topic(address: SocketAddr) {
    let request = MetadataRequest {
        topics: Some(vec![MetadataRequestTopic { name: Some(TOPIC.into()), ..Default::default() }]),
        allow_auto_topic_creation: true,
        ..Default::default()
    };
    let deadline = Instant::now() + Duration::from_secs(10);
    let mut client = Client::connect(address).unwrap();
    loop {
        let answer = client.call(9, &request).unwrap();
        if answer.topics[0].error_code == 0 && answer.topics[0].partitions.len() == PARTITIONS as usize {
            return;
        }
        assert!(Instant::now() < deadline, "the topic is created: {answer:?}");
    }
}

/// Writes numbered values, each until it is acknowledged.
fn produce(address: SocketAddr, partition: i32, ledger: &Mutex<Ledger>, stop: &AtomicBool) {
    let mut client = None;
    let mut id = None;
    let mut next = 0;
    let padding = "x".repeat(600);
    while !stop.load(Ordering::Relaxed) {
        let Some(connection) = connected(&mut client, address) else { continue };
        let Some(producer) = id else {
            let request = InitProducerIdRequest {
                transaction_timeout_ms: 1000,
                producer_id: -1,
                producer_epoch: -1,
                ..Default::default()
            };
            match connection.call(4, &request) {
                Ok(answer) if answer.error_code == 0 => id = Some(ProducerId(answer.producer_id)),
                Ok(_) => {}
                Err(_) => client = None,
            }
            continue;
        };
        let value = format!("{partition}-{next}-{padding}");
        let producer = Producer { id: producer, epoch: ProducerEpoch(0), base_sequence: next };
        match connection.produce(TOPIC, partition, &batch_of(&value, producer)) {
            Ok(Ok(offset)) => {
                let before = ledger.lock().unwrap().acknowledged.insert((partition, offset), value);
                assert_eq!(before, None, "offset {offset} of partition {partition} is given out once");
                next += 1;
            }
            Ok(Err(6 | 3 | 56)) => {}
            Ok(Err(code)) => panic!("produce to partition {partition} failed with {code}"),
            Err(_) => client = None,
        }
    }
}

/// One member of a group: reads, and commits what it has read.
fn consume(address: SocketAddr, ledger: &Mutex<Ledger>, stop: &AtomicBool) {
    let mut client = None;
    let mut membership: Option<(String, i32)> = None;
    let mut positions: BTreeMap<i32, i64> = (0..PARTITIONS).map(|partition| (partition, 0)).collect();
    while !stop.load(Ordering::Relaxed) {
        let Some(connection) = connected(&mut client, address) else { continue };
        let mut round = || -> std::io::Result<()> {
            if membership.is_none() {
                membership = join(connection)?;
                let Some(committed) = fetch_committed(connection) else { return Ok(()) };
                let ledger = ledger.lock().unwrap();
                for (partition, offset) in &ledger.committed {
                    assert!(committed[partition] >= *offset, "a commit of partition {partition} went back");
                }
            }
            let Some((member, generation)) = membership.clone() else { return Ok(()) };
            for (partition, position) in &mut positions {
                let Ok(records) = connection.fetch(TOPIC, *partition, *position)? else { continue };
                let mut ledger = ledger.lock().unwrap();
                for record in records {
                    let value = String::from_utf8(record.value.unwrap().to_vec()).unwrap();
                    if let Some(before) = ledger.seen.insert((*partition, record.offset.0), value.clone()) {
                        assert_eq!(before, value, "a record that was read does not change");
                    }
                    *position = record.offset.0 + 1;
                }
            }
            let partitions = positions.iter().map(|(partition, position)| OffsetCommitRequestPartition {
                partition_index: *partition,
                committed_offset: *position,
                committed_leader_epoch: -1,
                committed_metadata: Some("".into()),
                ..Default::default()
            });
            let commit = OffsetCommitRequest {
                group_id: GROUP.into(),
                generation_id_or_member_epoch: generation,
                member_id: member.as_str().into(),
                retention_time_ms: -1,
                topics: vec![OffsetCommitRequestTopic {
                    name: TOPIC.into(),
                    partitions: partitions.collect(),
                    ..Default::default()
                }],
                ..Default::default()
            };
            let answer = connection.call(8, &commit)?;
            for partition in &answer.topics[0].partitions {
                match partition.error_code {
                    0 => {
                        let position = positions[&partition.partition_index];
                        ledger.lock().unwrap().committed.insert(partition.partition_index, position);
                    }
                    14..=16 => {}
                    _ => membership = None,
                }
            }
            Ok(())
        };
        if round().is_err() {
            client = None;
        }
    }
}

fn join(client: &mut Client) -> std::io::Result<Option<(String, i32)>> {
    let found = client.call(3, &FindCoordinatorRequest { key: GROUP.into(), ..Default::default() })?;
    if found.error_code != 0 {
        return Ok(None);
    }
    let mut request = JoinGroupRequest {
        group_id: GROUP.into(),
        session_timeout_ms: 6_000,
        rebalance_timeout_ms: 1_000,
        protocol_type: "consumer".into(),
        protocols: vec![JoinGroupRequestProtocol { name: "range".into(), ..Default::default() }],
        ..Default::default()
    };
    let mut joined = client.call(5, &request)?;
    if joined.error_code == 79 {
        request.member_id = joined.member_id.clone();
        joined = client.call(5, &request)?;
    }
    if joined.error_code != 0 {
        return Ok(None);
    }
    let assignments = joined.members.iter().map(|member| SyncGroupRequestAssignment {
        member_id: member.member_id.clone(),
        assignment: "all".into(),
        ..Default::default()
    });
    let sync = SyncGroupRequest {
        group_id: GROUP.into(),
        generation_id: joined.generation_id,
        member_id: joined.member_id.clone(),
        assignments: assignments.collect(),
        ..Default::default()
    };
    let synced = client.call(3, &sync)?;
    Ok((synced.error_code == 0).then(|| (joined.member_id.to_string(), joined.generation_id)))
}

/// The group's offsets; `None` while the coordinator is not ready.
fn fetch_committed(client: &mut Client) -> Option<BTreeMap<i32, i64>> {
    let request = OffsetFetchRequest {
        group_id: GROUP.into(),
        topics: Some(vec![OffsetFetchRequestTopic {
            name: TOPIC.into(),
            partition_indexes: (0..PARTITIONS).collect(),
            ..Default::default()
        }]),
        ..Default::default()
    };
    for _ in 0..1000 {
        let answer = client.call(5, &request).ok()?;
        if answer.error_code == 0 {
            let partitions = &answer.topics[0].partitions;
            return Some(partitions.iter().map(|one| (one.partition_index, one.committed_offset)).collect());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    None
}

fn connected(client: &mut Option<Client>, address: SocketAddr) -> Option<&mut Client> {
    if client.is_none() {
        match Client::connect(address) {
            Ok(connection) => *client = Some(connection),
            Err(_) => std::thread::sleep(Duration::from_millis(2)),
        }
    }
    client.as_mut()
}
