//! Opening a log that was not closed in order: finds the end of the last whole batch, and what is known of the batches
//! before it. What was written to a file survives the end of the process but not of the system, so there are two ways:
//!
//! ```text
//!  same boot:     ........... state file ..... torn tail        resume: scan only what is behind the state
//!  another boot:  ... recovery point ............ torn tail     rebuild: scan every segment that was not wholly synced
//! ```

use std::path::PathBuf;

use model::{Offset, TimestampMs};

use super::Log;
use super::open::{OpenError, RecoveryReport};
use crate::config::{Config, OpenHints, TimestampOffset};
use crate::disk::{Disk, DiskError, File as _, Trying as _};
use crate::epoch_cache::EpochCache;
use crate::offset_index::{self, OffsetIndex};
use crate::producer_state::ProducerStates;
use crate::segment::{Segment, remove_if_there};
use crate::state_file::State;
use crate::time_index::{self, TimeIndex};
use crate::txn_index::TxnIndex;
use crate::walk::{Scanned, Torn, scan, whole_behind};
use crate::{names, txn_index};

/// What holds after every crash, by the way the log was left. Where a file breaks it, something else damaged the file.
/// That must not end the log: records behind the damage may be all that is left of what was acknowledged.
#[derive(Clone, Copy)]
struct Promise {
    /// Everything below is there: it was synced, or it was closed in this boot and the page cache still has it.
    kept: Offset,
    /// The log was closed, so that its files were whole. A power loss may take the end of one that was not synced, not a
    /// part with whole batches behind it.
    closed: bool,
}

impl Promise {
    fn of<D: Disk>(disk: &D, hints: &OpenHints, state: Option<&State>) -> Self {
        let kept = match state {
            Some(state) if hints.clean_shutdown && state.clean && state.boot == disk.boot() => state.end,
            Some(state) => state.recovery_point,
            None => hints.recovery_point,
        };
        Self { kept, closed: hints.clean_shutdown }
    }

    fn is_broken_by(self, scanned: &Scanned) -> bool {
        scanned.torn.is_some() && (scanned.next_offset < self.kept || self.closed && scanned.whole_behind > 0)
    }
}

impl<D: Disk> Log<D> {
    pub(super) fn recover(
        disk: D,
        dir: PathBuf,
        config: Config,
        hints: &OpenHints,
        now: TimestampMs,
        state: Option<(State, ProducerStates)>,
    ) -> Result<(Self, RecoveryReport), OpenError> {
        let names = match disk.list(&dir).trying("list", &dir) {
            Ok(names) => names,
            Err(error) if error.is_not_found() => return Self::create(disk, dir, config, hints.log_start, now),
            Err(error) => return Err(error.into()),
        };
        for name in names.iter().filter(|name| name.ends_with(names::DELETED) || name.ends_with(names::TEMPORARY)) {
            remove_if_there(&disk, &dir.join(name))?;
        }
        let mut bases: Vec<Offset> = names.iter().filter_map(|name| names::offset(name, names::LOG)).collect();
        bases.sort();
        let mut strays: Vec<Offset> = names.iter().filter_map(|name| names::offset(name, names::SNAPSHOT)).collect();
        strays.retain(|at| bases.binary_search(at).is_err());
        strays.sort();
        let stray = strays.pop();
        for at in strays {
            remove_if_there(&disk, &names::path(&dir, at, names::SNAPSHOT))?;
        }
        // The mark of a clean shutdown holds for one start. A log that was refused stays so: nothing was appended since.
        let refused = names.iter().any(|name| name == names::REFUSED);
        let hints = OpenHints { clean_shutdown: hints.clean_shutdown || refused, ..*hints };
        let refusal = dir.join(names::REFUSED);
        match Self::recover_from(disk.clone(), dir, config, &hints, now, state, bases) {
            Ok((mut log, report)) => {
                if refused {
                    remove_if_there(&disk, &refusal)?;
                }
                log.stray_snapshot = stray;
                Ok((log, report))
            }
            Err(error @ (OpenError::Corrupt { .. } | OpenError::Lost { .. })) if hints.clean_shutdown => {
                disk.replace(&refusal, format!("{error}\n").as_bytes(), true).trying("replace", &refusal)?;
                Err(error)
            }
            Err(error) => Err(error),
        }
    }

