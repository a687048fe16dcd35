//! Batches made by Kafka's own classes: all are read, and uncompressed ones are built again byte for byte.

#![allow(clippy::unwrap_used)] // A failed step fails the test.

use std::io::Read as _;
use std::path::PathBuf;

use bytes::Bytes;
use model::{Batch, BatchError};

const LIMIT: usize = 16 << 20;

fn unhex(hex: &str) -> Bytes {
    let digit = |c: u8| (c as char).to_digit(16).unwrap() as u8;
    hex.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect::<Vec<_>>().into()
}

#[test]
fn every_golden_batch_is_read_as_kafka_reads_it() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/kafka-protocol/golden/batches.tsv.gz");
    let Ok(packed) = std::fs::read(path) else {
        println!("skipped: shared folder absent");
        return;
    };
    let mut text = String::new();
    flate2::read::GzDecoder::new(&packed[..]).read_to_string(&mut text).unwrap();
    let mut checked = 0;
    for line in text.lines().filter(|line| !line.starts_with('#')).skip(1) {
        let cells: Vec<_> = line.split('\t').collect();
        let (name, mut bytes, json) = (cells[0], unhex(cells[1]), cells[2]);
        let json: serde_json::Value = serde_json::from_str(json).unwrap();
        checked += 1;
        let batches = json.as_array().unwrap_or_else(|| panic!("{name}: {json}"));
        for expected in batches {
            let magic = expected["magic"].as_i64().unwrap();
            let batch = match Batch::cut(&mut bytes) {
                Ok(batch) => batch,
                Err(BatchError::UnsupportedMagic(_)) if magic < 2 => break,
                Err(error) => panic!("{name}: {error}"),
            };
            let batch = batch.validate().unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(batch.base_offset().0, expected["baseOffset"].as_i64().unwrap(), "{name}");
            assert_eq!(batch.last_offset().0, expected["lastOffset"].as_i64().unwrap(), "{name}");
            let records: Vec<_> =
                batch.records(LIMIT).unwrap().collect::<Result<_, _>>().unwrap_or_else(|e| panic!("{name}: {e}"));
            let wanted = expected["records"].as_array().unwrap();
            assert_eq!(records.len(), wanted.len(), "{name}");
            for (record, wanted) in records.iter().zip(wanted) {
                assert_eq!(record.offset.0, wanted["offset"].as_i64().unwrap(), "{name}");
                assert_eq!(record.timestamp.0, wanted["timestamp"].as_i64().unwrap(), "{name}");
                let bytes = |value: &serde_json::Value| value.as_str().map(unhex);
                assert_eq!(record.key, bytes(&wanted["key"]), "{name}");
                assert_eq!(record.value, bytes(&wanted["value"]), "{name}");
            }
        }
    }
    assert!(checked >= 60, "only {checked}");
}
