//! One log: its segments in order, and the books kept over all of them. Each verb has its file below `log/`.

pub mod append;
mod checkpoint;
pub mod flush;
pub mod open;
mod read;
pub mod record_time;
mod recovery;
pub mod retention;
mod time;
mod transactions;
pub mod truncate;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use model::{LeaderEpoch, Offset, ProducerId, TopicId};

use crate::config::Config;
use crate::disk::{Disk, DiskError};
use crate::epoch_cache::{EpochCache, EpochEnd};
use crate::header::{Header, Marker};
use crate::producer_state::{EndedTxn, ProducerState, ProducerStates, Undo};
use crate::segment::Segment;
use crate::tail_cache::TailCache;

/// A partition's records on one disk. One owner calls its verbs in turn; files that verbs hand out may be read and
/// synced elsewhere meanwhile.
pub struct Log<D: Disk> {
    disk: D,
    dir: PathBuf,
    config: Config,
    topic_id: Option<TopicId>,
    /// Never empty, by base offset; the last one is active.
    segments: Vec<Segment<D>>,
    start: Offset,
    end: Offset,
    recovery_point: Offset,
    epochs: EpochCache,
    producers: ProducerStates,
    /// Transactions that ended, until the caller says that their markers are known everywhere.
    decided: Vec<EndedTxn>,
    tail: TailCache,
    /// Where the last batch of the active segment begins.
    last_batch_position: u64,
    /// Grows when records are taken away, so that what was synced before is not mistaken for what came after.
    generation: u64,
    /// The closed segment whose file is open for readers; one at most.
    cold: Option<Offset>,
    /// Why no record is taken or given any more.
    failure: Option<Box<str>>,
    /// Files were made since the folder was last synced.
    names_unsynced: bool,
    /// The folder itself was made.
    folder_unsynced: bool,
    /// What [`crate::state_file`] holds is old.
    dirty: bool,
    /// What it holds was written by a close.
    closed: bool,
    /// A snapshot at this offset was written by a close; it begins no segment and goes when there is a newer one.
    stray_snapshot: Option<Offset>,
    epochs_dirty: bool,
    appended_since_state: u64,
    state_bytes: usize,
    run: Vec<usize>,
    undo: Vec<Undo>,
}

/// Where a log begins, ends, and what lies between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogOffsets {
    /// The first record that may be read.
    pub start: Offset,
    /// Below, every transaction is decided, and its marker is below what [`Log::forget_decided`] was last told.
    pub first_unstable: Offset,
    /// The next record gets this offset.
    pub end: Offset,
    /// Below, everything survives a power loss.
    pub recovery_point: Offset,
}

impl<D: Disk> Log<D> {
    /// An empty log that begins at `start`, with nothing on disk yet.
    fn empty(disk: D, dir: PathBuf, config: Config, start: Offset, now: model::TimestampMs) -> Self {
        Self {
            disk,
            dir,
            config,
            topic_id: None,
            segments: vec![Segment::new(start, now)],
            start,
            end: start,
            recovery_point: start,
            epochs: EpochCache::default(),
            producers: ProducerStates::default(),
            decided: Vec::new(),
            tail: TailCache::default(),
            last_batch_position: 0,
            generation: 0,
            cold: None,
            failure: None,
            names_unsynced: false,
            folder_unsynced: false,
            dirty: true,
            closed: false,
            stray_snapshot: None,
            epochs_dirty: false,
            appended_since_state: 0,
            state_bytes: 0,
            run: Vec::new(),
            undo: Vec::new(),
        }
    }

    pub fn offsets(&self) -> LogOffsets {
        LogOffsets {
            start: self.start,
            first_unstable: self.first_unstable(),
            end: self.end,
            recovery_point: self.recovery_point,
        }
    }

    /// The folder of this log.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub fn topic_id(&self) -> Option<TopicId> {
        self.topic_id
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Takes changed topic settings into account, from the next verb on.
    pub fn set_config(&mut self, config: Config) {
        self.config = config;
        self.tail.trim(config.tail_bytes);
    }

