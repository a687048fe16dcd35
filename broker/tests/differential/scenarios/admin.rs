//! What administrators change: topics and records go, partitions come.

use wire::messages::create_partitions::{
    CreatePartitionsAssignment, CreatePartitionsRequest, CreatePartitionsResponse, CreatePartitionsTopic,
};
use wire::messages::delete_records::{
    DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsResponse, DeleteRecordsTopic,
};
use wire::messages::delete_topics::{DeleteTopicState, DeleteTopicsRequest, DeleteTopicsResponse};
use wire::messages::metadata::{MetadataRequest, MetadataRequestTopic};

use super::groups::coordinated;
use crate::batches::raw;
use crate::requests::{Topic, fetch, make, metadata, produce};
use crate::side::Side;

/// The deletion of topics by name, or by (name and) id from version 6 on.
fn delete(version: i16, names: &[&str]) -> DeleteTopicsRequest {
    if version < 6 {
        let names = names.iter().map(|name| (*name).into()).collect();
        return make!(DeleteTopicsRequest { topic_names: names, timeout_ms: 10_000 });
    }
    let one = |name: &&str| make!(DeleteTopicState { name: Some((*name).into()) });
    make!(DeleteTopicsRequest { topics: names.iter().map(one).collect(), timeout_ms: 10_000 })
}

fn in_order(answer: &mut DeleteTopicsResponse) {
    answer.responses.sort_by(|a, b| (&a.name, a.error_code).cmp(&(&b.name, b.error_code)));
}

/// Waits until nobody asked knows the topic any more.
fn gone(side: &mut Side, name: &str) {
    side.until("a topic is gone", |side| side.prepare(&metadata(&[name], false)).topics[0].error_code == 3);
}

pub fn delete_topics(side: &mut Side) {
    let missing = side.name("missing");
    for version in side.versions::<DeleteTopicsRequest>() {
        let mut ask = |step: &str, request: &DeleteTopicsRequest| side.ask_tidied(step, version, request, in_order);
        ask("unknown ones", &delete(version, &[&missing, "", "a/b"]));
        ask("an unknown one twice", &delete(version, &[&missing, &missing]));
        ask("none", &delete(version, &[]));
        let (one, _) = side.topic(&format!("one{version}"), 1, &[]);
        let (two, _) = side.topic(&format!("two{version}"), 3, &[]);
        side.ask_tidied("one twice", version, &delete(version, &[&one, &one]), in_order);
        side.ask_tidied("two of three", version, &delete(version, &[&one, &missing, &two]), in_order);
        gone(side, &one);
        gone(side, &two);
        side.ask_tidied("both again", version, &delete(version, &[&one, &two]), in_order);
    }
    let version = side.max_version(wire::ApiKey::DeleteTopics);
    let (name, id) = side.topic("by-id", 1, &[]);
    side.prepare(&produce(&(name.clone(), id), &raw(2).bytes()));
    let by_id = |topics: &[(Option<&str>, [u8; 16])]| {
        let one = |(name, id): &(Option<&str>, [u8; 16])| {
            make!(DeleteTopicState { name: name.map(Into::into), topic_id: *id })
        };
        make!(DeleteTopicsRequest { topics: topics.iter().map(one).collect(), timeout_ms: 10_000 })
    };
    for (step, topics) in [
        ("by an unknown id", &[(None, [9; 16])][..]),
        ("by nothing", &[(None, [0; 16])]),
        ("by name and id", &[(Some(&*name), id)]),
        ("by name, and by id", &[(Some(&*name), [0; 16]), (None, id)]),
        ("by one id twice", &[(None, [9; 16]), (None, [9; 16])]),
        ("by id", &[(None, id)]),
    ] {
        side.ask_tidied(step, version, &by_id(topics), in_order);
    }
    gone(side, &name);
    side.ask_tidied("by the id of what is gone", version, &by_id(&[(None, id)]), in_order);
    let old: Topic = (name.clone(), id);
    side.every("produce to what is gone", |_| produce(&old, &raw(2).bytes()));
    side.every("fetch from what is gone", |_| fetch(&old, 0));
    let (_, new) = side.topic("by-id", 1, &[]);
    side.every("produce to its successor", |version| {
        produce(&(name.clone(), if version % 2 == 0 { id } else { new }), &raw(2).bytes())
    });
    side.every("fetch from the old id", |_| fetch(&old, 0));
    let wanted = make!(MetadataRequestTopic { topic_id: id, name: None });
    side.every("metadata of the old id", |_| make!(MetadataRequest { topics: Some(vec![wanted.clone()]) }));
}

