//! What a bad batch gets: its own error code, while the other batches of its request go through. The codes are Kafka's:
//! `MILENA_PEER=HOST:PORT` asks a running Apache Kafka instead of a broker of this process.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod support;

use bytes::Bytes;
use model::{Batch, BatchBuilder, BatchError, Codec, Producer, ProducerEpoch, ProducerId, TimestampMs};
use support::in_process::Broker;
use support::{Client, batch_of, batch_of_all, bytes_of, now, wait_until};
use wire::Records;
use wire::messages::create_topics::{CreatableTopic, CreatableTopicConfig, CreateTopicsRequest};
use wire::messages::init_producer_id::InitProducerIdRequest;
use wire::messages::produce::{PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData};

/// The broker that is asked; topics of each test have a name of their own, for the sake of a peer that lives on.
struct Asked {
    broker: Option<Broker>,
    client: Client,
    suffix: u32,
}

impl Asked {
    fn new() -> Self {
        let suffix = rand::random();
        match std::env::var("MILENA_PEER") {
            Ok(peer) => Self { broker: None, client: Client::connect(peer.parse().unwrap()).unwrap(), suffix },
            Err(_) => {
                let broker = Broker::start(&[]);
                let client = broker.client();
                Self { broker: Some(broker), client, suffix }
            }
        }
    }

    /// Creates a topic with two partitions; gives its whole name.
    fn topic(&mut self, name: &str, configs: &[(&str, &str)]) -> String {
        let name = format!("{name}-{}", self.suffix);
        let config = |(name, value): &(&str, &str)| CreatableTopicConfig {
            name: (*name).into(),
            value: Some((*value).into()),
            ..Default::default()
        };
        let topic = CreatableTopic {
            name: name.as_str().into(),
            num_partitions: 2,
            replication_factor: 1,
            configs: configs.iter().map(config).collect(),
            ..Default::default()
        };
        let request = CreateTopicsRequest { topics: vec![topic], timeout_ms: 10_000, ..Default::default() };
        let answer = self.client.ask(7, &request);
        assert_eq!(answer.topics[0].error_code, 0, "{answer:?}");
        // The peer answers before it leads.
        wait_until("a leader", || self.client.produce(&name, 1, &plain("ready")).unwrap().is_ok());
        name
    }

    fn produce(&mut self, version: i16, acks: i16, topic: &str, data: Vec<(i32, Option<Bytes>)>) -> ProduceResponse {
        let partition = |(index, records): (i32, Option<Bytes>)| PartitionProduceData {
            index,
            records: records.map(Records::Bytes),
            ..Default::default()
        };
        let request = ProduceRequest {
            acks,
            timeout_ms: 10_000,
            topic_data: vec![TopicProduceData {
                name: topic.into(),
                partition_data: data.into_iter().map(partition).collect(),
                ..Default::default()
            }],
            ..Default::default()
        };
        self.client.ask(version, &request)
    }

    /// Sends `records` to partition 0 and a good batch to partition 1, which must be appended; gives the code of the first.
    fn code(&mut self, topic: &str, records: Option<Bytes>) -> i16 {
        let good = Some(bytes_of(&plain("good")));
        let answer = self.produce(9, -1, topic, vec![(0, records), (1, good)]);
        // The peer answers in an order of its own.
        let mut answers = answer.responses[0].partition_responses.clone();
        answers.sort_by_key(|partition| partition.index);
        let [bad, good] = &answers[..] else { panic!("{answer:?}") };
        assert_eq!((good.error_code, good.base_offset > 0), (0, true), "the other batch goes through");
        assert_eq!(bad.error_code == 0, bad.base_offset >= 0);
        bad.error_code
    }

    fn new_producer(&mut self) -> ProducerId {
        let request = InitProducerIdRequest {
            transactional_id: None,
            transaction_timeout_ms: 1000,
            producer_id: -1,
            producer_epoch: -1,
            ..Default::default()
        };
        let mut id = -1;
        wait_until("a producer id", || {
            let answer = self.client.ask(4, &request);
            id = answer.producer_id;
            answer.error_code == 0
        });
        ProducerId(id)
    }
}

fn plain(value: &str) -> Batch {
    batch_of(value, Producer::NONE)
}

/// A batch with one record of time `at`.
fn at(at: TimestampMs) -> Bytes {
    let mut builder = BatchBuilder::new();
    builder.append(at, None, Some(b"v"), &[]);
    bytes_of(&builder.finish().into_inner())
}

