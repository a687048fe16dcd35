//! The bound on memory stops liars, not clients that are merely busy: what they send about thousands of topics decodes.
//!
//! Names of 16 bytes are the floor of this promise. Much shorter ones can outgrow the bound from some 1,500 topics in
//! one request on, since a struct in memory is larger than its few bytes on the wire.

#![allow(clippy::unwrap_used)] // A failed step fails the test.

use bytes::BytesMut;
use wire::messages::*;
use wire::{Message, Reader, Str, Writer};

const TOPICS: usize = 5_000;

fn names() -> impl Iterator<Item = Str> {
    (0..TOPICS).map(|index| Str::from(format!("orders-by-id-{index:03x}")))
}

fn decodes_in_every_version<M: Message>(message: &M, versions: std::ops::RangeInclusive<i16>) {
    for version in versions {
        let (mut buf, mut splices) = (BytesMut::new(), Vec::new());
        message.encode(&mut Writer::new(&mut buf, &mut splices), version).unwrap();
        let mut r = Reader::new(buf.freeze());
        let done = M::decode(&mut r, version).and_then(|_| r.finish());
        assert_eq!(done, Ok(()), "{} v{version}", std::any::type_name::<M>());
    }
}

#[test]
fn metadata_and_configs_of_5000_topics_decode() {
    let topics =
        names().map(|name| metadata::MetadataRequestTopic { name: Some(name), ..Default::default() }).collect();
    decodes_in_every_version(&metadata::MetadataRequest { topics: Some(topics), ..Default::default() }, 4..=13);
    let resource = |resource_name| describe_configs::DescribeConfigsResource {
        resource_type: 2,
        resource_name,
        ..Default::default()
    };
    let resources = names().map(resource).collect();
    decodes_in_every_version(&describe_configs::DescribeConfigsRequest { resources, ..Default::default() }, 1..=4);
}

#[test]
fn offsets_of_5000_topics_decode() {
    let topic =
        |name| list_offsets::ListOffsetsTopic { name, partitions: vec![Default::default()], ..Default::default() };
    let topics = names().map(topic).collect();
    decodes_in_every_version(&list_offsets::ListOffsetsRequest { topics, ..Default::default() }, 1..=9);
    let topic = |name| offset_commit::OffsetCommitRequestTopic {
        name,
        partitions: vec![Default::default()],
        ..Default::default()
    };
    let topics = names().map(topic).collect();
    decodes_in_every_version(&offset_commit::OffsetCommitRequest { topics, ..Default::default() }, 2..=9);
    let topic = |name| offset_fetch::OffsetFetchRequestTopic { name, partition_indexes: vec![0], ..Default::default() };
    let topics = Some(names().map(topic).collect());
    decodes_in_every_version(&offset_fetch::OffsetFetchRequest { topics, ..Default::default() }, 2..=7);
}

#[test]
fn a_fetch_of_5000_topics_decodes() {
    let topic = |topic| fetch::FetchTopic { topic, partitions: vec![Default::default()], ..Default::default() };
    let topics = names().map(topic).collect();
    decodes_in_every_version(&fetch::FetchRequest { topics, ..Default::default() }, 4..=12);
    let topic = |_| fetch::FetchTopic { topic_id: [7; 16], partitions: vec![Default::default()], ..Default::default() };
    let topics = names().map(topic).collect();
    decodes_in_every_version(&fetch::FetchRequest { topics, ..Default::default() }, 13..=17);
}
