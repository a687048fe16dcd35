//! What producers are promised of their batches, asked over a socket of a broker in this process.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod support;

use model::{BatchBuilder, Producer, ProducerEpoch, ProducerId, TimestampMs};
use support::in_process::Broker;
use wire::ErrorCode;
use wire::messages::create_topics::{CreatableTopic, CreateTopicsRequest};

fn now() -> TimestampMs {
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    TimestampMs(i64::try_from(since_epoch.as_millis()).unwrap())
}

/// A broker with the topic `t` of one partition.
fn broker() -> Broker {
    let broker = Broker::start(&[]);
    let topic =
        CreatableTopic { name: "t".into(), num_partitions: 1, replication_factor: 1, ..CreatableTopic::default() };
    let answer = broker.client().ask(7, &CreateTopicsRequest { topics: vec![topic], ..Default::default() });
    assert_eq!(answer.topics[0].error_code, ErrorCode::None.code());
    broker
}

#[test]
fn a_transactional_batch_is_refused_and_holds_up_no_reader() {
    let broker = broker();
    let mut client = broker.client();
    let producer = Producer { id: ProducerId(7), epoch: ProducerEpoch(0), base_sequence: 0 };
    let mut builder = BatchBuilder::new().producer(producer).transactional();
    builder.append(now(), None, Some(b"undecided"), &[]);
    let batch = builder.finish().into_inner();
    assert_eq!(client.produce("t", 0, &batch).unwrap(), Err(ErrorCode::TransactionalIdAuthorizationFailed.code()));
    assert_eq!(client.read_all("t", 0).unwrap(), []);
}
