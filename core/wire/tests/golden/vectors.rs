//! Kafka's golden vectors, read from the folder that lies beside the project; absent, tests of them are skipped.

#![allow(dead_code)] // Each test binary reads what it needs.

use std::io::Read as _;
use std::path::PathBuf;

use bytes::Bytes;
use wire::ApiKey;

/// A request or response body that Kafka wrote.
pub struct MessageVector {
    pub key: ApiKey,
    pub version: i16,
    pub is_request: bool,
    pub variant: String,
    pub bytes: Bytes,
}

/// A header, a record's key or value, or a message of the consumer protocol that Kafka wrote.
pub struct RecordVector {
    pub name: String,
    pub version: i16,
    pub variant: String,
    pub bytes: Bytes,
}

pub fn messages() -> Option<Vec<MessageVector>> {
    let text = unpacked("messages.tsv.gz")?;
    let vector = |row: Vec<&str>| {
        let [code, version, kind, variant, hex, ..] = row[..] else { panic!("{row:?}") };
        assert!(["request", "response"].contains(&kind), "{kind}");
        Some(MessageVector {
            key: ApiKey::from_code(code.parse().unwrap())?,
            version: version.parse().unwrap(),
            is_request: kind == "request",
            variant: variant.to_owned(),
            bytes: unhex(hex),
        })
    };
    Some(rows(&text).filter_map(vector).collect())
}

pub fn records() -> Option<Vec<RecordVector>> {
    let text = unpacked("records.tsv.gz")?;
    let vector = |row: Vec<&str>| {
        let [name, version, _, variant, hex, ..] = row[..] else { panic!("{row:?}") };
        let version = version.parse().unwrap();
        Some(RecordVector { name: name.to_owned(), version, variant: variant.to_owned(), bytes: unhex(hex) })
    };
    Some(rows(&text).filter_map(vector).collect())
}

fn unpacked(file: &str) -> Option<String> {
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
