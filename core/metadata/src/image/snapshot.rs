//! An image as records: what a new node or a shortened log starts from.

use super::Image;
use crate::record::{ClusterRecord, ConfigRecord, FeatureRecord, ProducerIdsRecord, Record, TopicRecord};
use crate::resource::ConfigResource;

impl Image {
    /// Records that, replayed over an empty image of the same node, give this image again.
    ///
    /// Lazily, one topic at a time: a snapshot of a large cluster never lies in memory twice.
    pub fn to_records(&self) -> impl Iterator<Item = Record> {
        let cluster = self.cluster_id.iter().map(|id| Record::Cluster(ClusterRecord { cluster_id: id.to_string() }));
        let features = self.features.iter();
        let features =
            features.map(|(name, level)| Record::Feature(FeatureRecord { name: name.clone(), level: *level }));
        let brokers = self.brokers.values().map(|broker| Record::BrokerRegistered(broker.to_record()));
        let producer_ids = ProducerIdsRecord { broker: self.node, next: self.next_producer_id };
        let producer_ids = (self.next_producer_id.0 > 0).then_some(Record::ProducerIds(producer_ids));
        let configs = self.configs.iter().flat_map(|(resource, set)| config_records(resource.clone(), set));
        let topics = self.topics().flat_map(|topic| {
            let head = Record::Topic(TopicRecord { id: topic.id, name: topic.name.to_string() });
            let configs = config_records(ConfigResource::Topic(topic.name.to_string()), &topic.overrides);
            let partitions = topic.partitions().map(|(index, p)| Record::Partition(p.to_record(topic.id, index)));
            std::iter::once(head).chain(configs).chain(partitions)
        });
        cluster.chain(features).chain(brokers).chain(producer_ids).chain(configs).chain(topics)
    }
}

fn config_records(
    resource: ConfigResource,
    set: &crate::configs::Properties,
) -> impl Iterator<Item = Record> + use<'_> {
    set.iter().map(move |(name, value)| {
        let (resource, name) = (resource.clone(), name.clone());
        Record::Config(ConfigRecord { resource, name, value: Some(value.clone()) })
    })
}
