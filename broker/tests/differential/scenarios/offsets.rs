//! Offsets by time and by leader epoch, and what a partition remembers of its producers.

use wire::messages::describe_producers::{DescribeProducersRequest, TopicRequest};
use wire::messages::init_producer_id::InitProducerIdRequest;
use wire::messages::list_offsets::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopic};
use wire::messages::offset_for_leader_epoch::{
    OffsetForLeaderEpochRequest, OffsetForLeaderPartition, OffsetForLeaderTopic,
};

use crate::batches::{RECORD_MS, Raw, Rec, raw, raw_of, rec};
use crate::labels::now_ms;
use crate::requests::{Topic, make, produce};
use crate::side::Side;

fn list(topic: &Topic, partitions: &[(i32, i64)]) -> ListOffsetsRequest {
    let at = |(index, timestamp): &(i32, i64)| {
        make!(ListOffsetsPartition { partition_index: *index, current_leader_epoch: -1, timestamp: *timestamp })
    };
    let topic =
        make!(ListOffsetsTopic { name: topic.0.as_str().into(), partitions: partitions.iter().map(at).collect() });
    make!(ListOffsetsRequest { replica_id: -1, topics: vec![topic] })
}

fn in_order(answer: &mut ListOffsetsResponse) {
    answer.topics.iter_mut().for_each(|topic| topic.partitions.sort_by_key(|one| one.partition_index));
}

pub fn by_time(side: &mut Side) {
    let topic = side.topic("t", 2, &[]);
    let empty = side.topic("empty", 1, &[]);
    let append = side.topic("append", 1, &[("message.timestamp.type", "LogAppendTime")]);
    let at = |base: i64| Raw { base_timestamp: RECORD_MS + base, max_timestamp: RECORD_MS + base + 2, ..raw(3) };
    // The third batch is the newest by its times, the fourth has them in disorder.
    let disorder = [
        rec(0, "a"),
        Rec { timestamp_delta: 90, ..rec(1, "b") },
        Rec { timestamp_delta: -40, ..rec(2, "c") },
        Rec { timestamp_delta: 90, ..rec(3, "d") },
    ];
    let disorder = Raw { base_timestamp: RECORD_MS + 300, max_timestamp: RECORD_MS + 390, ..raw_of(&disorder) };
    for batch in [at(100), at(200), at(500), disorder, at(400).packed(model::Codec::Zstd)] {
        side.prepare(&produce(&topic, &batch.bytes()));
        // Each batch of append times gets a time of its own.
        side.prepare(&produce(&append, &batch.bytes()));
        let appended = now_ms();
        while now_ms() <= appended + 1 {
            std::thread::yield_now();
        }
    }
    for special in [-1, -2, -3, -4, -5, -6, -7, i64::MIN] {
        for topic in [&topic, &empty] {
            side.every(&format!("special {special}"), |_| list(topic, &[(0, special)]));
        }
        side.every("special of append time", |_| list(&append, &[(0, special)]));
        for isolation in [0, 1, 2] {
            side.every(&format!("special {special}, isolation {isolation}"), |_| {
                make!(ListOffsetsRequest { isolation_level: isolation, ..list(&topic, &[(0, special)]) })
            });
        }
    }
    for time in [0, 99, 100, 101, 102, 103, 250, 300, 345, 390, 391, 401, 450, 500, 502, 503] {
        side.every(&format!("at {time}"), |_| list(&topic, &[(0, RECORD_MS + time)]));
    }
    for time in [0, 1, i64::MAX] {
        for topic in [&topic, &empty, &append] {
            side.every(&format!("at the time {time}"), |_| list(topic, &[(0, time)]));
        }
    }
    side.every_tidied("one time of each", |_| list(&topic, &[(1, -1), (0, -1)]), in_order);
    side.every_tidied("a partition twice", |_| list(&topic, &[(0, -1), (1, -1), (0, -2)]), in_order);
    side.every_tidied("unknown partitions", |_| list(&topic, &[(2, -1), (-1, -1), (0, -1)]), in_order);
    side.every("an unknown topic", |_| list(&("missing".to_owned(), [0; 16]), &[(0, -1)]));
    side.every("an unlawful topic", |_| list(&("a/b".to_owned(), [0; 16]), &[(0, -1)]));
    side.every("no topic", |_| make!(ListOffsetsRequest { topics: Vec::new(), ..list(&topic, &[]) }));
    side.every("no partition", |_| list(&topic, &[]));
    side.every("a topic twice", |_| {
        let mut request = list(&topic, &[(0, -1)]);
        request.topics.extend(list(&topic, &[(0, -1), (1, -1)]).topics);
        request
    });
    for replica in [-2, 1, 2] {
        for special in [-1, -2, -4] {
            side.every(&format!("replica {replica}"), |_| {
                make!(ListOffsetsRequest { replica_id: replica, ..list(&topic, &[(0, special)]) })
            });
        }
    }
    for epoch in [0, 1, 7, -2] {
        side.every(&format!("leader epoch {epoch}"), |_| {
            let mut request = list(&topic, &[(0, -1)]);
            request.topics[0].partitions[0].current_leader_epoch = epoch;
            request
        });
    }
}

