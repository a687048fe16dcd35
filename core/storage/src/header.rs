//! What the log needs to know of a batch on disk: its 61 header bytes as numbers, and the marker in a control batch.
//! The format itself is told in [`model::batch`].

use model::batch::{HEADER_BYTES, LENGTH_PREFIX_BYTES, MAGIC, NO_SEQUENCE, add_sequence};
use model::{Batch, LeaderEpoch, Offset, ProducerEpoch, ProducerId, TimestampMs};

use crate::codec::Reader;

/// Where the CRC's cover begins.
pub(crate) const CRC_COVERS_FROM: usize = 21;

const LOG_APPEND_TIME: i16 = 0x08;
const TRANSACTIONAL: i16 = 0x10;
const CONTROL: i16 = 0x20;

/// A batch's header in numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub base_offset: Offset,
    pub last_offset: Offset,
    /// Of the whole batch, with its header.
    pub size: u32,
    pub leader_epoch: LeaderEpoch,
    pub crc: u32,
    pub attributes: i16,
    pub base_timestamp: TimestampMs,
    pub max_timestamp: TimestampMs,
    pub producer_id: ProducerId,
    pub producer_epoch: ProducerEpoch,
    pub base_sequence: i32,
    pub record_count: i32,
}

impl Header {
    /// `None` where the bytes cannot begin a batch: bad magic, length, or offsets that go backwards.
    pub fn parse(bytes: &[u8; HEADER_BYTES]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let base_offset = reader.i64()?;
        let length = u32::try_from(reader.i32()?).ok()?;
        let leader_epoch = reader.i32()?;
        let magic = reader.u8()?;
        let crc = reader.u32()?;
        let attributes = reader.i16()?;
        let last_offset_delta = reader.i32()?;
        let base_timestamp = reader.i64()?;
        let max_timestamp = reader.i64()?;
        let producer_id = reader.i64()?;
        let producer_epoch = reader.i16()?;
        let base_sequence = reader.i32()?;
        let record_count = reader.i32()?;
        let well = magic == MAGIC
            && length as usize >= HEADER_BYTES - LENGTH_PREFIX_BYTES
            && base_offset >= 0
            && last_offset_delta >= 0
            && base_offset < i64::MAX - i64::from(i32::MAX);
        well.then(|| Self {
            base_offset: Offset(base_offset),
            last_offset: Offset(base_offset + i64::from(last_offset_delta)),
            size: length + LENGTH_PREFIX_BYTES as u32,
            leader_epoch: LeaderEpoch(leader_epoch),
            crc,
            attributes,
            base_timestamp: TimestampMs(base_timestamp),
            max_timestamp: TimestampMs(max_timestamp),
            producer_id: ProducerId(producer_id),
            producer_epoch: ProducerEpoch(producer_epoch),
            base_sequence,
            record_count,
        })
    }

    /// Of a batch that is being appended: valid, so its numbers hold.
    pub fn of(batch: &Batch) -> Self {
        Self {
            base_offset: batch.base_offset(),
            last_offset: batch.last_offset(),
            size: batch.size_bytes() as u32,
            leader_epoch: batch.leader_epoch(),
            crc: batch.crc(),
            attributes: batch.attributes(),
            base_timestamp: batch.base_timestamp(),
            max_timestamp: batch.max_timestamp(),
            producer_id: batch.producer_id(),
            producer_epoch: batch.producer_epoch(),
            base_sequence: batch.base_sequence(),
            record_count: batch.record_count(),
        }
    }

    pub fn next_offset(&self) -> Offset {
        self.last_offset + 1
    }

    pub fn last_offset_delta(&self) -> i32 {
        (self.last_offset - self.base_offset) as i32
    }

    pub fn last_sequence(&self) -> i32 {
        match self.base_sequence {
            NO_SEQUENCE => NO_SEQUENCE,
            base => add_sequence(base, self.last_offset_delta()),
        }
    }

    pub fn is_transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL != 0
    }

    pub fn is_control(&self) -> bool {
        self.attributes & CONTROL != 0
    }

    /// The largest timestamp is that of every record.
    pub fn is_log_append_time(&self) -> bool {
        self.attributes & LOG_APPEND_TIME != 0
    }

    pub fn has_producer(&self) -> bool {
        self.producer_id > ProducerId::NONE
    }
}

/// How a transaction ended, from the record of its control batch (KIP-98).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Marker {
    pub committed: bool,
    pub coordinator_epoch: i32,
}

impl Marker {
    /// The most bytes of records that a marker takes.
    pub const BYTES_MAX: usize = 128;

    /// Reads the one record of a control batch. `None` for other kinds of control records (leader changes, snapshots).
    pub fn parse(records: &[u8]) -> Option<Self> {
        let mut record = Reader(records);
        let _length = record.varint()?;
        let _attributes = record.u8()?;
        let _timestamp_delta = record.varint()?;
        let _offset_delta = record.varint()?;
        let _key_length = record.varint().filter(|length| *length >= 4)?;
        let _version = record.i16()?;
        let committed = match record.i16()? {
            0 => false,
            1 => true,
            _ => return None,
        };
        let _value_length = record.varint().filter(|length| *length >= 6)?;
        let _version = record.i16()?;
        Some(Self { committed, coordinator_epoch: record.i32()? })
    }
}
