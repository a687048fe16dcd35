//! What a producer is answered that breaks the rules, asked over a socket of a broker in this process. What Kafka answers was
//! asked of it by `differential`.

#[path = "differential/batches.rs"]
#[allow(dead_code, reason = "each test file uses its own part")]
mod batches;
mod support;

use batches::{LOG_APPEND_TIME, RECORD_MS, Raw, TRANSACTIONAL, legacy, raw};
use bytes::Bytes;
use model::Codec;
use support::Client;
use support::in_process::Broker;
use wire::messages::list_offsets::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};
use wire::messages::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use wire::messages::produce::{PartitionProduceResponse, ProduceResponse};
use wire::{ErrorCode, Records};

fn started() -> (Broker, Client) {
    let broker = Broker::start(&[]);
    let mut client = broker.client();
    client.create(&["t"], 1);
    (broker, client)
}

fn request(acks: i16, topic: &str, bytes: &[u8]) -> ProduceRequest {
    let records = Some(Records::Bytes(Bytes::copy_from_slice(bytes)));
    let partition_data = vec![PartitionProduceData { index: 0, records, ..Default::default() }];
    let topic_data = vec![TopicProduceData { name: topic.into(), partition_data, ..Default::default() }];
    ProduceRequest { acks, timeout_ms: 10_000, topic_data, ..Default::default() }
}

fn only(mut response: ProduceResponse) -> PartitionProduceResponse {
    response.responses.remove(0).partition_responses.remove(0)
}

/// The code that `bytes` get.
fn code(client: &mut Client, version: i16, bytes: &[u8]) -> Option<ErrorCode> {
    ErrorCode::from_code(only(client.ask(version, &request(-1, "t", bytes))).error_code)
}

#[test]
fn a_refused_batch_that_nobody_waits_for_ends_its_connection() {
    let (broker, mut client) = started();
    let mut corrupt = raw(1).bytes();
    corrupt[batches::CRC_AT] ^= 1;
    for (topic, bytes) in [("t", &corrupt), ("missing", &raw(1).bytes())] {
        let mut other = broker.client();
        other.tell(9, &request(0, "t", &raw(1).bytes())).unwrap();
        other.tell(9, &request(0, topic, bytes)).unwrap();
        assert!(other.receive().is_err(), "the connection ends");
    }
    assert_eq!(code(&mut client, 9, &raw(1).bytes()), Some(ErrorCode::None), "only that one");
    assert_eq!(client.read_all("t", 0).unwrap().len(), 3, "what was good is there");
}

#[test]
fn what_is_no_batch_is_invalid_and_what_is_a_broken_one_is_corrupt() {
    let (_broker, mut client) = started();
    let good = raw(2).bytes();
    for (bytes, expected) in [
        (legacy(0, b"old"), ErrorCode::InvalidRecord),
        (legacy(1, b"old"), ErrorCode::InvalidRecord),
        (good[..good.len() - 1].to_vec(), ErrorCode::InvalidRecord),
        (Vec::new(), ErrorCode::InvalidRecord),
        (Raw { magic: 3, ..raw(2) }.bytes(), ErrorCode::CorruptMessage),
        (Raw { length_lie: -60, ..raw(2) }.bytes(), ErrorCode::CorruptMessage),
        (Raw { base_offset: 7, ..raw(2) }.bytes(), ErrorCode::InvalidRecord),
        (
            Raw { last_offset_delta: i32::MAX - 1, count: i32::MAX, ..raw(2).packed(Codec::Zstd) }.bytes(),
            ErrorCode::InvalidRecord,
        ),
        (raw(2).by(7, 0, -1).bytes(), ErrorCode::InvalidRecord),
        (raw(2).by(7, -2, 0).bytes(), ErrorCode::InvalidProducerEpoch),
    ] {
        assert_eq!(code(&mut client, 9, &bytes), Some(expected), "{bytes:?}");
    }
    assert_eq!(client.read_all("t", 0).unwrap().len(), 0);
}