    fn recover_from(
        disk: D,
        dir: PathBuf,
        config: Config,
        hints: &OpenHints,
        now: TimestampMs,
        state: Option<(State, ProducerStates)>,
        mut bases: Vec<Offset>,
    ) -> Result<(Self, RecoveryReport), OpenError> {
        let Some((state, producers)) = state else {
            return Self::rebuild(disk, dir, config, hints, None, &bases, now);
        };
        // Retention, or a new start elsewhere, was about to remove these.
        let first = state.segments[0].base;
        let superseded = bases.partition_point(|base| *base < first);
        for base in bases.drain(..superseded) {
            for suffix in names::OF_SEGMENT {
                remove_if_there(&disk, &names::path(&dir, base, suffix))?;
            }
        }
        if state.boot == disk.boot() && agrees(&state, &bases) {
            let promise = Promise::of(&disk, hints, Some(&state));
            let known = (state.clone(), producers);
            let resumed = Self::resume(disk.clone(), dir.clone(), config, promise, known, &bases, now)?;
            if let Some(resumed) = resumed {
                return Ok(resumed);
            }
        }
        Self::rebuild(disk, dir, config, hints, Some(&state), &bases, now)
    }

    fn create(
        disk: D,
        dir: PathBuf,
        config: Config,
        start: Offset,
        now: TimestampMs,
    ) -> Result<(Self, RecoveryReport), OpenError> {
        disk.create_dir(&dir).trying("create", &dir)?;
        let mut log = Self::empty(disk, dir, config, start, now);
        log.names_unsynced = true;
        log.folder_unsynced = true;
        Ok((log, RecoveryReport { created: true, ..RecoveryReport::default() }))
    }

    /// Goes on from the state file, whose word on everything before it holds. `None` where it turns out not to.
    fn resume(
        disk: D,
        dir: PathBuf,
        config: Config,
        promise: Promise,
        (state, producers): (State, ProducerStates),
        bases: &[Offset],
        now: TimestampMs,
    ) -> Result<Option<(Self, RecoveryReport)>, OpenError> {
        let (size, end) = (state.segments.last().map_or(0, |active| active.size), state.end);
        let mut log = Self::from_state(disk, dir, config, state, producers);
        log.dirty = true;
        log.names_unsynced = true;
        log.folder_unsynced = true;
        let base = log.active().base;
        let mut report = RecoveryReport::default();
        if bases.last().is_some_and(|last| *last >= base) {
            log.active_mut().on_disk = true;
        }
        if log.active().on_disk {
            let from = if size == 0 { 0 } else { log.last_batch_position };
            let scanned = log.scan_active(from, size, &mut report)?;
            let verified = size == 0 || (scanned.position >= size && log.end >= end);
            if !verified {
                return Ok(None);
            }
            log.refuse_damage(&scanned, promise)?;
            let newer: Vec<Offset> = bases.iter().copied().filter(|newer| *newer > base).collect();
            log.scan_segments(&newer, scanned, promise, now, &mut report)?;
        }
        Ok(Some((log, report)))
    }

    /// Finds everything out from the segments, and checks every one that was not wholly synced.
    fn rebuild(
        disk: D,
        dir: PathBuf,
        config: Config,
        hints: &OpenHints,
        state: Option<&State>,
        bases: &[Offset],
        now: TimestampMs,
    ) -> Result<(Self, RecoveryReport), OpenError> {
        let promise = Promise::of(&disk, hints, state);
        let start = state.map_or(hints.log_start, |state| state.start);
        let recovery_point = state.map_or(hints.recovery_point, |state| state.recovery_point);
        let first = bases.first().copied().unwrap_or(start);
        let mut log = Self::empty(disk, dir, config, first, now);
        log.topic_id = state.and_then(|state| state.topic_id);
        log.names_unsynced = true;
        log.folder_unsynced = true;
        let epochs = match state {
            Some(state) => Some(EpochCache::from_entries(state.epochs.clone())),
            None => log.read_epochs()?,
        };
        let mut report = RecoveryReport::default();
        if !bases.is_empty() {
            // The last segment is active, so it is never taken as it is.
            let trusted = bases.iter().skip(1).take_while(|next| **next <= recovery_point).count();
            log.segments.clear();
            for (base, next) in bases[..trusted].iter().zip(&bases[1..]) {
                let segment = log.load_closed(*base, now)?;
                log.segments.push(segment);
                log.end = *next;
            }
            let from = bases[trusted];
            log.segments.push(Segment::new(from, now));
            log.end = log.end.max(from);
            match epochs {
                Some(mut epochs) => {
                    epochs.truncate_end(from);
                    log.epochs = epochs;
                }
                None => log.walk_epochs()?,
            }
            log.producers = log.producers_at(from)?;
            log.active_mut().on_disk = true;
            log.forget_active()?;
            let scanned = log.scan_active(0, 0, &mut report)?;
            log.refuse_damage(&scanned, promise)?;
            log.scan_segments(&bases[trusted + 1..], scanned, promise, now, &mut report)?;
        }
        let end = if bases.is_empty() { start } else { log.end };
        if end < promise.kept {
            return Err(OpenError::Lost { dir: log.dir, end, kept: promise.kept });
        }
        log.start = start.max(first);
        log.recovery_point = recovery_point.clamp(log.segments[0].base, log.end);
        if log.end < log.start {
            // Everything that was left lies below the start.
            let start = log.start;
            log.restart(start)?;
        }
        log.epochs_dirty = true;
        Ok((log, report))
    }

