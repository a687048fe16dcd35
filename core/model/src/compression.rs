//! The codecs of record batches. Inflating is bounded by the caller's limit, whatever the bytes claim.

use std::io::{Read, Write};

use crate::batch::BatchError;

/// A codec, with its number in a batch's attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Codec {
    None = 0,
    Gzip = 1,
    Snappy = 2,
    Lz4 = 3,
    Zstd = 4,
}

/// The magic of the framing that Java's snappy streams use, and the two version numbers behind it.
const XERIAL_MAGIC: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
const XERIAL_HEADER_BYTES: usize = 16;
/// Plain bytes of one snappy block.
const SNAPPY_BLOCK_BYTES: usize = 32 << 10;
/// The first buffer that output goes into.
const FIRST_OUTPUT_BYTES: usize = 4 << 10;

impl Codec {
    pub fn from_id(id: u8) -> Option<Self> {
        Some(match id {
            0 => Self::None,
            1 => Self::Gzip,
            2 => Self::Snappy,
            3 => Self::Lz4,
            4 => Self::Zstd,
            _ => return None,
        })
    }

    /// How many bytes one byte can stand for: what deflate, snappy's copies, lz4's lengths and zstd's repeated bytes allow.
    pub fn expansion_max(self) -> usize {
        match self {
            Self::None => 1,
            Self::Gzip => 1032,
            Self::Snappy => 32,
            Self::Lz4 => 256,
            Self::Zstd => 1 << 15,
        }
    }

    /// The name in `compression.type`; `None` for "producer" and unknown ones.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "none" | "uncompressed" => Self::None,
            "gzip" => Self::Gzip,
            "snappy" => Self::Snappy,
            "lz4" => Self::Lz4,
            "zstd" => Self::Zstd,
            _ => return None,
        })
    }
}

/// Inflates `bytes`. Fails with `TooLarge` beyond `limit` bytes of output, with `Malformed` where they are not `codec`'s.
pub fn decompress(codec: Codec, bytes: &[u8], limit: usize) -> Result<Vec<u8>, BatchError> {
    match codec {
        Codec::None if bytes.len() <= limit => Ok(bytes.to_vec()),
        Codec::None => Err(BatchError::TooLarge { limit }),
        Codec::Gzip => read_all(flate2::read::MultiGzDecoder::new(bytes), limit, "not gzip"),
        Codec::Snappy => snappy(bytes, limit),
        Codec::Lz4 => read_all(lz4_flex::frame::FrameDecoder::new(bytes), limit, "not an lz4 frame"),
        Codec::Zstd => {
            let decoder =
                zstd::stream::read::Decoder::with_buffer(bytes).map_err(|_| BatchError::Malformed("no zstd"))?;
            read_all(decoder, limit, "not zstd")
        }
    }
}

fn read_all(reader: impl Read, limit: usize, what: &'static str) -> Result<Vec<u8>, BatchError> {
    let mut out = Vec::with_capacity(FIRST_OUTPUT_BYTES.min(limit));
    reader.take(limit as u64 + 1).read_to_end(&mut out).map_err(|_| BatchError::Malformed(what))?;
    if out.len() > limit { Err(BatchError::TooLarge { limit }) } else { Ok(out) }
}

fn snappy(bytes: &[u8], limit: usize) -> Result<Vec<u8>, BatchError> {
    let mut out = Vec::new();
    if !bytes.starts_with(&XERIAL_MAGIC) {
        snappy_block(bytes, limit, &mut out)?;
        return Ok(out);
    }
    let mut rest = bytes.get(XERIAL_HEADER_BYTES..).ok_or(BatchError::Malformed("a snappy header is cut short"))?;
    while !rest.is_empty() {
        let (length, after) =
            rest.split_first_chunk::<4>().ok_or(BatchError::Malformed("a snappy block is cut short"))?;
        let length = u32::from_be_bytes(*length) as usize;
        if length > after.len() {
            return Err(BatchError::Malformed("a snappy block is cut short"));
        }
        let (block, after) = after.split_at(length);
        snappy_block(block, limit, &mut out)?;
        rest = after;
    }
    Ok(out)
}

fn snappy_block(block: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), BatchError> {
    let malformed = |_| BatchError::Malformed("not snappy");
    let length = snap::raw::decompress_len(block).map_err(malformed)?;
    let start = out.len();
    if length > limit - start.min(limit) {
        return Err(BatchError::TooLarge { limit });
    }
    // A copy of 64 bytes takes three: what claims more lies, and must not get the memory.
    if length > block.len().saturating_mul(Codec::Snappy.expansion_max()) {
        return Err(BatchError::Malformed("a snappy block claims more than it can hold"));
    }
    out.resize(start + length, 0);
    let written = snap::raw::Decoder::new().decompress(block, &mut out[start..]).map_err(malformed)?;
    out.truncate(start + written);
    Ok(())
}

/// Compresses `bytes` as Kafka's Java client does; `level` `None` is the codec's default.
pub fn compress(codec: Codec, bytes: &[u8], level: Option<i32>) -> Vec<u8> {
    /// Writers into a vector fail only where memory ends.
    const INTO_MEMORY: &str = "writing into memory succeeds";
    match codec {
        Codec::None => bytes.to_vec(),
        Codec::Gzip => {
            let level = level
                .and_then(|level| u32::try_from(level).ok())
                .map_or(flate2::Compression::default(), flate2::Compression::new);
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
            encoder.write_all(bytes).expect(INTO_MEMORY);
            encoder.finish().expect(INTO_MEMORY)
        }
        Codec::Snappy => {
            let mut out = Vec::new();
            out.extend_from_slice(&XERIAL_MAGIC);
            out.extend_from_slice(&1i32.to_be_bytes());
            out.extend_from_slice(&1i32.to_be_bytes());
            let mut encoder = snap::raw::Encoder::new();
            for block in bytes.chunks(SNAPPY_BLOCK_BYTES) {
                let packed = encoder.compress_vec(block).expect(INTO_MEMORY);
                out.extend_from_slice(&(packed.len() as u32).to_be_bytes());
                out.extend_from_slice(&packed);
            }
            out
        }
        Codec::Lz4 => {
            let info = lz4_flex::frame::FrameInfo::new().block_size(lz4_flex::frame::BlockSize::Max64KB);
            let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
            encoder.write_all(bytes).expect(INTO_MEMORY);
            encoder.finish().expect(INTO_MEMORY)
        }
        Codec::Zstd => zstd::stream::encode_all(bytes, level.unwrap_or(3)).expect(INTO_MEMORY),
    }
}
