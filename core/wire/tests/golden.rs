//! Kafka's own serializer as the referee: every golden vector decodes, and encodes to the same bytes.

#![allow(clippy::unwrap_used)] // A failed step fails the test.

#[path = "golden/vectors.rs"]
mod vectors;

use bytes::BytesMut;
use wire::header::{RequestHeader, ResponseHeader};
use wire::messages::fetch::FetchRequest;
use wire::messages::produce::ProduceRequest;
use wire::messages::{AnyRequest, AnyResponse};
use wire::{ApiKey, Reader, Writer, records};

#[test]
fn every_message_of_every_version_decodes_and_encodes_to_the_same_bytes() {
    let Some(vectors) = vectors::messages() else { return };
    for vector in &vectors {
        let (key, version) = (vector.key, vector.version);
        let kind = if vector.is_request { "request" } else { "response" };
        let what = format!("{} v{version} {kind} {}", key.name(), vector.variant);
        let (mut buf, mut splices) = (BytesMut::new(), Vec::new());
        let mut reader = Reader::new(vector.bytes.clone());
        let mut writer = Writer::new(&mut buf, &mut splices);
        if vector.is_request {
            let message = AnyRequest::decode(key, &mut reader, version).unwrap_or_else(|e| panic!("{what}: {e}"));
            message.encode(&mut writer, version).unwrap_or_else(|e| panic!("{what}: {e}"));
        } else {
            let message = AnyResponse::decode(key, &mut reader, version).unwrap_or_else(|e| panic!("{what}: {e}"));
            message.encode(&mut writer, version).unwrap_or_else(|e| panic!("{what}: {e}"));
        }
        reader.finish().unwrap_or_else(|e| panic!("{what}: {e}"));
        assert_eq!(buf.freeze(), vector.bytes, "{what}");
    }
    println!("{} messages", vectors.len());
    assert!(vectors.len() > 2_000, "only {} vectors were checked", vectors.len());
}

#[test]
fn a_request_that_is_decoded_over_another_one_has_nothing_of_it() {
    let Some(vectors) = vectors::messages() else { return };
    let (mut produce, mut fetch) = (ProduceRequest::default(), FetchRequest::default());
    let mut decoded = 0;
    // There and back again, so that versions with fewer fields follow those with more.
    for vector in vectors.iter().chain(vectors.iter().rev()).filter(|vector| vector.is_request) {
        let (mut reader, version) = (Reader::new(vector.bytes.clone()), vector.version);
        match vector.key {
            ApiKey::Produce => {
                produce.decode_into(&mut reader, version).unwrap();
                let anew = ProduceRequest::decode(&mut Reader::new(vector.bytes.clone()), version).unwrap();
                assert_eq!(produce, anew, "v{version} {}", vector.variant);
            }
            ApiKey::Fetch => {
                fetch.decode_into(&mut reader, version).unwrap();
                let anew = FetchRequest::decode(&mut Reader::new(vector.bytes.clone()), version).unwrap();
                assert_eq!(fetch, anew, "v{version} {}", vector.variant);
            }
            _ => continue,
        }
        decoded += 1;
    }
    assert!(decoded > 50, "only {decoded} vectors were decoded");
}

#[test]
fn every_record_and_header_decodes_and_encodes_to_the_same_bytes() {
    let Some(vectors) = vectors::records() else { return };
    let mut checked = 0;
    for vector in vectors {
        let (name, version) = (vector.name.as_str(), vector.version);
        let what = format!("{name} v{version} {}", vector.variant);
        let (mut buf, mut splices) = (BytesMut::new(), Vec::new());
        let mut reader = Reader::new(vector.bytes.clone());
        let mut writer = Writer::new(&mut buf, &mut splices);
        match name {
            "RequestHeader" => RequestHeader::decode(&mut reader, version).unwrap().encode(&mut writer, version),
            "ResponseHeader" => ResponseHeader::decode(&mut reader, version).unwrap().encode(&mut writer, version),
            _ => {
                let known = records::reencode(name, &mut reader, &mut writer, version);
                if !known.unwrap_or_else(|e| panic!("{what}: {e}")) {
                    continue;
                }
            }
        }
        reader.finish().unwrap_or_else(|e| panic!("{what}: {e}"));
        assert_eq!(buf.freeze(), vector.bytes, "{what}");
        checked += 1;
    }
    println!("{checked} records");
    assert!(checked > 200, "only {checked} vectors were checked");
}
