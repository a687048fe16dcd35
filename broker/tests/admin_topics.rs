//! Topics made smaller, larger and deleted, asked over a socket of a broker in this process. Codes and messages are those
//! that Apache Kafka 4.4.0 answers with.

mod support;

use support::in_process::Broker;
use support::{Client, batch_of};
use wire::ErrorCode;
use wire::messages::create_partitions::{CreatePartitionsAssignment, CreatePartitionsRequest, CreatePartitionsTopic};
use wire::messages::delete_records::{DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic};
use wire::messages::delete_topics::{DeleteTopicState, DeleteTopicsRequest};
use wire::messages::find_coordinator::FindCoordinatorRequest;
use wire::messages::metadata::{MetadataRequest, MetadataRequestTopic};

const GONE: i16 = ErrorCode::UnknownTopicOrPartition as i16;
const INVALID_REQUEST: i16 = ErrorCode::InvalidRequest as i16;

fn by_name(name: &str) -> DeleteTopicState {
    DeleteTopicState { name: Some(name.into()), ..Default::default() }
}

fn by_id(topic_id: [u8; 16]) -> DeleteTopicState {
    DeleteTopicState { name: None, topic_id, ..Default::default() }
}

/// Name, code and message of each answer of version 6.
fn delete(client: &mut Client, topics: &[DeleteTopicState]) -> Vec<(Option<String>, i16, Option<String>)> {
    let answer = client.ask(6, &DeleteTopicsRequest { topics: topics.to_vec(), ..Default::default() });
    let told = answer.responses.into_iter().map(|topic| {
        (topic.name.map(|name| name.to_string()), topic.error_code, topic.error_message.map(|why| why.to_string()))
    });
    told.collect()
}

fn told(name: Option<&str>, code: ErrorCode, why: &str) -> (Option<String>, i16, Option<String>) {
    (name.map(str::to_owned), code.code(), (!why.is_empty()).then(|| why.to_owned()))
}

#[test]
fn topics_are_deleted_by_name_in_every_version_and_by_id_in_the_last() {
    let broker = Broker::start(&[]);
    let mut client = broker.client();
    for version in 1..=5 {
        client.create(&["t"], 2);
        let request = DeleteTopicsRequest { topic_names: vec!["t".into(), "nope".into()], ..Default::default() };
        let answer = client.ask(version, &request);
        let codes: Vec<_> = answer.responses.iter().map(|topic| (topic.name.as_deref(), topic.error_code)).collect();
        assert_eq!(codes, [(Some("t"), 0), (Some("nope"), GONE)]);
        assert_eq!(answer.responses[1].error_message.is_some(), version >= 5);
        assert_eq!(client.topic("t").error_code, GONE);
    }
    client.create(&["t", "u"], 1);
    let (t, u) = (client.topic("t").topic_id, client.topic("u").topic_id);
    let request = DeleteTopicsRequest { topics: vec![by_id(t), by_name("u")], ..Default::default() };
    let answer = client.ask(6, &request);
    let gone: Vec<_> = answer.responses.iter().map(|one| (one.name.as_deref(), one.topic_id, one.error_code)).collect();
    assert_eq!(gone, [(Some("t"), t, 0), (Some("u"), u, 0)]);
    client.create(&["t"], 1);
    assert_ne!(client.topic("t").topic_id, t, "a topic of an old name is another topic");
}

#[test]
fn what_is_deleted_must_be_meant_once_and_exist() {
    let broker = Broker::start(&[]);
    let mut client = broker.client();
    client.create(&["t"], 1);
    let id = client.topic("t").topic_id;
    let invalid = ErrorCode::InvalidRequest;
    let both = DeleteTopicState { topic_id: id, ..by_name("t") };
    for (topics, answer) in [
        (vec![both], told(Some("t"), invalid, "You may not specify both topic name and topic id.")),
        (vec![by_id([0; 16])], told(None, invalid, "Neither topic name nor id were specified.")),
        (vec![by_name("t"), by_name("t")], told(Some("t"), invalid, "Duplicate topic name.")),
        (vec![by_id(id), by_id(id)], told(None, invalid, "Duplicate topic id.")),
        (
            vec![by_name("nope")],
            told(Some("nope"), ErrorCode::UnknownTopicOrPartition, "This server does not host this topic-partition."),
        ),
        (vec![by_id([9; 16])], told(None, ErrorCode::UnknownTopicId, "This server does not host this topic ID.")),
    ] {
        assert_eq!(delete(&mut client, &topics), [answer]);
    }
    let twice = delete(&mut client, &[by_name("t"), by_id(id)]);
    assert!(twice.iter().all(|(_, code, _)| *code == INVALID_REQUEST), "{twice:?}");
    assert_eq!(client.topic("t").error_code, 0, "nothing was deleted");
}

