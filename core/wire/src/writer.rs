//! Writing primitives into a buffer that the caller keeps, with gaps for records that are sent from elsewhere.

use bytes::{BufMut, Bytes, BytesMut};

use crate::tags::Tags;

/// Record batches, which this crate never looks into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Records {
    Bytes(Bytes),
    /// `len` bytes that the sender of the frame puts in: the writer notes a [`Splice`] and writes only the length.
    External {
        len: u32,
        token: u32,
    },
}

impl Default for Records {
    fn default() -> Self {
        Self::Bytes(Bytes::new())
    }
}

impl Records {
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::External { len, .. } => *len as usize,
        }
    }

    /// The bytes; `None` for external ones.
    pub fn into_bytes(self) -> Option<Bytes> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::External { .. } => None,
        }
    }
}

/// Where in the buffer external records belong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Splice {
    pub at: usize,
    pub len: u32,
    pub token: u32,
}

/// Writes behind what is in a buffer already.
pub struct Writer<'a> {
    buf: &'a mut BytesMut,
    splices: &'a mut Vec<Splice>,
}

/// Unknown tags not yet written.
pub struct Unwritten<'a>(&'a [(u32, Bytes)]);

impl<'a> Writer<'a> {
    /// `splices` gets the places of external records, in ascending order.
    pub fn new(buf: &'a mut BytesMut, splices: &'a mut Vec<Splice>) -> Self {
        Self { buf, splices }
    }

    pub fn bool(&mut self, value: bool) {
        self.buf.put_u8(u8::from(value));
    }

    pub fn i8(&mut self, value: i8) {
        self.buf.put_i8(value);
    }

    pub fn i16(&mut self, value: i16) {
        self.buf.put_i16(value);
    }

    pub fn u16(&mut self, value: u16) {
        self.buf.put_u16(value);
    }

    pub fn i32(&mut self, value: i32) {
        self.buf.put_i32(value);
    }

    pub fn i64(&mut self, value: i64) {
        self.buf.put_i64(value);
    }

    pub fn f64(&mut self, value: f64) {
        self.buf.put_f64(value);
    }

    pub fn uuid(&mut self, value: &[u8; 16]) {
        self.buf.put_slice(value);
    }

    pub fn varint(&mut self, mut value: u32) {
        while value >= 0x80 {
            self.buf.put_u8(value as u8 | 0x80);
            value >>= 7;
        }
        self.buf.put_u8(value as u8);
    }

    pub fn string(&mut self, value: &str, flex: bool) {
        if flex {
            self.varint(value.len() as u32 + 1);
        } else {
            self.i16(value.len() as i16);
        }
        self.buf.put_slice(value.as_bytes());
    }

    pub fn null_string(&mut self, flex: bool) {
        if flex { self.varint(0) } else { self.i16(-1) }
    }

    fn long_length(&mut self, length: usize, flex: bool) {
        if flex { self.varint(length as u32 + 1) } else { self.i32(length as i32) }
    }

    pub fn bytes(&mut self, value: &[u8], flex: bool) {
        self.long_length(value.len(), flex);
        self.buf.put_slice(value);
    }

    pub fn null_bytes(&mut self, flex: bool) {
        self.null_array(flex);
    }

    pub fn records(&mut self, value: &Records, flex: bool) {
        match value {
            Records::Bytes(bytes) => self.bytes(bytes, flex),
            Records::External { len, token } => {
                self.long_length(*len as usize, flex);
                self.splices.push(Splice { at: self.buf.len(), len: *len, token: *token });
            }
        }
    }

    pub fn array_len(&mut self, length: usize, flex: bool) {
        self.long_length(length, flex);
    }

    pub fn null_array(&mut self, flex: bool) {
        if flex { self.varint(0) } else { self.i32(-1) }
    }

    /// A whole tag section that holds nothing known.
    pub fn unknown_tags(&mut self, tags: &Tags) {
        let unknown = self.begin_tags(0, tags);
        self.end_tags(unknown);
    }

    /// The head of a tag section with `known` known tags beside the unknown ones.
    pub fn begin_tags<'t>(&mut self, known: usize, unknown: &'t Tags) -> Unwritten<'t> {
        self.varint((known + unknown.as_slice().len()) as u32);
        Unwritten(unknown.as_slice())
    }

    /// Unknown tags below `tag`, then `tag` itself; its content follows, between [`Writer::mark`] and [`Writer::end_tag`].
    pub fn begin_tag<'t>(&mut self, tag: u32, unknown: Unwritten<'t>) -> Unwritten<'t> {
        let below = unknown.0.iter().take_while(|(unknown, _)| *unknown < tag).count();
        let (first, rest) = unknown.0.split_at(below);
        self.end_tags(Unwritten(first));
        self.varint(tag);
        Unwritten(rest)
    }

    /// The place that [`Writer::end_tag`] wants.
    pub fn mark(&self) -> usize {
        self.buf.len()
    }

    /// Puts the size of what was written since `start` before it.
    pub fn end_tag(&mut self, start: usize) {
        let size = self.buf.len() - start;
        self.varint(size as u32);
        self.buf[start..].rotate_left(size);
    }

    /// Unknown tags behind all known ones.
    pub fn end_tags(&mut self, unknown: Unwritten<'_>) {
        for (tag, value) in unknown.0 {
            self.varint(*tag);
            self.varint(value.len() as u32);
            self.buf.put_slice(value);
        }
    }
}
