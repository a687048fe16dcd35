//! Clients that ask for promises, and go on as clients do when the broker is gone.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use model::{Producer, ProducerEpoch, ProducerId};
use wire::messages::create_topics::{CreatableTopic, CreateTopicsRequest};
use wire::messages::find_coordinator::FindCoordinatorRequest;
use wire::messages::init_producer_id::InitProducerIdRequest;
use wire::messages::join_group::{JoinGroupRequest, JoinGroupRequestProtocol};
use wire::messages::offset_commit::{OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use wire::messages::offset_fetch::{OffsetFetchRequest, OffsetFetchRequestTopic};
use wire::messages::sync_group::{SyncGroupRequest, SyncGroupRequestAssignment};

use crate::ledger::{Ledger, PARTITIONS, TOPIC, value};
use crate::support::{Client, batch_of_all};

const GROUP: &str = "storm-readers";
/// Batches that a producer has on the way, as Kafka's clients do.
const IN_FLIGHT: usize = 5;
/// Errors that a client answers by trying again: 3 and 6 of a broker that is not ready, 56 of its disk.
const RETRIABLE: [i16; 3] = [3, 6, 56];
/// Loading, not available, not here.
const COORDINATOR_BUSY: [i16; 3] = [14, 15, 16];

/// Runs `round` on a connection again and again; makes a new connection when it fails.
fn work(address: SocketAddr, ledger: &Ledger, mut round: impl FnMut(&mut Client) -> io::Result<()>) {
    let mut client = None;
    while !ledger.is_stopped() {
        let Some(connection) = &mut client else {
            client = Client::connect(address).ok();
            if client.is_none() {
                std::thread::sleep(Duration::from_millis(1));
            }
            continue;
        };
        if let Err(error) = round(connection) {
            let silent = matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut);
            assert!(!silent, "a broker that is there answers");
            client = None;
        }
    }
}

/// What a client does when it is refused for now: it comes back on another connection.
fn later<T>() -> io::Result<T> {
    Err(io::ErrorKind::Interrupted.into())
}

/// A batch on its way.
struct Sent {
    first: u64,
    count: u64,
}

impl Sent {
    fn send(&self, client: &mut Client, partition: usize, id: ProducerId) -> io::Result<()> {
        let values: Vec<String> =
            (self.first..self.first + self.count).map(|number| value(partition, number)).collect();
        let base_sequence = self.first as i32;
        let batch = batch_of_all(&values, Producer { id, epoch: ProducerEpoch(0), base_sequence });
        client.send_batch(TOPIC, partition as i32, &batch)
    }
}

/// Writes numbered records, each until it is acknowledged, several batches at a time.
pub fn produce(address: SocketAddr, partition: usize, ledger: &Ledger) {
    let mut id = None;
    let mut next = 0;
    let mut on_the_way: VecDeque<Sent> = VecDeque::new();
    work(address, ledger, |client| {
        let id = match id {
            Some(id) => id,
            None => *id.insert(new_producer(client)?),
        };
        // After a failure nobody knows which of them arrived: all are sent again, in their order.
        for sent in &on_the_way {
            sent.send(client, partition, id)?;
        }
        while !ledger.is_stopped() {
            while on_the_way.len() < IN_FLIGHT {
                let sent = Sent { first: next, count: 1 + next % 3 };
                next += sent.count;
                let outcome = sent.send(client, partition, id);
                on_the_way.push_back(sent);
                outcome?;
            }
            match client.produced()? {
                Ok(base) => {
                    let sent = on_the_way.pop_front().expect("what is answered was sent");
                    for at in 0..sent.count {
                        ledger.acknowledge(partition, base + at as i64, sent.first + at);
                    }
                    ledger.progressed(partition);
                }
                Err(code) if RETRIABLE.contains(&code) => return later(),
                Err(code) => panic!("produce to partition {partition} failed with {code}"),
            }
        }
        Ok(())
    });
}

fn new_producer(client: &mut Client) -> io::Result<ProducerId> {
    let request = InitProducerIdRequest {
        transactional_id: None,
        transaction_timeout_ms: 1000,
        producer_id: -1,
        producer_epoch: -1,
        ..Default::default()
    };
    let answer = client.call(4, &request)?;
    assert!([0, 14, 15].contains(&answer.error_code), "{answer:?}");
    if answer.error_code == 0 { Ok(ProducerId(answer.producer_id)) } else { later() }
}

