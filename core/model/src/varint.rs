//! Zigzag varints, as records carry them.

use crate::batch::BatchError;

/// Reads a varint of at most 64 bits off the front of `bytes`. Most have one byte or two: those take no loop.
#[inline]
pub(crate) fn read(bytes: &mut &[u8]) -> Result<i64, BatchError> {
    match **bytes {
        [one, ref rest @ ..] if one < 0x80 => {
            *bytes = rest;
            Ok(unfold(u64::from(one)))
        }
        [one, two, ref rest @ ..] if two < 0x80 => {
            *bytes = rest;
            Ok(unfold(u64::from(one & 0x7f) | u64::from(two) << 7))
        }
        _ => read_long(bytes),
    }
}

/// Small negative numbers are small, too.
fn unfold(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

fn read_long(bytes: &mut &[u8]) -> Result<i64, BatchError> {
    let mut value = 0u64;
    for (at, byte) in bytes.iter().enumerate() {
        if at == 9 && *byte > 1 {
            break;
        }
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            *bytes = &bytes[at + 1..];
            return Ok(unfold(value));
        }
        if at == 9 {
            break;
        }
    }
    Err(BatchError::Malformed("a varint is cut short or too long"))
}

/// Reads a varint that must fit 32 bits.
#[inline]
pub(crate) fn read_i32(bytes: &mut &[u8]) -> Result<i32, BatchError> {
    i32::try_from(read(bytes)?).map_err(|_| BatchError::Malformed("a number does not fit 32 bits"))
}

pub(crate) fn write(out: &mut Vec<u8>, value: i64) {
    let mut value = ((value << 1) ^ (value >> 63)) as u64;
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Bytes that [`write`] takes for `value`.
pub(crate) fn size(value: i64) -> usize {
    let value = ((value << 1) ^ (value >> 63)) as u64;
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}
