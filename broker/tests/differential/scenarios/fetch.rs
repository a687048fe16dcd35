//! Fetch: where reading may begin, how much comes, how long it waits, and sessions.

use std::time::Instant;

use wire::messages::delete_records::{DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic};
use wire::messages::fetch::{FetchRequest, FetchResponse, FetchableTopicResponse, ForgottenTopic, ReplicaState};

use crate::batches::raw;
use crate::requests::{Topic, fetch, fetch_parts, from, make, produce, produce_all};
use crate::side::Side;

/// A topic of two partitions with three batches of two records in each.
fn filled(side: &mut Side, name: &str) -> Topic {
    let topic = side.topic(name, 2, &[]);
    let batch = raw(2).bytes();
    for _ in 0..3 {
        side.prepare(&produce_all(&topic, &[(0, &batch), (1, &batch)]));
    }
    topic
}

/// Topics and partitions in order: Kafka puts those without errors first.
fn in_order(answer: &mut FetchResponse) {
    let first =
        |topic: &FetchableTopicResponse| topic.partitions.first().map(|one| (one.error_code, one.high_watermark));
    answer.responses.iter_mut().for_each(|topic| topic.partitions.sort_by_key(|one| one.partition_index));
    answer.responses.sort_by_key(|topic| (topic.topic.clone(), first(topic)));
}

pub fn offsets(side: &mut Side) {
    let topic = filled(side, "t");
    let empty = side.topic("empty", 1, &[]);
    for offset in [0, 1, 2, 5, 6, 7, -1, -2, i64::MAX, i64::MIN] {
        side.every(&format!("from {offset}"), |_| fetch(&topic, offset));
    }
    for offset in [0, 1] {
        side.every(&format!("nothing from {offset}"), |_| fetch(&empty, offset));
    }
    for isolation in [0, 1, 2, -1] {
        side.every("isolation", |_| make!(FetchRequest { isolation_level: isolation, ..fetch(&topic, 4) }));
    }
    for partition in [2, -1] {
        side.every_tidied("partitions", |_| fetch_parts(&topic, vec![from(partition, 0), from(1, 4)]), in_order);
    }
    side.every("a partition twice", |_| fetch_parts(&topic, vec![from(0, 4), from(0, 2)]));
    side.every("no partition", |_| fetch_parts(&topic, vec![]));
    side.every("no topic", |_| make!(FetchRequest { topics: Vec::new(), ..fetch(&topic, 0) }));
    for (name, id) in [(side.name("missing"), [9; 16]), (String::new(), [0; 16])] {
        side.every("a topic that is not there", |_| fetch(&(name.clone(), id), 0));
    }
    let both = |_: i16| {
        let mut request = fetch(&topic, 4);
        request.topics.extend(fetch(&("missing".to_owned(), [9; 16]), 0).topics);
        request
    };
    side.every_tidied("one there and one not", both, in_order);
    for epoch in [0, 1, 9, -2] {
        side.every(&format!("current leader epoch {epoch}"), |_| {
            let mut partition = from(0, 4);
            partition.current_leader_epoch = epoch;
            fetch_parts(&topic, vec![partition])
        });
    }
    for (epoch, offset) in [(0, 0), (0, 4), (0, 6), (0, 7), (1, 4), (5, 0), (-1, 4), (-2, 4)] {
        side.every(&format!("last fetched epoch {epoch} before {offset}"), |_| {
            let mut partition = from(0, offset);
            partition.last_fetched_epoch = epoch;
            fetch_parts(&topic, vec![partition])
        });
    }
    for replica in [1, 2, -2, -3] {
        side.every(&format!("replica {replica}"), |version| {
            let request = fetch(&topic, 4);
            if version < 15 {
                make!(FetchRequest { replica_id: replica, ..request })
            } else {
                make!(FetchRequest { replica_state: make!(ReplicaState { replica_id: replica }), ..request })
            }
        });
    }
    side.every("a cluster id", |_| make!(FetchRequest { cluster_id: Some("another".into()), ..fetch(&topic, 4) }));
    side.every("a rack", |_| make!(FetchRequest { rack_id: "rack".into(), ..fetch(&topic, 4) }));
}

pub fn sizes(side: &mut Side) {
    let topic = filled(side, "t");
    let one = raw(2).bytes().len() as i32;
    for most in [0, 1, one - 1, one, one + 1, 2 * one, 2 * one + 1, -1, i32::MAX] {
        side.every(&format!("at most {most} in all"), |_| {
            make!(FetchRequest { max_bytes: most, ..fetch_parts(&topic, vec![from(0, 0), from(1, 0)]) })
        });
        side.every(&format!("at most {most} of a partition"), |_| {
            let mut partitions = vec![from(0, 2), from(1, 3)];
            partitions.iter_mut().for_each(|partition| partition.partition_max_bytes = most);
            fetch_parts(&topic, partitions)
        });
    }
    for (least, wait) in
        [(0, 60), (1, 60), (one, 60), (4 * one, 60), (i32::MAX, 60), (-1, 60), (1, 0), (1, -1), (9 * one, -1)]
    {
        for offset in [0, 6] {
            let request = make!(FetchRequest { min_bytes: least, max_wait_ms: wait, ..fetch(&topic, offset) });
            for version in [4, 12, 17] {
                let step = format!("at least {least} from {offset} within {wait} ms");
                let started = Instant::now();
                side.ask(&step, version, &request);
                let waited = started.elapsed().as_millis() >= 50;
                side.note(&format!("{step}: waited"), version, &waited.to_string());
            }
        }
    }
    let waiting = side.park(
        "data ends the wait",
        12,
        &make!(FetchRequest { min_bytes: 1, max_wait_ms: 10_000, ..fetch(&topic, 6) }),
    );
    side.prepare(&produce(&topic, &raw(1).bytes()));
    side.unpark(waiting);
    let waiting = side.park(
        "an error ends the wait",
        12,
        &make!(FetchRequest { min_bytes: 1, max_wait_ms: 10_000, ..fetch_parts(&topic, vec![from(0, 7), from(5, 0)]) }),
    );
    side.unpark(waiting);
}

