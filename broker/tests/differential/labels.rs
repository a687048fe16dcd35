//! What two brokers cannot agree on, made alike: ids by the order in which they come up, times near now, ports, sizes of disks,
//! and the time a client is asked to wait. Everything else is compared as it is.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use model::{Batch, BatchError};
use wire::ErrorCode;

use super::answer::Lines;

/// Times this far from the start of the run are "now", in milliseconds.
const AROUND_NOW_MS: i64 = 600_000;
const UUID_CHARS: usize = 36;
/// More than any batch of these tests inflates to.
const INFLATED_BYTES_MAX: usize = 16 << 20;

/// The names of one broker's ids.
pub struct Labels {
    given: BTreeMap<String, String>,
    now: Range<i64>,
}

impl Labels {
    pub fn new() -> Self {
        let now = now_ms();
        Self { given: BTreeMap::new(), now: now - AROUND_NOW_MS..now + AROUND_NOW_MS }
    }

    /// Calls the topic of this id by its name from here on.
    pub fn name_topic(&mut self, id: [u8; 16], name: &str) {
        let digits = id.iter().map(|byte| format!("{byte:02x}")).collect();
        self.given.insert(digits, format!("the id of {name}"));
    }

    pub fn normalise(&mut self, lines: Lines) -> Lines {
        lines.into_iter().map(|(path, value)| (path.clone(), self.value(&path, value))).collect()
    }

    fn value(&mut self, path: &str, value: String) -> String {
        let field = path.rsplit_once('.').map_or(path, |(_, field)| field);
        let number = value.parse::<i64>().ok();
        match (field, number) {
            ("throttle_time_ms", _) => "any".to_owned(),
            ("error_code", Some(code)) => {
                let name = i16::try_from(code).ok().and_then(ErrorCode::from_code).map_or("?", ErrorCode::name);
                format!("{code} {name}")
            }
            ("topic_id", None) if value.bytes().any(|digit| digit != b'0') => {
                self.given.get(&value).cloned().unwrap_or_else(|| "an id".to_owned())
            }
            ("cluster_id", None) if value != "None" => "cluster".to_owned(),
            ("port", Some(1..)) => "port".to_owned(),
            ("producer_id", Some(0..)) => self.label("producer", &value),
            ("session_id", Some(1..)) => self.label("session", &value),
            ("finalized_features_epoch", Some(0..)) => "epoch".to_owned(),
            ("total_bytes" | "usable_bytes", Some(1..)) => "bytes".to_owned(),
            ("log_dir", None) => "directory".to_owned(),
            ("records", None) if value.starts_with("b\"") => self.batches(unescape(&value)),
            (_, Some(number)) if self.now.contains(&number) => "now".to_owned(),
            (_, None) if value.starts_with('"') => self.uuids(value),
            _ => value,
        }
    }

    /// `value`'s name: `kind` and when it was first seen.
    fn label(&mut self, kind: &str, value: &str) -> String {
        let key = format!("{kind} {value}");
        let next = self.given.keys().filter(|given| given.starts_with(kind)).count() + 1;
        self.given.entry(key).or_insert_with(|| format!("{kind} {next}")).clone()
    }

    /// Names the UUIDs of member ids.
    fn uuids(&mut self, text: String) -> String {
        let is_uuid = |part: &str| {
            part.char_indices()
                .all(|(at, c)| if matches!(at, 8 | 13 | 18 | 23) { c == '-' } else { c.is_ascii_hexdigit() })
        };
        let found = (0..text.len()).find_map(|at| text.get(at..at + UUID_CHARS).filter(|part| is_uuid(part)));
        let Some(uuid) = found.map(str::to_owned) else { return text };
        let label = self.label("uuid", &uuid);
        self.uuids(text.replace(&uuid, &format!("<{label}>")))
    }

    /// Batches with what is in them; bytes that are none stay bytes.
    fn batches(&mut self, mut bytes: Bytes) -> String {
        let mut told = String::new();
        while let Ok(batch) = Batch::cut(&mut bytes) {
            told += &self.batch(&batch);
        }
        // What a fetch was cut off in the middle of, clients ignore.
        let is_cut = matches!(Batch::peek_size(&bytes), Ok(_) | Err(BatchError::Truncated { .. }));
        if is_cut { told } else { format!("{told} and {bytes:?}") }
    }

    fn batch(&mut self, batch: &Batch) -> String {
        let producer = self.value("producer_id", batch.producer_id().0.to_string());
        let crc = if batch.check_crc().is_ok() { "" } else { ", bad CRC" };
        let mut told = format!(
            "[{}..={} at epoch {}, attributes {:#x}, {} records, {} to {}, {producer} epoch {} sequence {}{crc}:",
            batch.base_offset(),
            batch.last_offset(),
            batch.leader_epoch(),
            batch.attributes(),
            batch.record_count(),
            self.value("", batch.base_timestamp().0.to_string()),
            self.value("", batch.max_timestamp().0.to_string()),
            batch.producer_epoch(),
            batch.base_sequence(),
        );
        match batch.records(INFLATED_BYTES_MAX) {
            Err(error) => told += &format!(" {error}"),
            Ok(records) => {
                for record in records {
                    match record {
                        Err(error) => told += &format!(" {error}"),
                        Ok(record) => {
                            let at = self.value("", record.timestamp.0.to_string());
                            let headers = record.headers.len();
                            told += &format!(" {} {at} {:?}={:?}", record.offset, record.key, short(record.value));
                            if headers > 0 {
                                told += &format!(" +{headers}");
                            }
                        }
                    }
                }
            }
        }
        told + "]"
    }
}

/// A long value by its length.
fn short(value: Option<Bytes>) -> String {
    match value {
        Some(value) if value.len() > 40 => format!("{} bytes", value.len()),
        value => format!("{value:?}"),
    }
}

/// What `Bytes` printed as `b"..."`.
fn unescape(text: &str) -> Bytes {
    let text = text.strip_prefix("b\"").and_then(|text| text.strip_suffix('"')).unwrap_or_default();
    let mut bytes = Vec::new();
    let mut left = text.bytes();
    while let Some(byte) = left.next() {
        let escaped = if byte == b'\\' { left.next() } else { None };
        bytes.push(match escaped {
            None => byte,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'0') => 0,
            Some(b'x') => {
                let mut digit = || left.next().and_then(|c| char::from(c).to_digit(16)).unwrap_or_default() as u8;
                digit() << 4 | digit()
            }
            Some(plain) => plain,
        });
    }
    bytes.into()
}

pub fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970").as_millis() as i64
}

#[test]
fn ids_are_named_by_their_order_and_times_near_now_are_now() {
    let mut labels = Labels::new();
    let mut value = |path: &str, value: &str| labels.value(path, value.to_owned());
    assert_eq!(value("a.producer_id", "4000"), "producer 1");
    assert_eq!(value("b.producer_id", "17"), "producer 2");
    assert_eq!(value("c.producer_id", "4000"), "producer 1");
    assert_eq!(value("producer_id", "-1"), "-1");
    assert_eq!(value("error_code", "3"), "3 UNKNOWN_TOPIC_OR_PARTITION");
    assert_eq!(value("timestamp", &now_ms().to_string()), "now");
    assert_eq!(value("timestamp", "1700000000000"), "1700000000000");
    assert_eq!(value("x", "\"a-0f8fad5b-d9cb-469f-a165-70867728950e.\""), "\"a-<uuid 1>.\"");
    assert_eq!(&unescape(&format!("{:?}", Bytes::from_static(b"\0\x01\"\\\xffa\n")))[..], b"\0\x01\"\\\xffa\n");
}
