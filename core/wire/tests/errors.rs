//! A response shows every error code that its version carries, and no other.

use wire::Message;
use wire::messages::fetch::{FetchResponse, FetchableTopicResponse, PartitionData};
use wire::messages::heartbeat::HeartbeatRequest;
use wire::messages::offset_fetch::{
    OffsetFetchResponse, OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponseTopic,
};

fn shown(message: &impl Message, version: i16) -> Vec<i16> {
    let mut codes = Vec::new();
    message.errors(version, &mut |code| codes.push(code));
    codes
}

#[test]
fn codes_of_partitions_are_shown_beside_the_responses_own() {
    let partition = |error_code| PartitionData { error_code, ..Default::default() };
    let topic = |codes: &[i16]| FetchableTopicResponse {
        partitions: codes.iter().map(|code| partition(*code)).collect(),
        ..Default::default()
    };
    let response = FetchResponse { responses: vec![topic(&[0, 6]), topic(&[3])], ..Default::default() };
    assert_eq!(shown(&response, 17), [0, 0, 6, 3]);
    assert_eq!(shown(&response, 6), [0, 6, 3], "the response has no code of its own before version 7");
}

#[test]
fn what_a_version_does_not_carry_is_not_shown() {
    let partition = OffsetFetchResponsePartition { error_code: 3, ..Default::default() };
    let topic = OffsetFetchResponseTopic { partitions: vec![partition], ..Default::default() };
    let group = OffsetFetchResponseGroup { error_code: 16, ..Default::default() };
    let response =
        OffsetFetchResponse { topics: vec![topic], error_code: 15, groups: vec![group], ..Default::default() };
    assert_eq!(shown(&response, 1), [3]);
    assert_eq!(shown(&response, 7), [3, 15]);
    assert_eq!(shown(&response, 9), [16]);
}

#[test]
fn a_request_shows_nothing() {
    assert!(shown(&HeartbeatRequest::default(), 4).is_empty());
}
