//! A log directory at run time: whether it works, and whether there is room.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use model::TopicId;
use parking_lot::Mutex;
use storage::RealDisk;
use tokio::sync::Notify;

/// Shared by all who have partitions in it.
#[derive(Debug)]
pub struct LogDir {
    pub path: PathBuf,
    pub disk: RealDisk,
    /// From its `meta.properties`.
    pub id: TopicId,
    /// Its last process closed every log in order.
    pub was_clean: bool,
    /// Too little room for produces; reading, deleting and retention go on.
    full: AtomicBool,
    /// Why it is offline, once a write or a sync failed.
    failure: OnceLock<String>,
    /// Hears of a failure; shared by all directories.
    failures: Arc<Notify>,
    partitions: AtomicUsize,
    /// What [`LogDir::check_space`] saw last.
    space: Mutex<Option<(u64, u64)>>,
}

impl LogDir {
    /// `failures` is notified when this directory fails.
    pub fn new(disk: RealDisk, path: PathBuf, id: TopicId, was_clean: bool, failures: Arc<Notify>) -> Self {
        Self {
            disk,
            path,
            id,
            was_clean,
            full: false.into(),
            failure: OnceLock::new(),
            failures,
            partitions: 0.into(),
            space: Mutex::default(),
        }
    }

    pub fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }

    pub fn is_failed(&self) -> bool {
        self.failure.get().is_some()
    }

    /// Why it is offline, where it is.
    pub fn failure(&self) -> Option<&str> {
        self.failure.get().map(String::as_str)
    }

    /// Takes the directory offline, for good: nothing is written to it any more, and no sync is tried again. Logged once,
    /// by whoever comes first.
    pub fn fail(&self, why: &str) {
        if self.failure.set(why.to_owned()).is_ok() {
            tracing::error!(dir = %self.path.display(), why, "a log directory failed and is offline");
            self.failures.notify_one();
        }
    }

    /// Partitions that lie here.
    pub fn partitions(&self) -> usize {
        self.partitions.load(Ordering::Relaxed)
    }

    pub fn joined(&self) {
        self.partitions.fetch_add(1, Ordering::Relaxed);
    }

    pub fn left(&self) {
        self.partitions.fetch_sub(1, Ordering::Relaxed);
    }

    /// Bytes free for this process, and bytes in all; `None` where the system does not tell.
    pub fn space(&self) -> Option<(u64, u64)> {
        let stat = rustix::fs::statvfs(&self.path).ok()?;
        Some((stat.f_bavail.saturating_mul(stat.f_frsize), stat.f_blocks.saturating_mul(stat.f_frsize)))
    }

    /// What [`LogDir::space`] gave at the last check; asks no disk.
    pub fn last_space(&self) -> Option<(u64, u64)> {
        *self.space.lock()
    }

    /// Compares the free space with `free_bytes_min`, the soft watermark.
    pub fn check_space(&self, free_bytes_min: u64) {
        let space = self.space();
        *self.space.lock() = space;
        let Some((free, _)) = space else { return };
        let full = free < free_bytes_min;
        if full != self.full.swap(full, Ordering::Relaxed) {
            let dir = self.path.display();
            if full {
                tracing::warn!(%dir, free, free_bytes_min, "too little room: produces are refused until there is more");
            } else {
                tracing::info!(%dir, free, "there is room again");
            }
        }
    }
}
