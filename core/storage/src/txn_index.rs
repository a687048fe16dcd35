//! Which transactions were aborted: Kafka's `.txnindex` of a segment, one entry per abort marker in it (KIP-98).
//!
//! ```text
//!  entry: version i16 = 0 | producer id i64 | first offset i64 | offset of the marker i64 | last stable offset i64
//! ```

use std::path::Path;

use model::{Offset, ProducerId};

use crate::codec::Reader;
use crate::disk::{Disk, DiskError};
use crate::index_file::{Damaged, IndexFile};

pub(crate) const ENTRY_BYTES: usize = 34;

/// A transaction that was rolled back: its records, from `first_offset` to the marker at `last_offset`, are not for
/// those who read committed records only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbortedTxn {
    pub producer_id: ProducerId,
    pub first_offset: Offset,
    pub last_offset: Offset,
    /// Nothing below was undecided when the marker was written: no later entry concerns offsets below.
    pub last_stable_offset: Offset,
}

pub(crate) struct TxnIndex<D: Disk>(IndexFile<D, ENTRY_BYTES>);

fn split(entry: &[u8; ENTRY_BYTES]) -> Option<AbortedTxn> {
    let mut reader = Reader(entry);
    let _version = reader.i16()?;
    Some(AbortedTxn {
        producer_id: ProducerId(reader.i64()?),
        first_offset: Offset(reader.i64()?),
        last_offset: Offset(reader.i64()?),
        last_stable_offset: Offset(reader.i64()?),
    })
}

/// A transaction has at least one batch before its marker.
fn in_order(before: Option<&[u8; ENTRY_BYTES]>, entry: &[u8; ENTRY_BYTES]) -> bool {
    let Some(entry) = split(entry) else { return false };
    let before = before.and_then(split).map_or(Offset::NONE, |before| before.last_offset);
    entry.first_offset < entry.last_offset && before < entry.last_offset
}

impl<D: Disk> TxnIndex<D> {
    pub fn with_stored(stored: u32) -> Self {
        Self(IndexFile::with_stored(stored))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn is_unwritten(&self) -> bool {
        self.0.is_unwritten()
    }

    pub fn stored(&self) -> u32 {
        self.0.stored()
    }

    pub fn push(&mut self, txn: AbortedTxn) {
        let mut entry = [0; ENTRY_BYTES];
        for (slot, value) in entry[2..].as_chunks_mut::<8>().0.iter_mut().zip([
            txn.producer_id.0,
            txn.first_offset.0,
            txn.last_offset.0,
            txn.last_stable_offset.0,
        ]) {
            *slot = value.to_be_bytes();
        }
        self.0.push(entry);
    }

    /// All entries, by the offset of their markers.
    pub fn all(&mut self, disk: &D, path: &Path) -> Result<impl Iterator<Item = AbortedTxn>, Damaged> {
        Ok(self.0.all(disk, path, in_order)?.filter_map(split))
    }

    /// Forgets markers at `offset` and above.
    pub fn truncate(&mut self, disk: &D, path: &Path, offset: Offset) -> Result<(), Damaged> {
        self.0.keep_while(disk, path, in_order, |entry| split(entry).is_some_and(|txn| txn.last_offset < offset))
    }

    pub fn write_out(&mut self, disk: &D, path: &Path) -> Result<(), DiskError> {
        self.0.write_out(disk, path)
    }

    pub fn rest(&mut self) {
        self.0.rest();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::sim::SimDisk;

    #[test]
    fn entries_read_back_in_kafkas_layout() {
        let disk = SimDisk::new();
        disk.create_dir(Path::new("/d")).unwrap();
        let path = Path::new("/d/00000000000000000000.txnindex");
        let txn = |n: i64| AbortedTxn {
            producer_id: ProducerId(7),
            first_offset: Offset(n),
            last_offset: Offset(n + 5),
            last_stable_offset: Offset(n + 6),
        };
        let mut index = TxnIndex::with_stored(0);
        index.push(txn(1));
        index.write_out(&disk, path).unwrap();
        index.push(txn(10));
        assert_eq!(disk.read(path).unwrap()[..18], [0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(index.all(&disk, path).unwrap().collect::<Vec<_>>(), [txn(1), txn(10)]);
        index.truncate(&disk, path, Offset(15)).unwrap();
        assert_eq!(index.all(&disk, path).unwrap().collect::<Vec<_>>(), [txn(1)]);
        assert!(!index.is_empty());
    }
}
