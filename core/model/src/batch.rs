//! The record batch, format v2 (KIP-98): cut out of a buffer, checked, stamped. Records inside it: [`crate::records`].
//!
//! ```text
//!  0        8      12      16    17   21    23         27         35        43        51     53      57      61
//!  | base   | len  | epoch | mag | crc | att | last Δ   | base ts  | max ts  | prod id | ep | seq   | count | records…
//!  | offset | = n  |       |  2  |     |     | offset   |          |         |         |    |       |       |
//!           `------ n counts from byte 12 to the end        crc covers from byte 21 to the end
//! ```
//!
//! Base offset and leader epoch lie outside the CRC: a leader stamps them without touching the records.

use bytes::Bytes;

use crate::compression::Codec;
use crate::ids::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, TimestampMs};

/// Bytes before the first record.
pub const HEADER_BYTES: usize = 61;
/// Bytes of base offset and length, which the length field does not count.
pub const LENGTH_PREFIX_BYTES: usize = 12;
/// The only format that Kafka 4 accepts.
pub const MAGIC: u8 = 2;

/// A record's length, attributes, time, offset, the lengths of its key and value, and its number of headers.
const RECORD_BYTES_MIN: usize = 7;
/// What every format has behind its length.
const MESSAGE_BYTES_MIN: i32 = 14;

const LENGTH_AT: usize = 8;
const LEADER_EPOCH_AT: usize = 12;
const MAGIC_AT: usize = 16;
const CRC_AT: usize = 17;
const ATTRIBUTES_AT: usize = 21;
const LAST_OFFSET_DELTA_AT: usize = 23;
const BASE_TIMESTAMP_AT: usize = 27;
const MAX_TIMESTAMP_AT: usize = 35;
const PRODUCER_ID_AT: usize = 43;
const PRODUCER_EPOCH_AT: usize = 51;
const BASE_SEQUENCE_AT: usize = 53;
const RECORD_COUNT_AT: usize = 57;

const CODEC_MASK: i16 = 0x07;
pub(crate) const LOG_APPEND_TIME: i16 = 0x08;
pub(crate) const TRANSACTIONAL: i16 = 0x10;
pub(crate) const CONTROL: i16 = 0x20;
const HAS_DELETE_HORIZON: i16 = 0x40;

/// Why bytes are not a batch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    #[error("the batch is cut short: {have} of {need} bytes")]
    Truncated { need: usize, have: usize },
    #[error("batch length {0} is below the header's size")]
    BadLength(i32),
    #[error("message format {0} is not supported, only 2 is")]
    UnsupportedMagic(i8),
    #[error("CRC-32C is {computed:08x}, the batch says {stated:08x}")]
    BadCrc { stated: u32, computed: u32 },
    #[error("record count {count} fits neither last offset delta {last_offset_delta} nor the bytes")]
    BadCount { count: i32, last_offset_delta: i32 },
    #[error("the base offset is {0}, a client's batch begins at 0")]
    BadBaseOffset(Offset),
    #[error("producer {producer} gives no sequence but {sequence}")]
    BadSequence { producer: ProducerId, sequence: i32 },
    #[error("unknown compression codec {0}")]
    UnknownCodec(u8),
    #[error("malformed records: {0}")]
    Malformed(&'static str),
    #[error("records inflate beyond {limit} bytes")]
    TooLarge { limit: usize },
    #[error("a record has {bytes} bytes once inflated, more than {limit}")]
    RecordTooLarge { bytes: usize, limit: usize },
}

/// One batch: its 61 header bytes, owned so that they can be stamped, and its records, shared with the buffer
/// they arrived in. Nothing is implied about its content but that both lengths agree: see [`ValidBatch`].
#[derive(Clone, PartialEq, Eq)]
pub struct Batch {
    header: [u8; HEADER_BYTES],
    records: Bytes,
}

