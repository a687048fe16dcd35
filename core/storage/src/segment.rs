//! One segment: a file of batches, and the indexes beside it. The last segment of a log is active and grows; the others
//! never change until they are removed.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::{Offset, TimestampMs};

use crate::config::{Config, TimestampOffset};
use crate::disk::{Disk, DiskError, Trying as _};
use crate::header::Header;
use crate::index_file::Damaged;
use crate::names;
use crate::offset_index::{self, OffsetIndex};
use crate::time_index::{self, TimeIndex};
use crate::txn_index::TxnIndex;
use crate::walk::{Walk, WalkError};

/// Relative offsets and positions are `i32` on disk.
pub(crate) const RELATIVE_MAX: i64 = i32::MAX as i64;

pub(crate) struct Segment<D: Disk> {
    pub base: Offset,
    /// Bytes of whole batches; the file may be longer after a failed write.
    pub size: u64,
    /// The largest timestamp, and the last offset of the first batch that has it.
    pub largest: TimestampOffset,
    /// The largest timestamp of the first batch, from which the segment's age counts.
    pub first_timestamp: TimestampMs,
    /// When the segment was made, for batches that carry no time.
    pub created: TimestampMs,
    /// Bytes since the last index entry.
    pub since_index: u32,
    /// The `.log` file exists.
    pub on_disk: bool,
    pub aborted: TxnIndex<D>,
    pub offsets: OffsetIndex<D>,
    pub times: TimeIndex<D>,
    file: Option<Arc<D::File>>,
}

/// A batch found in a segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    pub position: u64,
    pub header: Header,
}

/// Why a segment cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SegmentError {
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error("{} holds no batch at {position}", path.display())]
    Corrupt { path: PathBuf, position: u64 },
}

impl<D: Disk> Segment<D> {
    /// A segment whose first record will have `base` or a higher offset.
    pub fn new(base: Offset, now: TimestampMs) -> Self {
        Self {
            base,
            size: 0,
            largest: TimestampOffset::NONE,
            first_timestamp: TimestampMs::NONE,
            created: now,
            since_index: 0,
            on_disk: false,
            aborted: TxnIndex::with_stored(0),
            offsets: OffsetIndex::with_stored(0),
            times: TimeIndex::with_stored(0, TimestampMs::NONE),
            file: None,
        }
    }

    pub fn path(&self, dir: &Path, suffix: &str) -> PathBuf {
        names::path(dir, self.base, suffix)
    }

    /// The open file; opened, or made for a segment that has none yet, at the first call.
    pub fn file(&mut self, disk: &D, dir: &Path) -> Result<&Arc<D::File>, DiskError> {
        if self.file.is_none() {
            let path = self.path(dir, names::LOG);
            let file = if self.on_disk {
                disk.open(&path).trying("open", &path)?
            } else {
                disk.create(&path).trying("create", &path)?
            };
            self.on_disk = true;
            self.file = Some(Arc::new(file));
        }
        Ok(self.file.as_ref().expect("opened above"))
    }

    pub fn open_file(&self) -> Option<&Arc<D::File>> {
        self.file.as_ref()
    }

    /// Closes the file and frees what an idle segment does not need.
    pub fn rest(&mut self) {
        self.file = None;
        self.offsets.rest();
        self.times.rest();
        self.aborted.rest();
    }

    /// Whether a batch must go to a new segment. `pending` bytes are about to be written before it, the first of them
    /// of time `pending_first`. Kafka's five causes: size, age, either index full, an offset too far from the base.
    pub fn must_roll(
        &self,
        config: &Config,
        pending: u64,
        pending_first: Option<TimestampMs>,
        batch: &Header,
        now: TimestampMs,
    ) -> bool {
        let size = self.size + pending;
        let entries = u64::from(config.segment_index_bytes);
        if batch.last_offset - self.base > RELATIVE_MAX {
            return true;
        }
        if size == 0 {
            return false;
        }
        let first = if self.size > 0 { self.first_timestamp } else { pending_first.unwrap_or(TimestampMs::NONE) };
        let age = if first.0 >= 0 { batch.max_timestamp - first } else { now - self.created };
        size + u64::from(batch.size) > u64::from(config.segment_bytes.min(i32::MAX as u32))
            || age > config.segment_ms.saturating_sub(config.segment_jitter_ms)
            || self.offsets.size_bytes() + offset_index::ENTRY_BYTES as u64 > entries
            || self.times.size_bytes() + 2 * time_index::ENTRY_BYTES as u64 > entries
    }

