//! Broker configs that change at run time: what follows for topics and for the broker, and that a restart keeps them.

#![allow(clippy::unwrap_used, reason = "a helper of tests fails as a test does")]

mod support;

use model::{Producer, ProducerEpoch, ProducerId};
use support::admin::{APPEND, BROKER, DELETE, SET, TOPIC, eventually};
use support::in_process::Broker;
use support::{Client, batch_of};
use wire::ErrorCode;
use wire::messages::describe_producers::{DescribeProducersRequest, TopicRequest};

fn produce(client: &mut Client, topic: &str, bytes: usize) -> Result<(), i16> {
    client.produce(topic, 0, &batch_of(&"v".repeat(bytes), Producer::NONE)).expect("an answer").map(|_| ())
}

#[test]
fn topics_without_their_own_value_obey_the_broker_and_then_the_default_of_all() {
    let mut broker = Broker::start(&[("message.max.bytes", "300")]);
    let mut client = broker.client();
    client.create(&["t"], 1);
    assert_eq!(client.try_create("own", 1, &[("max.message.bytes", "200")]), (0, None));
    let too_large = Err(ErrorCode::MessageTooLarge.code());
    let holds = |client: &mut Client, limit: usize, source| {
        let config = client.config(TOPIC, "t", "max.message.bytes");
        assert_eq!((config.value.as_deref(), config.config_source), (Some(limit.to_string().as_str()), source));
        // A batch of one record has some 70 bytes more than its value.
        assert_eq!((produce(client, "t", limit - 90), produce(client, "t", limit)), (Ok(()), too_large));
        assert_eq!((produce(client, "own", 110), produce(client, "own", 200)), (Ok(()), too_large));
    };
    holds(&mut client, 300, 4);
    client.set(BROKER, "", "message.max.bytes", "500");
    holds(&mut client, 500, 3);
    client.set(BROKER, "1", "message.max.bytes", "400");
    holds(&mut client, 400, 2);
    client.create(&["later"], 1);
    assert_eq!(produce(&mut client, "later", 400), too_large);

    broker.restart();
    client = broker.client();
    holds(&mut client, 400, 2);
    let config = client.config(BROKER, "1", "message.max.bytes");
    let synonyms: Vec<_> = config.synonyms.iter().map(|one| (one.value.as_deref(), one.source)).collect();
    assert_eq!(synonyms, [(Some("400"), 2), (Some("500"), 3), (Some("300"), 4), (Some("1048588"), 5)]);

    assert_eq!(client.alter(BROKER, "1", &[("message.max.bytes", DELETE, "")]), (0, None));
    holds(&mut client, 500, 3);
    assert_eq!(client.alter(BROKER, "", &[("message.max.bytes", DELETE, "")]), (0, None));
    holds(&mut client, 300, 4);
}

#[test]
fn segments_and_retention_of_all_topics_follow_the_broker() {
    let broker = Broker::start(&[("log.retention.check.interval.ms", "20")]);
    let mut client = broker.client();
    client.create(&["t"], 1);
    for (name, value) in [("log.segment.bytes", "1048576"), ("log.segment.delete.delay.ms", "0")] {
        client.set(BROKER, "", name, value);
    }
    for _ in 0..4 {
        produce(&mut client, "t", 600_000).unwrap();
    }
    let folder = broker.folder("t", 0);
    let logs = || {
        std::fs::read_dir(&folder).unwrap().filter(|entry| {
            entry.as_ref().is_ok_and(|entry| entry.path().extension().is_some_and(|suffix| suffix == "log"))
        })
    };
    assert_eq!((logs().count(), client.earliest("t")), (4, 0));
    client.set(BROKER, "1", "log.retention.bytes", "1000000");
    eventually("two segments are enough", || client.earliest("t") == 2);
    eventually("files of removed segments go at once", || logs().count() == 2);
    client.set(BROKER, "1", "log.retention.ms", "1");
    eventually("every record is too old", || client.earliest("t") == 4);
}

#[test]
fn a_broker_takes_as_many_connections_as_it_is_told_at_the_time() {
    let broker = Broker::start(&[]);
    let mut client = broker.client();
    let mut answers = || {
        let answer = broker.client().call(0, &wire::messages::api_versions::ApiVersionsRequest::default());
        answer.is_ok()
    };
    client.set(BROKER, "", "max.connections", "1");
    eventually("this connection is the last", || !answers());
    client.set(BROKER, "1", "max.connections", "2");
    eventually("there is room for another", &mut answers);
    assert_eq!(client.value(BROKER, "1", "max.connections").as_deref(), Some("2"), "the first one was never touched");
}

#[test]
fn producers_are_forgotten_when_the_broker_is_told_to() {
    let broker = Broker::start(&[("log.retention.check.interval.ms", "20")]);
    let mut client = broker.client();
    client.create(&["t"], 1);
    let producer = Producer { id: ProducerId(7), epoch: ProducerEpoch(0), base_sequence: 0 };
    client.produce("t", 0, &batch_of("v", producer)).unwrap().unwrap();
    let mut known = || {
        let topic = TopicRequest { name: "t".into(), partition_indexes: vec![0], ..Default::default() };
        let request = DescribeProducersRequest { topics: vec![topic], ..Default::default() };
        client.ask(0, &request).topics[0].partitions[0].active_producers.len()
    };
    assert_eq!(known(), 1);
    broker.client().set(BROKER, "", "producer.id.expiration.ms", "1");
    eventually("it was silent for a while", || known() == 0);
}

#[test]
fn what_cannot_change_at_run_time_is_shown_and_refused_as_read_only() {
    let broker = Broker::start(&[("num.io.threads", "2")]);
    let mut client = broker.client();
    let refused = ErrorCode::InvalidRequest.code();
    for (name, value) in
        [("num.io.threads", "4"), ("num.partitions", "4"), ("listeners", "PLAINTEXT://:1"), ("node.id", "2")]
    {
        assert!(client.config(BROKER, "1", name).read_only, "{name}");
        let why = format!("Cannot update these configs dynamically: [{name}]");
        assert_eq!(client.alter(BROKER, "1", &[(name, SET, value)]), (refused, Some(why)));
    }
    for (name, value, why) in [
        ("log.retention.moons", "1", "Unknown broker config names: [log.retention.moons]"),
        (
            "log.segment.bytes",
            "1",
            "Invalid value 1 for configuration log.segment.bytes: Value must be at least 1048576",
        ),
        ("log.roll.ms", "0", "requirement failed: log.roll.ms must be greater than or equal to 1"),
    ] {
        for broker in ["", "1"] {
            assert_eq!(client.alter(BROKER, broker, &[(name, SET, value)]), (refused, Some(why.to_owned())));
        }
    }
    let (code, why) = client.alter(BROKER, "", &[("log.cleanup.policy", APPEND, "compact")]);
    assert!(code == refused && why.is_some_and(|why| why.contains("compaction is not available")));
    for name in ["log.retention.ms", "message.max.bytes", "max.connections", "producer.id.expiration.ms"] {
        assert!(!client.config(BROKER, "1", name).read_only, "{name}");
    }
}
