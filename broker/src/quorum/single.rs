//! A quorum of one: this node's own log is the agreement.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use model::{BatchBuilder, LeaderEpoch, Offset};
use parking_lot::Mutex;
use storage::{AppendError, Log, OpenHints, RealDisk};

use super::reserve::Reserve;
use super::{ProposeError, Quorum};
use crate::clock::Clock;

/// Kafka's name for the folder.
const FOLDER: &str = "__cluster_metadata-0";
const READ_BYTES: usize = 1 << 20;
const ENTRY_BYTES_MAX: usize = 64 << 20;
/// One voter has one term.
const EPOCH: LeaderEpoch = LeaderEpoch(1);

/// Why the metadata log cannot be used. The node must not start: a log that reads wrong is not an empty one.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("open the metadata log")]
    Log(#[from] storage::OpenError),
    #[error("read the metadata log")]
    Read(#[from] storage::ReadError),
    #[error("the metadata log is damaged at offset {at}")]
    Batch { at: Offset, source: model::BatchError },
    #[error("the metadata log is damaged: it ends at offset {at}, before its end {end}")]
    Short { at: Offset, end: Offset },
    #[error("the metadata log is damaged: an entry without content at offset {0}")]
    Empty(Offset),
}

/// The metadata log of a cluster of one.
#[derive(Clone)]
pub struct SingleVoter {
    log: Arc<Mutex<Log<RealDisk>>>,
    reserve: Arc<Mutex<Reserve>>,
    clock: Clock,
    told: Arc<Told>,
}

/// What is told without the log's lock, which a commit holds for as long as the disk takes.
#[derive(Default)]
struct Told {
    end: AtomicI64,
    commits: AtomicU64,
    commit_us: AtomicU64,
    failed: AtomicBool,
}

/// How the metadata log stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    pub epoch: LeaderEpoch,
    /// The offset after the last entry committed.
    pub end: Offset,
    /// Commits since the start, and how long they took in all.
    pub commits: u64,
    pub commit_time: Duration,
}

impl SingleVoter {
    /// Opens the log in `dir` and gives every entry that was committed, in order.
    pub fn open(
        disk: RealDisk,
        dir: &Path,
        clean_shutdown: bool,
        clock: Clock,
    ) -> Result<(Self, Vec<Bytes>), OpenError> {
        let config = storage::Config { delete: false, tail_bytes: 0, ..storage::Config::default() };
        let hints = OpenHints { clean_shutdown, ..OpenHints::default() };
        let (mut log, _) = Log::open(disk, dir.join(FOLDER), config, hints, clock.now())?;
        log.assign_epoch(EPOCH);
        let mut entries = Vec::new();
        let mut next = log.offsets().start;
        let end = log.offsets().end;
        while next < end {
            let batches = log.read(next, READ_BYTES, end, &mut BytesMut::new())?.load()?;
            if batches.is_empty() {
                return Err(OpenError::Short { at: next, end });
            }
            for batch in batches {
                let damaged = |source| OpenError::Batch { at: batch.base_offset(), source };
                batch.check_crc().map_err(damaged)?;
                next = batch.next_offset();
                for record in batch.records(ENTRY_BYTES_MAX).map_err(damaged)? {
                    let record = record.map_err(damaged)?;
                    entries.push(record.value.ok_or(OpenError::Empty(record.offset))?);
                }
            }
        }
        log.rest();
        let told = Arc::new(Told { end: end.0.into(), ..Told::default() });
        let reserve = Arc::new(Mutex::new(Reserve::new(dir)));
        Ok((Self { log: Arc::new(Mutex::new(log)), reserve, clock, told }, entries))
    }

    /// The offset after the last entry.
    pub fn end(&self) -> Offset {
        self.log.lock().offsets().end
    }

    /// How it stands now; waits for nothing.
    pub fn status(&self) -> Status {
        Status {
            epoch: EPOCH,
            end: Offset(self.told.end.load(Ordering::Acquire)),
            commits: self.told.commits.load(Ordering::Relaxed),
            commit_time: Duration::from_micros(self.told.commit_us.load(Ordering::Relaxed)),
        }
    }

    /// Whether its disk failed; it takes nothing any more then.
    pub fn is_failed(&self) -> bool {
        self.told.failed.load(Ordering::Relaxed)
    }

    /// Writes down what the next start would otherwise have to scan.
    pub fn checkpoint(&self) -> Result<(), storage::DiskError> {
        self.log.lock().checkpoint()
    }

    fn append(&self, entries: &[Bytes]) -> Result<Offset, ProposeError> {
        let (now, started) = (self.clock.now(), Instant::now());
        let mut builder = BatchBuilder::new();
        for entry in entries {
            builder.append(now, None, Some(entry), &[]);
        }
        let mut batch = [builder.finish()];
        let mut log = self.log.lock();
        let mut reserve = self.reserve.lock();
        let mut appended = log.append_as_leader(&mut batch, EPOCH, now, &mut Vec::new());
        if matches!(appended, Err(AppendError::NoSpace)) && reserve.give() {
            tracing::warn!("the disk is full: the metadata log goes on in the room that was kept back for it");
            appended = log.append_as_leader(&mut batch, EPOCH, now, &mut Vec::new());
        } else {
            reserve.hold();
        }
        let appended = appended.map_err(|error| match error {
            AppendError::NoSpace => ProposeError::NoSpace,
            other => self.failed(&other),
        })?;
        if let Some(task) = log.flush_task() {
            let flushed = task.run();
            log.flushed(flushed).map_err(|error| self.failed(&error))?;
        }
        self.told.end.store(appended.last_offset.0 + 1, Ordering::Release);
        self.told.commits.fetch_add(1, Ordering::Relaxed);
        self.told.commit_us.fetch_add(started.elapsed().as_micros() as u64, Ordering::Relaxed);
        Ok(appended.last_offset)
    }

    fn failed(&self, why: &dyn std::error::Error) -> ProposeError {
        self.told.failed.store(true, Ordering::Relaxed);
        ProposeError::Disk(why.to_string())
    }
}

impl Quorum for SingleVoter {
    fn propose(&self, entries: Vec<Bytes>) -> BoxFuture<'_, Result<Offset, ProposeError>> {
        let voter = self.clone();
        Box::pin(async move {
            let appended = tokio::task::spawn_blocking(move || voter.append(&entries)).await;
            appended.unwrap_or_else(|_| Err(ProposeError::Disk("the write was given up".to_owned())))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_proposed_is_there_after_a_kill() {
        let dir = tempfile::tempdir().unwrap();
        let (voter, entries) = SingleVoter::open(RealDisk::new([7; 16]), dir.path(), false, Clock).unwrap();
        assert!(entries.is_empty());
        assert_eq!(voter.propose(vec!["a".into(), "b".into()]).await.unwrap(), Offset(1));
        assert_eq!(voter.propose(vec!["c".into()]).await.unwrap(), Offset(2));
        let status = voter.status();
        assert_eq!((status.end, status.commits, status.commit_time.is_zero()), (Offset(3), 2, false));
        drop(voter);
        let (voter, entries) = SingleVoter::open(RealDisk::new([7; 16]), dir.path(), false, Clock).unwrap();
        assert_eq!(entries, ["a", "b", "c"]);
        assert_eq!(voter.propose(vec!["d".into()]).await.unwrap(), Offset(3));
    }
}