    /// Takes note of a batch that now ends the file.
    pub fn note(&mut self, config: &Config, batch: &Header) {
        let position = self.size;
        self.note_at(config, position, batch);
        self.size = position + u64::from(batch.size);
    }

    fn note_at(&mut self, config: &Config, position: u64, batch: &Header) {
        if position == 0 {
            self.first_timestamp = batch.max_timestamp;
        }
        if batch.max_timestamp > self.largest.timestamp {
            self.largest = TimestampOffset { timestamp: batch.max_timestamp, offset: batch.last_offset };
        }
        if self.since_index > config.index_interval_bytes {
            self.offsets.push(self.relative(batch.last_offset), position as u32);
            self.seal();
            self.since_index = 0;
        }
        self.since_index = self.since_index.saturating_add(batch.size);
    }

    fn relative(&self, offset: Offset) -> u32 {
        u32::try_from(offset - self.base).expect("a roll came before the offset was too far from the base")
    }

    /// Notes the largest timestamp so far; every closed segment's time index ends with it. Batches may have no time.
    pub fn seal(&mut self) {
        if self.largest.timestamp.0 >= 0 {
            self.times.push(self.largest.timestamp, self.relative(self.largest.offset));
        }
    }

    /// Whether [`Self::write_indexes`] has anything to do.
    pub fn has_unwritten(&self) -> bool {
        self.offsets.is_unwritten() || self.times.is_unwritten() || self.aborted.is_unwritten()
    }

    /// Writes the entries that wait in memory.
    pub fn write_indexes(&mut self, disk: &D, dir: &Path) -> Result<(), DiskError> {
        if !self.has_unwritten() {
            return Ok(());
        }
        let (offsets, times) = (self.path(dir, names::OFFSET_INDEX), self.path(dir, names::TIME_INDEX));
        self.offsets.write_out(disk, &offsets)?;
        self.times.write_out(disk, &times)?;
        self.aborted.write_out(disk, &self.path(dir, names::TXN_INDEX))
    }

    /// The first batch that ends at `offset` or above, looked for up to the position `end`.
    pub fn find(
        &mut self,
        disk: &D,
        dir: &Path,
        config: &Config,
        offset: Offset,
        end: u64,
    ) -> Result<Option<Found>, SegmentError> {
        match self.find_once(disk, dir, offset, end) {
            Err(FindError::Damaged) => {
                self.rebuild_indexes(disk, dir, config)?;
                self.find_once(disk, dir, offset, end).map_err(|error| self.cannot(dir, error))
            }
            other => other.map_err(|error| self.cannot(dir, error)),
        }
    }

    fn find_once(&mut self, disk: &D, dir: &Path, offset: Offset, end: u64) -> Result<Option<Found>, FindError> {
        let base = self.base;
        let index = || names::path(dir, base, names::OFFSET_INDEX);
        let from = u64::from(self.offsets.position(disk, index, offset - base)?);
        let file = self.file(disk, dir)?;
        let mut walk = Walk::new(&**file, from, end);
        let mut first = true;
        loop {
            match walk.next() {
                Ok(None) => return Ok(None),
                // An index that points between two batches, or behind the one looked for, is no index.
                Ok(Some((position, header))) if first && position > 0 && header.base_offset > offset => {
                    return Err(FindError::Damaged);
                }
                Ok(Some((position, header))) if header.last_offset >= offset => {
                    return Ok(Some(Found { position, header }));
                }
                Ok(Some(_)) => first = false,
                Err(WalkError::Malformed(at)) if at == from && at > 0 => return Err(FindError::Damaged),
                Err(WalkError::Malformed(at)) => return Err(FindError::Corrupt(at)),
                Err(WalkError::Io(cause)) => {
                    return Err(FindError::Disk(DiskError {
                        operation: "read",
                        path: self.path(dir, names::LOG),
                        cause,
                    }));
                }
            }
        }
    }