pub fn delete_records(side: &mut Side) {
    let topic = side.topic("t", 3, &[]);
    coordinated(side, "the group topic is there");
    let ask = |name: &str, parts: &[(i32, i64)]| {
        let one =
            |(index, offset): &(i32, i64)| make!(DeleteRecordsPartition { partition_index: *index, offset: *offset });
        let topic = make!(DeleteRecordsTopic { name: name.into(), partitions: parts.iter().map(one).collect() });
        make!(DeleteRecordsRequest { topics: vec![topic], timeout_ms: 10_000 })
    };
    let in_order = |answer: &mut DeleteRecordsResponse| {
        answer.topics.iter_mut().for_each(|topic| topic.partitions.sort_by_key(|one| one.partition_index));
    };
    for _ in 0..4 {
        side.prepare(&produce(&topic, &raw(3).bytes()));
    }
    for offset in [0, 2, 1, 6, -2, i64::MIN, 13, i64::MAX] {
        side.every(&format!("up to {offset}"), |_| ask(&topic.0, &[(0, offset)]));
    }
    side.ask("the log then", 12, &fetch(&topic, 6));
    side.ask("the log below", 12, &fetch(&topic, 5));
    side.every("to the end", |_| ask(&topic.0, &[(0, -1)]));
    side.ask("the end then", 12, &fetch(&topic, 12));
    side.every_tidied("of an empty partition", |_| ask(&topic.0, &[(1, 0), (2, -1)]), in_order);
    side.every_tidied("beyond an empty partition", |_| ask(&topic.0, &[(1, 1)]), in_order);
    side.every_tidied("of unknown partitions", |_| ask(&topic.0, &[(0, 12), (9, 0), (-1, 0)]), in_order);
    for name in ["missing", "a/b", "", "__consumer_offsets"] {
        side.every(&format!("of {name:?}"), |_| ask(name, &[(0, 0)]));
    }
    side.every("of no topic", |_| make!(DeleteRecordsRequest { timeout_ms: 10_000 }));
}

pub fn create_partitions(side: &mut Side) {
    let missing = side.name("missing");
    let in_order = |answer: &mut CreatePartitionsResponse| answer.results.sort_by(|a, b| a.name.cmp(&b.name));
    for version in side.versions::<CreatePartitionsRequest>() {
        let (two, _) = side.topic(&format!("t{version}"), 2, &[]);
        let to = |name: &str, count: i32, assigned: Option<&[&[i32]]>| {
            let one = |ids: &&[i32]| make!(CreatePartitionsAssignment { broker_ids: ids.to_vec() });
            let assignments = assigned.map(|assigned| assigned.iter().map(one).collect());
            make!(CreatePartitionsTopic { name: name.into(), count: count, assignments: assignments })
        };
        let mut ask = |step: &str, topics: Vec<CreatePartitionsTopic>, only_validate: bool| {
            let request =
                make!(CreatePartitionsRequest { topics: topics, timeout_ms: 10_000, validate_only: only_validate });
            side.ask_tidied(step, version, &request, in_order);
        };
        for count in [-1, 0, 1, 2, 20_000] {
            ask(&format!("to {count}"), vec![to(&two, count, None)], false);
        }
        let wrong: [(&str, &[&[i32]]); 6] = [
            ("nobody", &[]),
            ("too few", &[&[1], &[1], &[1]]),
            ("an empty list", &[&[]]),
            ("a stranger", &[&[7]]),
            ("one twice", &[&[1, 1]]),
            ("more replicas", &[&[1, 7]]),
        ];
        for (step, assigned) in wrong {
            ask(&format!("to 3, assigned to {step}"), vec![to(&two, 3, Some(assigned))], false);
        }
        ask("to 3, only to see", vec![to(&two, 3, None)], true);
        ask("to 3, assigned", vec![to(&two, 3, Some(&[&[1]]))], false);
        ask("to 3 again", vec![to(&two, 3, None)], false);
        ask("unknown ones", vec![to(&missing, 3, None), to("", 3, None), to("a/b", 3, None)], false);
        ask("one twice", vec![to(&two, 4, None), to(&two, 5, None), to(&missing, 1, None)], false);
        ask("none", vec![], false);
        side.until("the third partition is there", |side| {
            side.prepare(&metadata(&[&two], false)).topics[0].partitions.len() == 3
        });
        side.ask_tidied("its partitions then", 12, &metadata(&[&two], false), |answer| {
            answer.topics[0].partitions.sort_by_key(|partition| partition.partition_index);
        });
    }
}
