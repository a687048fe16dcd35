//! Reading primitives off one frame, never past its end and never into more memory than it is worth.

use bytes::Bytes;

use crate::error::DecodeError;
use crate::string::Str;
use crate::tags::Tags;
use crate::writer::Records;

/// A message may take so many times its bytes on the heap…
pub const AMPLIFICATION: usize = 4;
/// …and so many bytes more: a small message needs some room, too.
pub const FREE_BYTES: usize = 16 << 10;
/// Of those, what the message's own struct takes where it is boxed, and the count of those who share the frame.
const FIXED_BYTES: usize = 1 << 10;
/// Elements of one array, as in Kafka 4.4.
pub const ELEMENTS_MAX: usize = 1_000_000;
/// Tags of one struct, as in Kafka 4.4.
pub const TAGS_MAX: u32 = 10_000;

/// A place in a frame.
pub struct Reader {
    frame: Bytes,
    at: usize,
    end: usize,
    /// Bytes that vectors may still take.
    budget: usize,
}

impl Reader {
    pub fn new(frame: Bytes) -> Self {
        let end = frame.len();
        Self { frame, at: 0, end, budget: end * AMPLIFICATION + FREE_BYTES - FIXED_BYTES }
    }

    /// Bytes not yet read.
    pub fn left(&self) -> usize {
        self.end - self.at
    }

    /// Fails where bytes are left: the message was longer than its version says.
    pub fn finish(&self) -> Result<(), DecodeError> {
        if self.left() == 0 { Ok(()) } else { Err(DecodeError::Trailing { left: self.left() }) }
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let bytes = self.frame[self.at..self.end].first_chunk::<N>().ok_or(DecodeError::Truncated)?;
        self.at += N;
        Ok(*bytes)
    }

    fn slice(&mut self, len: usize) -> Result<Bytes, DecodeError> {
        if len > self.left() {
            return Err(DecodeError::Truncated);
        }
        let bytes = self.frame.slice(self.at..self.at + len);
        self.at += len;
        Ok(bytes)
    }

    pub fn bool(&mut self) -> Result<bool, DecodeError> {
        Ok(self.i8()? != 0)
    }

    pub fn i8(&mut self) -> Result<i8, DecodeError> {
        self.fixed().map(i8::from_be_bytes)
    }

    pub fn i16(&mut self) -> Result<i16, DecodeError> {
        self.fixed().map(i16::from_be_bytes)
    }

    pub fn u16(&mut self) -> Result<u16, DecodeError> {
        self.fixed().map(u16::from_be_bytes)
    }

    pub fn i32(&mut self) -> Result<i32, DecodeError> {
        self.fixed().map(i32::from_be_bytes)
    }

    pub fn i64(&mut self) -> Result<i64, DecodeError> {
        self.fixed().map(i64::from_be_bytes)
    }

    pub fn f64(&mut self) -> Result<f64, DecodeError> {
        self.fixed().map(f64::from_be_bytes)
    }

    pub fn uuid(&mut self) -> Result<[u8; 16], DecodeError> {
        self.fixed()
    }