    /// Checks batches of the active segment from `position` on, and enters those from `known` on into the books. Cuts
    /// the file at the first that is not whole and valid.
    fn scan_active(&mut self, position: u64, known: u64, report: &mut RecoveryReport) -> Result<Scanned, OpenError> {
        let path = self.active().path(&self.dir, names::LOG);
        let segment = self.segments.last_mut().expect("a log has an active segment");
        let file = segment.file(&self.disk, &self.dir)?.clone();
        let base = segment.base;
        let len = file.len().trying("look at", &path)?;
        if len < known {
            return Ok(Scanned { position: 0, next_offset: base, torn: Some(Torn::CutShort), whole_behind: 0 });
        }
        let expected = if position == 0 { base.max(self.end) } else { base };
        // In a segment that grew behind the state, the first batch is the state's last one, below the end.
        let expected = if known > 0 { base } else { expected };
        let mut buffer = Vec::new();
        let mut scanned = scan(&*file, position, len, expected, &mut buffer, |at, header, marker| {
            if at >= known {
                if !header.is_control() {
                    self.producers.note(header);
                }
                self.settle(header, marker);
            }
        })
        .trying("read", &path)?;
        report.scanned_bytes += scanned.position - position;
        if scanned.position < known {
            return Ok(scanned);
        }
        if scanned.position < len {
            scanned.whole_behind = whole_behind(&*file, scanned.position, len, &mut buffer).trying("read", &path)?;
            report.torn = scanned.torn;
            report.cut_bytes += len - scanned.position;
            report.cut_batches += scanned.whole_behind;
        }
        Ok(scanned)
    }

    /// Scans segments behind the active one, as long as no torn one ends the log, and cuts off what follows.
    fn scan_segments(
        &mut self,
        bases: &[Offset],
        mut last: Scanned,
        promise: Promise,
        now: TimestampMs,
        report: &mut RecoveryReport,
    ) -> Result<(), OpenError> {
        let mut left = bases.iter();
        while last.torn.is_none() {
            let Some(base) = left.next() else { break };
            if *base < self.end {
                let whole_behind = self.whole_batches(*base)?;
                last = Scanned { position: 0, torn: Some(Torn::OffsetsGoBack), whole_behind, ..last };
                if promise.is_broken_by(&last) {
                    return Err(self.corrupt(*base, 0));
                }
                report.torn = last.torn;
                self.remove_segment(*base, report)?;
                break;
            }
            if self.active().size > 0 {
                self.active_mut().seal();
                self.active_mut().rest();
                let mut next = Segment::new(*base, now);
                next.on_disk = true;
                self.segments.push(next);
            } else {
                let old = self.active().path(&self.dir, names::LOG);
                *self.active_mut() = Segment::new(*base, now);
                self.active_mut().on_disk = true;
                remove_if_there(&self.disk, &old)?;
            }
            self.last_batch_position = 0;
            self.end = *base;
            self.forget_active()?;
            last = self.scan_active(0, 0, report)?;
            self.refuse_damage(&last, promise)?;
        }
        // A power loss may shorten a file and keep the next one. It does not change bytes.
        if promise.closed && last.torn.is_some_and(|torn| torn != Torn::CutShort) {
            for base in left.clone() {
                last.whole_behind += self.whole_batches(*base)?;
            }
            self.refuse_damage(&last, promise)?;
        }
        self.cut_torn()?;
        for base in left {
            self.remove_segment(*base, report)?;
        }
        Ok(())
    }

    /// Cuts the active file to whole batches.
    fn cut_torn(&mut self) -> Result<(), DiskError> {
        let segment = self.segments.last_mut().expect("a log has an active segment");
        let (size, path) = (segment.size, segment.path(&self.dir, names::LOG));
        if segment.on_disk {
            let file = segment.file(&self.disk, &self.dir)?;
            if file.len().trying("look at", &path)? > size {
                file.truncate(size).trying("truncate", &path)?;
            }
        }
        Ok(())
    }