#[test]
fn a_broker_that_deletes_no_topics_says_so_as_its_client_can_understand() {
    let broker = Broker::start(&[("delete.topic.enable", "false")]);
    let mut client = broker.client();
    client.create(&["t"], 1);
    for (version, code) in [(1, ErrorCode::InvalidRequest), (3, ErrorCode::TopicDeletionDisabled)] {
        let answer = client.ask(version, &DeleteTopicsRequest { topic_names: vec!["t".into()], ..Default::default() });
        assert_eq!(answer.responses[0].error_code, code.code());
    }
    assert_eq!(client.topic("t").error_code, 0);
}

/// Code and low watermark of each partition.
fn delete_records(client: &mut Client, version: i16, topic: &str, upto: &[(i32, i64)]) -> Vec<(i16, i64)> {
    let partition = |(partition_index, offset): &(i32, i64)| DeleteRecordsPartition {
        partition_index: *partition_index,
        offset: *offset,
        ..Default::default()
    };
    let topic = DeleteRecordsTopic {
        name: topic.into(),
        partitions: upto.iter().map(partition).collect(),
        ..Default::default()
    };
    let request = DeleteRecordsRequest { topics: vec![topic], timeout_ms: 1000, ..Default::default() };
    let answer = client.ask(version, &request);
    let partitions = answer.topics[0].partitions.iter();
    partitions.map(|partition| (partition.error_code, partition.low_watermark)).collect()
}

#[test]
fn records_below_an_offset_are_deleted_and_only_committed_ones() {
    let broker = Broker::start(&[]);
    let mut client = broker.client();
    client.create(&["t"], 2);
    for n in 0..10 {
        client.produce("t", 0, &batch_of(&n.to_string(), model::Producer::NONE)).unwrap().unwrap();
    }
    let out_of_range = (ErrorCode::OffsetOutOfRange.code(), -1);
    for version in 0..=2 {
        assert_eq!(delete_records(&mut client, version, "t", &[(0, 0), (1, -1)]), [(0, 0), (0, 0)]);
        let wrong = [(0, 11), (0, -2), (7, 0)];
        assert_eq!(delete_records(&mut client, version, "t", &wrong), [out_of_range, out_of_range, (GONE, -1)]);
        assert_eq!(delete_records(&mut client, version, "nope", &[(0, 0)]), [(GONE, -1)]);
    }
    assert_eq!(delete_records(&mut client, 2, "t", &[(0, 4)]), [(0, 4)]);
    assert_eq!(delete_records(&mut client, 2, "t", &[(0, 2)]), [(0, 4)], "the start never goes back");
    assert_eq!((client.earliest("t"), client.fetch("t", 0, 3).unwrap().unwrap_err()), (4, 1));
    assert_eq!(client.fetch("t", 0, 4).unwrap().unwrap()[0].value.as_deref(), Some(&b"4"[..]));
    assert_eq!(delete_records(&mut client, 2, "t", &[(0, -1)]), [(0, 10)]);
    assert_eq!(client.earliest("t"), 10);
    assert_eq!(client.produce("t", 0, &batch_of("next", model::Producer::NONE)).unwrap(), Ok(10));
}

#[test]
fn records_of_internal_topics_are_not_deleted() {
    let broker = Broker::start(&[("offsets.topic.num.partitions", "1")]);
    let mut client = broker.client();
    client.ask(3, &FindCoordinatorRequest { key: "g".into(), ..Default::default() });
    let refused = (ErrorCode::InvalidTopicException.code(), -1);
    assert_eq!(delete_records(&mut client, 2, "__consumer_offsets", &[(0, 0)]), [refused]);
}

fn grow(name: &str, count: i32, assignments: Option<&[&[i32]]>) -> CreatePartitionsTopic {
    let assignment = |ids: &&[i32]| CreatePartitionsAssignment { broker_ids: ids.to_vec(), ..Default::default() };
    let assignments = assignments.map(|assignments| assignments.iter().map(assignment).collect());
    CreatePartitionsTopic { name: name.into(), count, assignments, ..Default::default() }
}

