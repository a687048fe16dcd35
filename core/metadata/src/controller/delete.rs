//! DeleteTopics: a topic is gone from the metadata at once; its files go when brokers see that.

use std::collections::BTreeMap;

use model::TopicId;

use super::draft::Draft;
use super::{Controller, Decision};
use crate::error::CommandError;
use crate::image::Image;
use crate::record::{Record, TopicRemovedRecord};

/// A topic by whichever of its two names a client has. KIP-516.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum TopicRef {
    Name(String),
    Id(TopicId),
}

impl Controller {
    /// Deletes topics, one answer per item; internal ones too, as Kafka does. Fails an item with
    /// `UnknownTopicOrPartition` or `UnknownTopicId`, with `InvalidRequest` where a topic is meant twice, and all of
    /// them with `TopicDeletionDisabled` where `delete.topic.enable` is off.
    pub fn delete_topics(&self, items: Vec<TopicRef>) -> Decision<Vec<Result<(TopicId, String), CommandError>>> {
        let mut draft = Draft::new(&self.image);
        let enabled = self.image.broker_value("delete.topic.enable").and_then(|value| value.as_bool());
        if enabled == Some(false) {
            let why = "Topic deletion is disabled.".to_owned();
            return draft.decide(vec![Err(CommandError::TopicDeletionDisabled(why)); items.len()]);
        }
        let mut meant: BTreeMap<&TopicRef, usize> = BTreeMap::new();
        let mut resolved: BTreeMap<TopicId, usize> = BTreeMap::new();
        for item in &items {
            *meant.entry(item).or_default() += 1;
            if let Ok((id, _)) = resolve(&self.image, item) {
                *resolved.entry(id).or_default() += 1;
            }
        }
        let mut reply = Vec::with_capacity(items.len());
        for item in &items {
            reply.push(if meant[item] > 1 {
                let what = if matches!(item, TopicRef::Name(_)) { "name" } else { "id" };
                Err(CommandError::InvalidRequest(format!("Duplicate topic {what}.")))
            } else {
                resolve(&self.image, item).and_then(|(id, name)| {
                    if resolved[&id] > 1 {
                        let why = "The provided topic name maps to an ID that was already supplied.";
                        return Err(CommandError::InvalidRequest(why.to_owned()));
                    }
                    draft.push(Record::TopicRemoved(TopicRemovedRecord { id }));
                    Ok((id, name))
                })
            });
        }
        draft.decide(reply)
    }
}

fn resolve(image: &Image, item: &TopicRef) -> Result<(TopicId, String), CommandError> {
    let topic = match item {
        TopicRef::Name(name) => image.topic_by_name(name).ok_or_else(CommandError::no_such_topic)?,
        TopicRef::Id(id) => image.topic_by_id(*id).ok_or_else(CommandError::no_such_topic_id)?,
    };
    Ok((topic.id, topic.name.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::tests::{Cluster, moment, topic};

    fn name(name: &str) -> TopicRef {
        TopicRef::Name(name.to_owned())
    }

    fn cluster(file: &[(&str, &str)], names: &[&str]) -> (Cluster, Vec<TopicId>) {
        let mut cluster = Cluster::with_file(&[(1, None)], file);
        let decision = cluster.0.create_topics(names.iter().map(|name| topic(name, 2, 1)).collect(), moment(1));
        let ids = cluster.commit(decision).into_iter().map(|created| created.unwrap().id).collect();
        (cluster, ids)
    }

    #[test]
    fn a_topic_goes_by_name_or_by_id_and_may_come_back_under_another() {
        let (mut cluster, ids) = cluster(&[], &["t", "u", "__consumer_offsets"]);
        let decision = cluster.0.delete_topics(vec![name("t"), TopicRef::Id(ids[1]), name("__consumer_offsets")]);
        let reply = cluster.commit(decision);
        let expected = [(ids[0], "t"), (ids[1], "u"), (ids[2], "__consumer_offsets")];
        assert_eq!(reply, expected.map(|(id, name)| Ok((id, name.to_owned()))));
        assert_eq!((cluster.0.image().topic_count(), cluster.0.image().partition_count()), (0, 0));
        let decision = cluster.0.create_topics(vec![topic("t", 1, 1)], moment(2));
        assert_ne!(cluster.commit(decision).remove(0).unwrap().id, ids[0]);
    }

    #[test]
    fn what_does_not_exist_or_is_meant_twice_is_refused() {
        let (cluster, ids) = cluster(&[], &["t", "u", "v"]);
        let gone = TopicRef::Id(TopicId([9; 16]));
        let items = vec![name("nope"), gone, name("t"), TopicRef::Id(ids[0]), name("u"), name("u"), name("v")];
        let decision = cluster.0.delete_topics(items);
        let twice = "The provided topic name maps to an ID that was already supplied.";
        let refused = |message: &str| Err(CommandError::InvalidRequest(message.to_owned()));
        assert_eq!(
            decision.reply,
            [
                Err(CommandError::no_such_topic()),
                Err(CommandError::no_such_topic_id()),
                refused(twice),
                refused(twice),
                refused("Duplicate topic name."),
                refused("Duplicate topic name."),
                Ok((ids[2], "v".to_owned())),
            ]
        );
        assert_eq!(decision.records, [Record::TopicRemoved(TopicRemovedRecord { id: ids[2] })]);
    }

    #[test]
    fn deletion_can_be_switched_off() {
        let (cluster, _) = cluster(&[("delete.topic.enable", "false")], &["t"]);
        let decision = cluster.0.delete_topics(vec![name("t"), name("nope")]);
        let refused = Err(CommandError::TopicDeletionDisabled("Topic deletion is disabled.".to_owned()));
        assert_eq!((decision.reply, decision.records), (vec![refused.clone(), refused], vec![]));
    }
}
