//! Appending: as the leader, who gives offsets, or as a follower, who takes them as they are. All batches of a call leave
//! in one write where they fit into one segment, and nothing is copied.

use std::io::IoSlice;

use model::{LeaderEpoch, Offset, TimestampMs, ValidBatch};

use super::Log;
use crate::disk::{Disk, DiskError, File as _, Trying as _};
use crate::header::{Header, Marker};
use crate::names;
use crate::producer_state::{Check, ProducerError, WrittenBatch};
use crate::segment::Segment;

/// What became of one batch of [`Log::append_as_leader`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is in the log with these offsets, both inclusive.
    Appended { first_offset: Offset, last_offset: Offset },
    /// It was in the log before; answer with the old offsets.
    Duplicate(WrittenBatch),
    /// It is not in the log; others of the call may be.
    Refused(Refusal),
}

/// Why one batch is not appended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error(transparent)]
    Producer(#[from] ProducerError),
    #[error("a batch of {bytes} bytes does not fit into a segment of {segment_bytes}")]
    TooLarge { bytes: usize, segment_bytes: u32 },
    /// The disk filled up between this batch and those before it.
    #[error("no space left on the disk")]
    NoSpace,
}

/// What a call appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Of the first batch appended; the log's end where none was.
    pub first_offset: Offset,
    /// Of the last record appended; one less than `first_offset` where none was.
    pub last_offset: Offset,
    /// The time given to every record, where the topic's records take the leader's time.
    pub log_append_time: Option<TimestampMs>,
}

/// Why nothing was appended.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The disk is full: try again when there is room. The log is as it was.
    #[error("no space left on the disk")]
    NoSpace,
    /// A follower was given an offset that it has already.
    #[error("a batch at {found} cannot follow the log's end {expected}")]
    OutOfOrder { expected: Offset, found: Offset },
    /// This write failed, and the log with it.
    #[error(transparent)]
    Disk(DiskError),
    /// The log failed before.
    #[error("the log has failed")]
    Failed,
}

/// Batches that are about to be written to the active segment in one go.
#[derive(Default)]
struct Pending {
    bytes: u64,
    first_timestamp: Option<TimestampMs>,
}

/// Whether the producers of staged batches know of them. A leader judges each batch by those before it, so it notes
/// before it writes; a follower judges nothing and notes in the order of the log, markers included.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Noted {
    Before,
    Not,
}

/// Slices for this many batches live on the stack; more go out in several writes of this many.
const FEW: usize = 8;
const MANY: usize = 512;

impl<D: Disk> Log<D> {
    /// Gives `batches` the next offsets and `epoch`, and appends them; `outcomes` then says for each what became of it.
    /// A batch is judged against its producer's earlier ones, those of this call included. Readers of
    /// the log see all of it, none of it before this returns.
    ///
    /// Fails with `NoSpace` where nothing was appended, and with `Disk`, after which the log is failed.
    pub fn append_as_leader(
        &mut self,
        batches: &mut [ValidBatch],
        epoch: LeaderEpoch,
        now: TimestampMs,
        outcomes: &mut Vec<Outcome>,
    ) -> Result<Appended, AppendError> {
        outcomes.clear();
        if self.is_failed() {
            return Err(AppendError::Failed);
        }
        let first_offset = self.end;
        let mut next = self.end;
        let mut pending = Pending::default();
        let mut written = Ok(());
        for at in 0..batches.len() {
            let batch = &mut batches[at];
            match self.judge(batch) {
                Some(outcome) => {
                    outcomes.push(outcome);
                    continue;
                }
                None => batch.stamp(next, epoch),
            }
            if self.config.log_append_time {
                batch.stamp_append_time(now);
            }
            let header = Header::of(batch);
            written = self.make_room(batches, Noted::Before, &header, &mut pending, now);
            if written.is_err() {
                break;
            }
            if let Some(undo) = self.producers.note(&header) {
                self.undo.push(undo);
            }
            self.stage(at, &header, &mut pending);
            outcomes.push(Outcome::Appended { first_offset: next, last_offset: header.last_offset });
            next = header.next_offset();
            if header.is_control() {
                // What follows is judged by what the marker says.
                written = self.write_run(batches, Noted::Before);
                pending = Pending::default();
                if written.is_err() {
                    break;
                }
            }
        }
        let written = written.and_then(|()| self.write_run(batches, Noted::Before));
        if let Err(error) = written {
            self.forget_run(outcomes, batches.len());
            return self.append_failed(error, first_offset);
        }
        Ok(self.appended(first_offset, self.config.log_append_time.then_some(now)))
    }

