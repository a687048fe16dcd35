//! What a log asks of a disk, so that the same log runs on files and in the simulator. Two disks: [`real::RealDisk`]
//! and [`sim::SimDisk`], held to one suite of tests ([`suite`]). Nothing here knows what a segment is.

pub mod real;
pub mod sim;
#[cfg(test)]
mod suite;

use std::io::{self, IoSlice};
use std::ops::Deref;
use std::path::{Path, PathBuf};

use model::TimestampMs;

/// Names one life of the operating system: what was written in this life is still in the page cache.
pub type BootId = [u8; 16];

/// One open file. Shared: a reader may hold it while its owner appends.
pub trait File: Send + Sync + 'static {
    /// Reads from `position` until `buffer` is full or the file ends; returns the bytes read.
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize>;

    /// Writes all of `slices`, one behind the other, at `position`; the file grows as needed. They go out in one call
    /// where the system takes them. After a failure any part of them may be there. `slices` is used up.
    fn write_at(&self, slices: &mut [IoSlice<'_>], position: u64) -> io::Result<()>;

    /// Returns when everything written so far survives a power loss. A failure says that it may never do:
    /// the pages are lost to the kernel's books, so asking again would lie.
    fn sync(&self) -> io::Result<()>;

    /// Sets room aside for the file to grow to `len` bytes; it does not grow by that. [`File::truncate`] gives back what
    /// was not used. A file system that cannot do it does nothing.
    fn reserve(&self, len: u64) -> io::Result<()>;

    /// Cuts or extends the file to `len` bytes.
    fn truncate(&self, len: u64) -> io::Result<()>;

    fn len(&self) -> io::Result<u64>;

    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
}

/// A tree of files. Cheap to clone; all clones are the same disk.
pub trait Disk: Clone + Send + Sync + 'static {
    type File: File;
    /// The content of a file that nobody writes to while it is mapped.
    type Map: Deref<Target = [u8]> + Send + Sync + 'static;

    /// Opens an existing file to read and write.
    fn open(&self, path: &Path) -> io::Result<Self::File>;

    /// Opens a file to read and write; makes an empty one where there is none.
    fn create(&self, path: &Path) -> io::Result<Self::File>;

    /// The whole content of a small file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// The bytes of a file, to be read as memory. The caller does not truncate the file while the map lives.
    fn map(&self, path: &Path) -> io::Result<Self::Map>;

    /// Gives a file another name; a file that had that name is gone. Atomic.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes a folder and those above it; well if it exists.
    fn create_dir(&self, path: &Path) -> io::Result<()>;

    /// Removes a folder and what is in it.
    fn remove_dir(&self, path: &Path) -> io::Result<()>;

    /// The names in a folder, in no order.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;

    /// Returns when the names in `dir` survive a power loss.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    fn len(&self, path: &Path) -> io::Result<u64>;

    /// When the file was last written to.
    fn modified(&self, path: &Path) -> io::Result<TimestampMs>;

    fn boot(&self) -> BootId;

    /// Replaces the file at `path` by `bytes`, so that a reader finds the old or the new content, never a mix.
    /// With `durable`, the new content survives a power loss when this returns; without, either one may be found.
    fn replace(&self, path: &Path, bytes: &[u8], durable: bool) -> io::Result<()> {
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(".tmp");
        let temporary = PathBuf::from(temporary);
        let file = self.create(&temporary)?;
        file.write_at(&mut [IoSlice::new(bytes)], 0)?;
        if file.len()? != bytes.len() as u64 {
            file.truncate(bytes.len() as u64)?;
        }
        if durable {
            file.sync()?;
        }
        self.rename(&temporary, path)?;
        match path.parent() {
            Some(dir) if durable => self.sync_dir(dir),
            _ => Ok(()),
        }
    }
}

/// An operation on the disk that failed, with its file. Tells its cause itself, and so is the last of a chain of errors.
#[derive(Debug, thiserror::Error)]
#[error("cannot {operation} {}: {cause}", path.display())]
pub struct DiskError {
    pub operation: &'static str,
    pub path: PathBuf,
    pub cause: io::Error,
}

impl DiskError {
    /// Whether the disk, or our share of it, is full: worth trying again once there is room.
    pub fn is_no_space(&self) -> bool {
        matches!(self.cause.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
    }

    pub fn is_not_found(&self) -> bool {
        self.cause.kind() == io::ErrorKind::NotFound
    }
}

/// Adds what was tried, and on which file, to an I/O error.
pub(crate) trait Trying<T> {
    fn trying(self, operation: &'static str, path: &Path) -> Result<T, DiskError>;
}

impl<T> Trying<T> for io::Result<T> {
    fn trying(self, operation: &'static str, path: &Path) -> Result<T, DiskError> {
        self.map_err(|cause| DiskError { operation, path: path.to_owned(), cause })
    }
}
