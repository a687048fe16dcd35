//! The partition itself: opening, leadership, settings, syncing and keeping house.

use std::path::{Path, PathBuf};

use bytes::BytesMut;
use model::{NodeId, Offset, TimestampMs};
use storage::{
    Disk, DiskError, FlushTask, Flushed, Log, LogOffsets, OpenError, OpenHints, Outcome, RecoveryReport, RemovedLog,
    RemovedSegment,
};

use crate::config::Config;
use crate::effects::Effects;
use crate::parked::Parked;
use crate::produce::ProduceError;
use crate::replica::{Leadership, Replica};

/// One partition of one broker. Its verbs are spread over the files of this crate: [`crate::produce`],
/// [`crate::fetch`], [`crate::offsets`], and here what its owner does with it.
pub struct Partition<D: Disk> {
    pub(crate) log: Log<D>,
    pub(crate) config: Config,
    pub(crate) replica: Replica,
    pub(crate) parked: Parked,
    /// Below, this replica vouches for its records: they are synced if they have to be.
    pub(crate) counted: Offset,
    /// A [`FlushTask`] is under way.
    flushing: bool,
    /// When the oldest record that is not synced was appended.
    unsynced_since: Option<TimestampMs>,
    pub(crate) used_at: TimestampMs,
    pub(crate) appended_bytes: u64,
    pub(crate) outcomes: Vec<Outcome>,
}

impl<D: Disk> Partition<D> {
    /// Opens the log in `dir`, or makes it; nobody leads until [`Partition::lead_by`] is told who does.
    pub fn open(
        disk: D,
        dir: impl Into<PathBuf>,
        node: NodeId,
        config: Config,
        hints: OpenHints,
        now: TimestampMs,
    ) -> Result<(Self, RecoveryReport), OpenError> {
        let (log, report) = Log::open(disk, dir, config.log, hints, now)?;
        let nobody = Leadership {
            leader: None,
            epoch: model::LeaderEpoch::NONE,
            partition_epoch: -1,
            replicas: [].into(),
            in_sync: [].into(),
        };
        let partition = Self {
            log,
            config,
            replica: Replica::new(node, nobody),
            parked: Parked::default(),
            counted: Offset::ZERO,
            flushing: false,
            unsynced_since: None,
            used_at: now,
            appended_bytes: 0,
            outcomes: Vec::new(),
        };
        Ok((partition, report))
    }

    /// Takes what the metadata says of this partition. A leadership older than the one known is ignored.
    pub fn lead_by(&mut self, leadership: Leadership, now: TimestampMs, effects: &mut Effects) {
        let (led, epoch) = (self.replica.leads(), self.replica.leadership().epoch);
        if !self.replica.lead_by(leadership) {
            return;
        }
        let leads = self.replica.leads();
        if leads && (!led || epoch != self.replica.leadership().epoch) {
            self.log.assign_epoch(self.replica.leadership().epoch);
        }
        if led && !leads {
            self.parked.fail(|| ProduceError::NotLeader, effects);
        }
        if led != leads || epoch != self.replica.leadership().epoch {
            effects.wake_all = true;
        }
        let offsets = self.log.offsets();
        self.replica.clamp(offsets.start, offsets.end);
        self.advance(now, effects);
    }

