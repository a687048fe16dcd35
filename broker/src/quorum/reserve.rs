//! Room kept back on the disk of the metadata log, so that a full disk still takes what frees it: the deletion of a topic
//! is a metadata record first.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, fallocate};

const NAME: &str = ".reserve";
/// Thousands of deletions.
const BYTES: u64 = 1 << 20;

/// A file of nothing. It is a courtesy: where it cannot be made, the log goes without.
#[derive(Debug)]
pub struct Reserve {
    path: PathBuf,
    held: bool,
}

impl Reserve {
    /// What was kept back in `dir` before. Touches nothing: the start may yet be refused.
    pub fn new(dir: &Path) -> Self {
        let path = dir.join(NAME);
        let held = fs::metadata(&path).is_ok_and(|file| file.len() >= BYTES);
        Self { path, held }
    }

    /// Keeps room back unless some is, where there is some.
    pub fn hold(&mut self) {
        if self.held {
            return;
        }
        let made = File::options().create(true).truncate(false).write(true).open(&self.path);
        self.held = made.is_ok_and(|file| fallocate(&file, FallocateFlags::empty(), 0, BYTES).is_ok());
        if !self.held {
            let _ = fs::remove_file(&self.path);
        }
    }

    /// Gives the room back to the disk; whether there was any.
    pub fn give(&mut self) -> bool {
        std::mem::take(&mut self.held) && fs::remove_file(&self.path).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_takes_room_until_it_is_given() {
        let dir = tempfile::tempdir().unwrap();
        let mut reserve = Reserve::new(dir.path());
        assert!(!dir.path().join(NAME).exists() && !reserve.give());
        reserve.hold();
        assert_eq!(fs::metadata(dir.path().join(NAME)).unwrap().len(), BYTES);
        assert!(reserve.give() && !reserve.give());
        assert!(!dir.path().join(NAME).exists());
        reserve.hold();
        assert!(Reserve::new(dir.path()).give(), "the next start finds what the last one kept");
    }
}