/// A good batch of three records with `change` made to its bytes, and a CRC that fits again.
fn changed(change: impl FnOnce(&mut Vec<u8>)) -> Bytes {
    let mut bytes = bytes_of(&batch_of_all(&["a", "b", "c"], Producer::NONE)).to_vec();
    change(&mut bytes);
    seal(bytes)
}

/// Where the fields of a batch's header stand.
const LENGTH: usize = 8;
const MAGIC: usize = 16;
const CRC: usize = 17;
const ATTRIBUTES: usize = 21;
const LAST_OFFSET_DELTA: usize = 23;
const COUNT: usize = 57;
const RECORDS: usize = 61;

/// Makes length and CRC fit.
fn seal(mut bytes: Vec<u8>) -> Bytes {
    let length = bytes.len() as i32 - 12;
    bytes[LENGTH..LENGTH + 4].copy_from_slice(&length.to_be_bytes());
    let checked = Batch::cut(&mut Bytes::copy_from_slice(&bytes)).and_then(|batch| batch.check_crc());
    if let Err(BatchError::BadCrc { computed, .. }) = checked {
        bytes[CRC..CRC + 4].copy_from_slice(&computed.to_be_bytes());
    }
    bytes.into()
}

#[test]
fn a_corrupt_batch_gets_2_or_87_and_the_other_batches_go_through() {
    let mut asked = Asked::new();
    let topic = asked.topic("corrupt", &[]);
    let good = bytes_of(&batch_of_all(&["a", "b", "c"], Producer::NONE));
    let flipped = |at: usize| {
        let mut bytes = good.to_vec();
        bytes[at] ^= 0x04;
        Bytes::from(bytes)
    };
    let twice = Bytes::from([&good[..], &good].concat());
    for (what, records, code) in [
        ("a bit of its records flipped", flipped(good.len() - 3), 2),
        ("a bit of its CRC flipped", flipped(CRC), 2),
        ("a bit of its time flipped", flipped(30), 2),
        ("its end cut off", good.slice(..good.len() - 1), 87),
        ("only half a header", good.slice(..30), 87),
        ("a second one behind it", twice, 87),
        ("magic 1", changed(|bytes| bytes[MAGIC] = 1), 87),
        ("a record count that is too low", changed(|bytes| bytes[COUNT + 3] = 2), 87),
        ("a record count that is too high", changed(|bytes| bytes[COUNT + 3] = 9), 87),
        ("offsets that are not dense", changed(|bytes| bytes[LAST_OFFSET_DELTA + 3] = 7), 87),
        ("a record that says it is longer", changed(|bytes| bytes[RECORDS] = 0x7e), 87),
        ("bytes behind its records", changed(|bytes| bytes.extend([0; 5])), 87),
        ("the mark of a control batch", changed(|bytes| bytes[ATTRIBUTES + 1] |= 1 << 5), 87),
        (
            "no records",
            changed(|bytes| {
                bytes.truncate(RECORDS);
                bytes[COUNT..COUNT + 4].fill(0);
                bytes[LAST_OFFSET_DELTA..LAST_OFFSET_DELTA + 4].copy_from_slice(&(-1i32).to_be_bytes());
            }),
            87,
        ),
    ] {
        assert_eq!(asked.code(&topic, Some(records)), code, "a batch with {what}");
    }
    // Kafka refuses the whole request here.
    if asked.broker.is_some() {
        assert_eq!(asked.code(&topic, Some(changed(|bytes| bytes[MAGIC] = 3))), 2, "magic 3");
    }
    assert_eq!(asked.code(&topic, Some(good)), 0);
    assert_eq!(asked.client.read_all(&topic, 0).unwrap().len(), 3, "only the good one is there");
}

#[test]
fn an_oversized_batch_gets_10_or_18() {
    let mut asked = Asked::new();
    let small = asked.topic("small", &[("max.message.bytes", "2000")]);
    assert_eq!(asked.code(&small, Some(bytes_of(&plain(&"x".repeat(2000))))), 10);
    assert_eq!(asked.code(&small, Some(bytes_of(&plain(&"x".repeat(1900))))), 0);
    let segment = asked.topic("segment", &[("max.message.bytes", "3000000"), ("segment.bytes", "1048576")]);
    assert_eq!(asked.code(&segment, Some(bytes_of(&plain(&"x".repeat(1 << 20))))), 18);
    assert_eq!(asked.code(&segment, Some(bytes_of(&plain(&"x".repeat(1 << 19))))), 0);
}