    /// Takes changed settings of the topic into account.
    pub fn configure(&mut self, config: Config, now: TimestampMs, effects: &mut Effects) {
        self.config = config;
        self.log.set_config(config.log);
        self.advance(now, effects);
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    pub fn leads(&self) -> bool {
        self.replica.leads()
    }

    pub fn leadership(&self) -> &Leadership {
        self.replica.leadership()
    }

    pub fn offsets(&self) -> LogOffsets {
        self.log.offsets()
    }

    pub fn high_watermark(&self) -> Offset {
        self.replica.high_watermark()
    }

    /// Below, every record is committed and its transaction decided.
    pub fn last_stable_offset(&self) -> Offset {
        self.log.offsets().first_unstable.min(self.replica.high_watermark())
    }

    /// Whether acks=all is given at present.
    pub fn enough_in_sync(&self) -> bool {
        self.replica.enough_in_sync(self.config.min_insync_replicas)
    }

    /// Writes that wait for their acknowledgement.
    pub fn parked(&self) -> usize {
        self.parked.len()
    }

    /// The log, to look at.
    pub fn log(&self) -> &Log<D> {
        &self.log
    }

    /// Reads whole batches for the broker itself, from memory or file, up to the log's end.
    pub fn read_own(&mut self, from: Offset, bytes_max: usize) -> Result<storage::ReadPlan<D>, storage::ReadError> {
        let end = self.log.offsets().end;
        self.log.read(from, bytes_max, end, &mut BytesMut::new())
    }

    /// After every append: decides what must be synced first, moves the high watermark, releases what waited for it.
    pub(crate) fn advance(&mut self, now: TimestampMs, effects: &mut Effects) {
        self.used_at = now;
        let offsets = self.log.offsets();
        let unsynced = offsets.end - offsets.recovery_point;
        if unsynced > 0 && self.unsynced_since.is_none() {
            self.unsynced_since = Some(now);
        }
        let behind = self.counted < offsets.end;
        if behind && unsynced >= self.config.flush.messages {
            effects.flush |= !self.flushing;
            self.counted = self.counted.max(offsets.recovery_point);
        } else {
            self.counted = offsets.end;
        }
        self.commit(effects);
    }

    fn commit(&mut self, effects: &mut Effects) {
        if self.replica.advance(self.counted) {
            self.log.forget_decided(self.replica.high_watermark());
            effects.readable_bytes += std::mem::take(&mut self.appended_bytes);
        }
        let enough = self.enough_in_sync();
        self.parked.release(self.replica.high_watermark(), self.counted, enough, effects);
    }

    /// What must be synced; `None` where nothing must, or a task is under way already. Give it back through
    /// [`Partition::flushed`].
    pub fn flush_task(&mut self) -> Option<FlushTask<D>> {
        if self.flushing {
            return None;
        }
        let task = self.log.flush_task()?;
        self.flushing = true;
        Some(task)
    }

    /// A task came back. Everything that waited for it is released in one go, and what came after may need the next.
    ///
    /// Fails where the disk did; the partition is failed then.
    pub fn flushed(&mut self, flushed: Flushed, now: TimestampMs, effects: &mut Effects) -> Result<(), DiskError> {
        self.flushing = false;
        match self.log.flushed(flushed) {
            Ok(synced) => {
                let end = self.log.offsets().end;
                self.unsynced_since = (synced < end).then_some(now);
                self.counted = self.counted.max(synced.min(end));
                self.advance(now, effects);
                Ok(())
            }
            Err(error) => {
                self.fail_parked(&error.to_string(), effects);
                Err(error)
            }
        }
    }

    /// Why the disk is not used any more, where a write or a sync failed.
    pub fn failure(&self) -> Option<&str> {
        self.log.failure()
    }

    /// Gives up the disk, since it failed another partition: what waits gets an error, and so does every later call.
    pub fn take_offline(&mut self, why: &str, effects: &mut Effects) {
        self.log.take_offline(why);
        self.fail_parked(why, effects);
    }

    pub(crate) fn fail_parked(&mut self, why: &str, effects: &mut Effects) {
        self.parked.fail(|| ProduceError::Storage(why.to_owned()), effects);
        effects.wake_all = true;
    }

    /// When the topic wants synced what is not; `None` where everything is, or may stay as it is.
    pub fn flush_due(&self) -> Option<TimestampMs> {
        let ms = Some(self.config.flush.ms).filter(|ms| *ms != i64::MAX)?;
        self.unsynced_since.map(|since| TimestampMs(since.0.saturating_add(ms)))
    }

    /// Whether something stays unsynced for longer than the topic wants, or a closed segment was not synced yet.
    pub fn wants_flush(&self, now: TimestampMs) -> bool {
        let overdue = self.flush_due().is_some_and(|due| now >= due);
        !self.flushing && (overdue || self.log.has_unsynced_closed_segment())
    }

    /// Removes what the topic's retention gives up. The caller purges the segments after `file.delete.delay.ms`.
    pub fn retain(&mut self, now: TimestampMs, effects: &mut Effects) -> Result<Vec<RemovedSegment<D>>, DiskError> {
        let removed = self.log.retain(now, self.replica.high_watermark())?;
        if !removed.is_empty() {
            effects.wake_all = true;
        }
        Ok(removed)
    }

    /// Writes down what a restart would otherwise have to read.
    pub fn checkpoint(&mut self) -> Result<(), DiskError> {
        self.log.checkpoint()
    }

    /// Frees files and memory of a partition that nobody used for `idle_ms`. Returns whether it did.
    pub fn rest_if_idle(&mut self, now: TimestampMs, idle_ms: i64) -> bool {
        let idle = now - self.used_at >= idle_ms && !self.flushing;
        if idle {
            self.log.rest();
            self.outcomes = Vec::new();
        }
        idle
    }

    /// When it was last read or written.
    pub fn used_at(&self) -> TimestampMs {
        self.used_at
    }

    /// Bytes of the newest batches kept in memory.
    pub fn tail_bytes(&self) -> usize {
        self.log.tail_bytes()
    }

    pub fn trim_tail(&mut self, bytes: usize) {
        self.log.trim_tail(bytes);
    }

    /// Ends the partition in order; waiting writes get an error.
    pub fn close(mut self, effects: &mut Effects) -> Result<(), DiskError> {
        self.parked.fail(|| ProduceError::NotLeader, effects);
        effects.wake_all = true;
        self.log.close()
    }

    /// Ends the partition for good: its folder is renamed to `aside`.
    pub fn remove(mut self, aside: &Path, effects: &mut Effects) -> Result<RemovedLog<D>, DiskError> {
        self.parked.fail(|| ProduceError::NotLeader, effects);
        effects.wake_all = true;
        self.log.remove(aside)
    }
}
