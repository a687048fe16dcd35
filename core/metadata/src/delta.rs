//! From one image to the next: records go in, the next image and the list of what changed come out. Whoever runs the
//! cluster's partitions acts on that list.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::{NodeId, TopicId};

use crate::image::{self, Image, PartitionImage, ReplayError, TopicImage};
use crate::record::Record;
use crate::resource::ConfigResource;

/// An image in the making. The image it began with stays as it is, for whoever holds it.
#[derive(Clone, Debug)]
pub struct Delta {
    base: Image,
    next: Image,
    changes: Changes,
}

impl Delta {
    pub fn new(base: &Image) -> Self {
        Self { base: base.clone(), next: base.clone(), changes: Changes::default() }
    }

    /// Applies the next record of the log. Fails where the record does not follow from what came before it; the delta
    /// is then as it was.
    pub fn replay(&mut self, record: &Record) -> Result<(), ReplayError> {
        image::replay(&mut self.next, record, &mut self.changes)
    }

    /// The next image so far; effective configs are still those of the image before.
    pub(crate) fn image(&self) -> &Image {
        &self.next
    }

    /// The next image.
    pub fn apply(self) -> Image {
        self.finish().next
    }

    /// The next image, with what changed since the one before.
    pub fn finish(mut self) -> Step {
        image::settle(&mut self.next, &mut self.changes);
        Step { before: self.base, next: self.next, changes: self.changes }
    }
}

/// One step of the cluster: two images and what differs.
#[derive(Clone, Debug)]
pub struct Step {
    pub before: Image,
    pub next: Image,
    pub changes: Changes,
}

/// A partition that is new or has changed.
#[derive(Clone, Copy, Debug)]
pub struct PartitionStep<'a> {
    pub topic: &'a Arc<TopicImage>,
    pub index: i32,
    /// `None` where the partition is new.
    pub before: Option<&'a PartitionImage>,
    pub next: &'a PartitionImage,
}

impl Step {
    /// Topics that came to be, by id. A topic created and deleted within the step is not seen at all.
    pub fn topics_created(&self) -> impl Iterator<Item = &Arc<TopicImage>> {
        let created = self.changes.topics.iter().filter(|(_, change)| change.created);
        created.filter_map(|(id, _)| self.next.topic_by_id(*id))
    }

    /// Topics that are gone, as they were last.
    pub fn topics_deleted(&self) -> impl Iterator<Item = &Arc<TopicImage>> {
        self.changes.deleted.values()
    }

    /// Topics whose effective config may have changed, new ones not included.
    pub fn topics_reconfigured(&self) -> impl Iterator<Item = &Arc<TopicImage>> {
        let changed = self.changes.topics.iter().filter(|(_, change)| change.config && !change.created);
        changed.filter_map(|(id, _)| self.next.topic_by_id(*id))
    }

    /// Partitions that are new or changed, by topic id and index; those of deleted topics are not among them.
    pub fn partitions(&self) -> impl Iterator<Item = PartitionStep<'_>> {
        self.changes.topics.iter().flat_map(move |(id, change)| {
            let topic = self.next.topic_by_id(*id);
            topic.into_iter().flat_map(move |topic| {
                change.partitions.iter().filter_map(move |index| {
                    let next = topic.partition(*index)?;
                    Some(PartitionStep { topic, index: *index, before: self.before.partition(*id, *index), next })
                })
            })
        })
    }
}

/// What the records of a step touched.
#[derive(Clone, Default, Debug)]
pub struct Changes {
    topics: BTreeMap<TopicId, TopicChange>,
    /// Topics of the image before that are gone.
    deleted: BTreeMap<TopicId, Arc<TopicImage>>,
    /// Resources whose own configs were set or unset.
    pub configs: BTreeSet<ConfigResource>,
    /// Brokers that registered, changed or left.
    pub brokers: BTreeSet<NodeId>,
    pub producer_ids: bool,
    pub features: bool,
}

#[derive(Clone, Default, Debug)]
struct TopicChange {
    created: bool,
    config: bool,
    partitions: BTreeSet<i32>,
}

impl Changes {
    pub(crate) fn topic_created(&mut self, id: TopicId) {
        self.topics.entry(id).or_default().created = true;
    }

    pub(crate) fn topic_deleted(&mut self, topic: Arc<TopicImage>) {
        let change = self.topics.remove(&topic.id).unwrap_or_default();
        self.configs.remove(&ConfigResource::Topic(topic.name.to_string()));
        if !change.created {
            self.deleted.insert(topic.id, topic);
        }
    }

    pub(crate) fn partition_changed(&mut self, id: TopicId, index: i32) {
        self.topics.entry(id).or_default().partitions.insert(index);
    }

    pub(crate) fn topic_config_changed(&mut self, id: TopicId) {
        self.topics.entry(id).or_default().config = true;
    }

    pub(crate) fn topics_with_config_changes(&self) -> Vec<TopicId> {
        self.topics.iter().filter(|(_, change)| change.config).map(|(id, _)| *id).collect()
    }
}

#[cfg(test)]
mod tests {
    use model::LeaderEpoch;

    use super::*;
    use crate::record::{ConfigRecord, PartitionChangeRecord, PartitionRecord, TopicRecord, TopicRemovedRecord};

    fn empty() -> Image {
        Image::empty(NodeId(1), Arc::default())
    }

