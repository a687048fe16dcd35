//! When the record at an offset was written, for consumer lag in seconds. The log only says where to look; a task looks,
//! elsewhere, since a disk may sleep.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use model::{Batch, Offset, TimestampMs};

use super::Log;
use crate::disk::{Disk, File};
use crate::names;
use crate::offset_index;
use crate::segment::Segment;
use crate::walk::Walk;

/// A larger batch is not read for a record inside it: the batch's first time stands for all of its records.
const BATCH_BYTES_MAX: u32 = 1 << 20;
/// So is the first time of a batch that inflates to more than this.
const INFLATED_BYTES_MAX: usize = 8 << 20;

/// Where the time of a record can be read.
pub struct RecordTimeTask<D: Disk> {
    offset: Offset,
    source: Source<D>,
}

enum Source<D: Disk> {
    Memory(Batch),
    /// The segment that should hold the record, and the next one: the first may end below it where records were
    /// compacted away.
    Files(D, Vec<Part<D>>),
}

/// One segment, as far as it was written when the task was made.
struct Part<D: Disk> {
    base: Offset,
    size: u64,
    log: PathBuf,
    open: Option<Arc<D::File>>,
    from: From,
}

/// Where in a segment to start.
enum From {
    Position(u64),
    /// What the first so many entries of this index file say.
    Index(PathBuf, u32),
}

impl<D: Disk> Log<D> {
    /// Where to read the time of the first record at `offset` or above; `None` where there is no such record. Touches
    /// no disk.
    pub fn record_time_task(&self, offset: Offset) -> Option<RecordTimeTask<D>> {
        let offset = offset.max(self.start);
        if self.is_failed() || offset >= self.end {
            return None;
        }
        if let Some(batch) = self.tail.batch(offset) {
            return Some(RecordTimeTask { offset, source: Source::Memory(batch) });
        }
        let segments = self.segments[self.segment_of(offset)..].iter().take(2);
        let parts = segments.map(|segment| self.part(segment, offset)).collect();
        Some(RecordTimeTask { offset, source: Source::Files(self.disk.clone(), parts) })
    }

    fn part(&self, segment: &Segment<D>, offset: Offset) -> Part<D> {
        let from = match (segment.offsets.recent_position(offset - segment.base), segment.offsets.stored()) {
            (Some(position), _) => From::Position(u64::from(position)),
            (None, 0) => From::Position(0),
            (None, stored) => From::Index(segment.path(&self.dir, names::OFFSET_INDEX), stored),
        };
        Part {
            base: segment.base,
            size: segment.size,
            log: segment.path(&self.dir, names::LOG),
            open: segment.open_file().cloned(),
            from,
        }
    }
}

impl<D: Disk> RecordTimeTask<D> {
    /// Reads: as a rule one index entry, one batch header, and the batch where the record is not its first. `None` where the
    /// time cannot be told: the record has none, or its files are gone or damaged meanwhile.
    pub fn run(self) -> Option<TimestampMs> {
        let time = match &self.source {
            Source::Memory(batch) => time_in(batch, self.offset),
            Source::Files(disk, parts) => {
                parts.iter().map_while(|part| part.look(disk, self.offset)).find_map(Looked::time)?
            }
        };
        (time.0 >= 0).then_some(time)
    }
}

/// What a segment said.
enum Looked {
    Time(TimestampMs),
    /// It ends below the offset.
    GoOn,
}

impl Looked {
    fn time(self) -> Option<TimestampMs> {
        match self {
            Self::Time(time) => Some(time),
            Self::GoOn => None,
        }
    }
}

impl<D: Disk> Part<D> {
    /// `None` where the segment cannot be read.
    fn look(&self, disk: &D, offset: Offset) -> Option<Looked> {
        let file = match &self.open {
            Some(file) => file.clone(),
            None => Arc::new(disk.open(&self.log).ok()?),
        };
        let from = match &self.from {
            From::Position(position) => *position,
            From::Index(path, stored) => {
                let index = disk.open(path).ok()?;
                u64::from(offset_index::position_in(&index, *stored, offset - self.base)?)
            }
        };
        let mut walk = Walk::new(&*file, from, self.size);
        while let Some((position, header)) = walk.next().ok()? {
            if header.last_offset < offset {
                continue;
            }
            if header.is_log_append_time() {
                return Some(Looked::Time(header.max_timestamp));
            }
            if header.base_offset >= offset || header.size > BATCH_BYTES_MAX {
                return Some(Looked::Time(header.base_timestamp));
            }
            let mut bytes = vec![0; header.size as usize];
            let read = file.read_at(&mut bytes, position).ok()?;
            bytes.truncate(read);
            let batch = Batch::cut(&mut Bytes::from(bytes)).ok()?;
            return Some(Looked::Time(time_in(&batch, offset)));
        }
        Some(Looked::GoOn)
    }
}

/// The time of the first record of `batch` at `offset` or above.
fn time_in(batch: &Batch, offset: Offset) -> TimestampMs {
    if batch.is_log_append_time() {
        return batch.max_timestamp();
    }
    let first = batch.base_timestamp();
    if batch.base_offset() >= offset || batch.size_bytes() > BATCH_BYTES_MAX as usize {
        return first;
    }
    let Ok(records) = batch.records(INFLATED_BYTES_MAX) else { return first };
    let mut readable = records.map_while(Result::ok);
    readable.find(|record| record.offset >= offset).map_or(first, |record| record.timestamp)
}
