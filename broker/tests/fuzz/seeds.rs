//! A request of each API that does something to the topic `t` and the group `g`: what mutations start from.

use bytes::{Bytes, BytesMut};
use model::{Batch, BatchError, Producer, ProducerEpoch, ProducerId};
use wire::messages::alter_configs::AlterConfigsRequest;
use wire::messages::api_versions::ApiVersionsRequest;
use wire::messages::create_partitions::{CreatePartitionsRequest, CreatePartitionsTopic};
use wire::messages::create_topics::{CreatableTopic, CreatableTopicConfig, CreateTopicsRequest};
use wire::messages::delete_groups::DeleteGroupsRequest;
use wire::messages::delete_records::{DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic};
use wire::messages::delete_topics::{DeleteTopicState, DeleteTopicsRequest};
use wire::messages::describe_cluster::DescribeClusterRequest;
use wire::messages::describe_configs::{DescribeConfigsRequest, DescribeConfigsResource};
use wire::messages::describe_groups::DescribeGroupsRequest;
use wire::messages::describe_log_dirs::{DescribableLogDirTopic, DescribeLogDirsRequest};
use wire::messages::describe_producers::{DescribeProducersRequest, TopicRequest as ProducersOf};
use wire::messages::describe_topic_partitions::{DescribeTopicPartitionsRequest, TopicRequest};
use wire::messages::fetch::{FetchPartition, FetchRequest, FetchTopic, ForgottenTopic};
use wire::messages::find_coordinator::FindCoordinatorRequest;
use wire::messages::heartbeat::HeartbeatRequest;
use wire::messages::incremental_alter_configs::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};
use wire::messages::init_producer_id::InitProducerIdRequest;
use wire::messages::join_group::{JoinGroupRequest, JoinGroupRequestProtocol};
use wire::messages::leave_group::{LeaveGroupRequest, MemberIdentity};
use wire::messages::list_config_resources::ListConfigResourcesRequest;
use wire::messages::list_groups::ListGroupsRequest;
use wire::messages::list_offsets::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};
use wire::messages::metadata::{MetadataRequest, MetadataRequestTopic};
use wire::messages::offset_commit::{OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use wire::messages::offset_delete::{OffsetDeleteRequest, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use wire::messages::offset_fetch::{OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic};
use wire::messages::offset_for_leader_epoch::{
    OffsetForLeaderEpochRequest, OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use wire::messages::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use wire::messages::sync_group::{SyncGroupRequest, SyncGroupRequestAssignment};
use wire::{ApiKey, Records, Request, Writer};

use crate::support::{batch_of_all, bytes_of};

/// A message with the fields named, and the others as they are by default.
macro_rules! make {
    ($message:ident { $($field:ident: $value:expr),* $(,)? }) => {
        $message { $($field: $value,)* ..Default::default() }
    };
}

/// Bodies by API and version.
pub struct Seeds {
    pub bodies: Vec<(ApiKey, i16, Vec<u8>)>,
}

impl Seeds {
    fn add<R: Request>(&mut self, versions: (i16, i16), request: impl Fn(i16) -> R) {
        for version in versions.0..=versions.1 {
            let (mut buf, mut splices) = (BytesMut::new(), Vec::new());
            let request = request(version);
            // What one version has no room for, another has.
            if request.encode(&mut Writer::new(&mut buf, &mut splices), version).is_ok() {
                self.bodies.push((R::KEY, version, buf.to_vec()));
            }
        }
    }

    /// Several for each API of which `versions` tells the range.
    pub fn new(versions: impl Fn(ApiKey) -> (i16, i16), topic_id: [u8; 16], producer: i64) -> Self {
        let mut seeds = Self { bodies: Vec::new() };
        seeds.records(&versions, topic_id, producer);
        seeds.groups(&versions, topic_id);
        seeds.admin(&versions, topic_id);
        seeds
    }

    fn records(&mut self, versions: &impl Fn(ApiKey) -> (i16, i16), topic_id: [u8; 16], producer: i64) {
        for sequence in [-1, 0, 1] {
            let producer = match sequence {
                -1 => Producer::NONE,
                base_sequence => Producer { id: ProducerId(producer), epoch: ProducerEpoch(0), base_sequence },
            };
            let batch = bytes_of(&batch_of_all(&["first", "second"], producer));
            self.add(versions(ApiKey::Produce), |_| produce(topic_id, batch.clone()));
        }
        let part = make!(FetchPartition {
            current_leader_epoch: -1,
            last_fetched_epoch: -1,
            log_start_offset: -1,
            partition_max_bytes: 1 << 20,
        });
        for (session_epoch, min_bytes) in [(-1, 0), (0, 1), (-1, 1 << 20)] {
            let topic = make!(FetchTopic { topic: "t".into(), topic_id: topic_id, partitions: vec![part.clone()] });
            let forgotten = make!(ForgottenTopic { topic: "t".into(), topic_id: topic_id, partitions: vec![0] });
            self.add(versions(ApiKey::Fetch), |_| {
                make!(FetchRequest {
                    max_wait_ms: 20,
                    min_bytes: min_bytes,
                    max_bytes: 1 << 20,
                    session_epoch: session_epoch,
                    topics: vec![topic.clone()],
                    forgotten_topics_data: if session_epoch == 0 { vec![forgotten.clone()] } else { Vec::new() },
                })
            });
        }
        for timestamp in [-1, -2, -3, 1] {
            let part = make!(ListOffsetsPartition { timestamp: timestamp, current_leader_epoch: -1 });
            let topic = make!(ListOffsetsTopic { name: "t".into(), partitions: vec![part] });
            self.add(versions(ApiKey::ListOffsets), |_| {
                make!(ListOffsetsRequest { replica_id: -1, topics: vec![topic.clone()] })
            });
        }
        let part = make!(OffsetForLeaderPartition { current_leader_epoch: -1, leader_epoch: 0 });
        let topic = make!(OffsetForLeaderTopic { topic: "t".into(), partitions: vec![part] });
        self.add(versions(ApiKey::OffsetForLeaderEpoch), |_| {
            make!(OffsetForLeaderEpochRequest { replica_id: -2, topics: vec![topic.clone()] })
        });
        self.add(versions(ApiKey::InitProducerId), |_| {
            make!(InitProducerIdRequest {
                transactional_id: None,
                transaction_timeout_ms: 1000,
                producer_id: -1,
                producer_epoch: -1,
            })
        });
        let part = make!(DeleteRecordsPartition { offset: 1 });
        let topic = make!(DeleteRecordsTopic { name: "t".into(), partitions: vec![part] });
        self.add(versions(ApiKey::DeleteRecords), |_| {
            make!(DeleteRecordsRequest { topics: vec![topic.clone()], timeout_ms: 100 })
        });
        let topic = make!(ProducersOf { name: "t".into(), partition_indexes: vec![0, 1] });
        self.add(versions(ApiKey::DescribeProducers), |_| {
            make!(DescribeProducersRequest { topics: vec![topic.clone()] })
        });
    }

    fn groups(&mut self, versions: &impl Fn(ApiKey) -> (i16, i16), topic_id: [u8; 16]) {
        self.add(versions(ApiKey::FindCoordinator), |version| match version {
            0..4 => make!(FindCoordinatorRequest { key: "g".into() }),
            _ => make!(FindCoordinatorRequest { coordinator_keys: vec!["g".into(), "h".into()] }),
        });
        for member in ["", "nobody"] {
            let protocol = make!(JoinGroupRequestProtocol { name: "range".into(), metadata: Bytes::from_static(b"m") });
            self.add(versions(ApiKey::JoinGroup), |version| {
                make!(JoinGroupRequest {
                    group_id: "g".into(),
                    session_timeout_ms: 6000,
                    rebalance_timeout_ms: if version == 0 { -1 } else { 50 },
                    member_id: member.into(),
                    protocol_type: "consumer".into(),
                    protocols: vec![protocol.clone()],
                })
            });
        }
        let assignment = make!(SyncGroupRequestAssignment { member_id: "nobody".into(), assignment: "a".into() });
        self.add(versions(ApiKey::SyncGroup), |_| {
            make!(SyncGroupRequest {
                group_id: "g".into(),
                generation_id: 1,
                member_id: "nobody".into(),
                assignments: vec![assignment.clone()],
            })
        });
        self.add(versions(ApiKey::Heartbeat), |_| {
            make!(HeartbeatRequest { group_id: "g".into(), generation_id: 1, member_id: "nobody".into() })
        });
        self.add(versions(ApiKey::LeaveGroup), |version| match version {
            0..3 => make!(LeaveGroupRequest { group_id: "g".into(), member_id: "nobody".into() }),
            _ => {
                let member = make!(MemberIdentity { member_id: "nobody".into(), group_instance_id: None });
                make!(LeaveGroupRequest { group_id: "g".into(), members: vec![member] })
            }
        });
        let part = make!(OffsetCommitRequestPartition {
            committed_offset: 1,
            committed_leader_epoch: -1,
            committed_metadata: Some("m".into()),
        });
        self.add(versions(ApiKey::OffsetCommit), |version| {
            let (name, topic_id) = if version < 10 { ("t", [0; 16]) } else { ("", topic_id) };
            let topic = make!(OffsetCommitRequestTopic {
                name: name.into(),
                topic_id: topic_id,
                partitions: vec![part.clone()],
            });
            make!(OffsetCommitRequest {
                group_id: "g".into(),
                generation_id_or_member_epoch: -1,
                retention_time_ms: -1,
                topics: vec![topic],
            })
        });
        self.add(versions(ApiKey::OffsetFetch), |version| match version {
            0..8 => {
                let topic = make!(OffsetFetchRequestTopic { name: "t".into(), partition_indexes: vec![0, 1] });
                make!(OffsetFetchRequest { group_id: "g".into(), topics: Some(vec![topic]) })
            }
            _ => {
                let group = make!(OffsetFetchRequestGroup { group_id: "g".into(), topics: None });
                make!(OffsetFetchRequest { groups: vec![group] })
            }
        });
        let partitions = vec![OffsetDeleteRequestPartition::default()];
        let topic = OffsetDeleteRequestTopic { name: "t".into(), partitions };
        self.add(versions(ApiKey::OffsetDelete), |_| {
            let topics = vec![topic.clone()];
            OffsetDeleteRequest { group_id: "g".into(), topics }
        });
        self.add(versions(ApiKey::DescribeGroups), |_| {
            make!(DescribeGroupsRequest { groups: vec!["g".into(), "h".into()] })
        });
        self.add(versions(ApiKey::ListGroups), |_| ListGroupsRequest::default());
        self.add(versions(ApiKey::DeleteGroups), |_| make!(DeleteGroupsRequest { groups_names: vec!["g".into()] }));
    }

    fn admin(&mut self, versions: &impl Fn(ApiKey) -> (i16, i16), topic_id: [u8; 16]) {
        self.add(versions(ApiKey::ApiVersions), |_| {
            make!(ApiVersionsRequest { client_software_name: "fuzz".into(), client_software_version: "1".into() })
        });
        for name in [Some("t".into()), None] {
            let topic = make!(MetadataRequestTopic { name: name, topic_id: topic_id });
            self.add(versions(ApiKey::Metadata), |_| make!(MetadataRequest { topics: Some(vec![topic.clone()]) }));
        }
        let config = make!(CreatableTopicConfig { name: "segment.bytes".into(), value: Some("1048576".into()) });
        let topic = make!(CreatableTopic {
            name: "new".into(),
            num_partitions: 2,
            replication_factor: 1,
            configs: vec![config],
        });
        self.add(versions(ApiKey::CreateTopics), |_| {
            make!(CreateTopicsRequest { topics: vec![topic.clone()], timeout_ms: 100 })
        });
        self.add(versions(ApiKey::DeleteTopics), |version| match version {
            0..6 => make!(DeleteTopicsRequest { topic_names: vec!["new".into()], timeout_ms: 100 }),
            _ => {
                let topic = make!(DeleteTopicState { name: Some("new".into()) });
                make!(DeleteTopicsRequest { topics: vec![topic], timeout_ms: 100 })
            }
        });
        let topic = make!(CreatePartitionsTopic { name: "t".into(), count: 3, assignments: None });
        self.add(versions(ApiKey::CreatePartitions), |_| {
            make!(CreatePartitionsRequest { topics: vec![topic.clone()], timeout_ms: 100 })
        });
        for (kind, name) in [(2, "t"), (4, "1"), (8, "1"), (32, "g")] {
            let resource = make!(DescribeConfigsResource {
                resource_type: kind,
                resource_name: name.into(),
                configuration_keys: None,
            });
            self.add(versions(ApiKey::DescribeConfigs), |_| {
                make!(DescribeConfigsRequest { resources: vec![resource.clone()] })
            });
        }
        let config = make!(AlterableConfig { name: "flush.messages".into(), value: Some("7".into()) });
        let resource =
            make!(AlterConfigsResource { resource_type: 2, resource_name: "t".into(), configs: vec![config] });
        self.add(versions(ApiKey::IncrementalAlterConfigs), |_| {
            make!(IncrementalAlterConfigsRequest { resources: vec![resource.clone()] })
        });
        self.add(versions(ApiKey::AlterConfigs), |_| {
            use wire::messages::alter_configs::{AlterConfigsResource, AlterableConfig};
            let config = make!(AlterableConfig { name: "flush.messages".into(), value: Some("7".into()) });
            let resource =
                make!(AlterConfigsResource { resource_type: 2, resource_name: "t".into(), configs: vec![config] });
            make!(AlterConfigsRequest { resources: vec![resource] })
        });
        self.add(versions(ApiKey::ListConfigResources), |_| ListConfigResourcesRequest::default());
        self.add(versions(ApiKey::DescribeCluster), |_| DescribeClusterRequest::default());
        let topic = make!(DescribableLogDirTopic { topic: "t".into(), partitions: vec![0, 1] });
        self.add(versions(ApiKey::DescribeLogDirs), |_| {
            make!(DescribeLogDirsRequest { topics: Some(vec![topic.clone()]) })
        });
        let topic = make!(TopicRequest { name: "t".into() });
        self.add(versions(ApiKey::DescribeTopicPartitions), |_| {
            make!(DescribeTopicPartitionsRequest { topics: vec![topic.clone()], response_partition_limit: 1 })
        });
    }
}

/// A produce request with one batch, whatever it is.
pub fn produce(topic_id: [u8; 16], batch: Bytes) -> ProduceRequest {
    let part = make!(PartitionProduceData { records: Some(Records::Bytes(batch)) });
    let topic = make!(TopicProduceData { name: "t".into(), topic_id: topic_id, partition_data: vec![part] });
    make!(ProduceRequest { acks: 1, timeout_ms: 100, topic_data: vec![topic] })
}

/// Makes length and CRC of a batch fit its bytes.
pub fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    if bytes.len() < 61 {
        return bytes;
    }
    let length = bytes.len() as i32 - 12;
    bytes[8..12].copy_from_slice(&length.to_be_bytes());
    let checked = Batch::cut(&mut Bytes::copy_from_slice(&bytes)).and_then(|batch| batch.check_crc());
    if let Err(BatchError::BadCrc { computed, .. }) = checked {
        bytes[17..21].copy_from_slice(&computed.to_be_bytes());
    }
    bytes
}