    /// Appends a leader's batches with the offsets and epochs that they have. Offsets may skip some, where the leader
    /// compacted its log, but never go back.
    ///
    /// Fails with `OutOfOrder` before anything is written; otherwise like [`Log::append_as_leader`].
    /// Where the disk fills up on the way, what was appended is returned.
    pub fn append_as_follower(&mut self, batches: &[ValidBatch], now: TimestampMs) -> Result<Appended, AppendError> {
        if self.is_failed() {
            return Err(AppendError::Failed);
        }
        let mut expected = self.end;
        for batch in batches {
            if batch.base_offset() < expected {
                return Err(AppendError::OutOfOrder { expected, found: batch.base_offset() });
            }
            expected = batch.next_offset();
        }
        let first_offset = batches.first().map_or(self.end, |batch| batch.base_offset());
        let before = self.end;
        let mut pending = Pending::default();
        let mut written = Ok(());
        for (at, batch) in batches.iter().enumerate() {
            let header = Header::of(batch);
            written = self.make_room(batches, Noted::Not, &header, &mut pending, now);
            if written.is_err() {
                break;
            }
            self.stage(at, &header, &mut pending);
        }
        let written = written.and_then(|()| self.write_run(batches, Noted::Not));
        if let Err(error) = written {
            self.forget_run(&mut Vec::new(), 0);
            return self.append_failed(error, before);
        }
        Ok(self.appended(first_offset, None))
    }

    /// What a batch is to the log, without appending it: a client's retry is answered before quotas and limits are.
    pub fn check(&self, batch: &ValidBatch) -> Result<Check, ProducerError> {
        self.producers.check(&Header::of(batch))
    }

    /// The outcome of a batch that is not to be appended.
    fn judge(&self, batch: &ValidBatch) -> Option<Outcome> {
        let segment_bytes = self.config.segment_bytes;
        if batch.size_bytes() as u64 > u64::from(segment_bytes.min(i32::MAX as u32)) {
            let refusal = Refusal::TooLarge { bytes: batch.size_bytes(), segment_bytes };
            return Some(Outcome::Refused(refusal));
        }
        let header = Header::of(batch);
        let checked = match marker(batch) {
            Some(marker) => self.producers.check_marker(&header, marker).map(|()| Check::New),
            None => self.producers.check(&header),
        };
        match checked {
            Ok(Check::New) => None,
            Ok(Check::Duplicate(written)) => Some(Outcome::Duplicate(written)),
            Err(error) => Some(Outcome::Refused(error.into())),
        }
    }

    /// Closes the active segment where `batch` must not go to it, after writing what waits for it.
    fn make_room(
        &mut self,
        batches: &[ValidBatch],
        noted: Noted,
        batch: &Header,
        pending: &mut Pending,
        now: TimestampMs,
    ) -> Result<(), DiskError> {
        let active = self.active();
        if active.must_roll(&self.config, pending.bytes, pending.first_timestamp, batch, now) {
            self.write_run(batches, noted)?;
            *pending = Pending::default();
            // It begins where this one ends, so that a gap between two segments tells of a loss.
            let too_far = batch.last_offset - self.end > crate::segment::RELATIVE_MAX;
            self.roll(if too_far { batch.base_offset } else { self.end }, now)?;
        }
        Ok(())
    }

    fn stage(&mut self, at: usize, header: &Header, pending: &mut Pending) {
        self.run.push(at);
        pending.bytes += u64::from(header.size);
        pending.first_timestamp.get_or_insert(header.max_timestamp);
    }

    /// Writes the staged batches behind each other and enters them into the books. Where it fails they stay staged.
    fn write_run(&mut self, batches: &[ValidBatch], noted: Noted) -> Result<(), DiskError> {
        if self.run.is_empty() {
            return Ok(());
        }
        self.names_unsynced |= !self.active().on_disk;
        let segment = self.segments.last_mut().expect("a log has an active segment");
        let position = segment.size;
        let file = segment.file(&self.disk, &self.dir)?;
        let reserved = if position == 0 && self.config.preallocate {
            file.reserve(self.config.segment_bytes.into())
        } else {
            Ok(())
        };
        let outcome = reserved.and_then(|()| {
            if self.run.len() <= FEW {
                write::<D, { 2 * FEW }>(file, batches, &self.run, position)
            } else {
                write::<D, { 2 * MANY }>(file, batches, &self.run, position)
            }
        });
        if let Err(cause) = outcome {
            let path = segment.path(&self.dir, names::LOG);
            let error = DiskError { operation: "append to", path, cause };
            return Err(if error.is_no_space() { self.take_back(error) } else { error });
        }
        let run = std::mem::take(&mut self.run);
        for at in &run {
            let batch = &batches[*at];
            let header = Header::of(batch);
            if noted == Noted::Not {
                self.producers.note(&header);
            }
            self.settle(&header, marker(batch));
            self.tail.push(batch, self.config.tail_bytes, self.config.memory_read_bytes);
        }
        self.run = run;
        self.run.clear();
        self.undo.clear();
        Ok(())
    }