    fn remove_segment(&self, base: Offset, report: &mut RecoveryReport) -> Result<(), DiskError> {
        let log = names::path(&self.dir, base, names::LOG);
        report.cut_bytes += self.disk.len(&log).trying("look at", &log)?;
        report.cut_batches += self.whole_batches(base)?;
        report.segments_removed += 1;
        names::OF_SEGMENT
            .iter()
            .try_for_each(|suffix| remove_if_there(&self.disk, &names::path(&self.dir, base, suffix)))
    }

    /// How many whole batches begin the segment at `base`.
    fn whole_batches(&self, base: Offset) -> Result<u64, DiskError> {
        let path = names::path(&self.dir, base, names::LOG);
        let file = self.disk.open(&path).trying("open", &path)?;
        let len = file.len().trying("look at", &path)?;
        let mut whole = 0;
        scan(&file, 0, len, Offset::ZERO, &mut Vec::new(), |_, _, _| whole += 1).trying("read", &path)?;
        Ok(whole)
    }

    /// Starts the active segment's books anew.
    fn forget_active(&mut self) -> Result<(), DiskError> {
        let (disk, dir) = (&self.disk, &self.dir);
        let active = self.segments.last_mut().expect("a log has an active segment");
        active.forget_batches(disk, dir)?;
        active.aborted = TxnIndex::with_stored(0);
        remove_if_there(disk, &active.path(dir, names::TXN_INDEX))
    }

    fn refuse_damage(&self, scanned: &Scanned, promise: Promise) -> Result<(), OpenError> {
        if promise.is_broken_by(scanned) {
            return Err(self.corrupt(self.active().base, scanned.position));
        }
        Ok(())
    }

    fn corrupt(&self, base: Offset, position: u64) -> OpenError {
        OpenError::Corrupt { file: names::path(&self.dir, base, names::LOG).display().to_string(), position }
    }

    /// A closed segment as its files tell of it.
    fn load_closed(&self, base: Offset, now: TimestampMs) -> Result<Segment<D>, OpenError> {
        let mut segment = Segment::new(base, now);
        let path = segment.path(&self.dir, names::LOG);
        segment.on_disk = true;
        segment.size = self.disk.len(&path).trying("look at", &path)?;
        let entries = |suffix, entry_bytes: usize| match self.disk.len(&segment.path(&self.dir, suffix)) {
            Ok(len) => u32::try_from(len / entry_bytes as u64).unwrap_or(0),
            Err(_) => 0,
        };
        let aborted = entries(names::TXN_INDEX, txn_index::ENTRY_BYTES);
        let offsets = entries(names::OFFSET_INDEX, offset_index::ENTRY_BYTES);
        let times = entries(names::TIME_INDEX, time_index::ENTRY_BYTES);
        segment.aborted = TxnIndex::with_stored(aborted);
        segment.offsets = OffsetIndex::with_stored(offsets);
        segment.times = TimeIndex::with_stored(times, TimestampMs::NONE);
        let path = segment.path(&self.dir, names::TIME_INDEX);
        match segment.times.last_entry(&self.disk, &path) {
            Ok(Some((timestamp, relative))) => {
                segment.times = TimeIndex::with_stored(times, timestamp);
                segment.largest = TimestampOffset { timestamp, offset: base + i64::from(relative) };
            }
            // No index, or none that can be read. Batches without any time have none either; that costs a walk.
            Ok(None) | Err(_) => segment.rebuild_indexes(&self.disk, &self.dir, &self.config)?,
        }
        segment.rest();
        Ok(segment)
    }

    fn read_epochs(&self) -> Result<Option<EpochCache>, DiskError> {
        let path = self.dir.join(names::EPOCHS);
        match self.disk.read(&path).trying("read", &path) {
            Ok(bytes) => Ok(EpochCache::from_text(&String::from_utf8_lossy(&bytes))),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Learns the epochs from the batches of all segments that are not going to be scanned.
    fn walk_epochs(&mut self) -> Result<(), OpenError> {
        let mut epochs = EpochCache::default();
        for segment in &mut self.segments {
            segment.walk(&self.disk, &self.dir, 0, |_, _, header| {
                epochs.assign(header.leader_epoch, header.base_offset);
                Ok(true)
            })?;
        }
        self.epochs = epochs;
        Ok(())
    }
}

/// Whether the segments are those of the state, or newer ones.
fn agrees(state: &State, bases: &[Offset]) -> bool {
    let Some(active) = state.segments.last() else { return false };
    let known = state.segments.iter().filter(|segment| segment.on_disk).map(|segment| segment.base);
    let unknown_before = bases.iter().filter(|base| **base < active.base).count();
    let known_before = state.segments.len() - 1;
    unknown_before == known_before && known.clone().all(|base| bases.binary_search(&base).is_ok())
}
