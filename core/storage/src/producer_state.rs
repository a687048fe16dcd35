//! What a log remembers of each idempotent producer: its epoch, its last five batches, its open transaction (KIP-98,
//! KIP-360). From it follows whether a batch is new, a retry, or out of order. Files of it: [`crate::producer_snapshot`].

use std::collections::BTreeMap;

use model::batch::NO_SEQUENCE;
use model::{Offset, ProducerEpoch, ProducerId, TimestampMs};

use crate::header::{Header, Marker};

/// Retries of this many batches are recognised: what a producer may have in flight.
pub(crate) const BATCHES_KEPT: usize = 5;

/// A batch that a producer wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrittenBatch {
    pub last_sequence: i32,
    pub last_offset: Offset,
    /// Last offset less first offset, and last sequence less first sequence.
    pub offset_delta: i32,
    pub timestamp: TimestampMs,
}

impl WrittenBatch {
    pub fn first_offset(&self) -> Offset {
        self.last_offset + -i64::from(self.offset_delta)
    }

    pub fn first_sequence(&self) -> i32 {
        let first = i64::from(self.last_sequence) - i64::from(self.offset_delta);
        // Sequences wrap from i32::MAX to 0.
        if first < 0 && self.last_sequence >= 0 { (first + i64::from(i32::MAX) + 1) as i32 } else { first as i32 }
    }
}

/// What is known of one producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerState {
    pub epoch: ProducerEpoch,
    /// Of the coordinator that wrote the last marker; -1 before the first.
    pub coordinator_epoch: i32,
    pub last_timestamp: TimestampMs,
    /// The first offset of the transaction that is open.
    pub txn_first_offset: Option<Offset>,
    batches: [Option<WrittenBatch>; BATCHES_KEPT],
}

impl ProducerState {
    pub(crate) fn new(epoch: ProducerEpoch) -> Self {
        Self {
            epoch,
            coordinator_epoch: -1,
            last_timestamp: TimestampMs::NONE,
            txn_first_offset: None,
            batches: [None; BATCHES_KEPT],
        }
    }

    /// The last batches, oldest first.
    pub fn batches(&self) -> impl DoubleEndedIterator<Item = &WrittenBatch> {
        self.batches.iter().flatten()
    }

    pub fn last_batch(&self) -> Option<&WrittenBatch> {
        self.batches().next_back()
    }

    pub(crate) fn push(&mut self, batch: WrittenBatch) {
        match self.batches.iter_mut().find(|slot| slot.is_none()) {
            Some(free) => *free = Some(batch),
            None => {
                self.batches.rotate_left(1);
                self.batches[BATCHES_KEPT - 1] = Some(batch);
            }
        }
    }

    fn enter(&mut self, epoch: ProducerEpoch) {
        if self.epoch != epoch {
            self.epoch = epoch;
            self.batches = [None; BATCHES_KEPT];
        }
    }
}

/// What a batch is to the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    New,
    /// It was written before, as this; the producer did not hear of it. Answer as if it had been written now.
    Duplicate(WrittenBatch),
}

/// Why a producer's batch is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProducerError {
    #[error("producer {producer} sent sequence {found} where {expected} was due")]
    OutOfOrderSequence { producer: ProducerId, expected: i32, found: i32 },
    #[error("producer {producer} has epoch {current}, the batch has {found}")]
    InvalidEpoch { producer: ProducerId, current: ProducerEpoch, found: ProducerEpoch },
    #[error("producer {producer} has a transaction open and sent a batch outside it")]
    InvalidTxnState { producer: ProducerId },
    #[error("coordinator epoch {found} of producer {producer}'s marker is below {current}")]
    CoordinatorFenced { producer: ProducerId, current: i32, found: i32 },
}

/// A transaction that a marker ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EndedTxn {
    pub producer_id: ProducerId,
    pub first_offset: Offset,
    pub marker_offset: Offset,
    pub committed: bool,
}

/// All producers of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ProducerStates {
    states: BTreeMap<ProducerId, ProducerState>,
    /// First offsets of open transactions, so that the first one is at hand.
    open: BTreeMap<Offset, ProducerId>,
}

