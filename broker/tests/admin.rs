//! What administrators are promised, asked over a socket of a broker in this process.

mod support;

use support::in_process::Broker;
use wire::ErrorCode;
use wire::messages::describe_cluster::DescribeClusterRequest;
use wire::messages::describe_log_dirs::{DescribableLogDirTopic, DescribeLogDirsRequest};
use wire::messages::describe_producers::{DescribeProducersRequest, TopicRequest as ProducersOf};
use wire::messages::describe_topic_partitions::{
    DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse, RequestCursor, ResponseCursor, TopicRequest,
};
use wire::messages::metadata::MetadataRequest;

/// Topics with the indexes of the partitions shown.
fn shown(page: &DescribeTopicPartitionsResponse) -> Vec<(String, Vec<i32>)> {
    let indexes = |topic: &wire::messages::describe_topic_partitions::DescribeTopicPartitionsResponseTopic| {
        topic.partitions.iter().map(|partition| partition.partition_index).collect()
    };
    page.topics.iter().map(|topic| (topic.name.clone().unwrap_or_default().to_string(), indexes(topic))).collect()
}

#[test]
fn a_cluster_is_described_by_its_id_and_brokers_in_every_version() {
    let broker = Broker::start(&[("broker.rack", "r1")]);
    let mut client = broker.client();
    let id = client.ask(12, &MetadataRequest::default()).cluster_id.unwrap();
    for version in 0..=2 {
        let request = DescribeClusterRequest { include_cluster_authorized_operations: true, ..Default::default() };
        let answer = client.ask(version, &request);
        assert_eq!((answer.cluster_id.clone(), answer.controller_id, answer.error_code), (id.clone(), 1, 0));
        let one = &answer.brokers[0];
        assert_eq!((one.broker_id, one.host.as_str(), one.port), (1, "127.0.0.1", i32::from(broker.address().port())));
        assert_eq!((one.rack.as_deref(), one.is_fenced, answer.brokers.len()), (Some("r1"), false, 1));
        assert_eq!(answer.cluster_authorized_operations, 8096);
    }
    let controllers = DescribeClusterRequest { endpoint_type: 2, ..Default::default() };
    let refused = client.ask(1, &controllers);
    assert_eq!(refused.error_code, ErrorCode::MismatchedEndpointType.code());
    assert!(refused.brokers.is_empty() && refused.error_message.is_some());
}

#[test]
fn pages_of_partitions_follow_one_another_without_a_gap() {
    let broker = Broker::start(&[]);
    let mut client = broker.client();
    client.create(&["b", "a", "c"], 3);
    for named in [vec![], vec!["c", "a", "b"]] {
        let topics: Vec<_> =
            named.iter().map(|name: &&str| TopicRequest { name: (*name).into(), ..Default::default() }).collect();
        let (mut cursor, mut seen, mut pages) = (None, Vec::new(), 0);
        while pages < 10 {
            let request = DescribeTopicPartitionsRequest {
                topics: topics.clone(),
                response_partition_limit: 2,
                cursor: cursor.take(),
                ..Default::default()
            };
            let page = client.ask(0, &request);
            pages += 1;
            seen.extend(
                shown(&page)
                    .into_iter()
                    .flat_map(|(topic, indexes)| indexes.into_iter().map(move |i| (topic.clone(), i))),
            );
            let Some(ResponseCursor { topic_name, partition_index, .. }) = page.next_cursor else { break };
            cursor = Some(RequestCursor { topic_name, partition_index, ..Default::default() });
        }
        let all: Vec<(String, i32)> =
            ["a", "b", "c"].iter().flat_map(|topic| (0..3).map(|index| ((*topic).to_owned(), index))).collect();
        assert_eq!((seen, pages), (all, 5));
    }
}

#[test]
fn a_page_is_never_larger_than_the_broker_allows() {
    let broker = Broker::start(&[("max.request.partition.size.limit", "2")]);
    let mut client = broker.client();
    client.create(&["a"], 3);
    let page = client.ask(0, &DescribeTopicPartitionsRequest::default());
    assert_eq!(shown(&page), [("a".to_owned(), vec![0, 1])]);
    assert_eq!(page.next_cursor.map(|cursor| cursor.partition_index), Some(2));
}

#[test]
fn a_cursor_outside_the_topics_named_is_refused_for_each_of_them() {
    let broker = Broker::start(&[]);
    let mut client = broker.client();
    client.create(&["a"], 1);
    for (topic_name, partition_index) in [("b", 0), ("a", -1)] {
        let request = DescribeTopicPartitionsRequest {
            topics: vec![TopicRequest { name: "a".into(), ..Default::default() }],
            cursor: Some(RequestCursor { topic_name: topic_name.into(), partition_index, ..Default::default() }),
            ..Default::default()
        };
        assert_eq!(client.ask(0, &request).topics[0].error_code, ErrorCode::InvalidRequest.code());
    }
}

#[test]
fn log_dirs_show_each_partition_asked_for_and_room_where_the_version_has_it() {
    let broker = Broker::start(&[]);
    let mut client = broker.client();
    client.create(&["a", "b"], 2);
    for version in 1..=5 {
        let all = client.ask(version, &DescribeLogDirsRequest { topics: None, ..Default::default() });
        assert_eq!((all.error_code, all.results.len(), all.results[0].error_code), (0, 1, 0));
        let dir = &all.results[0];
        assert_eq!(dir.topics.iter().map(|topic| topic.partitions.len()).collect::<Vec<_>>(), [2, 2]);
        assert_eq!(dir.total_bytes > 0 && dir.usable_bytes > 0, version >= 4);
        let wanted = DescribableLogDirTopic { topic: "b".into(), partitions: vec![1, 7], ..Default::default() };
        let some = client.ask(version, &DescribeLogDirsRequest { topics: Some(vec![wanted]), ..Default::default() });
        let topics = &some.results[0].topics;
        assert_eq!((topics.len(), topics[0].name.as_str(), topics[0].partitions.len()), (1, "b", 1));
        assert_eq!((topics[0].partitions[0].partition_index, topics[0].partitions[0].partition_size), (1, 0));
    }
}

#[test]
fn producers_of_partitions_that_do_not_exist_are_an_error_of_their_own() {
    let broker = Broker::start(&[]);
    let mut client = broker.client();
    client.create(&["a"], 1);
    let of = |name: &str, indexes: &[i32]| ProducersOf {
        name: name.into(),
        partition_indexes: indexes.to_vec(),
        ..Default::default()
    };
    let topics = vec![of("a", &[0, 1]), of("nope", &[0]), of("not a name", &[0])];
    let answer = client.ask(0, &DescribeProducersRequest { topics, ..Default::default() });
    let partitions = answer.topics.iter().flat_map(|topic| &topic.partitions);
    let errors: Vec<_> = partitions.map(|one| (one.error_code, one.error_message.is_some())).collect();
    let (unknown, invalid) = (ErrorCode::UnknownTopicOrPartition.code(), ErrorCode::InvalidTopicException.code());
    assert_eq!(errors, [(0, false), (unknown, false), (unknown, true), (invalid, true)]);
}
