//! CreateTopics (19): new topics, each for itself. KIP-464 (defaults by -1), KIP-525 (answers with configs).

use std::collections::BTreeSet;

use metadata::configs::DescribedConfig;
use metadata::{CommandError, CreatedTopic, NewTopic};
use model::NodeId;
use wire::messages::create_topics::{
    CreatableTopic, CreatableTopicConfigs, CreatableTopicResult, CreateTopicsRequest, CreateTopicsResponse,
};
use wire::{ErrorCode, Str};

use super::context::Context;
use super::dispatch::Connection;
use super::errors::ToCode as _;

/// Says "the broker's default" of a number of partitions, and of replicas.
const DEFAULT: i32 = -1;

/// Creates what can be, or with `validate_only` says what would be. Names that come twice are refused.
pub async fn handle(context: &Context, _: &Connection, request: CreateTopicsRequest, _: i16) -> CreateTopicsResponse {
    let twice = named_twice(request.topics.iter().map(|topic| topic.name.as_str()));
    let mut response = CreateTopicsResponse::default();
    for name in &twice {
        response.topics.push(refused(name.clone(), ErrorCode::InvalidRequest, "Duplicate topic name."));
    }
    let topics: Vec<CreatableTopic> =
        request.topics.into_iter().filter(|topic| !twice.contains(topic.name.as_str())).collect();
    let names: Vec<Str> = topics.iter().map(|topic| topic.name.clone()).collect();
    let topics: Vec<NewTopic> = topics.into_iter().map(new_topic).collect();
    let created = context
        .controller
        .submit(request.validate_only, |controller, moment| controller.create_topics(topics, moment))
        .await;
    match created {
        Ok(results) => {
            let results = names.into_iter().zip(results);
            response.topics.extend(results.map(|(name, result)| answer(name, result)));
        }
        Err(error) => {
            let why = error.to_string();
            response.topics.extend(names.into_iter().map(|name| refused(name.to_string(), error.to_code(), &why)));
        }
    }
    response
}

/// The names that come more than once.
pub(super) fn named_twice<'a>(names: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    names.filter(|name| !seen.insert(*name)).map(str::to_owned).collect()
}

fn new_topic(topic: CreatableTopic) -> NewTopic {
    let assignments = topic.assignments.into_iter();
    NewTopic {
        name: topic.name.to_string(),
        partitions: (topic.num_partitions != DEFAULT).then_some(topic.num_partitions),
        replication_factor: (i32::from(topic.replication_factor) != DEFAULT).then_some(topic.replication_factor),
        assignments: assignments
            .map(|one| (one.partition_index, one.broker_ids.into_iter().map(NodeId).collect()))
            .collect(),
        configs: topic
            .configs
            .into_iter()
            .map(|config| (config.name.to_string(), config.value.map(|value| value.to_string())))
            .collect(),
    }
}

fn answer(name: Str, result: Result<CreatedTopic, CommandError>) -> CreatableTopicResult {
    match result {
        Err(error) => refused(name.to_string(), error.to_code(), error.message()),
        Ok(created) => CreatableTopicResult {
            name,
            topic_id: created.id.0,
            error_message: None,
            num_partitions: created.partitions,
            replication_factor: created.replication_factor,
            configs: Some(created.configs.into_iter().map(config).collect()),
            ..Default::default()
        },
    }
}

fn config(config: DescribedConfig) -> CreatableTopicConfigs {
    CreatableTopicConfigs {
        name: config.name.into(),
        value: config.value.map(Into::into),
        read_only: config.read_only,
        config_source: config.source.wire_code(),
        is_sensitive: config.sensitive,
        ..Default::default()
    }
}

fn refused(name: String, code: ErrorCode, why: &str) -> CreatableTopicResult {
    CreatableTopicResult {
        name: name.into(),
        error_code: code.code(),
        error_message: Some(why.into()),
        configs: Some(Vec::new()),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_come_more_than_once_are_found_once() {
        assert_eq!(Vec::from_iter(named_twice(["b", "a", "b", "c", "b", "a"].into_iter())), ["a", "b"]);
        assert!(named_twice(["a", "b"].into_iter()).is_empty());
    }

    #[test]
    fn minus_one_leaves_a_number_to_the_broker_and_zero_does_not() {
        let asked = CreatableTopic { num_partitions: -1, replication_factor: -1, ..Default::default() };
        let topic = new_topic(asked.clone());
        assert_eq!((topic.partitions, topic.replication_factor), (None, None));
        let topic = new_topic(CreatableTopic { num_partitions: 0, replication_factor: -2, ..asked });
        assert_eq!((topic.partitions, topic.replication_factor), (Some(0), Some(-2)));
    }
}
