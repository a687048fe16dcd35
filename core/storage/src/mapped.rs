//! The one place that maps files into memory.

use std::fs::File;
use std::io;
use std::ops::Deref;

use memmap2::Mmap;

/// A file's bytes as memory, read only.
pub struct Mapped(Mmap);

impl Mapped {
    /// Maps all of `file`.
    ///
    /// Only index files are mapped, and only the entries that were complete before: an index file is written to by the
    /// log that owns its folder alone (the folder is locked), at its end, and is truncated only after the map is gone.
    #[allow(unsafe_code)]
    pub fn of(file: &File) -> io::Result<Self> {
        // SAFETY: the bytes that are read through the map do not change while it lives, for the reasons above.
        // A file that somebody else cuts under us raises SIGBUS; whoever writes into a locked log directory breaks
        // the log in worse ways.
        unsafe { Mmap::map(file) }.map(Self)
    }
}

impl Deref for Mapped {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}