#[test]
fn a_topic_grows_in_every_version_and_its_new_partitions_serve() {
    let broker = Broker::start(&[]);
    let mut client = broker.client();
    client.create(&["t"], 1);
    for version in 0..=3 {
        let count = i32::from(version) + 2;
        let ask = |validate_only| CreatePartitionsRequest {
            topics: vec![grow("t", count, (count == 5).then_some(&[&[1]]))],
            validate_only,
            ..Default::default()
        };
        for (validate_only, after) in [(true, count - 1), (false, count)] {
            let answer = client.ask(version, &ask(validate_only));
            assert_eq!((answer.results[0].error_code, answer.results[0].error_message.as_deref()), (0, None));
            assert_eq!(client.topic("t").partitions.len() as i32, after);
        }
        assert_eq!(client.produce("t", count - 1, &batch_of("x", model::Producer::NONE)).unwrap(), Ok(0));
    }
}

#[test]
fn partitions_that_cannot_be_are_refused_with_the_reason() {
    let broker = Broker::start(&[]);
    let mut client = broker.client();
    client.create(&["t"], 2);
    let (partitions, assignment) = (ErrorCode::InvalidPartitions, ErrorCode::InvalidReplicaAssignment);
    for (topic, code, why) in [
        (grow("nope", 3, None), ErrorCode::UnknownTopicOrPartition, None),
        (grow("t", 2, None), partitions, Some("Topic already has 2 partition(s).")),
        (grow("t", 1, None), partitions, Some("The topic t currently has 2 partition(s); 1 would not be an increase.")),
        (
            grow("t", 4, Some(&[&[1]])),
            assignment,
            Some("Attempted to add 2 additional partition(s), but only 1 assignment(s) were specified."),
        ),
        (
            grow("t", 3, Some(&[])),
            assignment,
            Some("Attempted to add 1 additional partition(s), but only 0 assignment(s) were specified."),
        ),
        (
            grow("t", 3, Some(&[&[7]])),
            assignment,
            Some("The manual partition assignment includes broker 7, but no such broker is registered."),
        ),
        (
            grow("t", 3, Some(&[&[1, 1]])),
            assignment,
            Some("The manual partition assignment includes the broker 1 more than once."),
        ),
        (
            grow("t", 3, Some(&[&[]])),
            assignment,
            Some("The manual partition assignment includes an empty replica list."),
        ),
        (
            grow("t", 20_000, None),
            ErrorCode::PolicyViolation,
            Some("Excessively large number of additional partitions per request."),
        ),
    ] {
        let answer = client.ask(3, &CreatePartitionsRequest { topics: vec![topic], ..Default::default() });
        let told = (answer.results[0].error_code, answer.results[0].error_message.as_deref());
        assert_eq!(told, (code.code(), why));
    }
    let topics = vec![grow("t", 3, None), grow("t", 4, None)];
    let twice = client.ask(3, &CreatePartitionsRequest { topics, ..Default::default() }).results;
    assert_eq!((twice.len(), twice[0].error_code), (1, INVALID_REQUEST));
    assert_eq!(twice[0].error_message.as_deref(), Some("Duplicate topic name."));
    assert_eq!(client.topic("t").partitions.len(), 2);
}

#[test]
fn a_topic_made_by_being_asked_for_is_there_at_the_second_question() {
    let broker = Broker::start(&[("num.partitions", "2")]);
    let mut client = broker.client();
    let named = MetadataRequestTopic { name: Some("new".into()), ..Default::default() };
    let mut request =
        MetadataRequest { topics: Some(vec![named]), allow_auto_topic_creation: false, ..Default::default() };
    let mut ask = |request: &MetadataRequest| {
        let topic = client.ask(9, request).topics.remove(0);
        (topic.error_code, topic.partitions.iter().filter(|partition| partition.leader_id == 1).count())
    };
    assert_eq!(ask(&request), (GONE, 0));
    assert_eq!(ask(&request), (GONE, 0), "nobody allowed it yet");
    request.allow_auto_topic_creation = true;
    assert_eq!(ask(&request), (GONE, 0));
    assert_eq!(ask(&request), (ErrorCode::None.code(), 2));
}
