//! Making batches: for the logs that the broker itself writes, and for batches that change their codec.

use bytes::Bytes;

use crate::batch::{
    Batch, BatchError, CONTROL, HEADER_BYTES, LENGTH_PREFIX_BYTES, LOG_APPEND_TIME, MAGIC, NO_SEQUENCE, TRANSACTIONAL,
    ValidBatch,
};
use crate::compression::{self, Codec};
use crate::ids::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, TimestampMs};
use crate::records::Header;
use crate::varint;

/// The producer that a batch names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Producer {
    pub id: ProducerId,
    pub epoch: ProducerEpoch,
    pub base_sequence: i32,
}

impl Producer {
    /// No idempotence.
    pub const NONE: Self = Self { id: ProducerId::NONE, epoch: ProducerEpoch::NONE, base_sequence: NO_SEQUENCE };
}

/// A batch in the making.
pub struct BatchBuilder {
    producer: Producer,
    codec: Codec,
    level: Option<i32>,
    attributes: i16,
    base_timestamp: Option<TimestampMs>,
    max_timestamp: TimestampMs,
    count: i32,
    records: Vec<u8>,
}

impl Default for BatchBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl BatchBuilder {
    /// An uncompressed batch without a producer.
    pub fn new() -> Self {
        Self {
            producer: Producer::NONE,
            codec: Codec::None,
            level: None,
            attributes: 0,
            base_timestamp: None,
            max_timestamp: TimestampMs::NONE,
            count: 0,
            records: Vec::new(),
        }
    }

    pub fn producer(mut self, producer: Producer) -> Self {
        self.producer = producer;
        self
    }

    /// `level` `None` is the codec's default.
    pub fn codec(mut self, codec: Codec, level: Option<i32>) -> Self {
        (self.codec, self.level) = (codec, level);
        self
    }

    pub fn transactional(mut self) -> Self {
        self.attributes |= TRANSACTIONAL;
        self
    }

    pub fn control(mut self) -> Self {
        self.attributes |= CONTROL;
        self
    }

    pub fn append_time(mut self) -> Self {
        self.attributes |= LOG_APPEND_TIME;
        self
    }

    /// Adds a record behind the last one.
    pub fn append(&mut self, timestamp: TimestampMs, key: Option<&[u8]>, value: Option<&[u8]>, headers: &[Header]) {
        let base = *self.base_timestamp.get_or_insert(timestamp);
        self.max_timestamp = self.max_timestamp.max(timestamp);
        let (timestamp_delta, offset_delta) = (timestamp - base, i64::from(self.count));
        let part = |bytes: Option<&[u8]>| bytes.map_or(varint::size(-1), |b| varint::size(b.len() as i64) + b.len());
        let length = 1
            + varint::size(timestamp_delta)
            + varint::size(offset_delta)
            + part(key)
            + part(value)
            + varint::size(headers.len() as i64)
            + headers.iter().map(|header| part(Some(&header.key)) + part(header.value.as_deref())).sum::<usize>();
        let out = &mut self.records;
        varint::write(out, length as i64);
        out.push(0);
        varint::write(out, timestamp_delta);
        varint::write(out, offset_delta);
        put(out, key);
        put(out, value);
        varint::write(out, headers.len() as i64);
        for header in headers {
            put(out, Some(&header.key));
            put(out, header.value.as_deref());
        }
        self.count += 1;
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Bytes of the records so far, before compression.
    pub fn size_bytes(&self) -> usize {
        self.records.len()
    }

    /// The batch, with base offset 0 and leader epoch 0 until it is stamped.
    pub fn finish(self) -> ValidBatch {
        let records = match self.codec {
            Codec::None => Bytes::from(self.records),
            codec => compression::compress(codec, &self.records, self.level).into(),
        };
        let mut header = [0; HEADER_BYTES];
        let length = (HEADER_BYTES - LENGTH_PREFIX_BYTES + records.len()) as i32;
        let mut at = 0;
        let mut put = |bytes: &[u8]| {
            header[at..at + bytes.len()].copy_from_slice(bytes);
            at += bytes.len();
        };
        put(&Offset::ZERO.0.to_be_bytes());
        put(&length.to_be_bytes());
        put(&LeaderEpoch(0).0.to_be_bytes());
        put(&[MAGIC]);
        put(&[0; 4]);
        put(&(self.attributes | self.codec as i16).to_be_bytes());
        put(&(self.count - 1).to_be_bytes());
        put(&self.base_timestamp.unwrap_or(TimestampMs::NONE).0.to_be_bytes());
        put(&self.max_timestamp.0.to_be_bytes());
        put(&self.producer.id.0.to_be_bytes());
        put(&self.producer.epoch.0.to_be_bytes());
        put(&self.producer.base_sequence.to_be_bytes());
        put(&self.count.to_be_bytes());
        ValidBatch::seal(Batch::from_parts(header, records))
    }
}

fn put(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        Some(bytes) => {
            varint::write(out, bytes.len() as i64);
            out.extend_from_slice(bytes);
        }
        None => varint::write(out, -1),
    }
}

impl ValidBatch {
    /// The same records under another codec (`compression.type` of a topic). Inflates at most to `limit` bytes.
    pub fn recompress(&self, codec: Codec, level: Option<i32>, limit: usize) -> Result<Self, BatchError> {
        let from = Codec::from_id(self.codec()).ok_or(BatchError::UnknownCodec(self.codec()))?;
        let plain = match from {
            Codec::None => self.records_bytes().clone(),
            from => compression::decompress(from, self.records_bytes(), limit)?.into(),
        };
        let records = match codec {
            Codec::None => plain,
            codec => compression::compress(codec, &plain, level).into(),
        };
        Ok(Self::seal(self.with_records(records, codec as u8)))
    }
}
