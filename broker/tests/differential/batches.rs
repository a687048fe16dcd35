//! Batches byte by byte, right and wrong: a field at a time can be made to lie, and the CRC fits all the same.

use model::{Codec, compression};

/// The time of records whose time does not matter.
pub const RECORD_MS: i64 = 1_700_000_000_000;

pub const CRC_AT: usize = 17;
pub const HEADER_BYTES: usize = 61;
pub const LOG_APPEND_TIME: i16 = 0x08;
pub const TRANSACTIONAL: i16 = 0x10;
pub const CONTROL: i16 = 0x20;

/// One record, unless its fields lie.
#[derive(Clone)]
pub struct Rec {
    pub attributes: u8,
    pub timestamp_delta: i64,
    pub offset_delta: i64,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    /// Stated headers; none follow.
    pub headers: i64,
    /// What the length says beyond the truth.
    pub length_lie: i64,
}

pub fn rec(offset_delta: i64, value: &str) -> Rec {
    Rec {
        attributes: 0,
        timestamp_delta: offset_delta,
        offset_delta,
        key: None,
        value: Some(value.as_bytes().to_vec()),
        headers: 0,
        length_lie: 0,
    }
}

/// A batch, unless its fields lie.
#[derive(Clone)]
pub struct Raw {
    pub base_offset: i64,
    pub length_lie: i32,
    pub leader_epoch: i32,
    pub magic: u8,
    /// Without the codec.
    pub attributes: i16,
    pub codec: i16,
    pub last_offset_delta: i32,
    pub base_timestamp: i64,
    pub max_timestamp: i64,
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub base_sequence: i32,
    pub count: i32,
    /// As they stand behind the header.
    pub payload: Vec<u8>,
}

/// A batch of `count` records "v0", "v1", ..., a millisecond apart.
pub fn raw(count: i32) -> Raw {
    let records: Vec<Rec> = (0..i64::from(count)).map(|at| rec(at, &format!("v{at}"))).collect();
    raw_of(&records)
}

pub fn raw_of(records: &[Rec]) -> Raw {
    let last = records.iter().map(|record| record.timestamp_delta).max().unwrap_or(-1);
    Raw {
        base_offset: 0,
        length_lie: 0,
        leader_epoch: -1,
        magic: 2,
        attributes: 0,
        codec: 0,
        last_offset_delta: records.len() as i32 - 1,
        base_timestamp: RECORD_MS,
        max_timestamp: RECORD_MS + last,
        producer_id: -1,
        producer_epoch: -1,
        base_sequence: -1,
        count: records.len() as i32,
        payload: framed(records),
    }
}

/// Records as they stand in a batch.
pub fn framed(records: &[Rec]) -> Vec<u8> {
    let mut payload = Vec::new();
    for record in records {
        let mut body = vec![record.attributes];
        varint(&mut body, record.timestamp_delta);
        varint(&mut body, record.offset_delta);
        for field in [&record.key, &record.value] {
            varint(&mut body, field.as_ref().map_or(-1, |field| field.len() as i64));
            body.extend_from_slice(field.as_deref().unwrap_or_default());
        }
        varint(&mut body, record.headers);
        varint(&mut payload, body.len() as i64 + record.length_lie);
        payload.extend_from_slice(&body);
    }
    payload
}

impl Raw {
    /// The payload packed by `codec`.
    pub fn packed(mut self, codec: Codec) -> Self {
        self.payload = compression::compress(codec, &self.payload, None);
        self.codec = codec as i16;
        self
    }

    pub fn by(self, producer_id: i64, producer_epoch: i16, base_sequence: i32) -> Self {
        Self { producer_id, producer_epoch, base_sequence, ..self }
    }

    /// On the wire.
    pub fn bytes(&self) -> Vec<u8> {
        let length = (HEADER_BYTES - 12 + self.payload.len()) as i32 + self.length_lie;
        let mut bytes = self.base_offset.to_be_bytes().to_vec();
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(&self.leader_epoch.to_be_bytes());
        bytes.push(self.magic);
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&(self.attributes | self.codec).to_be_bytes());
        bytes.extend_from_slice(&self.last_offset_delta.to_be_bytes());
        bytes.extend_from_slice(&self.base_timestamp.to_be_bytes());
        bytes.extend_from_slice(&self.max_timestamp.to_be_bytes());
        bytes.extend_from_slice(&self.producer_id.to_be_bytes());
        bytes.extend_from_slice(&self.producer_epoch.to_be_bytes());
        bytes.extend_from_slice(&self.base_sequence.to_be_bytes());
        bytes.extend_from_slice(&self.count.to_be_bytes());
        bytes.extend_from_slice(&self.payload);
        let crc = crc32c::crc32c(&bytes[CRC_AT + 4..]);
        bytes[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_be_bytes());
        bytes
    }
}

/// One message of the formats before batches.
pub fn legacy(magic: u8, value: &[u8]) -> Vec<u8> {
    let mut body = vec![magic, 0];
    if magic == 1 {
        body.extend_from_slice(&RECORD_MS.to_be_bytes());
    }
    body.extend_from_slice(&(-1i32).to_be_bytes());
    body.extend_from_slice(&(value.len() as i32).to_be_bytes());
    body.extend_from_slice(value);
    let mut bytes = vec![0; 8];
    bytes.extend_from_slice(&(body.len() as i32 + 4).to_be_bytes());
    bytes.extend_from_slice(&crc32(&body).to_be_bytes());
    bytes.extend_from_slice(&body);
    bytes
}

/// The older CRC, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
    !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc)))
}

pub fn varint(out: &mut Vec<u8>, value: i64) {
    let mut left = ((value << 1) ^ (value >> 63)) as u64;
    while left >= 0x80 {
        out.push(left as u8 | 0x80);
        left >>= 7;
    }
    out.push(left as u8);
}

#[test]
fn batches_made_by_hand_are_whole_and_their_records_can_be_read() {
    for codec in [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let batch = model::Batch::cut(&mut raw(3).packed(codec).bytes().into()).unwrap();
        let records: Vec<_> = batch.records(1 << 20).unwrap().map(Result::unwrap).collect();
        assert_eq!(batch.check_crc(), Ok(()));
        assert_eq!(records.len(), 3);
        assert_eq!(records[2].value.as_deref(), Some(&b"v2"[..]));
        assert_eq!(records[2].timestamp.0, RECORD_MS + 2);
    }
    assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
}