/// The only member of a group: reads, and commits what it has read.
pub fn consume(address: SocketAddr, ledger: &Ledger) {
    let mut membership: Option<(String, i32)> = None;
    let mut positions = [0; PARTITIONS];
    work(address, ledger, |client| {
        if membership.is_none() {
            membership = join(client)?;
        }
        let Some((member, generation)) = &membership else { return later() };
        for (partition, offset) in committed(client)?.into_iter().enumerate() {
            ledger.check_committed(partition, offset);
        }
        for (partition, position) in positions.iter_mut().enumerate() {
            match client.fetch(TOPIC, partition as i32, *position)? {
                Ok(records) => {
                    for record in records {
                        assert_eq!(record.offset.0, *position, "partition {partition} is read without a gap");
                        ledger.see(partition, *position, record.value.as_deref().unwrap_or_default());
                        *position += 1;
                    }
                }
                Err(code) => assert!(RETRIABLE.contains(&code), "fetch of partition {partition} failed with {code}"),
            }
        }
        let partition = |(index, position): (usize, &i64)| OffsetCommitRequestPartition {
            partition_index: index as i32,
            committed_offset: *position,
            committed_leader_epoch: -1,
            committed_metadata: Some("".into()),
            ..Default::default()
        };
        let commit = OffsetCommitRequest {
            group_id: GROUP.into(),
            generation_id_or_member_epoch: *generation,
            member_id: member.as_str().into(),
            retention_time_ms: -1,
            topics: vec![OffsetCommitRequestTopic {
                name: TOPIC.into(),
                partitions: positions.iter().enumerate().map(partition).collect(),
                ..Default::default()
            }],
            ..Default::default()
        };
        let answer = client.call(8, &commit)?;
        for partition in &answer.topics[0].partitions {
            match partition.error_code {
                0 => {
                    let index = partition.partition_index as usize;
                    ledger.commit(index, positions[index]);
                    ledger.progressed(PARTITIONS);
                }
                code if COORDINATOR_BUSY.contains(&code) => {}
                // The member was away for too long, or its group is not the one that it knew.
                22 | 25 | 27 => membership = None,
                code => panic!("a commit failed with {code}"),
            }
        }
        Ok(())
    });
}

/// Joins as the only member; `None` while that cannot be.
fn join(client: &mut Client) -> io::Result<Option<(String, i32)>> {
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

/// What the group has committed of each partition.
pub fn committed(client: &mut Client) -> io::Result<[i64; PARTITIONS]> {
    let request = OffsetFetchRequest {
        group_id: GROUP.into(),
        topics: Some(vec![OffsetFetchRequestTopic {
            name: TOPIC.into(),
            partition_indexes: (0..PARTITIONS as i32).collect(),
            ..Default::default()
        }]),
        ..Default::default()
    };
    let answer = client.call(5, &request)?;
    if answer.error_code != 0 {
        assert!(COORDINATOR_BUSY.contains(&answer.error_code), "{answer:?}");
        return later();
    }
    let offsets: BTreeMap<i32, i64> = answer.topics[0]
        .partitions
        .iter()
        .map(|partition| (partition.partition_index, partition.committed_offset))
        .collect();
    Ok(std::array::from_fn(|partition| offsets[&(partition as i32)]))
}

/// Creates topics, one after another.
pub fn create_topics(address: SocketAddr, ledger: &Ledger) {
    let mut next = 0;
    work(address, ledger, |client| {
        let name = format!("made-{next}");
        let topic = CreatableTopic {
            name: name.as_str().into(),
            num_partitions: 1,
            replication_factor: 1,
            ..Default::default()
        };
        let answer =
            client.call(7, &CreateTopicsRequest { topics: vec![topic], timeout_ms: 10_000, ..Default::default() })?;
        match answer.topics[0].error_code {
            0 => {
                ledger.topics.lock().expect("no other worker has failed").insert(name, answer.topics[0].topic_id);
                ledger.progressed(PARTITIONS + 1);
            }
            // Made before a kill that the answer did not survive.
            36 => {}
            code => panic!("a topic could not be created: {code}"),
        }
        next += 1;
        // A few for each life of the broker are enough.
        std::thread::sleep(Duration::from_millis(50));
        Ok(())
    });
}