    fn id(n: u8) -> TopicId {
        TopicId([n; 16])
    }

    fn created(n: u8, name: &str) -> [Record; 2] {
        let partition = PartitionRecord {
            topic: id(n),
            index: 0,
            replicas: vec![NodeId(1), NodeId(2)],
            isr: vec![],
            elr: vec![],
            directories: vec![],
            leader: Some(NodeId(1)),
            leader_epoch: LeaderEpoch(0),
            partition_epoch: 0,
        };
        [Record::Topic(TopicRecord { id: id(n), name: name.to_owned() }), Record::Partition(partition)]
    }

    fn removed(n: u8) -> Record {
        Record::TopicRemoved(TopicRemovedRecord { id: id(n) })
    }

    fn config(resource: ConfigResource, name: &str, value: Option<&str>) -> Record {
        Record::Config(ConfigRecord { resource, name: name.to_owned(), value: value.map(str::to_owned) })
    }

    fn step(image: &Image, records: &[Record]) -> Step {
        let mut delta = Delta::new(image);
        records.iter().for_each(|record| delta.replay(record).unwrap());
        delta.finish()
    }

    fn names<'a>(topics: impl Iterator<Item = &'a Arc<TopicImage>>) -> Vec<(&'a str, TopicId)> {
        topics.map(|topic| (&*topic.name, topic.id)).collect()
    }

    #[test]
    fn the_image_it_began_with_stays_as_it_was() {
        let before = step(&empty(), &created(1, "a")).next;
        let kept = before.clone();
        let step = step(&before, &[removed(1)]);
        assert_eq!((&before, &step.before), (&kept, &kept));
        assert_eq!(step.next.topic_count(), 0);
    }

    #[test]
    fn a_topic_created_and_deleted_within_a_step_is_not_seen() {
        let [topic, partition] = created(1, "a");
        let set = config(ConfigResource::Topic("a".to_owned()), "retention.ms", Some("5"));
        let step = step(&empty(), &[topic, partition, set, removed(1)]);
        assert_eq!((step.topics_created().count(), step.topics_deleted().count()), (0, 0));
        assert_eq!((step.topics_reconfigured().count(), step.partitions().count()), (0, 0));
        assert!(step.changes.configs.is_empty());
        assert_eq!(step.next, empty());
    }

    #[test]
    fn a_topic_deleted_and_created_again_is_both_by_id() {
        let before = step(&empty(), &created(1, "a")).next;
        let [topic, partition] = created(2, "a");
        let step = step(&before, &[removed(1), topic, partition]);
        assert_eq!(names(step.topics_deleted()), [("a", id(1))]);
        assert_eq!(names(step.topics_created()), [("a", id(2))]);
        let partitions: Vec<_> = step.partitions().map(|p| (p.topic.id, p.before.is_some())).collect();
        assert_eq!(partitions, [(id(2), false)]);
    }

    #[test]
    fn a_changed_partition_is_told_once_with_what_it_was() {
        let before = step(&empty(), &created(1, "a")).next;
        let isr = |isr: &[i32]| {
            let isr = Some(isr.iter().copied().map(NodeId).collect());
            Record::PartitionChange(PartitionChangeRecord { isr, ..PartitionChangeRecord::of(id(1), 0) })
        };
        let step = step(&before, &[isr(&[1]), isr(&[1, 2]), isr(&[1])]);
        let changed: Vec<_> = step.partitions().collect();
        assert_eq!((changed.len(), changed[0].index), (1, 0));
        assert_eq!(changed[0].before.unwrap().isr.len(), 2);
        assert_eq!((changed[0].next.isr.len(), changed[0].next.partition_epoch), (1, 3));
        assert_eq!((step.topics_created().count(), step.topics_reconfigured().count()), (0, 0));
    }

    #[test]
    fn a_config_of_all_brokers_reconfigures_the_topics_it_moves() {
        let [a, b] = [created(1, "a"), created(2, "b")];
        let own = config(ConfigResource::Topic("b".to_owned()), "retention.ms", Some("9"));
        let before = step(&empty(), &[&a[..], &b, &[own]].concat()).next;
        let default = |name: &str, value| config(ConfigResource::BrokerDefault, name, value);
        let set = step(&before, &[default("log.retention.ms", Some("5"))]);
        assert_eq!(names(set.topics_reconfigured()), [("a", id(1))]);
        assert_eq!(set.next.topic_by_name("a").unwrap().config.retention_ms, 5);
        assert_eq!(set.next.topic_by_name("b").unwrap().config.retention_ms, 9);
        let unset = step(&set.next, &[default("log.retention.ms", None)]);
        assert_eq!(unset.next, before);
        let elsewhere = step(&before, &[default("num.io.threads", Some("16"))]);
        assert_eq!(elsewhere.topics_reconfigured().count(), 0);
        assert!(elsewhere.changes.configs.contains(&ConfigResource::BrokerDefault));
    }

    #[test]
    fn configs_of_another_broker_do_not_reach_this_nodes_topics() {
        let before = step(&empty(), &created(1, "a")).next;
        let step = step(&before, &[config(ConfigResource::Broker(NodeId(2)), "log.retention.ms", Some("5"))]);
        assert_eq!(step.topics_reconfigured().count(), 0);
        assert_eq!(step.next.topic_by_name("a").unwrap().config, *before.topic_defaults());
    }
}
