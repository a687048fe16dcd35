//! The records inside a batch.

use bytes::Bytes;

use crate::batch::{Batch, BatchError};
use crate::compression::{self, Codec};
use crate::ids::{Offset, TimestampMs};
use crate::plain_frame::plain_frame;
use crate::varint;

/// One record. Key, value and headers share the batch's (inflated) bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub offset: Offset,
    pub timestamp: TimestampMs,
    pub key: Option<Bytes>,
    pub value: Option<Bytes>,
    pub headers: Headers,
}

/// A record's header; keys may repeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    pub key: Bytes,
    pub value: Option<Bytes>,
}

/// A record's headers, taken out of its bytes one by one: a record may claim millions, of two bytes each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Headers {
    /// Walked once already: `count` headers and nothing else.
    bytes: Bytes,
    count: usize,
}

impl Headers {
    pub fn len(&self) -> usize {
        self.count
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub fn iter(&self) -> impl Iterator<Item = Header> + '_ {
        let mut rest = &self.bytes[..];
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let key = sized(&mut rest).ok()??;
            let value = sized(&mut rest).ok()?;
            Some(Header { key: self.bytes.slice_ref(key), value: value.map(|value| self.bytes.slice_ref(value)) })
        })
    }
}

/// The records of a batch, in order. Ends behind the first malformed one.
pub struct Records {
    bytes: Bytes,
    at: usize,
    left: i32,
    base_offset: Offset,
    base_timestamp: TimestampMs,
    append_time: Option<TimestampMs>,
    last_offset_delta: i32,
}

/// A record's frame: where its fields lie. Bytes are relative to the record's start.
struct Framed {
    size: usize,
    /// Without the length that stands before it.
    body_bytes: usize,
    timestamp_delta: i64,
    offset_delta: i32,
    key: Option<(usize, usize)>,
    value: Option<(usize, usize)>,
    headers_at: usize,
    headers: i32,
}

impl Batch {
    /// Inflates the batch (at most to `limit` bytes) and walks its records.
    pub fn records(&self, limit: usize) -> Result<Records, BatchError> {
        let codec = Codec::from_id(self.codec()).ok_or(BatchError::UnknownCodec(self.codec()))?;
        let bytes = match codec {
            Codec::None => self.records_bytes().clone(),
            codec => compression::decompress(codec, self.records_bytes(), limit)?.into(),
        };
        Ok(Records {
            bytes,
            at: 0,
            left: self.record_count(),
            base_offset: self.base_offset(),
            // With a delete horizon the field holds that, and no record keeps a time of its own before it: KIP-534.
            base_timestamp: self.base_timestamp(),
            append_time: self.is_log_append_time().then(|| self.max_timestamp()),
            last_offset_delta: self.last_offset_delta(),
        })
    }

    /// Inflates the batch (at most to `limit` bytes) and looks for a record of more than `record_bytes_max`, its length not
    /// counted.
    pub fn check_record_sizes(&self, record_bytes_max: usize, limit: usize) -> Result<(), BatchError> {
        let records = self.records(limit)?;
        let mut rest = &records.bytes[..];
        for _ in 0..self.record_count() {
            let framed = frame(rest)?;
            if framed.body_bytes > record_bytes_max {
                return Err(BatchError::RecordTooLarge { bytes: framed.body_bytes, limit: record_bytes_max });
            }
            rest = &rest[framed.size..];
        }
        Ok(())
    }

    /// Walks the frames of an uncompressed batch without taking anything out: every record whole, as many as the
    /// header says, offsets rising by one, nothing behind. Gives the newest of the records' times. Compressed batches pass
    /// unseen, with `None`: see `docs/compatibility.md`.
    pub fn check_framing(&self) -> Result<Option<TimestampMs>, BatchError> {
        if self.codec() != 0 {
            return Ok(None);
        }
        let mut newest = TimestampMs::NONE;
        let mut rest = &self.records_bytes()[..];
        for expected in 0..self.record_count() {
            let (size, timestamp_delta) = match plain_frame(rest, expected) {
                Some(plain) => (plain.size, plain.timestamp_delta),
                None => {
                    let framed = frame(rest)?;
                    if framed.offset_delta != expected {
                        return Err(BatchError::Malformed("record offsets do not rise by one"));
                    }
                    (framed.size, framed.timestamp_delta)
                }
            };
            newest = newest.max(self.base_timestamp() + timestamp_delta);
            rest = &rest[size..];
        }
        if !rest.is_empty() {
            return Err(BatchError::Malformed("bytes are left behind the last record"));
        }
        if i64::from(self.record_count()) != i64::from(self.last_offset_delta()) + 1 {
            return Err(BatchError::BadCount {
                count: self.record_count(),
                last_offset_delta: self.last_offset_delta(),
            });
        }
        Ok(Some(newest))
    }
}

impl Iterator for Records {
    type Item = Result<Record, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left <= 0 {
            return None;
        }
        self.left -= 1;
        let record = self.record();
        if record.is_err() {
            self.left = 0;
        }
        Some(record)
    }
}

