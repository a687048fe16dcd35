//! Offsets by time (KIP-33, KIP-734).

use bytes::Bytes;
use model::{Batch, Offset, TimestampMs};

use super::Log;
use crate::config::TimestampOffset;
use crate::disk::Disk;
use crate::disk::DiskError;
use crate::header::Header;
use crate::names;
use crate::read_plan::ReadError;

impl<D: Disk> Log<D> {
    /// The first record whose time is `at` or later, among those from the log's start on and below `below`, exclusive.
    pub fn find_by_timestamp(&mut self, at: TimestampMs, below: Offset) -> Result<Option<TimestampOffset>, ReadError> {
        if self.is_failed() {
            return Err(ReadError::Failed);
        }
        let below = below.min(self.end);
        for index in self.segment_of(self.start)..self.segments.len() {
            let segment = &mut self.segments[index];
            if segment.size == 0 || segment.largest.timestamp < at {
                continue;
            }
            let path = segment.path(&self.dir, names::TIME_INDEX);
            let relative = match segment.times.relative_offset(&self.disk, &path, at) {
                Ok(relative) => relative,
                Err(_) => {
                    segment.rebuild_indexes(&self.disk, &self.dir, &self.config)?;
                    0
                }
            };
            let from = (segment.base + i64::from(relative)).max(self.start);
            if let Some(found) = self.find_time_in(index, from, at, below)? {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// The record of the largest time, the first of them if there are several, where it is below `below`, exclusive.
    pub fn max_timestamp_offset(&mut self, below: Offset) -> Result<Option<TimestampOffset>, ReadError> {
        let largest = self.segments.iter().map(|segment| segment.largest.timestamp).max();
        let Some(largest) = largest.filter(|largest| largest.0 >= 0) else { return Ok(None) };
        self.find_by_timestamp(largest, below)
    }

    /// `None` to go on with the next segment; `Some(None)` when there can be no such record below `below`.
    fn find_time_in(
        &mut self,
        index: usize,
        from: Offset,
        at: TimestampMs,
        below: Offset,
    ) -> Result<Option<Option<TimestampOffset>>, ReadError> {
        let Some(first) = self.find_in(index, from)? else { return Ok(None) };
        let start = self.start;
        let mut result = None;
        let path = self.segments[index].path(&self.dir, names::LOG);
        self.segments[index].walk(&self.disk, &self.dir, first.position, |file, position, header| {
            if header.base_offset >= below {
                result = Some(None);
                return Ok(false);
            }
            if header.max_timestamp < at || header.last_offset < start {
                return Ok(true);
            }
            let batch = read_batch(file, position, header).map_err(|cause| DiskError {
                operation: "read",
                path: path.clone(),
                cause,
            })?;
            let found = batch.and_then(|batch| first_since(&batch, at, start));
            result = found.map(|found| Some(found).filter(|found| found.offset < below));
            Ok(found.is_none())
        })?;
        Ok(result)
    }
}

fn read_batch<F: crate::disk::File>(file: &F, position: u64, header: &Header) -> std::io::Result<Option<Batch>> {
    let mut bytes = vec![0; header.size as usize];
    let read = file.read_at(&mut bytes, position)?;
    bytes.truncate(read);
    Ok(Batch::cut(&mut Bytes::from(bytes)).ok())
}

/// The most bytes that a compressed batch is inflated to in search of a record.
const INFLATED_BYTES_MAX: usize = 128 << 20;

/// The first record of `batch` from `start` on that is not older than `at`; the first one from `start` on where the
/// records cannot be told apart (they inflate to too much, or are none).
fn first_since(batch: &Batch, at: TimestampMs, start: Offset) -> Option<TimestampOffset> {
    let from_batch = TimestampOffset { timestamp: batch.max_timestamp(), offset: batch.base_offset().max(start) };
    if batch.is_log_append_time() {
        return Some(from_batch);
    }
    let Ok(records) = batch.records(INFLATED_BYTES_MAX) else { return Some(from_batch) };
    for record in records {
        let Ok(record) = record else { return Some(from_batch) };
        if record.timestamp >= at && record.offset >= start {
            return Some(TimestampOffset { timestamp: record.timestamp, offset: record.offset });
        }
    }
    None
}
