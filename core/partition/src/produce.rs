//! Appending for clients and for the broker itself.

use model::{BatchError, LeaderEpoch, Offset, TimestampMs, ValidBatch};
use storage::{AppendError, Disk, Outcome, ProducerError, Refusal};

use crate::checks;
use crate::effects::{Effects, Ticket};
use crate::parked::Waiting;
use crate::partition::Partition;

/// What a producer waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acks {
    /// Nothing: errors are not told either.
    None,
    /// The leader's log.
    Leader,
    /// All in-sync replicas.
    All,
}

/// Where a batch went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Produced {
    pub base_offset: Offset,
    pub last_offset: Offset,
    /// The time given to the records, where the topic gives them one; of a retry always, since the first answer is lost.
    pub log_append_time: Option<TimestampMs>,
    pub log_start: Offset,
}

/// What became of a batch.
pub type ProduceResult = Result<Produced, ProduceError>;

/// Why a batch was not acknowledged. It is not in the log, but for `NotEnoughReplicasAfterAppend` and, perhaps,
/// `TimedOut` and `Storage`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProduceError {
    #[error("this broker does not lead the partition")]
    NotLeader,
    #[error("the batch has {bytes} bytes, more than max.message.bytes, {limit}")]
    TooLarge { bytes: usize, limit: usize },
    #[error("the batch has {bytes} bytes, more than segment.bytes, {limit}")]
    TooLargeForSegment { bytes: usize, limit: u32 },
    /// `records` are the places in the batch of all that are at fault; none where it would have to be inflated for that.
    #[error("the record's time {timestamp} is outside what message.timestamp.before.max.ms and .after.max.ms allow")]
    BadTimestamp { timestamp: TimestampMs, records: Vec<i32> },
    #[error(transparent)]
    Batch(#[from] BatchError),
    #[error(transparent)]
    Producer(#[from] ProducerError),
    #[error("fewer replicas are in sync than min.insync.replicas asks for")]
    NotEnoughReplicas,
    #[error("the batch was appended, but fewer replicas are in sync than min.insync.replicas asks for")]
    NotEnoughReplicasAfterAppend,
    #[error("the batch was not acknowledged in time")]
    TimedOut,
    /// Try again when there is room.
    #[error("no space is left on the disk")]
    NoSpace,
    #[error("the disk failed: {0}")]
    Storage(String),
}

/// Batches of clients that wait to be appended to one partition, in the order they came in. Emptied by
/// [`Partition::produce`] and kept for its memory.
#[derive(Debug, Default)]
pub struct Queue {
    batches: Vec<ValidBatch>,
    /// One for each batch.
    asked: Vec<Asked>,
}

/// What the sender of a batch wants to hear, and under which name.
#[derive(Clone, Copy, Debug)]
struct Asked {
    acks: Acks,
    ticket: Ticket,
}

impl Queue {
    pub fn push(&mut self, batch: ValidBatch, acks: Acks, ticket: Ticket) {
        self.batches.push(batch);
        self.asked.push(Asked { acks, ticket });
    }

    pub fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// The batches with their tickets.
    pub fn iter(&self) -> impl Iterator<Item = (&ValidBatch, Ticket)> {
        self.batches.iter().zip(self.asked.iter().map(|asked| asked.ticket))
    }

    /// Gives every batch back with an error.
    pub fn refuse(&mut self, error: impl Fn() -> ProduceError, effects: &mut Effects) {
        self.batches.clear();
        effects.completions.extend(self.asked.drain(..).map(|asked| (asked.ticket, Err(error()))));
    }

    /// Gives those back that `admit` refuses.
    fn retain(
        &mut self,
        mut admit: impl FnMut(&mut ValidBatch, Acks) -> Result<(), ProduceError>,
        effects: &mut Effects,
    ) {
        let mut at = 0;
        while at < self.batches.len() {
            match admit(&mut self.batches[at], self.asked[at].acks) {
                Ok(()) => at += 1,
                Err(error) => {
                    self.batches.remove(at);
                    effects.completions.push((self.asked.remove(at).ticket, Err(error)));
                }
            }
        }
    }
}

impl<D: Disk> Partition<D> {
    /// Appends clients' batches, all in one write where they go to one segment: checks each against the topic's
    /// settings, gives it offsets and the leader's epoch.
    ///
    /// Each ticket comes back once: in this call's [`Effects::completions`], or in those of a later one where its
    /// acknowledgement has to wait.
    pub fn produce(&mut self, queue: &mut Queue, now: TimestampMs, effects: &mut Effects) {
        if !self.replica.leads() {
            queue.refuse(|| ProduceError::NotLeader, effects);
            return;
        }
        let enough = self.enough_in_sync();
        let config = &self.config;
        queue.retain(
            |batch, acks| match acks {
                Acks::All if !enough => Err(ProduceError::NotEnoughReplicas),
                _ => checks::admit(config, batch, now),
            },
            effects,
        );
        let mut outcomes = std::mem::take(&mut self.outcomes);
        match self.append(&mut queue.batches, &mut outcomes, now, effects) {
            Ok(log_append_time) => {
                for (outcome, asked) in outcomes.drain(..).zip(&queue.asked) {
                    if let Some(result) = self.settle(outcome, log_append_time, asked) {
                        effects.completions.push((asked.ticket, result));
                    }
                }
            }
            Err(error) => queue.refuse(|| error.clone(), effects),
        }
        self.outcomes = outcomes;
        queue.batches.clear();
        queue.asked.clear();
    }

    /// Appends a batch of the broker's own, to which the topic's settings do not apply. `None` where the
    /// acknowledgement has to wait: it comes in some later [`Effects::completions`] under `ticket`.
    pub fn write(
        &mut self,
        mut batch: ValidBatch,
        acks: Acks,
        ticket: Ticket,
        now: TimestampMs,
        effects: &mut Effects,
    ) -> Option<ProduceResult> {
        if !self.replica.leads() {
            return Some(Err(ProduceError::NotLeader));
        }
        let mut outcomes = std::mem::take(&mut self.outcomes);
        let appended = self.append(std::slice::from_mut(&mut batch), &mut outcomes, now, effects);
        let outcome = outcomes.pop();
        self.outcomes = outcomes;
        match (appended, outcome) {
            (Ok(log_append_time), Some(outcome)) => self.settle(outcome, log_append_time, &Asked { acks, ticket }),
            (Ok(_), None) => unreachable!("the log says of each batch what became of it"),
            (Err(error), _) => Some(Err(error)),
        }
    }

    /// Appends, and lets the high watermark follow. Gives the time that the records got, where they did; `outcomes`
    /// has one entry for each batch then.
    fn append(
        &mut self,
        batches: &mut [ValidBatch],
        outcomes: &mut Vec<Outcome>,
        now: TimestampMs,
        effects: &mut Effects,
    ) -> Result<Option<TimestampMs>, ProduceError> {
        outcomes.clear();
        if batches.is_empty() {
            return Ok(None);
        }
        let before = self.log.size_bytes();
        let epoch: LeaderEpoch = self.replica.leadership().epoch;
        match self.log.append_as_leader(batches, epoch, now, outcomes) {
            Ok(appended) => {
                assert_eq!(outcomes.len(), batches.len(), "the log says of each batch what became of it");
                self.appended_bytes += self.log.size_bytes() - before;
                self.advance(now, effects);
                Ok(appended.log_append_time)
            }
            Err(error) => Err(self.append_failed(error, effects)),
        }
    }

    /// What the sender of an appended batch is told: `None` where it has to wait.
    fn settle(
        &mut self,
        outcome: Outcome,
        log_append_time: Option<TimestampMs>,
        asked: &Asked,
    ) -> Option<ProduceResult> {
        let (base_offset, last_offset, log_append_time) = match outcome {
            Outcome::Appended { first_offset, last_offset } => (first_offset, last_offset, log_append_time),
            Outcome::Duplicate(written) => (written.first_offset(), written.last_offset, Some(written.timestamp)),
            Outcome::Refused(refusal) => return Some(Err(refused(refusal))),
        };
        let log_start = self.log.offsets().start;
        let produced = Produced { base_offset, last_offset, log_append_time, log_start };
        let waiting = Waiting { upto: last_offset + 1, ticket: asked.ticket, produced };
        match asked.acks {
            Acks::All if self.replica.high_watermark() < waiting.upto => self.parked.until_committed(waiting),
            Acks::Leader if self.counted < waiting.upto => self.parked.until_counted(waiting),
            _ => return Some(Ok(produced)),
        }
        None
    }

    fn append_failed(&mut self, error: AppendError, effects: &mut Effects) -> ProduceError {
        match error {
            AppendError::NoSpace => ProduceError::NoSpace,
            AppendError::Disk(error) => {
                self.fail_parked(&error.to_string(), effects);
                ProduceError::Storage(error.to_string())
            }
            AppendError::Failed => ProduceError::Storage("it failed before".to_owned()),
            AppendError::OutOfOrder { .. } => unreachable!("a leader gives offsets, it is not given any"),
        }
    }
}

fn refused(refusal: Refusal) -> ProduceError {
    match refusal {
        Refusal::Producer(error) => ProduceError::Producer(error),
        Refusal::TooLarge { bytes, segment_bytes } => ProduceError::TooLargeForSegment { bytes, limit: segment_bytes },
        Refusal::NoSpace => ProduceError::NoSpace,
    }
}
