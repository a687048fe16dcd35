//! From which offset on records are younger than a time: Kafka's `.timeindex` (KIP-33).
//!
//! ```text
//!  entry: the largest timestamp so far i64 | the last offset of the batch that has it, less the segment's base i32
//! ```

use std::path::Path;

use model::TimestampMs;

use crate::disk::{Disk, DiskError};
use crate::index_file::{Damaged, IndexFile};

pub(crate) const ENTRY_BYTES: usize = 12;

pub(crate) struct TimeIndex<D: Disk> {
    file: IndexFile<D, ENTRY_BYTES>,
    /// Of the last entry; entries grow, so that a smaller timestamp adds nothing.
    last: TimestampMs,
}

fn split(entry: &[u8; ENTRY_BYTES]) -> (i64, u32) {
    let [a, b, c, d, e, f, g, h, i, j, k, l] = *entry;
    (i64::from_be_bytes([a, b, c, d, e, f, g, h]), u32::from_be_bytes([i, j, k, l]))
}

fn in_order(before: Option<&[u8; ENTRY_BYTES]>, entry: &[u8; ENTRY_BYTES]) -> bool {
    let (entry, before) = (split(entry), before.map_or((-1, 0), split));
    before.0 < entry.0 && before.1 <= entry.1
}

impl<D: Disk> TimeIndex<D> {
    /// An index whose file holds `stored` entries, the last of them for `last`.
    pub fn with_stored(stored: u32, last: TimestampMs) -> Self {
        Self { file: IndexFile::with_stored(stored), last: if stored == 0 { TimestampMs::NONE } else { last } }
    }

    #[cfg(test)]
    pub fn len(&self) -> u32 {
        self.file.len()
    }

    pub fn is_unwritten(&self) -> bool {
        self.file.is_unwritten()
    }

    pub fn stored(&self) -> u32 {
        self.file.stored()
    }

    pub fn last(&self) -> TimestampMs {
        self.last
    }

    pub fn size_bytes(&self) -> u64 {
        self.file.size_bytes()
    }

    /// Notes the largest timestamp so far, if it is larger than the last one noted.
    pub fn push(&mut self, timestamp: TimestampMs, relative_offset: u32) {
        if timestamp <= self.last || timestamp.0 < 0 {
            return;
        }
        let mut entry = [0; ENTRY_BYTES];
        entry[..8].copy_from_slice(&timestamp.0.to_be_bytes());
        entry[8..].copy_from_slice(&relative_offset.to_be_bytes());
        self.file.push(entry);
        self.last = timestamp;
    }

    /// An offset, less the base, with no record of time `at` or younger in the batches that end before it.
    pub fn relative_offset(&mut self, disk: &D, path: &Path, at: TimestampMs) -> Result<u32, Damaged> {
        let found = self.file.last_where(disk, || path.to_owned(), in_order, |entry| split(entry).0 < at.0)?;
        Ok(found.map_or(0, |entry| split(&entry).1))
    }

    /// The last entry: a time, and the offset less the base.
    pub fn last_entry(&mut self, disk: &D, path: &Path) -> Result<Option<(TimestampMs, u32)>, Damaged> {
        let last = self.file.last_where(disk, || path.to_owned(), in_order, |_| true)?.map(|entry| split(&entry));
        Ok(last.map(|(timestamp, offset)| (TimestampMs(timestamp), offset)))
    }

    /// Forgets batches that end at `relative_offset` and behind it.
    pub fn truncate(&mut self, disk: &D, path: &Path, relative_offset: i64) -> Result<(), Damaged> {
        self.file.keep_while(disk, path, in_order, |entry| i64::from(split(entry).1) < relative_offset)?;
        self.last = self.last_entry(disk, path)?.map_or(TimestampMs::NONE, |(timestamp, _)| timestamp);
        Ok(())
    }

    pub fn write_out(&mut self, disk: &D, path: &Path) -> Result<(), DiskError> {
        self.file.write_out(disk, path)
    }

    pub fn rest(&mut self) {
        self.file.rest();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::sim::SimDisk;

    #[test]
    fn a_time_is_looked_for_from_before_it_was_reached() {
        let disk = SimDisk::new();
        disk.create_dir(Path::new("/d")).unwrap();
        let path = Path::new("/d/00000000000000000000.timeindex");
        let mut index = TimeIndex::with_stored(0, TimestampMs::NONE);
        index.push(TimestampMs(100), 9);
        index.push(TimestampMs(90), 19);
        index.push(TimestampMs(300), 29);
        assert_eq!(index.len(), 2, "an older time adds nothing");
        for written in [false, true] {
            if written {
                index.write_out(&disk, path).unwrap();
            }
            for (at, offset) in [(0, 0), (100, 0), (101, 9), (300, 9), (301, 29)] {
                assert_eq!(index.relative_offset(&disk, path, TimestampMs(at)), Ok(offset), "{at}, written: {written}");
            }
        }
        index.truncate(&disk, path, 29).unwrap();
        assert_eq!((index.len(), index.last()), (1, TimestampMs(100)));
        index.push(TimestampMs(150), 22);
        assert_eq!(index.relative_offset(&disk, path, TimestampMs(400)), Ok(22));
    }
}
