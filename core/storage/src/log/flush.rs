//! Making records survive a power loss. The log names what must be synced; a task that owns it syncs elsewhere, and
//! the log is told how that went.

use std::path::PathBuf;
use std::sync::Arc;

use model::Offset;

use super::Log;
use crate::disk::{Disk, DiskError, File as _, Trying as _};
use crate::names;

/// Files to sync, so that everything below an offset survives a power loss.
pub struct FlushTask<D: Disk> {
    disk: D,
    files: Vec<(PathBuf, Option<Arc<D::File>>)>,
    folders: Vec<PathBuf>,
    upto: Offset,
    generation: u64,
}

/// How a [`FlushTask`] went; give it to [`Log::flushed`].
#[derive(Debug)]
pub struct Flushed {
    upto: Offset,
    generation: u64,
    result: Result<(), DiskError>,
}

impl<D: Disk> FlushTask<D> {
    /// The log's end when the task was made.
    pub fn upto(&self) -> Offset {
        self.upto
    }

    /// Syncs the files. Takes as long as the disk does: milliseconds, at times seconds.
    pub fn run(self) -> Flushed {
        Flushed { upto: self.upto, generation: self.generation, result: self.sync() }
    }

    fn sync(&self) -> Result<(), DiskError> {
        for (path, open) in &self.files {
            match open {
                Some(file) => file.sync().trying("sync", path)?,
                None => match self.disk.open(path).trying("open", path) {
                    Ok(file) => file.sync().trying("sync", path)?,
                    // Retention removed the segment meanwhile.
                    Err(error) if error.is_not_found() => {}
                    Err(error) => return Err(error),
                },
            }
        }
        self.folders.iter().try_for_each(|folder| self.disk.sync_dir(folder).trying("sync", folder))
    }
}

impl<D: Disk> Log<D> {
    /// What must be synced so that everything appended so far survives a power loss; `None` where it does already.
    /// Several tasks may be under way; each covers all before it.
    pub fn flush_task(&mut self) -> Option<FlushTask<D>> {
        if self.is_failed() || (self.recovery_point >= self.end && !self.names_unsynced) {
            return None;
        }
        let mut files = Vec::new();
        for index in self.segment_of(self.recovery_point)..self.segments.len() {
            let segment = &self.segments[index];
            if segment.on_disk {
                files.push((segment.path(&self.dir, names::LOG), segment.open_file().cloned()));
            }
            if segment.aborted.stored() > 0 {
                files.push((segment.path(&self.dir, names::TXN_INDEX), None));
            }
        }
        let mut folders = Vec::new();
        if std::mem::take(&mut self.names_unsynced) {
            folders.push(self.dir.clone());
        }
        if std::mem::take(&mut self.folder_unsynced) {
            folders.extend(self.dir.parent().map(ToOwned::to_owned));
        }
        Some(FlushTask { disk: self.disk.clone(), files, folders, upto: self.end, generation: self.generation })
    }

    /// Takes note of a task that ran; returns the offset below which everything now survives a power loss. What was
    /// truncated since the task was made does not count.
    ///
    /// Fails where the task failed: the log is failed then, and the sync must not be tried again, since the system has
    /// forgotten which pages it could not write.
    pub fn flushed(&mut self, flushed: Flushed) -> Result<Offset, DiskError> {
        if let Err(error) = flushed.result {
            return Err(self.fail(error));
        }
        if flushed.generation == self.generation && flushed.upto > self.recovery_point {
            self.recovery_point = flushed.upto;
            self.dirty = true;
        }
        Ok(self.recovery_point)
    }
}
