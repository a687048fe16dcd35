//! Produces and fetches ask for no memory once they are under way: counted on the threads of shards, over a socket.
//!
//! Not counted as steady: what is done once a second or seldom whatever is produced (upkeep, checkpoints, a segment's end),
//! vectors that double while a log grows (index entries that wait for a checkpoint). So each test looks for a stretch of
//! requests without a single allocation.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

#[path = "allocations/counting.rs"]
mod counting;
mod support;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::{Mutex, MutexGuard};

use bytes::BytesMut;
use model::Producer;
use support::in_process::Broker;
use support::{batch_of, bytes_of};
use wire::header::RequestHeader;
use wire::messages::create_topics::{CreatableTopic, CreateTopicsRequest};
use wire::messages::fetch::{FetchPartition, FetchRequest, FetchTopic};
use wire::messages::metadata::MetadataRequest;
use wire::messages::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use wire::{Records, Request, Writer};

const PARTITIONS: i32 = 4;
/// Requests before anything is counted: pools fill up and buffers grow.
const WARM_UP: usize = 200;
/// Short, so that even on a busy machine some lie between two rounds of upkeep, which come every second.
const STRETCH: usize = 25;
const STRETCHES: usize = 120;
/// Requests under way at a time.
const UNDER_WAY: usize = 5;

/// One test at a time: they share the count.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(|failed| failed.into_inner())
}

/// A broker with topic `t`, and the topic's id.
fn start(shards: &str) -> (Broker, [u8; 16]) {
    let broker = Broker::start(&[("num.io.threads", shards)]);
    let topic =
        CreatableTopic { name: "t".into(), num_partitions: PARTITIONS, replication_factor: 1, ..Default::default() };
    let answer = broker.client().ask(7, &CreateTopicsRequest { topics: vec![topic], ..Default::default() });
    assert_eq!(answer.topics[0].error_code, 0);
    counting::watch_shards();
    (broker, answer.topics[0].topic_id)
}

/// A whole frame.
fn frame<R: Request>(version: i16, request: &R) -> Vec<u8> {
    let (mut buf, mut splices) = (BytesMut::new(), Vec::new());
    let mut writer = Writer::new(&mut buf, &mut splices);
    let header = RequestHeader {
        api_key: R::KEY.code(),
        api_version: version,
        client_id: Some("counted".into()),
        ..RequestHeader::default()
    };
    header.encode(&mut writer, R::KEY.request_header_version(version));
    request.encode(&mut writer, version).unwrap();
    [&(buf.len() as i32).to_be_bytes()[..], &buf].concat()
}

/// Versions that name a topic by its name, and that name it by its id.
const PRODUCE_VERSIONS: [i16; 2] = [9, 13];
const FETCH_VERSIONS: [i16; 2] = [12, 17];

fn produce(topic_id: [u8; 16], acks: i16, partitions: std::ops::Range<i32>) -> ProduceRequest {
    let records = bytes_of(&batch_of("a hundred bytes or so, as they come one by one", Producer::NONE));
    let data =
        |index| PartitionProduceData { index, records: Some(Records::Bytes(records.clone())), ..Default::default() };
    ProduceRequest {
        acks,
        timeout_ms: 10_000,
        topic_data: vec![TopicProduceData {
            name: "t".into(),
            topic_id,
            partition_data: partitions.map(data).collect(),
            ..Default::default()
        }],
        ..Default::default()
    }
}

fn fetch(topic_id: [u8; 16], from: i64, max_wait_ms: i32) -> FetchRequest {
    let partition = |partition| FetchPartition {
        partition,
        current_leader_epoch: -1,
        fetch_offset: from,
        last_fetched_epoch: -1,
        log_start_offset: -1,
        partition_max_bytes: 64 << 10,
        ..Default::default()
    };
    FetchRequest {
        max_wait_ms,
        min_bytes: 1,
        max_bytes: 50 << 20,
        session_epoch: -1,
        topics: vec![FetchTopic {
            topic: "t".into(),
            topic_id,
            partitions: (0..PARTITIONS).map(partition).collect(),
            ..Default::default()
        }],
        ..Default::default()
    }
}

/// A client whose requests are made beforehand.
struct Driver {
    stream: TcpStream,
    answer: Vec<u8>,
}

