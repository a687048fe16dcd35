//! A quick look at the common record: whole, without headers, its numbers small. Every record that a producer sends uncompressed
//! is looked at, so this is where time goes when records are small. What is not common, or wrong, is left to
//! [`crate::records`], which says what is wrong.

/// What was seen of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PlainFrame {
    /// Bytes of the record with its length.
    pub size: usize,
    pub timestamp_delta: i64,
}

/// The record at the front of `bytes`, where its offset is `offset_delta`. `None` where a closer look is due.
#[inline]
pub(crate) fn plain_frame(bytes: &[u8], offset_delta: i32) -> Option<PlainFrame> {
    let mut at = 0;
    let length = small(bytes, &mut at)?;
    let size = at + usize::try_from(length).ok()?;
    let record = bytes.get(..size)?;
    // The attributes.
    at += 1;
    let timestamp_delta = i64::from(small(record, &mut at)?);
    if small(record, &mut at)? != offset_delta {
        return None;
    }
    for _key_then_value in 0..2 {
        let length = small(record, &mut at)?;
        // Null is -1.
        at += usize::try_from(length.max(0)).ok()?;
        if length < -1 {
            return None;
        }
    }
    let no_headers = *record.get(at)? == 0 && at + 1 == size;
    no_headers.then_some(PlainFrame { size, timestamp_delta })
}

/// A zigzag varint of up to three bytes.
#[inline(always)]
fn small(bytes: &[u8], at: &mut usize) -> Option<i32> {
    let mut value = 0u32;
    for shift in [0, 7, 14] {
        let byte = *bytes.get(*at)?;
        *at += 1;
        value |= u32::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some((value >> 1) as i32 ^ -((value & 1) as i32));
        }
    }
    None
}
