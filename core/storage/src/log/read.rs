//! Reading: where the bytes are, not the bytes.

use bytes::BytesMut;
use model::Offset;

use super::Log;
use crate::disk::Disk;
use crate::read_plan::{FileRegion, ReadError, ReadPlan};
use crate::segment::Found;

impl<D: Disk> Log<D> {
    /// Plans a read of whole batches from the one that holds `from` on, which is given whole whatever its size, up to
    /// `max_bytes` and to `below`, exclusive: a batch that ends at `below` or above is not given. A plan for a file may end inside
    /// a batch, which readers throw away; it never leaves its segment. What is read from memory is copied into `memory`,
    /// which the plan then shares; empty and kept by the caller, it allocates nothing once earlier plans are gone.
    ///
    /// Fails with `OutOfRange` where `from` is below the log's start or above its end; at the end there is nothing yet,
    /// which is no failure. With `Corrupt` the records are there but damaged.
    pub fn read(
        &mut self,
        from: Offset,
        max_bytes: usize,
        below: Offset,
        memory: &mut BytesMut,
    ) -> Result<ReadPlan<D>, ReadError> {
        if self.is_failed() {
            return Err(ReadError::Failed);
        }
        if from < self.start || from > self.end {
            return Err(ReadError::OutOfRange { start: self.start, end: self.end });
        }
        let below = below.min(self.end);
        if from >= below {
            return Ok(ReadPlan::Empty);
        }
        match self.tail.read(from, max_bytes, below) {
            Some([]) => Ok(ReadPlan::Empty),
            Some(batches) if batches.len() <= self.config.memory_read_bytes => {
                memory.extend_from_slice(batches);
                Ok(ReadPlan::Memory(memory.split().freeze()))
            }
            // There is so much to send that the file is the better source.
            Some(_) | None => self.read_file(from, max_bytes, below),
        }
    }

    fn read_file(&mut self, from: Offset, max_bytes: usize, below: Offset) -> Result<ReadPlan<D>, ReadError> {
        for index in self.segment_of(from)..self.segments.len() {
            let Some(Found { position, header }) = self.find_in(index, from)? else { continue };
            if header.last_offset >= below {
                return Ok(ReadPlan::Empty);
            }
            let size = self.segments[index].size;
            let upto = if below >= self.segment_end(index) {
                size
            } else {
                self.find_in(index, below)?.map_or(size, |found| found.position)
            };
            let available = usize::try_from(upto - position).unwrap_or(usize::MAX);
            let first_batch_bytes = header.size as usize;
            let file = self.segments[index].file(&self.disk, &self.dir).map_err(ReadError::Disk)?.clone();
            return Ok(ReadPlan::File(FileRegion {
                file,
                position,
                len: available.min(max_bytes.max(first_batch_bytes)),
                first_offset: header.base_offset,
                first_batch_bytes,
            }));
        }
        Ok(ReadPlan::Empty)
    }

    /// The first batch of the segment at `index` that ends at `offset` or above.
    pub(super) fn find_in(&mut self, index: usize, offset: Offset) -> Result<Option<Found>, ReadError> {
        if self.segments[index].size == 0 {
            return Ok(None);
        }
        self.warm(index);
        let segment = &mut self.segments[index];
        let size = segment.size;
        Ok(segment.find(&self.disk, &self.dir, &self.config, offset, size)?)
    }

    /// Lets at most one closed segment keep its file open.
    fn warm(&mut self, index: usize) {
        let base = self.segments[index].base;
        if index + 1 < self.segments.len() && self.cold != Some(base) {
            self.rest_cold();
            self.cold = Some(base);
        }
    }
}