/// What is left when records were deleted.
pub fn after_deletion(side: &mut Side) {
    let topic = filled(side, "t");
    let partition = make!(DeleteRecordsPartition { partition_index: 0, offset: 3 });
    let of = make!(DeleteRecordsTopic { name: topic.0.as_str().into(), partitions: vec![partition] });
    side.prepare(&make!(DeleteRecordsRequest { topics: vec![of], timeout_ms: 10_000 }));
    for offset in [0, 2, 3, 4, 6] {
        side.every(&format!("from {offset}"), |_| fetch(&topic, offset));
    }
}

pub fn sessions(side: &mut Side) {
    let topic = filled(side, "t");
    let other = filled(side, "other");
    let versions = 7..=side.max_version(wire::ApiKey::Fetch);
    let named = |id: i32, epoch: i32, topics: &[FetchRequest]| {
        let topics = topics.iter().flat_map(|request| request.topics.clone()).collect();
        make!(FetchRequest {
            session_id: id,
            session_epoch: epoch,
            topics: topics,
            ..fetch(&("".to_owned(), [0; 16]), 0)
        })
    };
    let both = [fetch_parts(&topic, vec![from(0, 4), from(1, 6)]), fetch(&other, 6)];
    for version in versions {
        let mut ask = |step: &str, request: FetchRequest| side.ask_tidied(step, version, &request, in_order).session_id;
        ask("none", named(0, -1, &both));
        ask("an unknown one", named(77, 1, &[]));
        ask("an unknown one to close", named(77, -1, &both));
        ask("an unknown one to open anew", named(77, 0, &both));
        ask("no session, epoch 1", named(0, 1, &both));
        ask("a negative one", named(-5, 2, &[]));
        let id = ask("opened", named(0, 0, &both));
        ask("nothing new but what was told", named(id, 1, &[]));
        ask("one moves on", named(id, 2, &[fetch(&topic, 6)]));
        ask("nothing new", named(id, 3, &[]));
        ask("an epoch twice", named(id, 3, &[]));
        ask("an epoch too far", named(id, 9, &[]));
        ask("the right epoch after wrong ones", named(id, 4, &[]));
        ask("out of range", named(id, 5, &[fetch(&topic, 99)]));
        ask("out of range still", named(id, 6, &[]));
        ask("back in range", named(id, 7, &[fetch(&topic, 6)]));
        ask("an unknown partition joins", named(id, 8, &[fetch_parts(&topic, vec![from(9, 0)])]));
        ask("an unknown partition again", named(id, 9, &[]));
        let missing: Topic = ("missing".to_owned(), [9; 16]);
        ask("an unknown topic joins", named(id, 10, &[fetch(&missing, 0)]));
        ask("an unknown topic again", named(id, 11, &[]));
        let forget = |(name, id): &Topic, partitions: &[i32]| {
            make!(ForgottenTopic { topic: name.as_str().into(), topic_id: *id, partitions: partitions.to_vec() })
        };
        let leave = |forgotten: Vec<ForgottenTopic>, request: FetchRequest| {
            make!(FetchRequest { forgotten_topics_data: forgotten, ..request })
        };
        ask("both leave", leave(vec![forget(&topic, &[9]), forget(&missing, &[0])], named(id, 12, &[])));
        ask(
            "one leaves and is named again",
            leave(vec![forget(&topic, &[1])], named(id, 13, &[fetch_parts(&topic, vec![from(1, 4)])])),
        );
        ask("what was never in it leaves", leave(vec![forget(&other, &[5])], named(id, 14, &[])));
        side.prepare(&produce(&other, &raw(1).bytes()));
        let mut ask = |step: &str, request: FetchRequest| side.ask_tidied(step, version, &request, in_order).session_id;
        ask("news of one", named(id, 15, &[]));
        ask("opened in place of the old one", named(id, 0, &both[..1]));
        ask("the old one is gone", named(id, 1, &[]));
        let id = ask("opened once more", named(0, 0, &both[1..]));
        ask("all leave", leave(vec![forget(&other, &[0])], named(id, 1, &[])));
        ask("closed by leaving", named(id, 2, &[]));
        let id = ask("opened for the last time", named(0, 0, &both));
        ask("closed with a full fetch", named(id, -1, &both));
        ask("closed", named(id, 1, &[]));
    }
    let id = side.ask("opened by name", 12, &named(0, 0, &both)).session_id;
    side.ask("named by id", 13, &named(id, 1, &both));
    let id = side.ask("opened by id", 13, &named(0, 0, &both)).session_id;
    side.ask("named by name", 12, &named(id, 1, &both));
    let id = side.ask("opened on one connection", 12, &named(0, 0, &both)).session_id;
    let other_connection = side.park("used on another", 12, &named(id, 1, &[]));
    side.unpark(other_connection);
}
