//! Removing old segments: by age, by size, and those below the log's start.

use std::path::{Path, PathBuf};

use model::{Offset, TimestampMs};

use super::Log;
use crate::disk::{Disk, DiskError, Trying as _};
use crate::names;
use crate::segment::Segment;

/// Why a segment was removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemovalReason {
    /// Its youngest record is older than `retention.ms`.
    Age,
    /// The others hold `retention.bytes`.
    Size,
    /// All of it lies below the log's start.
    BelowStart,
}

/// A segment that is no part of its log any more. Its files are there until they are purged; readers may hold them.
#[derive(Debug)]
pub struct RemovedSegment<D: Disk> {
    pub base: Offset,
    pub bytes: u64,
    pub reason: RemovalReason,
    purge: PurgeTask<D>,
}

impl<D: Disk> RemovedSegment<D> {
    /// What frees its space; due after `file.delete.delay.ms`.
    pub fn purge_task(self) -> PurgeTask<D> {
        self.purge
    }
}

/// Files, or a folder, that nobody will open again.
#[derive(Debug)]
pub struct PurgeTask<D: Disk> {
    disk: D,
    files: Vec<PathBuf>,
    folder: Option<PathBuf>,
}

impl<D: Disk> PurgeTask<D> {
    /// Removes them. What is gone already is well.
    pub fn run(self) -> Result<(), DiskError> {
        let gone = |outcome: Result<(), DiskError>| match outcome {
            Err(error) if error.is_not_found() => Ok(()),
            other => other,
        };
        for file in &self.files {
            gone(self.disk.remove(file).trying("remove", file))?;
        }
        match &self.folder {
            Some(folder) => gone(self.disk.remove_dir(folder).trying("remove", folder)),
            None => Ok(()),
        }
    }
}

/// A whole log that was removed.
#[derive(Debug)]
pub struct RemovedLog<D: Disk> {
    purge: PurgeTask<D>,
}

impl<D: Disk> RemovedLog<D> {
    /// What frees its space; due after `file.delete.delay.ms`.
    pub fn purge_task(self) -> PurgeTask<D> {
        self.purge
    }
}

impl<D: Disk> Log<D> {
    /// Removes the oldest segments that the topic's settings no longer keep, and those below the log's start; only such as
    /// lie wholly below `below`, exclusive. The log then starts with the first that is left. An expired active segment
    /// is closed first. Producers that fell silent are forgotten.
    ///
    /// Fails with `DiskError`, after which the log is failed.
    pub fn retain(&mut self, now: TimestampMs, below: Offset) -> Result<Vec<RemovedSegment<D>>, DiskError> {
        if self.is_failed() {
            return Ok(Vec::new());
        }
        self.retain_or(now, below).map_err(|error| self.fail(error))
    }

    fn retain_or(&mut self, now: TimestampMs, below: Offset) -> Result<Vec<RemovedSegment<D>>, DiskError> {
        self.producers.expire(now, self.config.producer_expiration_ms);
        let mut total = self.size_bytes();
        let mut reasons = Vec::new();
        for index in 0..self.segments.len() {
            if self.segments[index].size == 0 || self.segment_end(index) > below {
                break;
            }
            let Some(reason) = self.reason_to_remove(index, total, now)? else { break };
            total -= self.segments[index].size;
            reasons.push(reason);
        }
        if reasons.is_empty() {
            return Ok(Vec::new());
        }
        if reasons.len() == self.segments.len() {
            match self.roll(self.end, now) {
                // With no room for a new segment the last one stays for now; the others make room.
                Err(error) if error.is_no_space() => {
                    reasons.pop();
                }
                other => other?,
            }
        }
        let kept = self.segments.split_off(reasons.len());
        let removed = std::mem::replace(&mut self.segments, kept);
        if self.cold.is_some_and(|cold| cold < self.segments[0].base) {
            self.cold = None;
        }
        self.start = self.start.max(self.segments[0].base);
        self.epochs_dirty |= self.epochs.truncate_start(self.start);
        self.dirty = true;
        let mut out = Vec::with_capacity(removed.len());
        for (segment, reason) in removed.into_iter().zip(reasons) {
            out.push(self.set_aside(segment, reason)?);
        }
        let written = self.write_state(false, false);
        self.tolerate_no_space(written)?;
        Ok(out)
    }

    fn reason_to_remove(&self, index: usize, total: u64, now: TimestampMs) -> Result<Option<RemovalReason>, DiskError> {
        let segment = &self.segments[index];
        let is_active = index + 1 == self.segments.len();
        if !is_active && self.segment_end(index) <= self.start {
            return Ok(Some(RemovalReason::BelowStart));
        }
        if !self.config.delete {
            return Ok(None);
        }
        if self.config.retention_bytes.is_some_and(|kept| total.saturating_sub(segment.size) >= kept) {
            return Ok(Some(RemovalReason::Size));
        }
        let Some(retention_ms) = self.config.retention_ms else { return Ok(None) };
        let youngest = if segment.largest.timestamp.0 >= 0 {
            segment.largest.timestamp
        } else {
            let path = segment.path(&self.dir, names::LOG);
            self.disk.modified(&path).trying("look at", &path)?
        };
        Ok((now - youngest > retention_ms).then_some(RemovalReason::Age))
    }

    /// Renames a segment's files, so that a start does not find them; they are removed later, when no read is under way.
    fn set_aside(&self, segment: Segment<D>, reason: RemovalReason) -> Result<RemovedSegment<D>, DiskError> {
        let mut files = Vec::new();
        for suffix in names::OF_SEGMENT {
            let path = segment.path(&self.dir, suffix);
            let mut aside = path.clone().into_os_string();
            aside.push(names::DELETED);
            let aside = PathBuf::from(aside);
            match self.disk.rename(&path, &aside).trying("rename", &path) {
                Ok(()) => files.push(aside),
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error),
            }
        }
        let purge = PurgeTask { disk: self.disk.clone(), files, folder: None };
        Ok(RemovedSegment { base: segment.base, bytes: segment.size, reason, purge })
    }

    /// Removes the whole log: its folder is renamed to `aside`, in the same file system, by which a later start knows
    /// it for removed. Kafka's form is `topic-partition.<32 hex digits>-delete`.
    pub fn remove(self, aside: &Path) -> Result<RemovedLog<D>, DiskError> {
        self.disk.rename(&self.dir, aside).trying("rename", &self.dir)?;
        let purge = PurgeTask { disk: self.disk.clone(), files: Vec::new(), folder: Some(aside.to_owned()) };
        Ok(RemovedLog { purge })
    }
}