impl Records {
    fn record(&mut self) -> Result<Record, BatchError> {
        let framed = frame(&self.bytes[self.at..])?;
        if framed.offset_delta > self.last_offset_delta {
            return Err(BatchError::Malformed("a record lies beyond its batch's last offset"));
        }
        let part =
            |range: Option<(usize, usize)>| range.map(|(from, to)| self.bytes.slice(self.at + from..self.at + to));
        let headers = Headers {
            bytes: self.bytes.slice(self.at + framed.headers_at..self.at + framed.size),
            count: framed.headers as usize,
        };
        let record = Record {
            offset: Offset(self.base_offset.0.saturating_add(i64::from(framed.offset_delta))),
            timestamp: self.append_time.unwrap_or(self.base_timestamp + framed.timestamp_delta),
            key: part(framed.key),
            value: part(framed.value),
            headers,
        };
        self.at += framed.size;
        Ok(record)
    }
}

/// Reads the frame of the record at the front of `bytes` and checks that everything in it lies inside it. Inlined, so
/// that who only walks computes no places.
#[inline]
fn frame(bytes: &[u8]) -> Result<Framed, BatchError> {
    let mut rest = bytes;
    let length = varint::read_i32(&mut rest)?;
    let body_at = bytes.len() - rest.len();
    let length = usize::try_from(length).map_err(|_| BatchError::Malformed("a record's length is negative"))?;
    if length > rest.len() {
        return Err(BatchError::Malformed("a record is cut short"));
    }
    let size = body_at + length;
    let mut rest = &rest[..length];
    let at = |rest: &[u8]| size - rest.len();
    let [_attributes, after @ ..] = rest else { return Err(BatchError::Malformed("a record is empty")) };
    rest = after;
    let timestamp_delta = varint::read(&mut rest)?;
    let offset_delta = varint::read_i32(&mut rest)?;
    if offset_delta < 0 {
        return Err(BatchError::Malformed("a record's offset lies before its batch"));
    }
    let range = |rest: &mut &[u8]| -> Result<Option<(usize, usize)>, BatchError> {
        Ok(sized(rest)?.map(|part| (at(rest) - part.len(), at(rest))))
    };
    let key = range(&mut rest)?;
    let value = range(&mut rest)?;
    let headers = varint::read_i32(&mut rest)?;
    let headers_at = at(rest);
    if headers < 0 {
        return Err(BatchError::Malformed("a record's header count is negative"));
    }
    for _ in 0..headers {
        sized(&mut rest)?.ok_or(BatchError::Malformed("a header has no key"))?;
        sized(&mut rest)?;
    }
    if !rest.is_empty() {
        return Err(BatchError::Malformed("a record is longer than its fields"));
    }
    Ok(Framed { size, body_bytes: length, timestamp_delta, offset_delta, key, value, headers_at, headers })
}

/// Bytes behind their length; `None` where the length is negative.
#[inline]
fn sized<'a>(rest: &mut &'a [u8]) -> Result<Option<&'a [u8]>, BatchError> {
    let length = varint::read_i32(rest)?;
    let Ok(length) = usize::try_from(length) else { return Ok(None) };
    if length > rest.len() {
        return Err(BatchError::Malformed("a field is longer than its record"));
    }
    let (part, after) = rest.split_at(length);
    *rest = after;
    Ok(Some(part))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A record as a producer writes it, or one of whose bytes is changed, and whether it is.
    fn record() -> impl Strategy<Value = (Vec<u8>, bool)> {
        let sizes = prop_oneof![Just(None), (0usize..90).prop_map(Some)];
        let change = prop_oneof![3 => Just(None), 1 => (any::<prop::sample::Index>(), any::<u8>()).prop_map(Some)];
        (-2i64..1 << 22, 0i64..4, sizes.clone(), sizes, 0i64..3, change).prop_map(
            |(timestamp_delta, offset_delta, key, value, headers, change)| {
                let mut body = vec![0];
                varint::write(&mut body, timestamp_delta);
                varint::write(&mut body, offset_delta);
                for part in [key, value] {
                    varint::write(&mut body, part.map_or(-1, |size| size as i64));
                    body.extend(std::iter::repeat_n(7, part.unwrap_or(0)));
                }
                varint::write(&mut body, headers);
                (0..headers).for_each(|_| body.extend([2, b'k', 1]));
                let mut bytes = Vec::new();
                varint::write(&mut bytes, body.len() as i64);
                bytes.append(&mut body);
                if let Some((at, byte)) = change {
                    let at = at.index(bytes.len());
                    bytes[at] = byte;
                }
                (bytes, change.is_some())
            },
        )
    }

    proptest! {
        #[test]
        fn a_quick_look_sees_what_a_close_one_sees_or_nothing((bytes, changed) in record(), expected in 0i32..4) {
            let close = frame(&bytes);
            match plain_frame(&bytes, expected) {
                Some(plain) => {
                    let close = close.expect("what passes at a quick look is a record");
                    prop_assert_eq!((plain.size, plain.timestamp_delta), (close.size, close.timestamp_delta));
                    prop_assert_eq!((expected, 0), (close.offset_delta, close.headers));
                }
                None => {
                    let common = |close: &Framed| {
                        close.offset_delta == expected && close.headers == 0 && close.timestamp_delta.abs() < 1 << 20
                    };
                    prop_assert!(changed || !close.is_ok_and(|close| common(&close)), "the common record passes");
                }
            }
        }
    }
}
