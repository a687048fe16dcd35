//! Two ways through a segment's bytes: [`Walk`] hops from header to header and trusts what it finds; [`scan`] reads every
//! byte and checks every CRC, as is due for a tail that a crash may have torn.

use std::io;

use model::Offset;
use model::batch::{HEADER_BYTES, MAGIC};

use crate::disk::File;
use crate::header::{CRC_COVERS_FROM, Header, Marker};

/// Small enough for the stack, large enough for the headers of several small batches.
const CHUNK_BYTES: usize = 1024;

/// Headers from `position` to `end`, one after the other.
pub(crate) struct Walk<'f, F> {
    file: &'f F,
    position: u64,
    end: u64,
    chunk: [u8; CHUNK_BYTES],
    chunk_at: u64,
    chunk_len: usize,
}

/// A walk that cannot go on.
#[derive(Debug)]
pub(crate) enum WalkError {
    Io(io::Error),
    /// No batch begins at this position.
    Malformed(u64),
}

impl<'f, F: File> Walk<'f, F> {
    /// `position` is where a batch begins, or `end`.
    pub fn new(file: &'f F, position: u64, end: u64) -> Self {
        Self { file, position, end, chunk: [0; CHUNK_BYTES], chunk_at: 0, chunk_len: 0 }
    }

    /// The next batch and where it begins; `None` at the end.
    pub fn next(&mut self) -> Result<Option<(u64, Header)>, WalkError> {
        let at = self.position;
        if at >= self.end {
            return Ok(None);
        }
        if at < self.chunk_at || at + HEADER_BYTES as u64 > self.chunk_at + self.chunk_len as u64 {
            self.chunk_len = self.file.read_at(&mut self.chunk, at).map_err(WalkError::Io)?;
            self.chunk_at = at;
        }
        let offset = (at - self.chunk_at) as usize;
        let header = self.chunk[..self.chunk_len]
            .get(offset..)
            .and_then(|bytes| bytes.first_chunk::<HEADER_BYTES>())
            .and_then(Header::parse)
            .filter(|header| u64::from(header.size) <= self.end - at)
            .ok_or(WalkError::Malformed(at))?;
        self.position = at + u64::from(header.size);
        Ok(Some((at, header)))
    }
}

/// Why a scan stopped before the end of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Torn {
    /// The file ends inside a header or inside the records that it announces.
    CutShort,
    /// What stands there is not a header.
    NotABatch,
    BadCrc,
    /// A batch with an offset that is already taken.
    OffsetsGoBack,
}

/// Where a scan came to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scanned {
    /// The end of the last whole, valid batch.
    pub position: u64,
    pub next_offset: Offset,
    pub torn: Option<Torn>,
    /// How many whole batches end the file behind what is torn; [`scan`] itself does not look.
    pub whole_behind: u64,
}

/// Reads batches from `position` to `end` and checks each, the first of which has `expected` as base offset or a higher
/// one. Calls `each` with each valid one, with the marker where it is one, and stops at the first that is not.
pub(crate) fn scan<F: File>(
    file: &F,
    position: u64,
    end: u64,
    expected: Offset,
    buffer: &mut Vec<u8>,
    mut each: impl FnMut(u64, &Header, Option<Marker>),
) -> io::Result<Scanned> {
    const BUFFER_BYTES: usize = 256 << 10;
    buffer.resize(usize::try_from(end.saturating_sub(position)).unwrap_or(usize::MAX).min(BUFFER_BYTES), 0);
    let mut window = Window { file, buffer, at: position, len: 0, end };
    let mut scanned = Scanned { position, next_offset: expected, torn: None, whole_behind: 0 };
    while scanned.position < end {
        let at = scanned.position;
        let Some(header) = window.bytes(at, HEADER_BYTES)? else {
            scanned.torn = Some(Torn::CutShort);
            break;
        };
        let header = header.first_chunk::<HEADER_BYTES>().and_then(Header::parse);
        let Some(header) = header else {
            scanned.torn = Some(Torn::NotABatch);
            break;
        };
        if header.base_offset < scanned.next_offset {
            scanned.torn = Some(Torn::OffsetsGoBack);
            break;
        }
        if u64::from(header.size) > end - at {
            scanned.torn = Some(Torn::CutShort);
            break;
        }
        if window.crc(at + CRC_COVERS_FROM as u64, at + u64::from(header.size))? != Some(header.crc) {
            scanned.torn = Some(Torn::BadCrc);
            break;
        }
        let marker = if header.is_control() {
            let len = (header.size as usize - HEADER_BYTES).min(Marker::BYTES_MAX);
            window.bytes(at + HEADER_BYTES as u64, len)?.and_then(Marker::parse)
        } else {
            None
        };
        each(at, &header, marker);
        scanned.position = at + u64::from(header.size);
        scanned.next_offset = header.next_offset();
    }
    Ok(scanned)
}