impl std::fmt::Debug for Batch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Batch({}..={}, epoch {}, {} records, {} bytes, producer {}/{}/{})",
            self.base_offset(),
            self.last_offset(),
            self.leader_epoch(),
            self.record_count(),
            self.size_bytes(),
            self.producer_id(),
            self.producer_epoch(),
            self.base_sequence()
        )
    }
}

macro_rules! field {
    ($(#[$doc:meta])* $name:ident: $number:ty as $out:tt, $at:expr) => {
        $(#[$doc])*
        pub fn $name(&self) -> field!(@ty $out, $number) {
            const AT: usize = $at;
            let mut bytes = [0; size_of::<$number>()];
            bytes.copy_from_slice(&self.header[AT..AT + size_of::<$number>()]);
            field!(@wrap $out, <$number>::from_be_bytes(bytes))
        }
    };
    (@ty (), $number:ty) => { $number };
    (@ty $wrap:ident, $number:ty) => { $wrap };
    (@wrap (), $value:expr) => { $value };
    (@wrap $wrap:ident, $value:expr) => { $wrap($value) };
}

impl Batch {
    field!(base_offset: i64 as Offset, 0);
    field!(
        /// The length field: bytes after itself.
        length: i32 as (), LENGTH_AT
    );
    field!(leader_epoch: i32 as LeaderEpoch, LEADER_EPOCH_AT);
    field!(crc: u32 as (), CRC_AT);
    field!(attributes: i16 as (), ATTRIBUTES_AT);
    field!(last_offset_delta: i32 as (), LAST_OFFSET_DELTA_AT);
    field!(
        /// The base of record timestamps, or the delete horizon where [`Batch::has_delete_horizon`].
        base_timestamp: i64 as TimestampMs, BASE_TIMESTAMP_AT
    );
    field!(max_timestamp: i64 as TimestampMs, MAX_TIMESTAMP_AT);
    field!(producer_id: i64 as ProducerId, PRODUCER_ID_AT);
    field!(producer_epoch: i16 as ProducerEpoch, PRODUCER_EPOCH_AT);
    field!(base_sequence: i32 as (), BASE_SEQUENCE_AT);
    field!(record_count: i32 as (), RECORD_COUNT_AT);

    /// Cuts the first batch off `buffer`, sharing its bytes. Length and magic are checked, nothing else.
    ///
    /// Fails with `Truncated` where the buffer ends inside the batch (the caller may have more bytes coming), with
    /// `BadLength` or `UnsupportedMagic` where this can never become a batch. `buffer` is untouched by a failure.
    pub fn cut(buffer: &mut Bytes) -> Result<Self, BatchError> {
        let total = Self::peek_size(buffer)?;
        if buffer.len() < total {
            return Err(BatchError::Truncated { need: total, have: buffer.len() });
        }
        let magic = buffer[MAGIC_AT];
        if magic != MAGIC {
            return Err(BatchError::UnsupportedMagic(magic as i8));
        }
        let mut header = [0; HEADER_BYTES];
        header.copy_from_slice(&buffer[..HEADER_BYTES]);
        let records = buffer.slice(HEADER_BYTES..total);
        bytes::Buf::advance(buffer, total);
        Ok(Self { header, records })
    }

    /// The size in bytes of the batch that starts `buffer`, from its first 12 bytes (17 where magic is known bad).
    ///
    /// Formats 0 and 1 are told apart first, since their messages may be shorter than this format's header.
    pub fn peek_size(buffer: &[u8]) -> Result<usize, BatchError> {
        let Some(length) = buffer.get(LENGTH_AT..LENGTH_PREFIX_BYTES) else {
            return Err(BatchError::Truncated { need: HEADER_BYTES, have: buffer.len() });
        };
        let length = i32::from_be_bytes([length[0], length[1], length[2], length[3]]);
        if length < MESSAGE_BYTES_MIN {
            return Err(BatchError::BadLength(length));
        }
        if let Some(&magic) = buffer.get(MAGIC_AT)
            && magic != MAGIC
        {
            return Err(BatchError::UnsupportedMagic(magic as i8));
        }
        if length < (HEADER_BYTES - LENGTH_PREFIX_BYTES) as i32 {
            return Err(BatchError::BadLength(length));
        }
        Ok(length as usize + LENGTH_PREFIX_BYTES)
    }

    /// A batch of a header and records made by this crate's builder; lengths must agree.
    pub(crate) fn from_parts(header: [u8; HEADER_BYTES], records: Bytes) -> Self {
        let batch = Self { header, records };
        assert_eq!(
            batch.length() as usize,
            batch.size_bytes() - LENGTH_PREFIX_BYTES,
            "a batch's length field counts its records"
        );
        batch
    }

    /// This batch with other records, of the same number, packed by the codec `codec`. The CRC is stale.
    pub(crate) fn with_records(&self, records: Bytes, codec: u8) -> Self {
        let mut header = self.header;
        let length = (HEADER_BYTES - LENGTH_PREFIX_BYTES + records.len()) as i32;
        header[LENGTH_AT..LENGTH_PREFIX_BYTES].copy_from_slice(&length.to_be_bytes());
        let attributes = self.attributes() & !CODEC_MASK | i16::from(codec);
        header[ATTRIBUTES_AT..LAST_OFFSET_DELTA_AT].copy_from_slice(&attributes.to_be_bytes());
        Self { header, records }
    }

    /// The header as it goes to disk and wire.
    pub fn header(&self) -> &[u8; HEADER_BYTES] {
        &self.header
    }

    /// Everything behind the header, compressed as the producer left it.
    pub fn records_bytes(&self) -> &Bytes {
        &self.records
    }

    pub fn size_bytes(&self) -> usize {
        HEADER_BYTES + self.records.len()
    }

    pub fn last_offset(&self) -> Offset {
        Offset(self.base_offset().0.saturating_add(i64::from(self.last_offset_delta())))
    }

    /// The offset after this batch.
    pub fn next_offset(&self) -> Offset {
        Offset(self.last_offset().0.saturating_add(1))
    }

    /// The sequence number of the last record; sequences wrap from `i32::MAX` to 0. [`NO_SEQUENCE`] without a producer.
    pub fn last_sequence(&self) -> i32 {
        let base = self.base_sequence();
        if base == NO_SEQUENCE { NO_SEQUENCE } else { add_sequence(base, self.last_offset_delta()) }
    }

    /// 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd; 5 to 7 are unknown.
    pub fn codec(&self) -> u8 {
        (self.attributes() & CODEC_MASK) as u8
    }

    pub fn is_log_append_time(&self) -> bool {
        self.attributes() & LOG_APPEND_TIME != 0
    }

    pub fn is_transactional(&self) -> bool {
        self.attributes() & TRANSACTIONAL != 0
    }

    pub fn is_control(&self) -> bool {
        self.attributes() & CONTROL != 0
    }

    pub fn has_delete_horizon(&self) -> bool {
        self.attributes() & HAS_DELETE_HORIZON != 0
    }

    pub fn has_producer(&self) -> bool {
        self.producer_id() > ProducerId::NONE
    }

    fn computed_crc(&self) -> u32 {
        crc32c::crc32c_append(crc32c::crc32c(&self.header[ATTRIBUTES_AT..]), &self.records)
    }

    /// Whether the bytes are as the producer sent them.
    pub fn check_crc(&self) -> Result<(), BatchError> {
        let (stated, computed) = (self.crc(), self.computed_crc());
        if stated == computed { Ok(()) } else { Err(BatchError::BadCrc { stated, computed }) }
    }

    /// Checks CRC, record count and codec. See `docs/compatibility.md` for what Kafka checks beyond this.
    pub fn validate(self) -> Result<ValidBatch, BatchError> {
        self.check_crc()?;
        let (count, last_offset_delta) = (self.record_count(), self.last_offset_delta());
        if last_offset_delta < 0 || count < 0 || i64::from(count) > i64::from(last_offset_delta) + 1 {
            return Err(BatchError::BadCount { count, last_offset_delta });
        }
        if self.codec() > 4 {
            return Err(BatchError::UnknownCodec(self.codec()));
        }
        Ok(ValidBatch(self))
    }

    /// What only a batch fresh from a client must be: counted from offset 0, not emptied by compaction, in sequence where
    /// it has a producer.
    pub fn check_fresh(&self) -> Result<(), BatchError> {
        if self.base_offset() != Offset::ZERO {
            return Err(BatchError::BadBaseOffset(self.base_offset()));
        }
        let (count, last_offset_delta) = (self.record_count(), self.last_offset_delta());
        // Also where the records are not inflated: a header could skip billions of offsets.
        let inflated_max =
            Codec::from_id(self.codec()).map_or(0, Codec::expansion_max).saturating_mul(self.records.len());
        let fits = usize::try_from(count).is_ok_and(|count| count > 0 && count <= inflated_max / RECORD_BYTES_MIN);
        if !fits || i64::from(count) != i64::from(last_offset_delta) + 1 {
            return Err(BatchError::BadCount { count, last_offset_delta });
        }
        if self.has_producer() && self.base_sequence() < 0 && !self.is_control() {
            return Err(BatchError::BadSequence { producer: self.producer_id(), sequence: self.base_sequence() });
        }
        Ok(())
    }
}

/// "No sequence": the batch's producer is not idempotent.
pub const NO_SEQUENCE: i32 = -1;

/// `sequence` moved on by `by` records, wrapping from `i32::MAX` to 0 as KIP-98 has it.
pub fn add_sequence(sequence: i32, by: i32) -> i32 {
    ((i64::from(sequence) + i64::from(by)) % (i64::from(i32::MAX) + 1)) as i32
}

/// A batch whose CRC, count and codec were checked; the only kind that a log appends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidBatch(Batch);

impl std::ops::Deref for ValidBatch {
    type Target = Batch;
    fn deref(&self) -> &Batch {
        &self.0
    }
}

impl ValidBatch {
    /// Gives the batch its place in the log. Both fields lie outside the CRC.
    pub fn stamp(&mut self, base_offset: Offset, epoch: LeaderEpoch) {
        self.0.header[..8].copy_from_slice(&base_offset.0.to_be_bytes());
        self.0.header[LEADER_EPOCH_AT..MAGIC_AT].copy_from_slice(&epoch.0.to_be_bytes());
    }

    /// Makes `now` the time of every record (`message.timestamp.type=LogAppendTime`, KIP-32) and renews the CRC.
    pub fn stamp_append_time(&mut self, now: TimestampMs) {
        let attributes = self.attributes() | LOG_APPEND_TIME;
        self.0.header[ATTRIBUTES_AT..LAST_OFFSET_DELTA_AT].copy_from_slice(&attributes.to_be_bytes());
        self.0.header[MAX_TIMESTAMP_AT..PRODUCER_ID_AT].copy_from_slice(&now.0.to_be_bytes());
        self.renew_crc();
    }

    /// Corrects what the batch says of its newest record, which time indexes and retention go by.
    pub fn set_max_timestamp(&mut self, newest: TimestampMs) {
        self.0.header[MAX_TIMESTAMP_AT..PRODUCER_ID_AT].copy_from_slice(&newest.0.to_be_bytes());
        self.renew_crc();
    }

    /// Leaves the records the times that their producer gave them, whatever it called these.
    pub fn drop_append_time(&mut self) {
        let attributes = self.attributes() & !LOG_APPEND_TIME;
        self.0.header[ATTRIBUTES_AT..LAST_OFFSET_DELTA_AT].copy_from_slice(&attributes.to_be_bytes());
        self.renew_crc();
    }

    fn renew_crc(&mut self) {
        let crc = self.0.computed_crc();
        self.0.header[CRC_AT..ATTRIBUTES_AT].copy_from_slice(&crc.to_be_bytes());
    }

    /// A batch of our own making, which needs its CRC.
    pub(crate) fn seal(batch: Batch) -> Self {
        let mut batch = Self(batch);
        batch.renew_crc();
        batch
    }

    pub fn into_inner(self) -> Batch {
        self.0
    }
}
