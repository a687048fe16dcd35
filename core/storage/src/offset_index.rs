//! Where in a segment to start looking for an offset: Kafka's `.index`.
//!
//! ```text
//!  entry: last offset of a batch, less the segment's base i32 | position of the batch i32
//! ```

use std::path::{Path, PathBuf};

use crate::disk::{Disk, DiskError, File};
use crate::index_file::{Damaged, IndexFile};

pub(crate) const ENTRY_BYTES: usize = 8;

pub(crate) struct OffsetIndex<D: Disk>(IndexFile<D, ENTRY_BYTES>);

fn split(entry: &[u8; ENTRY_BYTES]) -> (u32, u32) {
    let [a, b, c, d, e, f, g, h] = *entry;
    (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]))
}

/// Only a batch behind the first one gets an entry.
fn in_order(before: Option<&[u8; ENTRY_BYTES]>, entry: &[u8; ENTRY_BYTES]) -> bool {
    let (entry, before) = (split(entry), before.map_or((0, 0), split));
    before.0 < entry.0 && before.1 < entry.1
}

impl<D: Disk> OffsetIndex<D> {
    pub fn with_stored(stored: u32) -> Self {
        Self(IndexFile::with_stored(stored))
    }

    #[cfg(test)]
    pub fn len(&self) -> u32 {
        self.0.len()
    }

    pub fn is_unwritten(&self) -> bool {
        self.0.is_unwritten()
    }

    pub fn stored(&self) -> u32 {
        self.0.stored()
    }

    pub fn size_bytes(&self) -> u64 {
        self.0.size_bytes()
    }

    /// Notes that the batch at `position` ends with `relative_offset`. Both grow from call to call.
    pub fn push(&mut self, relative_offset: u32, position: u32) {
        let mut entry = [0; ENTRY_BYTES];
        entry[..4].copy_from_slice(&relative_offset.to_be_bytes());
        entry[4..].copy_from_slice(&position.to_be_bytes());
        self.0.push(entry);
    }

    /// The position of a batch that is not behind the one that holds `base + relative_offset`.
    pub fn position(&mut self, disk: &D, path: impl FnOnce() -> PathBuf, relative_offset: i64) -> Result<u32, Damaged> {
        let found = self.0.last_where(disk, path, in_order, |entry| i64::from(split(entry).0) <= relative_offset)?;
        Ok(found.map_or(0, |entry| split(&entry).1))
    }

    /// As [`Self::position`], from the entries in memory; `None` where those are all behind the one looked for.
    pub fn recent_position(&self, relative_offset: i64) -> Option<u32> {
        let found = self.0.last_recent_where(|entry| i64::from(split(entry).0) <= relative_offset)?;
        Some(split(&found).1)
    }

    /// Forgets batches at `position` and behind it.
    pub fn truncate(&mut self, disk: &D, path: &Path, position: u32) -> Result<(), Damaged> {
        self.0.keep_while(disk, path, in_order, |entry| split(entry).1 < position)
    }

    pub fn write_out(&mut self, disk: &D, path: &Path) -> Result<(), DiskError> {
        self.0.write_out(disk, path)
    }

    pub fn rest(&mut self) {
        self.0.rest();
    }
}

/// As [`OffsetIndex::position`], among the first `stored` entries of an index file that others may write to and cut
/// meanwhile, which is why it is not mapped. `None` where it does not hold them.
pub(crate) fn position_in<F: File>(file: &F, stored: u32, relative_offset: i64) -> Option<u32> {
    let entry = |at: u32| {
        let mut entry = [0; ENTRY_BYTES];
        let read = file.read_at(&mut entry, u64::from(at) * ENTRY_BYTES as u64).ok()?;
        (read == ENTRY_BYTES).then(|| split(&entry))
    };
    let (mut low, mut high) = (0, stored);
    let mut position = 0;
    while low < high {
        let middle = low + (high - low) / 2;
        let (offset, at) = entry(middle)?;
        if i64::from(offset) <= relative_offset {
            position = at;
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Some(position)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::sim::SimDisk;

    #[test]
    fn positions_are_found_in_memory_and_in_the_file_alike() {
        let disk = SimDisk::new();
        disk.create_dir(Path::new("/d")).unwrap();
        let path = Path::new("/d/00000000000000000000.index");
        let mut index = OffsetIndex::with_stored(0);
        for n in 0..4 {
            index.push(n * 10 + 9, 5_000 + n * 5_000);
        }
        for written in [false, true] {
            if written {
                index.write_out(&disk, path).unwrap();
                assert_eq!((index.stored(), disk.len(path).unwrap()), (4, 32));
                let file = disk.open(path).unwrap();
                for offset in [0, 9, 18, 29, 1 << 40] {
                    assert_eq!(
                        position_in(&file, 4, offset),
                        index.position(&disk, || path.to_owned(), offset).ok(),
                        "{offset}"
                    );
                }
                assert_eq!(position_in(&file, 9, 1 << 40), None, "the file holds four");
            }
            for (offset, position) in
                [(0, 0), (8, 0), (9, 5_000), (18, 5_000), (19, 10_000), (29, 15_000), (1 << 40, 20_000)]
            {
                assert_eq!(
                    index.position(&disk, || path.to_owned(), offset),
                    Ok(position),
                    "{offset}, written: {written}"
                );
            }
        }
        index.push(49, 25_000);
        assert_eq!(index.position(&disk, || path.to_owned(), 49), Ok(25_000));
        assert_eq!(index.position(&disk, || path.to_owned(), 48), Ok(20_000));
        index.truncate(&disk, path, 15_000).unwrap();
        assert_eq!((index.len(), disk.len(path).unwrap()), (2, 16));
        assert_eq!(index.position(&disk, || path.to_owned(), 99), Ok(10_000));
    }

    #[test]
    fn a_short_or_disordered_file_is_damage() {
        let disk = SimDisk::new();
        disk.create_dir(Path::new("/d")).unwrap();
        let path = Path::new("/d/00000000000000000000.index");
        assert_eq!(OffsetIndex::with_stored(1).position(&disk, || path.to_owned(), 5), Err(Damaged));
        let mut index = OffsetIndex::with_stored(0);
        index.push(5, 100);
        index.push(9, 200);
        index.write_out(&disk, path).unwrap();
        assert_eq!(OffsetIndex::with_stored(3).position(&disk, || path.to_owned(), 5), Err(Damaged));
        disk.flip(path, 3, 0x80);
        assert_eq!(OffsetIndex::with_stored(2).position(&disk, || path.to_owned(), 5), Err(Damaged));
    }
}
