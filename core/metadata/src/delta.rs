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