impl ProducerStates {
    pub fn get(&self, producer: ProducerId) -> Option<&ProducerState> {
        self.states.get(&producer)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&ProducerId, &ProducerState)> {
        self.states.iter()
    }

    pub fn len(&self) -> usize {
        self.states.len()
    }

    pub fn is_empty(&self) -> bool {
        self.states.is_empty()
    }

    /// Where the oldest open transaction begins.
    pub fn first_open(&self) -> Option<Offset> {
        self.open.keys().next().copied()
    }

    /// The highest last offset of any producer's batch, to know what a truncation touches.
    pub fn reaches(&self, offset: Offset) -> bool {
        self.states.values().any(|state| {
            state.last_batch().is_some_and(|batch| batch.last_offset >= offset) || state.coordinator_epoch >= 0
        })
    }

    /// Judges a batch from a client. KIP-98 in Kafka's reading: a new epoch starts at sequence 0; a producer of whom
    /// nothing is known (it may have expired) starts anywhere.
    pub fn check(&self, batch: &Header) -> Result<Check, ProducerError> {
        if !batch.has_producer() {
            return Ok(Check::New);
        }
        let producer = batch.producer_id;
        let state = self.states.get(&producer);
        let current = state.map_or(ProducerEpoch::NONE, |state| state.epoch);
        if batch.producer_epoch < current {
            let found = batch.producer_epoch;
            return Err(ProducerError::InvalidEpoch { producer, current, found });
        }
        let Some(state) = state else { return Ok(Check::New) };
        if batch.is_control() {
            return Ok(Check::New);
        }
        if batch.producer_epoch == state.epoch
            && let Some(written) = state.batches().find(|written| {
                written.first_sequence() == batch.base_sequence && written.last_sequence == batch.last_sequence()
            })
        {
            return Ok(Check::Duplicate(*written));
        }
        let expected = match state.last_batch() {
            Some(last) if batch.producer_epoch == state.epoch => model::batch::add_sequence(last.last_sequence, 1),
            _ => 0,
        };
        if batch.base_sequence != expected && batch.base_sequence != NO_SEQUENCE {
            let found = batch.base_sequence;
            return Err(ProducerError::OutOfOrderSequence { producer, expected, found });
        }
        if state.txn_first_offset.is_some() && !batch.is_transactional() {
            return Err(ProducerError::InvalidTxnState { producer });
        }
        Ok(Check::New)
    }

    /// Judges a coordinator's marker.
    pub fn check_marker(&self, batch: &Header, marker: Marker) -> Result<(), ProducerError> {
        let producer = batch.producer_id;
        let Some(state) = self.states.get(&producer) else { return Ok(()) };
        if batch.producer_epoch < state.epoch {
            let (current, found) = (state.epoch, batch.producer_epoch);
            return Err(ProducerError::InvalidEpoch { producer, current, found });
        }
        if marker.coordinator_epoch < state.coordinator_epoch {
            let (current, found) = (state.coordinator_epoch, marker.coordinator_epoch);
            return Err(ProducerError::CoordinatorFenced { producer, current, found });
        }
        Ok(())
    }

    /// Takes note of a batch that is in the log, whatever was thought of it. Returns what was known before, to be
    /// given to [`Self::restore`] should the write fail.
    pub fn note(&mut self, batch: &Header) -> Option<Undo> {
        if !batch.has_producer() || batch.is_control() {
            return None;
        }
        let undo = Undo { producer: batch.producer_id, before: self.states.get(&batch.producer_id).copied() };
        let state = self.states.entry(batch.producer_id).or_insert_with(|| ProducerState::new(batch.producer_epoch));
        state.enter(batch.producer_epoch);
        state.last_timestamp = batch.max_timestamp;
        if batch.base_sequence != NO_SEQUENCE {
            state.push(WrittenBatch {
                last_sequence: batch.last_sequence(),
                last_offset: batch.last_offset,
                offset_delta: batch.last_offset_delta(),
                timestamp: batch.max_timestamp,
            });
        }
        if batch.is_transactional() && state.txn_first_offset.is_none() {
            state.txn_first_offset = Some(batch.base_offset);
            self.open.insert(batch.base_offset, batch.producer_id);
        }
        Some(undo)
    }

