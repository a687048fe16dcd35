//! Taking records away: from the end, where a leader says otherwise; all of them; or from the start.

use model::{Offset, TimestampMs};

use super::Log;
use crate::config::TimestampOffset;
use crate::disk::{Disk, DiskError, File as _, Trying as _};
use crate::names;
use crate::read_plan::ReadError;
use crate::segment::{Segment, remove_if_there};

/// Why records are not taken away.
#[derive(Debug, thiserror::Error)]
pub enum TruncateError {
    /// A start behind the log's end.
    #[error("the offset is above the log's end {end}")]
    OutOfRange { end: Offset },
    #[error("{file} is corrupt at {position}")]
    Corrupt { file: String, position: u64 },
    /// The disk failed, and the log with it.
    #[error(transparent)]
    Disk(DiskError),
    #[error("the log has failed")]
    Failed,
}

impl From<ReadError> for TruncateError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Corrupt { file, position } => Self::Corrupt { file, position },
            ReadError::Disk(error) => Self::Disk(error),
            ReadError::OutOfRange { end, .. } => Self::OutOfRange { end },
            ReadError::Failed => Self::Failed,
        }
    }
}

impl<D: Disk> Log<D> {
    /// Removes every record at `offset` and above; the next append gets `offset`. An offset at the log's end or behind it
    /// removes nothing; one inside a batch removes the whole batch. Returns the log's end.
    ///
    /// After a failure of the disk the log is failed. KIP-101.
    pub fn truncate_to(&mut self, offset: Offset) -> Result<Offset, TruncateError> {
        if self.is_failed() {
            return Err(TruncateError::Failed);
        }
        if offset >= self.end {
            return Ok(self.end);
        }
        if offset <= self.segments[0].base {
            self.restart_at(offset)?;
            return Ok(self.end);
        }
        let index = self.segment_of(offset);
        let found = self.find_in(index, offset)?;
        let position = found.map_or(self.segments[index].size, |found| found.position);
        let end = found.map_or(offset, |found| found.header.base_offset.min(offset));
        match self.cut(index, position, end) {
            Err(TruncateError::Disk(error)) => Err(TruncateError::Disk(self.fail(error))),
            other => other.map(|()| end),
        }
    }

    fn cut(&mut self, index: usize, position: u64, end: Offset) -> Result<(), TruncateError> {
        let removed = self.segments.split_off(index + 1);
        self.generation += 1;
        self.end = end;
        self.start = self.start.min(end);
        self.recovery_point = self.recovery_point.min(end);
        self.tail.truncate(end);
        self.epochs_dirty |= self.epochs.truncate_end(end);
        self.decided.retain(|txn| txn.marker_offset < end);
        self.cold = None;
        self.shorten_active(position, end)?;
        // A snapshot behind the end tells of records that are gone; it must not be found when others are there.
        self.remove_snapshots_above(end).map_err(TruncateError::Disk)?;
        if self.producers.reaches(end) || self.producers.first_open().is_some_and(|open| open >= end) {
            self.producers = self.producers_at(end)?;
        }
        // The state goes first: a crash before the files are cut brings the records back, which is as if nothing was
        // truncated. The other way round they would be missed.
        self.write_state(false, true).map_err(TruncateError::Disk)?;
        let active = self.segments.last_mut().expect("a log has an active segment");
        if active.on_disk {
            let path = active.path(&self.dir, names::LOG);
            let file = active.file(&self.disk, &self.dir).map_err(TruncateError::Disk)?;
            file.truncate(position).trying("truncate", &path).map_err(TruncateError::Disk)?;
        }
        self.remove_files(&removed).map_err(TruncateError::Disk)
    }

