//! What waits to be sent on one connection: bytes, with regions of logs between them that are never copied.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use crate::telemetry::Traffic;

/// An open file that can be sent from.
pub type SendFile = Arc<dyn AsFdShared>;

/// `AsFd` for a shared file, usable behind `dyn`.
pub trait AsFdShared: Send + Sync {
    fn fd(&self) -> BorrowedFd<'_>;
}

impl<T: AsFd + Send + Sync> AsFdShared for T {
    fn fd(&self) -> BorrowedFd<'_> {
        self.as_fd()
    }
}

/// Record bytes that are sent as they lie.
pub enum Region {
    /// Batches from the tail of a log.
    Memory(Bytes),
    /// `len` bytes of a segment file from `at`, sent by sendfile.
    File { file: SendFile, at: u64, len: usize },
}

impl Region {
    /// Bytes that it sends.
    pub fn size_bytes(&self) -> usize {
        match self {
            Self::Memory(bytes) => bytes.len(),
            Self::File { len, .. } => *len,
        }
    }
}

/// At most so many slices in one `writev`; the kernel's own cap is 1,024.
const SLICES_MAX: usize = 64;
/// Past this an emptied buffer is given back to the allocator.
const KEEP_BYTES: usize = 64 << 10;

/// Bytes of whole response frames, in order, with regions in their places.
#[derive(Default)]
pub struct Output {
    buf: BytesMut,
    /// Regions, each with the place in `buf` before which it goes; places never decrease.
    regions: VecDeque<(usize, Region)>,
    /// Bytes of `buf` already sent.
    sent: usize,
    /// Bytes of the first region already sent.
    region_sent: usize,
}

impl Output {
    /// The buffer that response frames are written into.
    pub fn buf(&mut self) -> &mut BytesMut {
        &mut self.buf
    }

    /// Puts `region` at `at`, a place in the buffer not before the last region's.
    pub fn insert(&mut self, at: usize, region: Region) {
        assert!(
            at <= self.buf.len() && self.regions.back().is_none_or(|(last, _)| *last <= at),
            "regions come in order"
        );
        if region.size_bytes() > 0 {
            self.regions.push_back((at, region));
        }
    }

    pub fn is_empty(&self) -> bool {
        self.sent == self.buf.len() && self.regions.is_empty()
    }

    /// Bytes that are held in memory for this connection (files not counted).
    pub fn held_bytes(&self) -> usize {
        self.buf.len() - self.sent
    }

    /// Bytes that this connection keeps in memory: [`Output::held_bytes`] and batches that a log may have forgotten.
    pub fn memory_bytes(&self) -> usize {
        let batches = self.regions.iter().map(|(_, region)| match region {
            Region::Memory(bytes) => bytes.len(),
            Region::File { .. } => 0,
        });
        self.held_bytes() + batches.sum::<usize>()
    }

    /// Bytes that are still to be sent, those of files included.
    pub fn left_bytes(&self) -> usize {
        let regions: usize = self.regions.iter().map(|(_, region)| region.size_bytes()).sum();
        self.held_bytes() + regions - self.region_sent
    }

    /// Throws away what was written since the last [`Output::clear`] or [`Output::append`].
    pub fn clear(&mut self) {
        self.buf.clear();
        self.regions.clear();
        (self.sent, self.region_sent) = (0, 0);
        if self.buf.capacity() > KEEP_BYTES {
            self.buf = BytesMut::new();
        }
    }

    /// Moves all of `reply` behind what is here already.
    pub fn append(&mut self, reply: &mut Self) {
        if self.is_empty() {
            self.clear();
            std::mem::swap(self, reply);
            return;
        }
        let base = self.buf.len();
        self.buf.extend_from_slice(&reply.buf);
        self.regions.extend(reply.regions.drain(..).map(|(at, region)| (base + at, region)));
        reply.clear();
    }

    /// Sends as much as the socket takes now, and counts it in `traffic`. `WouldBlock` when it takes no more.
    pub fn send(&mut self, socket: BorrowedFd<'_>, traffic: &Traffic) -> io::Result<()> {
        while !self.is_empty() {
            let sent = match self.regions.front() {
                Some((at, Region::File { file, at: from, len })) if *at == self.sent => {
                    let mut offset = from + self.region_sent as u64;
                    let sent = rustix::fs::sendfile(socket, file.fd(), Some(&mut offset), len - self.region_sent)?;
                    if sent == 0 {
                        return Err(io::Error::new(
                            io::ErrorKind::UnexpectedEof,
                            "the segment ended before its region",
                        ));
                    }
                    sent
                }
                _ => self.write_slices(socket)?,
            };
            traffic.sent(sent);
            self.advance(sent);
        }
        self.clear();
        Ok(())
    }

    /// One `writev` (or `send` with MSG_MORE, where a file follows) of all memory up to the next file.
    fn write_slices(&self, socket: BorrowedFd<'_>) -> io::Result<usize> {
        let mut slices = [IoSlice::new(&[]); SLICES_MAX];
        let mut count = 0;
        let mut at = self.sent;
        let mut skip = self.region_sent;
        let mut more = false;
        for (place, region) in &self.regions {
            if count + 2 > SLICES_MAX {
                more = true;
                break;
            }
            if *place > at {
                slices[count] = IoSlice::new(&self.buf[at..*place]);
                count += 1;
                at = *place;
            }
            match region {
                Region::Memory(bytes) => {
                    slices[count] = IoSlice::new(&bytes[skip..]);
                    count += 1;
                }
                Region::File { .. } => {
                    more = true;
                    break;
                }
            }
            skip = 0;
        }
        if !more && at < self.buf.len() {
            slices[count] = IoSlice::new(&self.buf[at..]);
            count += 1;
        }
        let flags = if more { rustix::net::SendFlags::MORE } else { rustix::net::SendFlags::empty() };
        let sent = rustix::net::sendmsg(
            socket,
            &slices[..count],
            &mut rustix::net::SendAncillaryBuffer::default(),
            flags | rustix::net::SendFlags::NOSIGNAL,
        )?;
        Ok(sent)
    }

    fn advance(&mut self, mut bytes: usize) {
        while bytes > 0 {
            let upto = self.regions.front().map_or(self.buf.len(), |(at, _)| *at);
            if self.sent < upto {
                let step = bytes.min(upto - self.sent);
                self.sent += step;
                bytes -= step;
                continue;
            }
            let Some((_, region)) = self.regions.front() else {
                panic!("{bytes} bytes were sent that were never written");
            };
            let step = bytes.min(region.size_bytes() - self.region_sent);
            self.region_sent += step;
            bytes -= step;
            if self.region_sent == region.size_bytes() {
                self.regions.pop_front();
                self.region_sent = 0;
            }
        }
    }
}
