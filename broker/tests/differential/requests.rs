//! Short ways to say requests.

use bytes::Bytes;
use wire::Records;
use wire::messages::fetch::{FetchPartition, FetchRequest, FetchTopic};
use wire::messages::metadata::{MetadataRequest, MetadataRequestTopic};
use wire::messages::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};

/// A message with the fields named, and the others as they are by default.
macro_rules! make {
    ($message:ident { $($field:ident: $value:expr),* $(,)? }) => {
        $message { $($field: $value,)* ..Default::default() }
    };
    ($message:ident { $($field:ident: $value:expr,)* ..$rest:expr }) => {
        $message { $($field: $value,)* ..$rest }
    };
}
pub(crate) use make;

/// A topic by name and id; requests carry what their version has room for.
pub type Topic = (String, [u8; 16]);

/// More bytes than any fetch here gets.
const PLENTY: i32 = 1 << 20;

pub fn metadata(names: &[&str], create: bool) -> MetadataRequest {
    let topic = |name: &&str| make!(MetadataRequestTopic { name: Some((*name).into()) });
    make!(MetadataRequest { topics: Some(names.iter().map(topic).collect()), allow_auto_topic_creation: create })
}

/// All of `parts` (partition and bytes) for one topic, with acks=all.
pub fn produce_all((name, id): &Topic, parts: &[(i32, &[u8])]) -> ProduceRequest {
    let data = |(index, bytes): &(i32, &[u8])| {
        let records = Some(Records::Bytes(Bytes::copy_from_slice(bytes)));
        make!(PartitionProduceData { index: *index, records: records })
    };
    let topic = make!(TopicProduceData {
        name: name.as_str().into(),
        topic_id: *id,
        partition_data: parts.iter().map(data).collect(),
    });
    make!(ProduceRequest { acks: -1, timeout_ms: 10_000, topic_data: vec![topic] })
}

pub fn produce(topic: &Topic, records: &[u8]) -> ProduceRequest {
    produce_all(topic, &[(0, records)])
}

/// Partition 0 from `offset` on, without a session and without a wait.
pub fn fetch(topic: &Topic, offset: i64) -> FetchRequest {
    fetch_parts(topic, vec![from(0, offset)])
}

pub fn fetch_parts((name, id): &Topic, partitions: Vec<FetchPartition>) -> FetchRequest {
    let topic = make!(FetchTopic { topic: name.as_str().into(), topic_id: *id, partitions: partitions });
    make!(FetchRequest { max_bytes: PLENTY, session_epoch: -1, topics: vec![topic] })
}

pub fn from(partition: i32, offset: i64) -> FetchPartition {
    make!(FetchPartition {
        partition: partition,
        current_leader_epoch: -1,
        fetch_offset: offset,
        last_fetched_epoch: -1,
        log_start_offset: -1,
        partition_max_bytes: PLENTY,
    })
}