    /// An unsigned varint of at most five bytes and 32 bits.
    pub fn varint(&mut self) -> Result<u32, DecodeError> {
        let mut value = 0u32;
        for shift in (0..35).step_by(7) {
            let byte = self.fixed::<1>()?[0];
            if shift == 28 && byte > 0x0f {
                return Err(DecodeError::BadVarint);
            }
            value |= u32::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(DecodeError::BadVarint)
    }

    /// A length; `None` for null.
    fn length(&mut self, flex: bool, short: bool) -> Result<Option<usize>, DecodeError> {
        let length = if flex {
            i64::from(self.varint()?) - 1
        } else if short {
            i64::from(self.i16()?)
        } else {
            i64::from(self.i32()?)
        };
        match length {
            -1 => Ok(None),
            length => Ok(Some(usize::try_from(length).map_err(|_| DecodeError::BadLength(length))?)),
        }
    }

    pub fn string_opt(&mut self, flex: bool) -> Result<Option<Str>, DecodeError> {
        let Some(length) = self.length(flex, true)? else { return Ok(None) };
        if length > i16::MAX as usize {
            return Err(DecodeError::BadLength(length as i64));
        }
        Str::from_utf8(self.slice(length)?).map(Some).ok_or(DecodeError::NotUtf8)
    }

    pub fn string(&mut self, flex: bool) -> Result<Str, DecodeError> {
        self.string_opt(flex)?.ok_or(DecodeError::Null)
    }

    pub fn bytes_opt(&mut self, flex: bool) -> Result<Option<Bytes>, DecodeError> {
        let Some(length) = self.length(flex, false)? else { return Ok(None) };
        self.slice(length).map(Some)
    }

    pub fn bytes(&mut self, flex: bool) -> Result<Bytes, DecodeError> {
        self.bytes_opt(flex)?.ok_or(DecodeError::Null)
    }

    pub fn records_opt(&mut self, flex: bool) -> Result<Option<Records>, DecodeError> {
        Ok(self.bytes_opt(flex)?.map(Records::Bytes))
    }

    pub fn records(&mut self, flex: bool) -> Result<Records, DecodeError> {
        self.bytes(flex).map(Records::Bytes)
    }

    /// The count of an array whose elements take `min` bytes at least on the wire; `None` for null. What they take in
    /// memory is taken off the budget.
    fn count<T>(&mut self, flex: bool, min: usize) -> Result<Option<usize>, DecodeError> {
        let count = if flex { i64::from(self.varint()?) - 1 } else { i64::from(self.i32()?) };
        if count == -1 {
            return Ok(None);
        }
        let count =
            usize::try_from(count).ok().filter(|count| *count <= ELEMENTS_MAX).ok_or(DecodeError::BadCount(count))?;
        if count.saturating_mul(min) > self.left() {
            return Err(DecodeError::CountBeyondBytes { count, left: self.left() });
        }
        self.take_budget(count * size_of::<T>())?;
        Ok(Some(count))
    }

    /// An array whose elements take `min` bytes at least; `None` for null.
    pub fn array_opt<T>(
        &mut self,
        flex: bool,
        min: usize,
        mut element: impl FnMut(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Option<Vec<T>>, DecodeError> {
        let Some(count) = self.count::<T>(flex, min)? else { return Ok(None) };
        let mut elements = Vec::with_capacity(count);
        for _ in 0..count {
            elements.push(element(self)?);
        }
        Ok(Some(elements))
    }

    pub fn array<T>(
        &mut self,
        flex: bool,
        min: usize,
        element: impl FnMut(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Vec<T>, DecodeError> {
        self.array_opt(flex, min, element)?.ok_or(DecodeError::Null)
    }

    /// An array that takes the place of `elements`, and their memory: `element` replaces one that is there.
    pub fn array_into<T: Default>(
        &mut self,
        flex: bool,
        min: usize,
        elements: &mut Vec<T>,
        mut element: impl FnMut(&mut Self, &mut T) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        let count = self.count::<T>(flex, min)?.ok_or(DecodeError::Null)?;
        elements.truncate(count);
        elements.reserve_exact(count - elements.len());
        for at in 0..count {
            if at == elements.len() {
                elements.push(T::default());
            }
            element(self, &mut elements[at])?;
        }
        Ok(())
    }

    fn take_budget(&mut self, bytes: usize) -> Result<(), DecodeError> {
        self.budget = self.budget.checked_sub(bytes).ok_or(DecodeError::Amplification)?;
        Ok(())
    }

    /// Whether a nullable struct follows: 1, or `absent`.
    pub fn present(&mut self, absent: i8) -> Result<bool, DecodeError> {
        match self.i8()? {
            1 => Ok(true),
            mark if mark == absent => Ok(false),
            other => Err(DecodeError::BadPresence(other)),
        }
    }

    /// The tagged fields at the end of a struct. `known` reads those it knows and says so.
    pub fn tags(
        &mut self,
        mut known: impl FnMut(u32, &mut Self) -> Result<bool, DecodeError>,
    ) -> Result<Tags, DecodeError> {
        let count = self.varint()?;
        if count > TAGS_MAX {
            return Err(DecodeError::BadCount(i64::from(count)));
        }
        // A tag takes two bytes at least.
        if count as usize > self.left() / 2 {
            return Err(DecodeError::CountBeyondBytes { count: count as usize, left: self.left() });
        }
        let mut unknown = Tags::default();
        let mut last = None;
        for at in 0..count {
            let tag = self.varint()?;
            if last.is_some_and(|last| tag <= last) {
                return Err(DecodeError::TagOrder);
            }
            last = Some(tag);
            let size = self.varint()? as usize;
            if size > self.left() {
                return Err(DecodeError::Truncated);
            }
            let whole = self.end;
            self.end = self.at + size;
            let end = self.end;
            if known(tag, self)? {
                if self.at != end {
                    return Err(DecodeError::TagSize);
                }
            } else {
                if unknown.is_empty() {
                    let rest = (count - at) as usize;
                    self.take_budget(Tags::heap_bytes(rest))?;
                    unknown = Tags::with_capacity(rest);
                }
                let value = self.slice(size)?;
                unknown.push(tag, value);
            }
            self.end = whole;
        }
        Ok(unknown)
    }
}
