//! Administration in few words.

use std::time::{Duration, Instant};

use wire::messages::create_topics::{CreatableTopic, CreatableTopicConfig, CreateTopicsRequest};
use wire::messages::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResourceResult, DescribeConfigsResult,
};
use wire::messages::incremental_alter_configs::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};
use wire::messages::list_offsets::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};
use wire::messages::metadata::{MetadataRequest, MetadataRequestTopic, MetadataResponseTopic};

use super::Client;

pub const TOPIC: i8 = 2;
pub const BROKER: i8 = 4;
pub const BROKER_LOGGER: i8 = 8;
pub const CLIENT_METRICS: i8 = 16;
pub const GROUP: i8 = 32;

pub const SET: i8 = 0;
pub const DELETE: i8 = 1;
pub const APPEND: i8 = 2;
pub const SUBTRACT: i8 = 3;

/// Waits until `is_so`; fails with `what` where that takes forever.
pub fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// An error code and its message.
pub type Told = (i16, Option<String>);

impl Client {
    /// Creates topics of so many partitions.
    pub fn create(&mut self, names: &[&str], partitions: i32) {
        for name in names {
            assert_eq!(self.try_create(name, partitions, &[]), (0, None), "{name}");
        }
    }

    /// Creates a topic with configs.
    pub fn try_create(&mut self, name: &str, partitions: i32, configs: &[(&str, &str)]) -> Told {
        let config = |(name, value): &(&str, &str)| CreatableTopicConfig {
            name: (*name).into(),
            value: Some((*value).into()),
            ..Default::default()
        };
        let topic = CreatableTopic {
            name: name.into(),
            num_partitions: partitions,
            replication_factor: 1,
            configs: configs.iter().map(config).collect(),
            ..Default::default()
        };
        let mut answer = self.ask(7, &CreateTopicsRequest { topics: vec![topic], ..Default::default() });
        let topic = answer.topics.remove(0);
        (topic.error_code, topic.error_message.map(|why| why.to_string()))
    }

    /// What Metadata says of a topic.
    pub fn topic(&mut self, name: &str) -> MetadataResponseTopic {
        let topic = MetadataRequestTopic { name: Some(name.into()), ..Default::default() };
        self.ask(
            12,
            &MetadataRequest { topics: Some(vec![topic]), allow_auto_topic_creation: false, ..Default::default() },
        )
        .topics
        .remove(0)
    }

    /// Changes configs of one resource: name, operation, value.
    pub fn alter(&mut self, kind: i8, name: &str, changes: &[(&str, i8, &str)]) -> Told {
        let change = |(name, config_operation, value): &(&str, i8, &str)| AlterableConfig {
            name: (*name).into(),
            config_operation: *config_operation,
            value: (*config_operation != DELETE).then(|| (*value).into()),
            ..Default::default()
        };
        let resource = AlterConfigsResource {
            resource_type: kind,
            resource_name: name.into(),
            configs: changes.iter().map(change).collect(),
            ..Default::default()
        };
        let request = IncrementalAlterConfigsRequest { resources: vec![resource], ..Default::default() };
        let answer = self.ask(1, &request).responses.remove(0);
        assert_eq!((answer.resource_type, answer.resource_name.as_str()), (kind, name));
        (answer.error_code, answer.error_message.map(|why| why.to_string()))
    }

    /// Sets one config, which must succeed.
    pub fn set(&mut self, kind: i8, name: &str, config: &str, value: &str) {
        assert_eq!(self.alter(kind, name, &[(config, SET, value)]), (0, None), "{config}={value}");
    }

    /// Describes the configs called `keys` of one resource, all where there are none, with synonyms.
    pub fn describe(&mut self, kind: i8, name: &str, keys: &[&str]) -> DescribeConfigsResult {
        let resource = DescribeConfigsResource {
            resource_type: kind,
            resource_name: name.into(),
            configuration_keys: (!keys.is_empty()).then(|| keys.iter().map(|key| (*key).into()).collect()),
            ..Default::default()
        };
        let request =
            DescribeConfigsRequest { resources: vec![resource], include_synonyms: true, ..Default::default() };
        self.ask(4, &request).results.remove(0)
    }

    /// One config of a resource.
    pub fn config(&mut self, kind: i8, name: &str, key: &str) -> DescribeConfigsResourceResult {
        let mut configs = self.describe(kind, name, &[key]).configs;
        assert_eq!(configs.len(), 1, "{key}");
        configs.remove(0)
    }

    /// The value of one config of a resource.
    pub fn value(&mut self, kind: i8, name: &str, key: &str) -> Option<String> {
        self.config(kind, name, key).value.map(|value| value.to_string())
    }

    /// The first offset of a topic's partition 0.
    pub fn earliest(&mut self, topic: &str) -> i64 {
        let partition =
            ListOffsetsPartition { partition_index: 0, current_leader_epoch: -1, timestamp: -2, ..Default::default() };
        let topic = ListOffsetsTopic { name: topic.into(), partitions: vec![partition], ..Default::default() };
        let request = ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..Default::default() };
        self.ask(7, &request).topics[0].partitions[0].offset
    }
}