/// How many whole batches end the file behind what is torn at `position`: those of a run that reaches `end` exactly and in
/// which each is valid. Where it begins must be searched, since what is torn need not tell its size; a batch that lies
/// inside a record reaches no end.
pub(crate) fn whole_behind<F: File>(file: &F, position: u64, end: u64, buffer: &mut Vec<u8>) -> io::Result<u64> {
    const MAGIC_AT: usize = 16;
    const STRIDE: usize = 4096;
    let mut bytes = [0; STRIDE + HEADER_BYTES - 1];
    let mut at = position;
    while at + HEADER_BYTES as u64 <= end {
        let len = file.read_at(&mut bytes, at)?;
        for (offset, header) in bytes[..len].windows(HEADER_BYTES).enumerate() {
            let begins = header[MAGIC_AT] == MAGIC && header.first_chunk().and_then(Header::parse).is_some();
            if !begins || !hops_to(file, at + offset as u64, end)? {
                continue;
            }
            let mut whole = 0;
            let run = scan(file, at + offset as u64, end, Offset::ZERO, buffer, |_, _, _| whole += 1)?;
            if run.torn.is_none() {
                return Ok(whole);
            }
        }
        at += STRIDE as u64;
    }
    Ok(0)
}

/// Whether headers from `position` on lead to `end`.
fn hops_to<F: File>(file: &F, position: u64, end: u64) -> io::Result<bool> {
    let mut walk = Walk::new(file, position, end);
    loop {
        match walk.next() {
            Ok(Some(_)) => {}
            Ok(None) => return Ok(true),
            Err(WalkError::Malformed(_)) => return Ok(false),
            Err(WalkError::Io(error)) => return Err(error),
        }
    }
}

/// A part of a file in memory.
struct Window<'f, F> {
    file: &'f F,
    buffer: &'f mut Vec<u8>,
    at: u64,
    len: usize,
    end: u64,
}

impl<F: File> Window<'_, F> {
    fn fill(&mut self, at: u64) -> io::Result<()> {
        let most = self.buffer.len().min(usize::try_from(self.end - at).unwrap_or(usize::MAX));
        self.len = self.file.read_at(&mut self.buffer[..most], at)?;
        self.at = at;
        Ok(())
    }

    /// `None` where the file ends before.
    fn bytes(&mut self, at: u64, len: usize) -> io::Result<Option<&[u8]>> {
        let within = |window: &Self| at >= window.at && at + len as u64 <= window.at + window.len as u64;
        if at + len as u64 > self.end {
            return Ok(None);
        }
        if !within(self) {
            self.fill(at)?;
        }
        if !within(self) {
            return Ok(None);
        }
        let from = (at - self.at) as usize;
        Ok(Some(&self.buffer[from..from + len]))
    }

    fn crc(&mut self, from: u64, to: u64) -> io::Result<Option<u32>> {
        let mut crc = 0;
        let mut at = from;
        while at < to {
            if at < self.at || at >= self.at + self.len as u64 {
                self.fill(at)?;
                if self.len == 0 {
                    return Ok(None);
                }
            }
            let start = (at - self.at) as usize;
            let len = (self.len - start).min((to - at) as usize);
            crc = crc32c::crc32c_append(crc, &self.buffer[start..start + len]);
            at += len as u64;
        }
        Ok(Some(crc))
    }
}