pub fn by_epoch(side: &mut Side) {
    let topic = side.topic("t", 1, &[]);
    let empty = side.topic("empty", 1, &[]);
    side.prepare(&produce(&topic, &raw(3).bytes()));
    let ask = |name: &str, partition: i32, current: i32, epoch: i32, replica: i32| {
        let partition = make!(OffsetForLeaderPartition {
            partition: partition,
            current_leader_epoch: current,
            leader_epoch: epoch
        });
        let topic = make!(OffsetForLeaderTopic { topic: name.into(), partitions: vec![partition] });
        make!(OffsetForLeaderEpochRequest { replica_id: replica, topics: vec![topic] })
    };
    for epoch in [-2, -1, 0, 1, 5, i32::MAX] {
        side.every(&format!("epoch {epoch}"), |_| ask(&topic.0, 0, -1, epoch, -1));
        side.every(&format!("epoch {epoch} of an empty log"), |_| ask(&empty.0, 0, -1, epoch, -1));
        side.every(&format!("epoch {epoch}, known leader"), |_| ask(&topic.0, 0, 0, epoch, -1));
    }
    for current in [-2, 1, 7] {
        side.every(&format!("current epoch {current}"), |_| ask(&topic.0, 0, current, 0, -1));
    }
    for replica in [-2, 1, 2] {
        side.every(&format!("replica {replica}"), |_| ask(&topic.0, 0, -1, 0, replica));
    }
    side.every("an unknown partition", |_| ask(&topic.0, 9, -1, 0, -1));
    side.every("an unknown topic", |_| ask("missing", 0, -1, 0, -1));
    side.every("an unlawful topic", |_| ask("a/b", 0, -1, 0, -1));
    side.every("no topic", |_| make!(OffsetForLeaderEpochRequest { replica_id: -1 }));
}

pub fn producers(side: &mut Side) {
    let topic = side.topic("t", 1, &[]);
    for sequence in [0, 3] {
        let id = side.prepare(&make!(InitProducerIdRequest { transactional_id: None })).producer_id;
        side.prepare(&produce(&topic, &raw(3).by(id, 2, sequence).bytes()));
    }
    side.prepare(&produce(&topic, &raw(3).bytes()));
    let ask = |name: &str, partitions: &[i32]| {
        let topic = make!(TopicRequest { name: name.into(), partition_indexes: partitions.to_vec() });
        make!(DescribeProducersRequest { topics: vec![topic] })
    };
    side.every_tidied(
        "of a partition",
        |_| ask(&topic.0, &[0]),
        |answer| {
            answer.topics[0].partitions[0].active_producers.sort_by_key(|producer| producer.producer_id);
        },
    );
    side.every("of unknown partitions", |_| ask(&topic.0, &[5, -1]));
    side.every("of an unknown topic", |_| ask("missing", &[0]));
    side.every("of an unlawful topic", |_| ask("a/b", &[0, 1]));
    side.every("of a nameless topic", |_| ask("", &[0]));
    side.every("of an internal topic", |_| ask("__consumer_offsets", &[0]));
    side.every("of no partition", |_| ask(&topic.0, &[]));
    side.every("of nothing", |_| make!(DescribeProducersRequest {}));
}
