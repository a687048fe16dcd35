//! What clients in use send although the schemas do not say so, and Kafka lets pass.

mod support;

use bytes::BytesMut;
use support::in_process::Broker;
use wire::header::{RequestHeader, ResponseHeader};
use wire::messages::metadata::{MetadataRequest, MetadataResponse};
use wire::{ApiKey, Reader, Writer};

#[test]
fn bytes_behind_the_fields_of_a_request_are_ignored() {
    let broker = Broker::start(&[]);
    let mut client = broker.client();
    let (mut frame, mut splices) = (BytesMut::new(), Vec::new());
    let mut writer = Writer::new(&mut frame, &mut splices);
    let (api_key, api_version, correlation_id) = (ApiKey::Metadata.code(), 13, 7);
    let header = RequestHeader { api_key, api_version, correlation_id, ..RequestHeader::default() };
    header.encode(&mut writer, ApiKey::Metadata.request_header_version(api_version));
    MetadataRequest { topics: None, ..Default::default() }.encode(&mut writer, api_version).unwrap();
    // librdkafka 2.12 keeps four bytes for the length of a null array and uses one.
    frame.extend_from_slice(&[0, 0, 0]);
    client.send_frame(&frame).unwrap();
    let mut reader = Reader::new(client.receive().unwrap());
    let header = ResponseHeader::decode(&mut reader, ApiKey::Metadata.response_header_version(api_version)).unwrap();
    let answer = MetadataResponse::decode(&mut reader, api_version).unwrap();
    assert_eq!((header.correlation_id, answer.brokers.len(), answer.error_code), (7, 1, 0));
}