impl Driver {
    fn connect(broker: &Broker) -> Self {
        let stream = TcpStream::connect(broker.address()).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, answer: vec![0; 8 << 20] }
    }

    fn send(&mut self, frames: &[u8]) {
        self.stream.write_all(frames).unwrap();
    }

    /// Reads one answer, of which the bytes from correlation id on are given.
    fn receive(&mut self) -> &[u8] {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).unwrap();
        let answer = &mut self.answer[..i32::from_be_bytes(length) as usize];
        self.stream.read_exact(answer).unwrap();
        answer
    }
}

/// The fewest allocations that a stretch of requests took; `round` makes some of them, and says how many.
fn fewest(mut round: impl FnMut() -> usize) -> u64 {
    let mut stretch = |requests: usize| {
        let before = counting::allocations();
        let mut made = 0;
        while made < requests {
            made += round();
        }
        counting::allocations() - before
    };
    stretch(WARM_UP);
    (0..STRETCHES).map(|_| stretch(STRETCH)).min().unwrap()
}

/// The fewest allocations while `frame` is sent again and again, `ahead` of them at a time.
fn fewest_of(broker: &Broker, frame: &[u8], ahead: usize) -> u64 {
    let mut driver = Driver::connect(broker);
    let frames = frame.repeat(ahead);
    fewest(|| {
        driver.send(&frames);
        for _ in 0..ahead {
            driver.receive();
        }
        ahead
    })
}

#[test]
fn what_asks_for_memory_is_counted() {
    let _alone = alone();
    let (broker, _) = start("2");
    let metadata = frame(12, &MetadataRequest { topics: None, ..Default::default() });
    assert!(fewest_of(&broker, &metadata, 1) >= STRETCH as u64);
}

#[test]
fn a_produced_batch_asks_for_no_memory() {
    let _alone = alone();
    for shards in ["1", "2"] {
        let (broker, id) = start(shards);
        for version in PRODUCE_VERSIONS {
            for (acks, partitions) in [(1, 0..1), (-1, 0..1), (-1, 1..2), (-1, 0..PARTITIONS)] {
                let allocations =
                    fewest_of(&broker, &frame(version, &produce(id, acks, partitions.clone())), UNDER_WAY);
                assert_eq!(allocations, 0, "version {version}, acks {acks}, {partitions:?}, {shards} shards");
            }
        }
    }
}

#[test]
fn a_fetched_partition_asks_for_no_memory_whether_it_lies_in_memory_or_in_a_file() {
    let _alone = alone();
    for shards in ["1", "2"] {
        let (broker, id) = start(shards);
        let mut driver = Driver::connect(&broker);
        let filling = frame(9, &produce(id, -1, 0..PARTITIONS));
        for _ in 0..1000 {
            driver.send(&filling);
            driver.receive();
        }
        for version in FETCH_VERSIONS {
            for (what, from, isolation_level) in [("the tail", 995, 0), ("the tail", 995, 1), ("a file", 0, 0)] {
                let frame = frame(version, &FetchRequest { isolation_level, ..fetch(id, from, 0) });
                driver.send(&frame);
                assert!(driver.receive().len() > 400, "records of {what}");
                let allocations = fewest_of(&broker, &frame, 1);
                assert_eq!(allocations, 0, "version {version}, {what}, isolation {isolation_level}, {shards} shards");
            }
        }
    }
}

#[test]
fn a_fetch_that_waits_for_a_produce_asks_for_no_memory() {
    const MARK: i64 = 0x0123_4567_89ab_cdef;
    let _alone = alone();
    for shards in ["1", "2"] {
        let (broker, id) = start(shards);
        let (mut producer, mut consumer) = (Driver::connect(&broker), Driver::connect(&broker));
        let produced = frame(9, &produce(id, -1, 0..PARTITIONS));
        let mut fetched = frame(12, &fetch(id, MARK, 20_000));
        // Where the offsets stand in the frame: each round asks for what is not there yet.
        let offsets: Vec<usize> =
            (0..fetched.len() - 8).filter(|at| fetched[*at..at + 8] == MARK.to_be_bytes()).collect();
        assert_eq!(offsets.len(), PARTITIONS as usize);
        let mut next = 0i64;
        let allocations = fewest(|| {
            for at in &offsets {
                fetched[*at..at + 8].copy_from_slice(&next.to_be_bytes());
            }
            consumer.send(&fetched);
            producer.send(&produced);
            producer.receive();
            consumer.receive();
            next += 1;
            1
        });
        assert_eq!(allocations, 0, "{shards} shards");
    }
}