    /// Brings the books of what is now the active segment back to when it had `position` bytes.
    fn shorten_active(&mut self, position: u64, end: Offset) -> Result<(), TruncateError> {
        let active = self.segments.last_mut().expect("a log has an active segment");
        active.size = position;
        let (offsets, times, aborted) = (
            active.path(&self.dir, names::OFFSET_INDEX),
            active.path(&self.dir, names::TIME_INDEX),
            active.path(&self.dir, names::TXN_INDEX),
        );
        let relative = end - active.base;
        let well = active.offsets.truncate(&self.disk, &offsets, position as u32).is_ok()
            && active.times.truncate(&self.disk, &times, relative).is_ok();
        if active.aborted.truncate(&self.disk, &aborted, end).is_err() {
            return Err(TruncateError::Corrupt { file: aborted.display().to_string(), position: 0 });
        }
        if !well {
            active.rebuild_indexes(&self.disk, &self.dir, &self.config).map_err(ReadError::from)?;
        }
        let from = active.offsets.position(&self.disk, || offsets.clone(), i64::MAX).unwrap_or(0);
        active.largest = active.times.last_entry(&self.disk, &times).ok().flatten().map_or(
            TimestampOffset::NONE,
            |(timestamp, relative)| TimestampOffset { timestamp, offset: active.base + i64::from(relative) },
        );
        let mut largest = active.largest;
        let mut first_timestamp = if position == 0 { TimestampMs::NONE } else { active.first_timestamp };
        let mut last_batch_position = 0;
        active
            .walk(&self.disk, &self.dir, u64::from(from), |_, at, header| {
                last_batch_position = at;
                if at == 0 {
                    first_timestamp = header.max_timestamp;
                }
                if header.max_timestamp > largest.timestamp {
                    largest = TimestampOffset { timestamp: header.max_timestamp, offset: header.last_offset };
                }
                Ok(true)
            })
            .map_err(ReadError::from)?;
        active.largest = largest;
        active.first_timestamp = first_timestamp;
        active.since_index = u32::try_from(position - u64::from(from).min(position)).unwrap_or(u32::MAX);
        self.last_batch_position = last_batch_position;
        Ok(())
    }

    /// Removes every record; the log is empty and begins at `offset`. For a follower whose leader begins later, and for
    /// a log that must be fetched anew.
    pub fn restart_at(&mut self, offset: Offset) -> Result<(), TruncateError> {
        if self.is_failed() {
            return Err(TruncateError::Failed);
        }
        self.restart(offset).map_err(|error| TruncateError::Disk(self.fail(error)))
    }

    pub(super) fn restart(&mut self, offset: Offset) -> Result<(), DiskError> {
        let created = self.active().created;
        let removed = std::mem::replace(&mut self.segments, vec![Segment::new(offset, created)]);
        self.generation += 1;
        (self.start, self.end, self.recovery_point) = (offset, offset, offset);
        self.last_batch_position = 0;
        self.cold = None;
        self.tail.clear();
        self.epochs = crate::epoch_cache::EpochCache::default();
        self.epochs_dirty = true;
        self.producers.clear();
        self.decided.clear();
        self.write_state(false, true)?;
        self.remove_files(&removed)?;
        self.remove_snapshots_above(Offset(-1))
    }

    /// Lets the log begin at `offset`, where it does not begin later already; whole segments before it are removed by
    /// the next [`Log::retain`].
    ///
    /// Fails with `OutOfRange` where `offset` is above the log's end.
    pub fn advance_start(&mut self, offset: Offset) -> Result<(), TruncateError> {
        if self.is_failed() {
            return Err(TruncateError::Failed);
        }
        if offset > self.end {
            return Err(TruncateError::OutOfRange { end: self.end });
        }
        if offset <= self.start {
            return Ok(());
        }
        self.start = offset;
        self.epochs_dirty |= self.epochs.truncate_start(offset);
        self.dirty = true;
        let written = self.write_state(false, false);
        self.tolerate_no_space(written).map_err(|error| TruncateError::Disk(self.fail(error)))
    }

    fn remove_files(&self, segments: &[Segment<D>]) -> Result<(), DiskError> {
        for segment in segments {
            for suffix in names::OF_SEGMENT {
                remove_if_there(&self.disk, &segment.path(&self.dir, suffix))?;
            }
        }
        Ok(())
    }

    fn remove_snapshots_above(&self, offset: Offset) -> Result<(), DiskError> {
        for name in self.disk.list(&self.dir).trying("list", &self.dir)? {
            if names::offset(&name, names::SNAPSHOT).is_some_and(|at| at > offset) {
                remove_if_there(&self.disk, &self.dir.join(name))?;
            }
        }
        Ok(())
    }
}