    /// Cuts off what a write to a full disk left, so that a recovery does not find batches that were refused.
    fn take_back(&mut self, error: DiskError) -> DiskError {
        self.cut_to_size().err().unwrap_or(error)
    }

    /// Ends the active segment's file where its batches do, and frees what was set aside for more.
    fn cut_to_size(&mut self) -> Result<(), DiskError> {
        let segment = self.segments.last_mut().expect("a log has an active segment");
        let (size, path) = (segment.size, segment.path(&self.dir, names::LOG));
        segment.file(&self.disk, &self.dir)?.truncate(size).trying("truncate", &path)
    }

    /// Takes back the staged batches of a write that failed.
    fn forget_run(&mut self, outcomes: &mut Vec<Outcome>, batches: usize) {
        while let Some(undo) = self.undo.pop() {
            self.producers.restore(undo);
        }
        self.run.clear();
        for outcome in outcomes.iter_mut() {
            let beyond_end = match outcome {
                Outcome::Appended { last_offset, .. } => *last_offset >= self.end,
                Outcome::Duplicate(written) => written.last_offset >= self.end,
                Outcome::Refused(_) => false,
            };
            if beyond_end {
                *outcome = Outcome::Refused(Refusal::NoSpace);
            }
        }
        outcomes.resize(batches, Outcome::Refused(Refusal::NoSpace));
    }

    fn append_failed(&mut self, error: DiskError, before: Offset) -> Result<Appended, AppendError> {
        if !error.is_no_space() {
            return Err(AppendError::Disk(self.fail(error)));
        }
        if self.end == before {
            return Err(AppendError::NoSpace);
        }
        Ok(self.appended(before, None))
    }

    fn appended(&self, first_offset: Offset, log_append_time: Option<TimestampMs>) -> Appended {
        Appended { first_offset, last_offset: self.end + -1, log_append_time }
    }

    /// Closes the active segment and opens the next one, whose first record has `base` or a higher offset.
    pub(super) fn roll(&mut self, base: Offset, now: TimestampMs) -> Result<(), DiskError> {
        let mut next = Segment::new(base, now);
        if self.active().size == 0 {
            // It holds nothing, so that the next one takes its place.
            let old = self.active_mut();
            old.rest();
            if old.on_disk && old.base != base {
                let path = self.active().path(&self.dir, names::LOG);
                crate::segment::remove_if_there(&self.disk, &path)?;
            } else {
                next.on_disk = self.active().on_disk;
            }
            *self.active_mut() = next;
            self.last_batch_position = 0;
            self.dirty = true;
            return Ok(());
        }
        next.file(&self.disk, &self.dir)?;
        if self.config.preallocate {
            self.cut_to_size()?;
        }
        self.active_mut().seal();
        // Its file is opened again by whoever reads or syncs it.
        self.active_mut().rest();
        self.segments.push(next);
        self.last_batch_position = 0;
        self.names_unsynced = true;
        let snapshot = self.write_snapshot(base);
        self.tolerate_no_space(snapshot)?;
        let state = self.write_state(false, false);
        self.tolerate_no_space(state)
    }
}

/// The marker of a control batch that ends a transaction.
fn marker(batch: &ValidBatch) -> Option<Marker> {
    if batch.is_control() { Marker::parse(batch.records_bytes()) } else { None }
}

fn write<D: Disk, const SLICES: usize>(
    file: &D::File,
    batches: &[ValidBatch],
    run: &[usize],
    mut position: u64,
) -> std::io::Result<()> {
    for some in run.chunks(SLICES / 2) {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let mut bytes = 0;
        for (pair, at) in slices.as_chunks_mut::<2>().0.iter_mut().zip(some) {
            let batch = &batches[*at];
            *pair = [IoSlice::new(batch.header()), IoSlice::new(batch.records_bytes())];
            bytes += batch.size_bytes() as u64;
        }
        file.write_at(&mut slices[..2 * some.len()], position)?;
        position += bytes;
    }
    Ok(())
}
