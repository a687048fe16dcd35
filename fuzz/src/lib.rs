//! What each fuzz target does with its input. A target is a property: it panics where the property does not hold.
//!
//! The memory bound is the one of `core/wire/tests/hostile.rs`, counted by the same allocator.

#[path = "../../core/wire/tests/hostile/counting.rs"]
pub mod counting;

use bytes::{Bytes, BytesMut};
use model::{Batch, Codec, LeaderEpoch, Offset, TimestampMs};
use wire::error::CodecError;
use wire::header::{RequestHeader, ResponseHeader};
use wire::messages::{AnyRequest, AnyResponse};
use wire::reader::{AMPLIFICATION, FREE_BYTES};
use wire::{ApiKey, DecodeError, EncodeError, Reader, Writer};

use counting::measured;

/// What compressed records may inflate to.
const INFLATED_MAX: usize = 1 << 20;
const CODECS: [Codec; 5] = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];

/// The target of one request: `request!(Produce)`.
#[macro_export]
macro_rules! request {
    ($api:ident) => {
        libfuzzer_sys::fuzz_target!(|data: &[u8]| $crate::request(wire::ApiKey::$api, data));
    };
}

/// The first byte picks one of the API's versions, the rest is the body.
pub fn request(key: ApiKey, data: &[u8]) {
    let Some((version, body)) = pick(key, data) else { return };
    stable(body, |r| AnyRequest::decode(key, r, version), |message, w| message.encode(w, version));
}

/// The first byte picks an API, the second its version, the rest is the body.
pub fn response(data: &[u8]) {
    let [api, rest @ ..] = data else { return };
    let key = ApiKey::ALL[usize::from(*api) % ApiKey::ALL.len()];
    let Some((version, body)) = pick(key, rest) else { return };
    stable(body, |r| AnyResponse::decode(key, r, version), |message, w| message.encode(w, version));
}

/// The first byte picks a header and its version.
pub fn headers(data: &[u8]) {
    let [pick, bytes @ ..] = data else { return };
    let version = i16::from(pick & 1);
    if pick & 2 == 0 {
        let encode = |header: &RequestHeader, w: &mut Writer<'_>| {
            header.encode(w, version + 1);
            Ok(())
        };
        stable(bytes, |r| RequestHeader::decode(r, version + 1), encode);
    } else {
        let encode = |header: &ResponseHeader, w: &mut Writer<'_>| {
            header.encode(w, version);
            Ok(())
        };
        stable(bytes, |r| ResponseHeader::decode(r, version), encode);
    }
}

/// The first byte picks a key or value of an internal topic, the second its version.
pub fn records(data: &[u8]) {
    let [pick, version, bytes @ ..] = data else { return };
    let (name, versions) = &wire::records::ALL[usize::from(*pick) % wire::records::ALL.len()];
    let version = versions.start() + i16::from(*version) % (versions.end() - versions.start() + 1);
    let (mut buf, mut splices) = (BytesMut::with_capacity(2 * bytes.len()), Vec::new());
    let mut r = Reader::new(Bytes::copy_from_slice(bytes));
    let mut w = Writer::new(&mut buf, &mut splices);
    let (done, usage) = measured(|| wire::records::reencode(name, &mut r, &mut w, version));
    within(usage.total, AMPLIFICATION * bytes.len() + FREE_BYTES);
    assert!(!matches!(done, Err(CodecError::Encode(_)) | Ok(false)), "{name} v{version}: {done:?}");
}

/// Record batches, one behind the other. Where the first byte is even, CRCs are made right first, or nothing behind
/// them would be reached.
pub fn batch(data: &[u8]) {
    let [pick, bytes @ ..] = data else { return };
    let mut bytes = bytes.to_vec();
    if pick % 2 == 0 && bytes.len() >= model::batch::HEADER_BYTES {
        let length = bytes.len() as i32 - 12;
        bytes[8..12].copy_from_slice(&length.to_be_bytes());
        bytes[16] = model::batch::MAGIC;
        let crc = crc32c(&bytes[21..]);
        bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    }
    let mut rest = Bytes::from(bytes);
    while let Ok(batch) = Batch::cut(&mut rest) {
        let framed = batch.check_framing();
        let mut count = 0;
        for record in batch.records(INFLATED_MAX).into_iter().flatten() {
            let Ok(record) = record else { break };
            assert_eq!(record.headers.iter().count(), record.headers.len());
            count += 1;
        }
        assert!(framed.is_err() || batch.codec() != 0 || count == batch.record_count());
        let Ok(mut valid) = batch.validate() else { continue };
        valid.stamp(Offset(7), LeaderEpoch(3));
        valid.stamp_append_time(TimestampMs(99));
        let codec = CODECS[usize::from(pick >> 1) % CODECS.len()];
        if let Ok(packed) = valid.recompress(codec, None, INFLATED_MAX) {
            assert_eq!(packed.check_crc(), Ok(()));
            assert_eq!(packed.record_count(), valid.record_count());
        }
    }
}

fn pick(key: ApiKey, data: &[u8]) -> Option<(i16, &[u8])> {
    let (first, body) = data.split_first()?;
    let versions = key.versions();
    Some((versions.min + i16::from(*first) % (versions.max - versions.min + 1), body))
}

/// Decodes within the bound; what is accepted can be written, and the copy reads as the same bytes again.
fn stable<T>(
    bytes: &[u8],
    decode: impl Fn(&mut Reader) -> Result<T, DecodeError>,
    encode: impl Fn(&T, &mut Writer<'_>) -> Result<(), EncodeError>,
) {
    let written = |bytes: Bytes| {
        let bound = AMPLIFICATION * bytes.len() + FREE_BYTES;
        let mut r = Reader::new(bytes);
        let (decoded, usage) = measured(|| decode(&mut r));
        within(usage.total, bound);
        let decoded = decoded.ok()?;
        let (mut buf, mut splices) = (BytesMut::new(), Vec::new());
        assert_eq!(encode(&decoded, &mut Writer::new(&mut buf, &mut splices)), Ok(()));
        Some(buf.freeze())
    };
    let Some(first) = written(Bytes::copy_from_slice(bytes)) else { return };
    // Bytes behind a message count for its bound, so the copy gets as many.
    let mut copy = first.to_vec();
    copy.resize(copy.len().max(bytes.len()), 0);
    assert!(written(copy.into()) == Some(first), "the message changes when it is written again");
}

fn within(taken: usize, bound: usize) {
    assert!(taken <= bound, "decoding took {taken} of {bound} bytes");
}

/// Bit by bit, which is enough for inputs of this size.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0x82f6_3b78 & (crc & 1).wrapping_neg()))
    })
}
