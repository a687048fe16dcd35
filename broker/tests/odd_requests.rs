//! Requests that hardly any client sends, asked over a socket of a broker in this process. What Kafka answers was asked of it
//! by `differential`.

mod support;

use support::Client;
use support::in_process::Broker;
use wire::ErrorCode;
use wire::messages::api_versions::ApiVersionsRequest;
use wire::messages::delete_groups::DeleteGroupsRequest;
use wire::messages::describe_groups::DescribeGroupsRequest;
use wire::messages::fetch::{FetchPartition, FetchRequest, FetchTopic};
use wire::messages::find_coordinator::FindCoordinatorRequest;
use wire::messages::init_producer_id::InitProducerIdRequest;
use wire::messages::leave_group::{LeaveGroupRequest, MemberIdentity};
use wire::messages::list_offsets::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};
use wire::messages::metadata::{MetadataRequest, MetadataRequestTopic};
use wire::messages::offset_commit::{OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use wire::messages::offset_delete::{OffsetDeleteRequest, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use wire::messages::offset_fetch::{OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopics};

fn started() -> (Broker, Client) {
    let broker = Broker::start(&[("offsets.topic.num.partitions", "1")]);
    let mut client = broker.client();
    client.create(&["t", "u"], 2);
    let found = client.ask(4, &FindCoordinatorRequest { coordinator_keys: vec!["g".into()], ..Default::default() });
    assert_eq!((found.coordinators[0].error_code, found.coordinators[0].error_message.as_deref()), (0, Some("")));
    let group = DescribeGroupsRequest { groups: vec!["g".into()], ..Default::default() };
    while client.ask(5, &group).groups[0].error_code == ErrorCode::CoordinatorLoadInProgress.code() {
        std::thread::yield_now();
    }
    (broker, client)
}

fn topic(name: Option<&str>, topic_id: [u8; 16]) -> MetadataRequestTopic {
    MetadataRequestTopic { name: name.map(Into::into), topic_id, ..Default::default() }
}

fn metadata(topics: Vec<MetadataRequestTopic>) -> MetadataRequest {
    MetadataRequest { topics: Some(topics), allow_auto_topic_creation: false, ..Default::default() }
}

#[test]
fn ids_mean_nothing_to_metadata_before_version_12() {
    let (_broker, mut client) = started();
    let id = client.ask(12, &metadata(vec![topic(Some("t"), [0; 16])])).topics[0].topic_id;
    for version in [10, 11] {
        for wanted in [topic(Some("t"), id), topic(None, id), topic(None, [0; 16])] {
            let answer = client.ask(version, &metadata(vec![wanted]));
            assert_eq!(answer.topics[0].error_code, ErrorCode::InvalidRequest.code(), "version {version}");
            assert!(answer.brokers.is_empty());
        }
    }
    assert_eq!(client.ask(12, &metadata(vec![topic(None, id)])).topics[0].name.as_deref(), Some("t"));
}

#[test]
fn a_topic_named_twice_is_described_once() {
    let (_broker, mut client) = started();
    let twice = vec![topic(Some("u"), [0; 16]), topic(Some("t"), [0; 16]), topic(Some("u"), [0; 16])];
    let answer = client.ask(9, &metadata(twice));
    let names: Vec<_> = answer.topics.iter().map(|topic| topic.name.as_deref().unwrap()).collect();
    assert_eq!(names, ["u", "t"]);
}

#[test]
fn operations_are_told_to_whom_asks_for_them() {
    let (_broker, mut client) = started();
    let asked = MetadataRequest {
        include_cluster_authorized_operations: true,
        include_topic_authorized_operations: true,
        ..metadata(vec![topic(Some("t"), [0; 16])])
    };
    let answer = client.ask(8, &asked);
    assert_eq!((answer.cluster_authorized_operations, answer.topics[0].topic_authorized_operations), (8096, 3576));
    let answer = client.ask(8, &metadata(vec![topic(Some("t"), [0; 16])]));
    assert_eq!(answer.topics[0].topic_authorized_operations, i32::MIN);
    let mut groups = |asked: bool| {
        let request = DescribeGroupsRequest {
            groups: vec!["g".into()],
            include_authorized_operations: asked,
            ..Default::default()
        };
        client.ask(5, &request).groups[0].authorized_operations
    };
    assert_eq!((groups(true), groups(false)), (i32::MIN, i32::MIN), "a group that is not there allows nothing");
}

#[test]
fn a_partition_named_twice_has_no_offsets() {
    let (_broker, mut client) = started();
    let at = |index| ListOffsetsPartition { partition_index: index, timestamp: -1, ..Default::default() };
    let topic = ListOffsetsTopic { name: "t".into(), partitions: vec![at(0), at(1), at(0)], ..Default::default() };
    let answer = client.ask(5, &ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..Default::default() });
    let codes: Vec<_> = answer.topics[0].partitions.iter().map(|one| (one.partition_index, one.error_code)).collect();
    assert_eq!(codes, [(0, ErrorCode::InvalidRequest.code()), (1, 0)]);
}

#[test]
fn no_topic_id_names_no_topic() {
    let (_broker, mut client) = started();
    let partitions = vec![OffsetCommitRequestPartition { committed_leader_epoch: -1, ..Default::default() }];
    let request = OffsetCommitRequest {
        group_id: "g".into(),
        generation_id_or_member_epoch: -1,
        topics: vec![OffsetCommitRequestTopic { partitions, ..Default::default() }],
        ..Default::default()
    };
    let answer = client.ask(10, &request);
    assert_eq!(answer.topics[0].partitions[0].error_code, ErrorCode::UnknownTopicId.code());
    let topics = vec![OffsetFetchRequestTopics { partition_indexes: vec![0], ..Default::default() }];
    let groups = vec![OffsetFetchRequestGroup { group_id: "g".into(), topics: Some(topics), ..Default::default() }];
    let answer = client.ask(10, &OffsetFetchRequest { groups, ..Default::default() });
    assert_eq!(answer.groups[0].topics[0].partitions[0].error_code, ErrorCode::UnknownTopicId.code());
}

#[test]
fn offsets_are_deleted_of_a_group_that_is_named_and_there() {
    let (_broker, mut client) = started();
    let delete = |group: &str| {
        let partitions = vec![OffsetDeleteRequestPartition { partition_index: 0 }; 2];
        let topics = vec![OffsetDeleteRequestTopic { name: "t".into(), partitions }];
        OffsetDeleteRequest { group_id: group.into(), topics }
    };
    assert_eq!(client.ask(0, &delete("")).error_code, ErrorCode::InvalidGroupId.code());
    assert_eq!(client.ask(0, &delete("g")).error_code, ErrorCode::GroupIdNotFound.code());
}

#[test]
fn groups_that_are_not_there_have_no_members_and_are_deleted_in_vain_once() {
    let (_broker, mut client) = started();
    let names = vec!["g".into(), "g".into()];
    let results = client.ask(2, &DeleteGroupsRequest { groups_names: names, ..Default::default() }).results;
    assert_eq!((results.len(), results[0].error_code), (1, ErrorCode::GroupIdNotFound.code()));
    let members = vec![MemberIdentity { member_id: "m".into(), ..Default::default() }];
    let left = client.ask(4, &LeaveGroupRequest { group_id: "g".into(), members, ..Default::default() });
    assert_eq!((left.error_code, left.members[0].error_code), (0, ErrorCode::UnknownMemberId.code()));
    let left = client.ask(2, &LeaveGroupRequest { group_id: "g".into(), member_id: "m".into(), ..Default::default() });
    assert_eq!(left.error_code, ErrorCode::UnknownMemberId.code());
}

#[test]
fn who_names_an_id_names_what_belongs_to_it() {
    let (_broker, mut client) = started();
    for (producer_id, producer_epoch) in [(5, -1), (-1, 3)] {
        let request =
            InitProducerIdRequest { transactional_id: None, producer_id, producer_epoch, ..Default::default() };
        assert_eq!(client.ask(3, &request).error_code, ErrorCode::InvalidRequest.code());
    }
    let asked = |cluster_id: Option<&str>, node_id: i32| ApiVersionsRequest {
        client_software_name: "a".into(),
        client_software_version: "1".into(),
        cluster_id: cluster_id.map(Into::into),
        node_id,
        ..Default::default()
    };
    for request in [asked(Some("c"), -1), asked(None, 1)] {
        assert_eq!(client.ask(5, &request).error_code, ErrorCode::InvalidRequest.code());
    }
    assert_eq!(client.ask(5, &asked(Some("c"), 1)).error_code, ErrorCode::RebootstrapRequired.code());
    let answer = client.ask(5, &asked(None, -1));
    let supported = |name: &str| answer.supported_features.iter().find(|one| one.name == *name).unwrap().max_version;
    assert!(!answer.finalized_features.is_empty());
    for feature in &answer.finalized_features {
        let level = feature.max_version_level;
        assert!((1..=supported(&feature.name)).contains(&level), "{} at {level}", &*feature.name);
    }
}

#[test]
fn negative_epochs_are_none_to_a_fetch_and_a_partition_after_the_first_keeps_its_limit() {
    let (_broker, mut client) = started();
    for partition in [0, 1] {
        client.produce("t", partition, &support::batch_of("a", model::Producer::NONE)).unwrap().unwrap();
    }
    let of = |partition: i32, fetch_offset: i64| FetchPartition {
        partition,
        current_leader_epoch: -2,
        last_fetched_epoch: -2,
        fetch_offset,
        partition_max_bytes: 1,
        ..Default::default()
    };
    let mut ask = |partitions: Vec<FetchPartition>| {
        let topics = vec![FetchTopic { topic: "t".into(), partitions, ..Default::default() }];
        let request = FetchRequest { max_bytes: 1 << 20, session_epoch: -1, topics, ..Default::default() };
        client.ask(12, &request).responses.remove(0).partitions
    };
    let parts = ask(vec![of(0, 0), of(1, 0)]);
    let sizes: Vec<_> = parts.into_iter().map(|part| (part.error_code, part.records.unwrap().len())).collect();
    assert!(matches!(sizes[..], [(0, 1..), (0, 0)]), "{sizes:?}");
    let refused = &ask(vec![of(0, 9)])[0];
    assert_eq!((refused.error_code, &refused.aborted_transactions), (ErrorCode::OffsetOutOfRange.code(), &None));
}
