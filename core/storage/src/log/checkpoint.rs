//! Writing down what is known, so that the next start reads little.

use model::Offset;

use super::Log;
use crate::disk::{Disk, DiskError, Trying as _};
use crate::segment::{Segment, remove_if_there};
use crate::state_file::{self, SegmentState, State};
use crate::{names, producer_snapshot};

/// A state smaller than this is written whenever it changed; a larger one when at least as much was appended.
const SMALL_STATE_BYTES: u64 = 64 << 10;

impl<D: Disk> Log<D> {
    /// Writes what a recovery would otherwise read out of the tail: index entries, producers, offsets. Call it every few
    /// seconds; it does nothing where nothing changed, and syncs nothing.
    ///
    /// Fails with `DiskError`, after which the log is failed; a full disk is no failure.
    pub fn checkpoint(&mut self) -> Result<(), DiskError> {
        self.rest_cold();
        let little_news = self.state_bytes as u64 > SMALL_STATE_BYTES.max(self.appended_since_state);
        if self.is_failed() || !self.has_news() || little_news {
            return Ok(());
        }
        let written = self.write_state(false, false);
        self.tolerate_no_space(written).map_err(|error| self.fail(error))
    }

    /// Writes everything down and says that nothing follows. What was not synced is still only in the page cache; the
    /// next start knows that by the boot it happens in.
    pub fn close(mut self) -> Result<(), DiskError> {
        if self.is_failed() {
            return Ok(());
        }
        if self.closed && !self.has_news() {
            return Ok(());
        }
        self.active_mut().seal();
        if !self.producers.is_empty() {
            self.write_snapshot(self.end)?;
        }
        self.write_state(true, false)
    }

    /// Kafka's snapshot of the producers as they are at `offset`, the log's end.
    pub(super) fn write_snapshot(&mut self, offset: Offset) -> Result<(), DiskError> {
        let path = names::path(&self.dir, offset, names::SNAPSHOT);
        self.disk.replace(&path, &producer_snapshot::encode(&self.producers), false).trying("replace", &path)?;
        let begins_segment = |at: Offset| self.segments.iter().any(|segment| segment.base == at);
        let stray = self.stray_snapshot.filter(|at| *at != offset && !begins_segment(*at));
        self.stray_snapshot = Some(offset).filter(|at| !begins_segment(*at));
        match stray {
            Some(stray) => remove_if_there(&self.disk, &names::path(&self.dir, stray, names::SNAPSHOT)),
            None => Ok(()),
        }
    }

    /// Replaces the state file, and writes what it counts on; `durable` where a power loss must not bring the old
    /// one back.
    pub(super) fn write_state(&mut self, clean: bool, durable: bool) -> Result<(), DiskError> {
        for segment in &mut self.segments {
            segment.write_indexes(&self.disk, &self.dir)?;
        }
        if self.epochs_dirty {
            let path = self.dir.join(names::EPOCHS);
            self.disk.replace(&path, self.epochs.to_text().as_bytes(), false).trying("replace", &path)?;
            self.epochs_dirty = false;
        }
        let state = State {
            boot: self.disk.boot(),
            clean,
            topic_id: self.topic_id,
            start: self.start,
            end: self.end,
            recovery_point: self.recovery_point,
            last_batch_position: self.last_batch_position,
            segments: self.segments.iter().map(segment_state).collect(),
            epochs: self.epochs.entries().to_vec(),
        };
        let mut bytes = Vec::with_capacity(self.state_bytes);
        state_file::encode(&state, &self.producers, &mut bytes);
        let path = self.dir.join(names::STATE);
        self.disk.replace(&path, &bytes, durable).trying("replace", &path)?;
        self.state_bytes = bytes.len();
        self.dirty = false;
        self.closed = clean;
        self.appended_since_state = 0;
        Ok(())
    }

    /// Whether [`Self::write_state`] would write anything new. Reads may make indexes anew.
    fn has_news(&self) -> bool {
        self.dirty || self.segments.iter().any(Segment::has_unwritten)
    }

    /// Closes the file of a closed segment that was read.
    pub(super) fn rest_cold(&mut self) {
        if let Some(base) = self.cold.take() {
            let active = self.active().base;
            if let Some(segment) = self.segments.iter_mut().find(|segment| segment.base == base && base != active) {
                segment.rest();
            }
        }
    }
}

fn segment_state<D: Disk>(segment: &Segment<D>) -> SegmentState {
    SegmentState {
        base: segment.base,
        size: segment.size,
        largest: segment.largest,
        first_timestamp: segment.first_timestamp,
        created: segment.created,
        since_index: segment.since_index,
        on_disk: segment.on_disk,
        offset_entries: segment.offsets.stored(),
        time_entries: segment.times.stored(),
        last_time_entry: segment.times.last(),
        aborted_entries: segment.aborted.stored(),
    }
}

impl<D: Disk> Segment<D> {
    /// The segment that a state file tells of.
    pub(super) fn from_state(state: &SegmentState) -> Self {
        let mut segment = Self::new(state.base, state.created);
        segment.size = state.size;
        segment.largest = state.largest;
        segment.first_timestamp = state.first_timestamp;
        segment.since_index = state.since_index;
        segment.on_disk = state.on_disk;
        segment.offsets = crate::offset_index::OffsetIndex::with_stored(state.offset_entries);
        segment.times = crate::time_index::TimeIndex::with_stored(state.time_entries, state.last_time_entry);
        segment.aborted = crate::txn_index::TxnIndex::with_stored(state.aborted_entries);
        segment
    }
}
