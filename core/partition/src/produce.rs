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

impl<D: Disk> Partition<D> {
    /// Appends a client's batch: checks it against the topic's settings, gives it offsets and the leader's epoch.
    ///
    /// `None` where the acknowledgement has to wait: it comes in some later [`Effects::completions`] under `ticket`.
    pub fn produce(
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
        if acks == Acks::All && !self.enough_in_sync() {
            return Some(Err(ProduceError::NotEnoughReplicas));
        }
        if let Err(error) = checks::admit(&self.config, &mut batch, now) {
            return Some(Err(error));
        }
        self.write(batch, acks, ticket, now, effects)
    }

    /// Appends a batch of the broker's own, to which the topic's settings do not apply.
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
        let before = self.log.size_bytes();
        let epoch: LeaderEpoch = self.replica.leadership().epoch;
        let mut outcomes = std::mem::take(&mut self.outcomes);
        let appended = self.log.append_as_leader(std::slice::from_mut(&mut batch), epoch, now, &mut outcomes);
        let outcome = outcomes.pop();
        self.outcomes = outcomes;
        let appended = match appended {
            Ok(appended) => appended,
            Err(error) => return Some(Err(self.append_failed(error, effects))),
        };
        let (base_offset, last_offset, log_append_time) = match outcome {
            Some(Outcome::Appended { first_offset, last_offset }) => {
                (first_offset, last_offset, appended.log_append_time)
            }
            Some(Outcome::Duplicate(written)) => (written.first_offset(), written.last_offset, Some(written.timestamp)),
            Some(Outcome::Refused(refusal)) => return Some(Err(refused(refusal))),
            None => return Some(Err(ProduceError::Storage("the log did not say what became of the batch".to_owned()))),
        };
        let produced = Produced { base_offset, last_offset, log_append_time, log_start: self.log.offsets().start };
        self.appended_bytes += self.log.size_bytes() - before;
        self.advance(now, effects);
        let waiting = Waiting { upto: last_offset + 1, ticket, produced };
        match acks {
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
