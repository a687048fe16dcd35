//! The few primitives these records are made of, checked on the way in. Requests and responses are `wire`'s.

use bytes::{BufMut, Bytes, BytesMut};

type Result<T> = std::result::Result<T, &'static str>;

const CUT_SHORT: &str = "it is cut short";
const NEGATIVE: &str = "it has a negative length";
const NULL: &str = "it has a null where there must be none";
const VARINT: &str = "it has a varint of more than 5 bytes";
const UTF8: &str = "it has a string that is not UTF-8";
const TOO_MANY: &str = "it announces more items than it has bytes";

pub(super) struct Writer(pub BytesMut);

impl Writer {
    pub fn i16(&mut self, value: i16) {
        self.0.put_i16(value);
    }

    pub fn i32(&mut self, value: i32) {
        self.0.put_i32(value);
    }

    pub fn i64(&mut self, value: i64) {
        self.0.put_i64(value);
    }

    pub fn string(&mut self, value: &str) {
        let len = i16::try_from(value.len());
        assert!(len.is_ok(), "a string of {} bytes reached a record: requests are checked at the door", value.len());
        self.i16(len.unwrap_or(0));
        self.0.put_slice(value.as_bytes());
    }

    pub fn nullable_string(&mut self, value: Option<&str>) {
        match value {
            Some(value) => self.string(value),
            None => self.i16(-1),
        }
    }

    pub fn bytes(&mut self, value: &[u8]) {
        self.count(value.len());
        self.0.put_slice(value);
    }

    pub fn count(&mut self, count: usize) {
        let count = i32::try_from(count);
        assert!(count.is_ok(), "a count beyond 31 bits reached a record: a frame is never that long");
        self.i32(count.unwrap_or(0));
    }

    pub fn compact_string(&mut self, value: &str) {
        self.varint(value.len() as u32 + 1);
        self.0.put_slice(value.as_bytes());
    }

    /// A tag section with one field.
    pub fn one_tag(&mut self, tag: u32, data: &[u8]) {
        self.varint(1);
        self.varint(tag);
        self.varint(data.len() as u32);
        self.0.put_slice(data);
    }

    fn varint(&mut self, mut value: u32) {
        while value >= 0x80 {
            self.0.put_u8((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.0.put_u8(value as u8);
    }
}

pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8]> {
        let (head, rest) = self.rest.split_at_checked(len).ok_or(CUT_SHORT)?;
        self.rest = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (head, rest) = self.rest.split_first_chunk().ok_or(CUT_SHORT)?;
        self.rest = rest;
        Ok(*head)
    }

    pub fn i16(&mut self) -> Result<i16> {
        Ok(i16::from_be_bytes(self.array()?))
    }

    pub fn i32(&mut self) -> Result<i32> {
        Ok(i32::from_be_bytes(self.array()?))
    }

    pub fn i64(&mut self) -> Result<i64> {
        Ok(i64::from_be_bytes(self.array()?))
    }

    fn varint(&mut self) -> Result<u32> {
        let mut value = 0u64;
        for shift in (0..35).step_by(7) {
            let [byte] = self.array()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return u32::try_from(value).map_err(|_| VARINT);
            }
        }
        Err(VARINT)
    }

    /// A length in front of a string, bytes or an array; `None` for null.
    fn length(&mut self, flexible: bool, short: bool) -> Result<Option<usize>> {
        if flexible {
            return Ok((self.varint()? as usize).checked_sub(1));
        }
        let length = if short { i32::from(self.i16()?) } else { self.i32()? };
        match length {
            -1 => Ok(None),
            length => usize::try_from(length).map(Some).map_err(|_| NEGATIVE),
        }
    }

    pub fn nullable_string(&mut self, flexible: bool) -> Result<Option<String>> {
        let Some(len) = self.length(flexible, true)? else { return Ok(None) };
        let text = std::str::from_utf8(self.take(len)?).map_err(|_| UTF8)?;
        Ok(Some(text.to_owned()))
    }

    pub fn string(&mut self, flexible: bool) -> Result<String> {
        self.nullable_string(flexible)?.ok_or(NULL)
    }

    /// A copy, so that a small value does not keep the batch it was read from.
    pub fn bytes(&mut self, flexible: bool) -> Result<Bytes> {
        let len = self.length(flexible, false)?.ok_or(NULL)?;
        Ok(Bytes::copy_from_slice(self.take(len)?))
    }

    /// The number of items that follow; never more than there are bytes left.
    pub fn count(&mut self, flexible: bool) -> Result<usize> {
        let count = self.length(flexible, false)?.ok_or(NULL)?;
        if count > self.rest.len() { Err(TOO_MANY) } else { Ok(count) }
    }

    pub fn tags(&mut self, mut field: impl FnMut(u32, &'a [u8]) -> Result<()>) -> Result<()> {
        for _ in 0..self.varint()? {
            let tag = self.varint()?;
            let len = self.varint()? as usize;
            field(tag, self.take(len)?)?;
        }
        Ok(())
    }
}
