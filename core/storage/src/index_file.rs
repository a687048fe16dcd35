//! A file of entries of one size that only grows: what both indexes are made of. The newest entries wait in memory until
//! a checkpoint or a roll writes them; the written ones are read through a map that is made at the first look.
//!
//! ```text
//!  entry   0 ................ stored ........ len
//!          in the file, mapped   recent, in memory
//! ```
//!
//! An index is never synced: a lost or damaged one is made anew from its log.

use std::io::IoSlice;
use std::path::{Path, PathBuf};

use crate::disk::{Disk, DiskError, File as _, Trying as _};

pub(crate) struct IndexFile<D: Disk, const N: usize> {
    stored: u32,
    map: Option<D::Map>,
    recent: Vec<[u8; N]>,
}

/// Whether an entry may follow another one, or be the first. A crash may leave zeros where entries were.
pub(crate) type InOrder<const N: usize> = fn(before: Option<&[u8; N]>, entry: &[u8; N]) -> bool;

/// The file does not hold the entries that it should: make the index anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Damaged;

impl<D: Disk, const N: usize> IndexFile<D, N> {
    /// An index whose file holds `stored` whole entries; with 0, the file need not exist.
    pub fn with_stored(stored: u32) -> Self {
        Self { stored, map: None, recent: Vec::new() }
    }

    pub fn len(&self) -> u32 {
        self.stored + self.recent.len() as u32
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn stored(&self) -> u32 {
        self.stored
    }

    /// Whether entries wait in memory for [`Self::write_out`].
    pub fn is_unwritten(&self) -> bool {
        !self.recent.is_empty()
    }

    pub fn size_bytes(&self) -> u64 {
        u64::from(self.len()) * N as u64
    }

    pub fn push(&mut self, entry: [u8; N]) {
        self.recent.push(entry);
    }

    /// Makes the stored entries readable; checks them with `in_order` when they are mapped.
    fn look(&mut self, disk: &D, path: impl FnOnce() -> PathBuf, in_order: InOrder<N>) -> Result<&[[u8; N]], Damaged> {
        if self.stored > 0 && self.map.is_none() {
            let map = disk.map(&path()).map_err(|_| Damaged)?;
            let entries = entries::<N>(&map).get(..self.stored as usize).ok_or(Damaged)?;
            let mut before = None;
            for entry in entries {
                if !in_order(before, entry) {
                    return Err(Damaged);
                }
                before = Some(entry);
            }
            self.map = Some(map);
        }
        Ok(self.map.as_deref().map_or(&[][..], |map| &entries::<N>(map)[..self.stored as usize]))
    }

    /// All entries, those in the file and those in memory.
    pub fn all(
        &mut self,
        disk: &D,
        path: &Path,
        in_order: InOrder<N>,
    ) -> Result<impl Iterator<Item = &[u8; N]>, Damaged> {
        self.look(disk, || path.to_owned(), in_order)?;
        let stored = self.map.as_deref().map_or(&[][..], |map| &entries::<N>(map)[..self.stored as usize]);
        Ok(stored.iter().chain(&self.recent))
    }

    /// The last entry for which `holds`, which is true up to some entry and false from there on. `path` is asked for only
    /// where the file must be looked at.
    pub fn last_where(
        &mut self,
        disk: &D,
        path: impl FnOnce() -> PathBuf,
        in_order: InOrder<N>,
        holds: impl Fn(&[u8; N]) -> bool,
    ) -> Result<Option<[u8; N]>, Damaged> {
        // The newest entries first: most reads are near the end, and need no map then.
        if let Some(found) = self.last_recent_where(&holds) {
            return Ok(Some(found));
        }
        let stored = self.look(disk, path, in_order)?;
        let after = stored.partition_point(&holds);
        Ok(after.checked_sub(1).map(|at| stored[at]))
    }

    /// As [`Self::last_where`], among the entries that wait in memory; `None` where it holds for none of those.
    pub fn last_recent_where(&self, holds: impl Fn(&[u8; N]) -> bool) -> Option<[u8; N]> {
        let after = self.recent.partition_point(&holds);
        after.checked_sub(1).map(|at| self.recent[at])
    }

    /// Drops the entries from the first for which `holds` is false.
    pub fn keep_while(
        &mut self,
        disk: &D,
        path: &Path,
        in_order: InOrder<N>,
        holds: impl Fn(&[u8; N]) -> bool,
    ) -> Result<(), Damaged> {
        if self.recent.first().is_some_and(&holds) {
            let keep = self.recent.partition_point(&holds);
            self.recent.truncate(keep);
            return Ok(());
        }
        self.recent.clear();
        let keep = self.look(disk, || path.to_owned(), in_order)?.partition_point(&holds) as u32;
        if keep < self.stored {
            // The map goes before the file is cut: reading a page that is gone kills the process.
            self.map = None;
            let cut = disk.open(path).and_then(|file| file.truncate(u64::from(keep) * N as u64));
            cut.map_err(|_| Damaged)?;
            self.stored = keep;
        }
        Ok(())
    }

    /// Writes the newest entries to the file and forgets them here.
    pub fn write_out(&mut self, disk: &D, path: &Path) -> Result<(), DiskError> {
        if self.recent.is_empty() {
            return Ok(());
        }
        let file = disk.create(path).trying("open", path)?;
        let at = u64::from(self.stored) * N as u64;
        file.write_at(&mut [IoSlice::new(self.recent.as_flattened())], at).trying("write", path)?;
        self.stored += self.recent.len() as u32;
        self.recent.clear();
        self.map = None;
        Ok(())
    }

    /// Frees what an idle log does not need.
    pub fn rest(&mut self) {
        self.map = None;
        self.recent.shrink_to_fit();
    }
}

fn entries<const N: usize>(bytes: &[u8]) -> &[[u8; N]] {
    bytes.as_chunks::<N>().0
}