    fn cannot(&self, dir: &Path, error: FindError) -> SegmentError {
        let path = self.path(dir, names::LOG);
        match error {
            FindError::Disk(error) => error.into(),
            FindError::Corrupt(position) => SegmentError::Corrupt { path, position },
            FindError::Damaged => SegmentError::Corrupt { path, position: 0 },
        }
    }

    /// Hops over the headers from `position` on, up to the segment's size, until `each` says stop.
    pub fn walk(
        &mut self,
        disk: &D,
        dir: &Path,
        position: u64,
        mut each: impl FnMut(&D::File, u64, &Header) -> Result<bool, DiskError>,
    ) -> Result<(), SegmentError> {
        let (size, path) = (self.size, self.path(dir, names::LOG));
        if position >= size {
            return Ok(());
        }
        let file = self.file(disk, dir)?;
        let mut walk = Walk::new(&**file, position, size);
        loop {
            match walk.next() {
                Ok(None) => return Ok(()),
                Ok(Some((at, header))) => {
                    if !each(file, at, &header)? {
                        return Ok(());
                    }
                }
                Err(WalkError::Malformed(position)) => return Err(SegmentError::Corrupt { path, position }),
                Err(WalkError::Io(cause)) => return Err(DiskError { operation: "read", path, cause }.into()),
            }
        }
    }

    /// Makes both indexes, and what else is known of the batches, anew from their headers.
    pub fn rebuild_indexes(&mut self, disk: &D, dir: &Path, config: &Config) -> Result<(), SegmentError> {
        self.forget_batches(disk, dir)?;
        let (size, path) = (self.size, self.path(dir, names::LOG));
        if size > 0 {
            let file = self.file(disk, dir)?.clone();
            let mut walk = Walk::new(&*file, 0, size);
            loop {
                match walk.next() {
                    Ok(None) => break,
                    Ok(Some((at, header))) => self.note_at(config, at, &header),
                    Err(WalkError::Malformed(position)) => return Err(SegmentError::Corrupt { path, position }),
                    Err(WalkError::Io(cause)) => return Err(DiskError { operation: "read", path, cause }.into()),
                }
            }
        }
        self.seal();
        Ok(())
    }

    /// Starts the books anew, before all batches are noted again. The files of the indexes are removed.
    pub fn forget_batches(&mut self, disk: &D, dir: &Path) -> Result<(), DiskError> {
        self.offsets = OffsetIndex::with_stored(0);
        self.times = TimeIndex::with_stored(0, TimestampMs::NONE);
        self.largest = TimestampOffset::NONE;
        self.first_timestamp = TimestampMs::NONE;
        self.since_index = 0;
        for suffix in [names::OFFSET_INDEX, names::TIME_INDEX] {
            remove_if_there(disk, &self.path(dir, suffix))?;
        }
        Ok(())
    }
}

/// Removes a file; well if there is none.
pub(crate) fn remove_if_there<D: Disk>(disk: &D, path: &Path) -> Result<(), DiskError> {
    match disk.remove(path).trying("remove", path) {
        Err(error) if error.is_not_found() => Ok(()),
        other => other,
    }
}

enum FindError {
    Disk(DiskError),
    Damaged,
    Corrupt(u64),
}

impl From<Damaged> for FindError {
    fn from(_: Damaged) -> Self {
        Self::Damaged
    }
}

impl From<DiskError> for FindError {
    fn from(error: DiskError) -> Self {
        Self::Disk(error)
    }
}