    /// Takes note of a marker that is in the log; returns the transaction that it ended, if one was open.
    pub fn note_marker(&mut self, batch: &Header, marker: Marker) -> Option<EndedTxn> {
        let state = self.states.entry(batch.producer_id).or_insert_with(|| ProducerState::new(batch.producer_epoch));
        state.enter(batch.producer_epoch);
        state.coordinator_epoch = marker.coordinator_epoch;
        state.last_timestamp = batch.max_timestamp;
        let first_offset = state.txn_first_offset.take()?;
        self.open.remove(&first_offset);
        Some(EndedTxn {
            producer_id: batch.producer_id,
            first_offset,
            marker_offset: batch.last_offset,
            committed: marker.committed,
        })
    }

    /// Puts back what was known before a batch whose write failed. Undo in the reverse order of the notes.
    pub fn restore(&mut self, undo: Undo) {
        match undo.before {
            Some(before) => self.insert(undo.producer, before),
            None => self.remove(undo.producer),
        }
    }

    /// Takes a state from a file.
    pub fn insert(&mut self, producer: ProducerId, state: ProducerState) {
        self.remove(producer);
        if let Some(first_offset) = state.txn_first_offset {
            self.open.insert(first_offset, producer);
        }
        self.states.insert(producer, state);
    }

    fn remove(&mut self, producer: ProducerId) {
        if let Some(first_offset) = self.states.remove(&producer).and_then(|state| state.txn_first_offset) {
            self.open.remove(&first_offset);
        }
    }

    /// Forgets producers that wrote nothing for `expiration_ms` and have no transaction open.
    pub fn expire(&mut self, now: TimestampMs, expiration_ms: i64) {
        self.states.retain(|_, state| state.txn_first_offset.is_some() || now - state.last_timestamp < expiration_ms);
    }

    pub fn clear(&mut self) {
        self.states.clear();
        self.open.clear();
    }
}

