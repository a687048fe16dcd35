//! Kafka's own serializer as the referee: every golden vector decodes, and encodes to the same bytes.

#![allow(clippy::unwrap_used)] // A failed step fails the test.

use std::io::Read as _;
use std::path::PathBuf;

use bytes::{Bytes, BytesMut};
use wire::header::{RequestHeader, ResponseHeader};
use wire::messages::{AnyRequest, AnyResponse};
use wire::{ApiKey, Reader, Writer, records};

fn golden(file: &str) -> Option<String> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/kafka-protocol/golden").join(file);
    let Ok(packed) = std::fs::read(path) else {
        println!("skipped: shared folder absent");
        return None;
    };
    let mut text = String::new();
    flate2::read::GzDecoder::new(&packed[..]).read_to_string(&mut text).unwrap();
    Some(text)
}

fn unhex(hex: &str) -> Bytes {
    let digit = |c: u8| (c as char).to_digit(16).unwrap() as u8;
    hex.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect::<Vec<_>>().into()
}

fn rows(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.lines().filter(|line| !line.starts_with('#')).skip(1).map(|line| line.split('\t').collect())
}

#[test]
fn every_message_of_every_version_decodes_and_encodes_to_the_same_bytes() {
    let Some(text) = golden("messages.tsv.gz") else { return };
    let mut checked = 0;
    for row in rows(&text) {
        let [code, version, kind, variant, hex, ..] = row[..] else { panic!("{row:?}") };
        let Some(key) = ApiKey::from_code(code.parse().unwrap()) else { continue };
        let version: i16 = version.parse().unwrap();
        let bytes = unhex(hex);
        let what = format!("{} v{version} {kind} {variant}", key.name());
        let (mut buf, mut splices) = (BytesMut::new(), Vec::new());
        let mut reader = Reader::new(bytes.clone());
        let mut writer = Writer::new(&mut buf, &mut splices);
        match kind {
            "request" => {
                let message = AnyRequest::decode(key, &mut reader, version).unwrap_or_else(|e| panic!("{what}: {e}"));
                message.encode(&mut writer, version).unwrap_or_else(|e| panic!("{what}: {e}"));
            }
            "response" => {
                let message = AnyResponse::decode(key, &mut reader, version).unwrap_or_else(|e| panic!("{what}: {e}"));
                message.encode(&mut writer, version).unwrap_or_else(|e| panic!("{what}: {e}"));
            }
            other => panic!("{other}"),
        }
        reader.finish().unwrap_or_else(|e| panic!("{what}: {e}"));
        assert_eq!(buf.freeze(), bytes, "{what}");
        checked += 1;
    }
    println!("{checked} messages");
    assert!(checked > 2_000, "only {checked} vectors were checked");
}

#[test]
fn every_record_and_header_decodes_and_encodes_to_the_same_bytes() {
    let Some(text) = golden("records.tsv.gz") else { return };
    let mut checked = 0;
    for row in rows(&text) {
        let [name, version, _, variant, hex, ..] = row[..] else { panic!("{row:?}") };
        let version: i16 = version.parse().unwrap();
        let bytes = unhex(hex);
        let what = format!("{name} v{version} {variant}");
        let (mut buf, mut splices) = (BytesMut::new(), Vec::new());
        let mut reader = Reader::new(bytes.clone());
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
        assert_eq!(buf.freeze(), bytes, "{what}");
        checked += 1;
    }
    println!("{checked} records");
    assert!(checked > 200, "only {checked} vectors were checked");
}