    /// Bytes of all batches, those below the log start in a segment that is still there included.
    pub fn size_bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.size).sum()
    }

    pub fn segment_count(&self) -> usize {
        self.segments.len()
    }

    /// Whether a closed segment holds records that were not synced yet.
    pub fn has_unsynced_closed_segment(&self) -> bool {
        self.recovery_point < self.active().base
    }

    /// A write or a sync failed before: the log takes and gives nothing any more.
    pub fn is_failed(&self) -> bool {
        self.failure.is_some()
    }

    /// Why the log is failed, where it is.
    pub fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    /// Fails the log for a reason outside it, as when its disk failed another one. The first reason stays.
    pub fn take_offline(&mut self, why: &str) {
        self.failure.get_or_insert_with(|| why.into());
        self.tail.clear();
    }

    /// The leader epoch of the last record, or the one announced since by [`Log::assign_epoch`].
    pub fn latest_epoch(&self) -> Option<LeaderEpoch> {
        self.epochs.latest()
    }

    /// The leader epoch that the record at `offset` was written in.
    pub fn epoch_at(&self, offset: Offset) -> Option<LeaderEpoch> {
        self.epochs.of(offset)
    }

    /// Where `epoch` ended, in Kafka's answer to OffsetForLeaderEpoch: the largest epoch at or below the one asked for,
    /// and the first offset of the next one, or the log's end. KIP-101, 279.
    pub fn epoch_end(&self, epoch: LeaderEpoch) -> EpochEnd {
        self.epochs.end_of(epoch, self.end)
    }

    /// Says that records from the log's end on belong to `epoch`, as a new leader does before its first record.
    pub fn assign_epoch(&mut self, epoch: LeaderEpoch) {
        if self.epochs.assign(epoch, self.end) {
            self.epochs_dirty = true;
            self.dirty = true;
        }
    }

    /// What is known of a producer; `None` for one that never wrote here or was forgotten.
    pub fn producer(&self, id: ProducerId) -> Option<&ProducerState> {
        self.producers.get(id)
    }

    /// All producers, by id.
    pub fn producers(&self) -> impl Iterator<Item = (&ProducerId, &ProducerState)> {
        self.producers.iter()
    }

    pub fn producer_count(&self) -> usize {
        self.producers.len()
    }

    /// Bytes that the newest batches take in memory.
    pub fn tail_bytes(&self) -> usize {
        self.tail.bytes()
    }

    /// Keeps at most `bytes` of the newest batches in memory. The next appends fill the tail again.
    pub fn trim_tail(&mut self, bytes: usize) {
        self.tail.trim(bytes);
    }

    /// Frees what an idle log does not need: files, maps and the tail. The next verb takes them back.
    pub fn rest(&mut self) {
        self.segments.iter_mut().for_each(Segment::rest);
        self.cold = None;
        self.tail.trim(0);
        self.run = Vec::new();
        self.undo = Vec::new();
    }

    fn active(&self) -> &Segment<D> {
        self.segments.last().expect("a log has an active segment")
    }

    fn active_mut(&mut self) -> &mut Segment<D> {
        self.segments.last_mut().expect("a log has an active segment")
    }

    /// The segment that holds `offset`, or the first one after it.
    fn segment_of(&self, offset: Offset) -> usize {
        self.segments.partition_point(|segment| segment.base <= offset).saturating_sub(1)
    }

    /// The offset after the last one that the segment at `index` may hold.
    fn segment_end(&self, index: usize) -> Offset {
        self.segments.get(index + 1).map_or(self.end, |next| next.base)
    }

    /// Enters a batch, which now ends the active segment's file, into the books. Its producer is noted by the caller.
    fn settle(&mut self, batch: &Header, marker: Option<Marker>) {
        let config = self.config;
        self.last_batch_position = self.active().size;
        self.active_mut().note(&config, batch);
        if self.epochs.assign(batch.leader_epoch, batch.base_offset) {
            self.epochs_dirty = true;
        }
        self.end = batch.next_offset();
        self.appended_since_state += u64::from(batch.size);
        self.dirty = true;
        if let Some(marker) = marker {
            self.settle_marker(batch, marker);
        }
    }

    /// After this no record is taken or given: what is on the disk is not known any more.
    fn fail(&mut self, error: DiskError) -> DiskError {
        self.take_offline(&error.to_string());
        error
    }

    /// A full disk is no reason to fail where only a copy of what the log holds could not be written: a later
    /// checkpoint tries again.
    fn tolerate_no_space(&mut self, outcome: Result<(), DiskError>) -> Result<(), DiskError> {
        match outcome {
            Err(error) if error.is_no_space() => {
                self.dirty = true;
                Ok(())
            }
            other => other,
        }
    }
}