#[test]
fn times_outside_the_topics_bounds_get_32() {
    let mut asked = Asked::new();
    const HOUR_MS: i64 = 3_600_000;
    let topic = asked.topic("times", &[]);
    for (time, code) in [(now().0 + 2 * HOUR_MS, 32), (now().0 + HOUR_MS / 2, 0), (0, 0), (i64::MAX, 32)] {
        assert_eq!(asked.code(&topic, Some(at(TimestampMs(time)))), code, "{time}");
    }
    let bounds = [("message.timestamp.before.max.ms", "3600000"), ("message.timestamp.after.max.ms", "60000")];
    let strict = asked.topic("strict", &bounds);
    for (away, code) in [(-2 * HOUR_MS, 32), (-HOUR_MS / 2, 0), (HOUR_MS / 2, 32), (0, 0)] {
        assert_eq!(asked.code(&strict, Some(at(TimestampMs(now().0 + away)))), code, "{away}");
    }
    let stamped = asked.topic("stamped", &[("message.timestamp.type", "LogAppendTime")]);
    assert_eq!(asked.code(&stamped, Some(at(TimestampMs(now().0 + 2 * HOUR_MS)))), 0, "the leader gives the time");
}

#[test]
fn a_broken_sequence_gets_45_and_an_old_epoch_47_and_retries_get_their_first_answer() {
    let mut asked = Asked::new();
    let topic = asked.topic("sequence", &[]);
    let id = asked.new_producer();
    let batch = |epoch, sequence| {
        bytes_of(&batch_of("v", Producer { id, epoch: ProducerEpoch(epoch), base_sequence: sequence }))
    };
    for (what, epoch, sequence, code) in [
        ("begins", 0, 0, 0),
        ("goes on", 0, 1, 0),
        ("skips one", 0, 3, 45),
        ("repeats", 0, 1, 0),
        ("goes on again", 0, 2, 0),
        ("goes on again", 0, 3, 0),
        ("goes on again", 0, 4, 0),
        ("goes on again", 0, 5, 0),
        ("goes on again", 0, 6, 0),
        ("repeats what is forgotten", 0, 0, 45),
        ("repeats the oldest that is known", 0, 2, 0),
        ("begins a new epoch in the middle", 1, 7, 45),
        ("begins a new epoch", 1, 0, 0),
        ("goes back an epoch", 0, 7, 47),
    ] {
        assert_eq!(asked.code(&topic, Some(batch(epoch, sequence))), code, "a producer that {what}");
    }
    assert_eq!(asked.client.read_all(&topic, 0).unwrap().len(), 8, "nothing is there twice");
    // Of a producer that nobody knows any sequence is taken: the log may have forgotten it.
    let stranger = Producer { id: ProducerId(id.0 + 1000), epoch: ProducerEpoch(3), base_sequence: 17 };
    assert_eq!(asked.code(&topic, Some(bytes_of(&batch_of("v", stranger)))), 0);
}

#[test]
fn what_is_wrong_with_the_request_is_told_for_each_partition() {
    let mut asked = Asked::new();
    let topic = asked.topic("request", &[]);
    let good = bytes_of(&plain("v"));
    let codes = |answer: ProduceResponse| {
        let mut answers = answer.responses[0].partition_responses.clone();
        answers.sort_by_key(|partition| partition.index);
        answers.iter().map(|partition| partition.error_code).collect::<Vec<_>>()
    };
    let both = |records: &Bytes| vec![(0, Some(records.clone())), (1, Some(records.clone()))];
    assert_eq!(codes(asked.produce(9, 2, &topic, both(&good))), [21, 21], "acks=2");
    assert_eq!(codes(asked.produce(9, -1, "no-such-topic", both(&good))), [3, 3]);
    assert_eq!(codes(asked.produce(9, -1, &topic, vec![(7, Some(good.clone())), (1, Some(good.clone()))])), [0, 3]);
    assert_eq!(codes(asked.produce(9, -1, &topic, vec![(-1, Some(good.clone())), (1, Some(good.clone()))])), [3, 0]);
    if asked.broker.is_some() {
        // Kafka does not answer this at all.
        assert_eq!(asked.code(&topic, None), 87, "no batch");
    }
    assert_eq!(asked.code(&topic, Some(Bytes::new())), 87, "an empty one");
    let mut zstd = BatchBuilder::new().codec(Codec::Zstd, None);
    zstd.append(now(), None, Some(b"v"), &[]);
    let zstd = bytes_of(&zstd.finish().into_inner());
    assert_eq!(codes(asked.produce(7, -1, &topic, both(&zstd))), [0, 0]);
    assert_eq!(codes(asked.produce(6, -1, &topic, both(&zstd))), [76, 76], "zstd came with version 7");
}