/// See [`ProducerStates::note`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Undo {
    producer: ProducerId,
    before: Option<ProducerState>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::BatchSpec;

    fn header(epoch: i16, sequence: i32, count: i32, base_offset: i64) -> Header {
        let batch = BatchSpec { base_offset, count, ..BatchSpec::default() }.producer(7, epoch, sequence);
        Header::of(&batch.build())
    }

    fn with(batches: &[(i16, i32, i32)]) -> ProducerStates {
        let mut states = ProducerStates::default();
        let mut offset = 0;
        for (epoch, sequence, count) in batches {
            let header = header(*epoch, *sequence, *count, offset);
            assert_eq!(states.check(&header), Ok(Check::New), "{header:?}");
            states.note(&header);
            offset += i64::from(*count);
        }
        states
    }

    #[test]
    fn sequences_follow_each_other() {
        let states = with(&[(0, 0, 3), (0, 3, 1)]);
        assert_eq!(states.check(&header(0, 4, 2, 4)), Ok(Check::New));
        let refused = states.check(&header(0, 5, 1, 4));
        assert_eq!(refused, Err(ProducerError::OutOfOrderSequence { producer: ProducerId(7), expected: 4, found: 5 }));
    }

    #[test]
    fn sequences_wrap_to_zero() {
        let states = with(&[(0, i32::MAX - 1, 2)]);
        assert_eq!(states.check(&header(0, 0, 1, 2)), Ok(Check::New));
        let states = with(&[(0, i32::MAX, 3)]);
        assert_eq!(states.get(ProducerId(7)).unwrap().last_batch().unwrap().first_sequence(), i32::MAX);
        assert!(matches!(states.check(&header(0, i32::MAX, 3, 9)), Ok(Check::Duplicate(_))));
        assert_eq!(states.check(&header(0, 2, 1, 3)), Ok(Check::New));
    }

    #[test]
    fn the_last_five_batches_are_known_again_and_older_ones_are_out_of_order() {
        let states = with(&[(0, 0, 2), (0, 2, 1), (0, 3, 1), (0, 4, 1), (0, 5, 1), (0, 6, 1)]);
        for (sequence, offset) in [(2, 2), (3, 3), (4, 4), (5, 5), (6, 6)] {
            let Ok(Check::Duplicate(written)) = states.check(&header(0, sequence, 1, 99)) else {
                panic!("sequence {sequence} is not known")
            };
            assert_eq!((written.first_offset(), written.last_offset), (Offset(offset), Offset(offset)));
        }
        assert!(matches!(states.check(&header(0, 0, 2, 99)), Err(ProducerError::OutOfOrderSequence { .. })));
        assert!(matches!(states.check(&header(0, 6, 2, 99)), Err(ProducerError::OutOfOrderSequence { .. })));
    }

    #[test]
    fn a_new_epoch_starts_at_zero_and_fences_the_old_one() {
        let mut states = with(&[(3, 0, 1)]);
        assert!(matches!(states.check(&header(2, 1, 1, 1)), Err(ProducerError::InvalidEpoch { .. })));
        assert!(matches!(
            states.check(&header(4, 1, 1, 1)),
            Err(ProducerError::OutOfOrderSequence { expected: 0, .. })
        ));
        let next = header(4, 0, 1, 1);
        assert_eq!(states.check(&next), Ok(Check::New));
        states.note(&next);
        assert!(matches!(states.check(&header(3, 1, 1, 2)), Err(ProducerError::InvalidEpoch { .. })));
        assert_eq!(states.get(ProducerId(7)).unwrap().batches().count(), 1);
    }

    #[test]
    fn an_unknown_producer_starts_anywhere() {
        assert_eq!(ProducerStates::default().check(&header(0, 17, 1, 0)), Ok(Check::New));
    }

    #[test]
    fn an_epoch_below_none_is_none_of_a_producers_epochs() {
        let refused = ProducerStates::default().check(&header(-2, 0, 1, 0));
        assert!(matches!(refused, Err(ProducerError::InvalidEpoch { current: ProducerEpoch::NONE, .. })));
    }

    #[test]
    fn a_failed_write_is_forgotten() {
        let mut states = with(&[(0, 0, 1)]);
        let before = states.clone();
        let first = states.note(&header(0, 1, 1, 1)).unwrap();
        let second = states.note(&header(1, 0, 1, 2)).unwrap();
        states.restore(second);
        states.restore(first);
        assert_eq!(states, before);
    }

    #[test]
    fn silent_producers_expire_unless_a_transaction_is_open() {
        let mut states = ProducerStates::default();
        let batch = BatchSpec { timestamp: 1_000, ..BatchSpec::default() };
        states.note(&Header::of(&batch.clone().producer(1, 0, 0).build()));
        states.note(&Header::of(&batch.producer(2, 0, 0).transactional().build()));
        states.expire(TimestampMs(1_999), 1_000);
        assert_eq!(states.len(), 2);
        states.expire(TimestampMs(2_000), 1_000);
        assert!(states.get(ProducerId(1)).is_none() && states.get(ProducerId(2)).is_some());
    }

    #[test]
    fn a_transaction_is_open_from_its_first_batch_to_its_marker() {
        let mut states = ProducerStates::default();
        let spec = |offset, sequence| {
            BatchSpec { base_offset: offset, ..BatchSpec::default() }.producer(7, 0, sequence).transactional()
        };
        states.note(&Header::of(&spec(10, 0).build()));
        states.note(&Header::of(&spec(11, 1).build()));
        assert_eq!(states.first_open(), Some(Offset(10)));
        let outside = Header::of(&BatchSpec { base_offset: 12, ..BatchSpec::default() }.producer(7, 0, 2).build());
        assert!(matches!(states.check(&outside), Err(ProducerError::InvalidTxnState { .. })));

        let batch = BatchSpec { base_offset: 12, ..BatchSpec::default() }.producer(7, 1, -1).marker(false, 4).build();
        let marker = Marker::parse(batch.records_bytes()).unwrap();
        assert_eq!(marker, Marker { committed: false, coordinator_epoch: 4 });
        let ended = states.note_marker(&Header::of(&batch), marker).unwrap();
        assert_eq!((ended.first_offset, ended.marker_offset, ended.committed), (Offset(10), Offset(12), false));
        assert_eq!(states.first_open(), None);
        let late = Marker { coordinator_epoch: 3, ..marker };
        assert!(matches!(
            states.check_marker(&Header::of(&batch), late),
            Err(ProducerError::CoordinatorFenced { current: 4, found: 3, .. })
        ));
    }
}