#[test]
fn bytes_behind_a_batch_are_ignored_unless_they_are_another_one() {
    let (_broker, mut client) = started();
    let good = raw(2).bytes();
    let followed = |more: &[u8]| [&good, more].concat();
    assert_eq!(code(&mut client, 9, &followed(&[0])), Some(ErrorCode::None));
    assert_eq!(code(&mut client, 9, &followed(&good[..40])), Some(ErrorCode::None));
    assert_eq!(code(&mut client, 9, &followed(&good)), Some(ErrorCode::InvalidRecord));
    assert_eq!(code(&mut client, 9, &followed(&[0; 12])), Some(ErrorCode::CorruptMessage));
    assert_eq!(client.read_all("t", 0).unwrap().len(), 4);
}

#[test]
fn zstd_needs_the_version_that_brought_it() {
    let (_broker, mut client) = started();
    let packed = raw(2).packed(Codec::Zstd).bytes();
    assert_eq!(code(&mut client, 6, &packed), Some(ErrorCode::UnsupportedCompressionType));
    assert_eq!(code(&mut client, 7, &packed), Some(ErrorCode::None));
    assert_eq!(code(&mut client, 6, &raw(2).packed(Codec::Lz4).bytes()), Some(ErrorCode::None));
}

#[test]
fn a_batch_of_a_transaction_comes_with_the_transactions_id() {
    let (_broker, mut client) = started();
    let batch = Raw { attributes: TRANSACTIONAL, ..raw(1) }.by(7, 0, 0).bytes();
    assert_eq!(code(&mut client, 9, &batch), Some(ErrorCode::TransactionalIdAuthorizationFailed));
    let mut with_id = |bytes: &[u8]| {
        let request = ProduceRequest { transactional_id: Some("txn".into()), ..request(-1, "t", bytes) };
        ErrorCode::from_code(only(client.ask(9, &request)).error_code)
    };
    assert_eq!(with_id(&batch), Some(ErrorCode::InvalidTxnState), "no transaction is served yet");
    assert_eq!(with_id(&raw(1).bytes()), Some(ErrorCode::None), "a plain batch is none");
}

#[test]
fn the_newest_time_is_that_of_the_records_whatever_the_header_says() {
    let (_broker, mut client) = started();
    let lies = Raw { max_timestamp: RECORD_MS - 50, ..raw(3) };
    assert_eq!(code(&mut client, 9, &lies.bytes()), Some(ErrorCode::None));
    let named = Raw { attributes: LOG_APPEND_TIME, base_timestamp: RECORD_MS - 9, ..raw(1) };
    assert_eq!(code(&mut client, 9, &named.bytes()), Some(ErrorCode::None));
    let partition = ListOffsetsPartition { timestamp: -3, ..Default::default() };
    let topic = ListOffsetsTopic { name: "t".into(), partitions: vec![partition], ..Default::default() };
    let request = ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..Default::default() };
    let newest = &client.ask(7, &request).topics[0].partitions[0];
    assert_eq!((newest.timestamp, newest.offset), (RECORD_MS + 2, 2));
    let times: Vec<i64> = client.read_all("t", 0).unwrap().iter().map(|record| record.timestamp.0).collect();
    assert_eq!(times, [RECORD_MS, RECORD_MS + 1, RECORD_MS + 2, RECORD_MS - 9]);
}

#[test]
fn records_with_bad_times_are_named() {
    let (_broker, mut client) = started();
    let ahead = Raw { base_timestamp: i64::MAX / 2, max_timestamp: i64::MAX / 2 + 1, ..raw(2) };
    let refused = only(client.ask(9, &request(-1, "t", &ahead.bytes())));
    assert_eq!(refused.error_code, ErrorCode::InvalidTimestamp.code());
    let named: Vec<i32> = refused.record_errors.iter().map(|record| record.batch_index).collect();
    assert_eq!(named, [0, 1]);
}
