//! What a read answers with: batches from memory, or a region of a file that is sent without being read.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use model::{Batch, Offset};

use crate::disk::{Disk, DiskError, File as _};

/// Where the bytes of a read come from.
pub enum ReadPlan<D: Disk> {
    /// There is nothing at or above the offset yet, below the bound.
    Empty,
    /// Whole batches, one behind the other.
    Memory(Bytes),
    /// Bytes of one segment.
    File(FileRegion<D>),
}

/// Part of a segment's file. Holding it keeps the file readable after the segment is removed; after a truncation of the
/// log its bytes may be replaced by others, which carry another leader epoch.
pub struct FileRegion<D: Disk> {
    pub file: Arc<D::File>,
    pub position: u64,
    /// Bytes; the last batch may be cut by it, the first is always whole.
    pub len: usize,
    /// Base offset of the first batch: at most the offset asked for, unless that one was compacted away.
    pub first_offset: Offset,
    /// What a caller with less room than `len` must send at least.
    pub first_batch_bytes: usize,
}

impl<D: Disk> ReadPlan<D> {
    /// Bytes that this plan sends.
    pub fn len(&self) -> usize {
        match self {
            Self::Empty => 0,
            Self::Memory(batches) => batches.len(),
            Self::File(region) => region.len,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reads what the plan names into memory, for a reader within the broker. A batch that the plan cuts is left out.
    pub fn load(self) -> Result<Vec<Batch>, ReadError> {
        let mut bytes = match self {
            Self::Empty => return Ok(Vec::new()),
            Self::Memory(batches) => batches,
            Self::File(region) => region.load()?,
        };
        let mut batches = Vec::new();
        while let Ok(batch) = Batch::cut(&mut bytes) {
            batches.push(batch);
        }
        Ok(batches)
    }
}

impl<D: Disk> FileRegion<D> {
    fn load(self) -> Result<Bytes, ReadError> {
        let mut buffer = vec![0; self.len];
        let read = self.file.read_at(&mut buffer, self.position);
        let read = read.map_err(|cause| {
            let path = format!("segment of {}", self.first_offset).into();
            ReadError::Disk(DiskError { operation: "read", path, cause })
        })?;
        buffer.truncate(read);
        Ok(buffer.into())
    }
}

impl<D: Disk> fmt::Debug for ReadPlan<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "Empty"),
            Self::Memory(batches) => write!(f, "Memory({} bytes)", batches.len()),
            Self::File(region) => region.fmt(f),
        }
    }
}

impl<D: Disk> fmt::Debug for FileRegion<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "File({} bytes at {} from {})", self.len, self.position, self.first_offset)
    }
}

impl<D: Disk> Clone for FileRegion<D> {
    fn clone(&self) -> Self {
        Self { file: self.file.clone(), ..*self }
    }
}

/// Why a log is not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Nothing at this offset: it is before `start` or behind `end`.
    #[error("the offset is outside {start}..={end}")]
    OutOfRange { start: Offset, end: Offset },
    /// What stands in the file is not what was written. Nothing of it is served; another replica has it.
    #[error("{file} is corrupt at {position}")]
    Corrupt { file: String, position: u64 },
    /// The log failed before; it serves nothing.
    #[error("the log has failed")]
    Failed,
    #[error(transparent)]
    Disk(DiskError),
}
