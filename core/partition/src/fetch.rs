//! Reading for consumers.

use bytes::BytesMut;
use model::{LeaderEpoch, Offset, TimestampMs};
use storage::{AbortedTxn, Disk, ReadError, ReadPlan};

use crate::partition::Partition;
use crate::replica::EpochError;

/// Up to where a consumer reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// To the high watermark.
    ReadUncommitted,
    /// To the last stable offset: no record of an undecided transaction.
    ReadCommitted,
}

/// One read of one partition.
#[derive(Clone, Copy, Debug)]
pub struct FetchSpec {
    pub from: Offset,
    /// At least one batch is given, whatever its size.
    pub bytes_max: usize,
    pub isolation: Isolation,
    /// What the reader believes to be the leader's epoch; -1 for no belief.
    pub leader_epoch: LeaderEpoch,
    /// The epoch of the last record that the reader has; -1 where it does not say.
    pub last_fetched_epoch: LeaderEpoch,
}

/// Where the reader's records part from the log's: it must truncate to below `end_offset`. KIP-595.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Diverging {
    pub epoch: LeaderEpoch,
    pub end_offset: Offset,
}

/// An answer to a read.
#[derive(Debug)]
pub struct Fetched<D: Disk> {
    pub plan: ReadPlan<D>,
    pub high_watermark: Offset,
    pub last_stable_offset: Offset,
    pub log_start: Offset,
    pub diverging: Option<Diverging>,
    /// Aborted transactions among what is read; `None` where the reader does not care.
    pub aborted: Option<Vec<AbortedTxn>>,
}

/// Why nothing is read.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    #[error(transparent)]
    Epoch(#[from] EpochError),
    #[error("the offset is outside {start}..={end}")]
    OutOfRange { start: Offset, end: Offset },
    #[error("records are damaged: {0}")]
    Corrupt(String),
    #[error("the disk failed: {0}")]
    Storage(String),
}

impl From<ReadError> for FetchError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::OutOfRange { start, end } => Self::OutOfRange { start, end },
            ReadError::Corrupt { .. } => Self::Corrupt(error.to_string()),
            ReadError::Failed | ReadError::Disk(_) => Self::Storage(error.to_string()),
        }
    }
}

impl<D: Disk> Partition<D> {
    /// Plans a read for a consumer; `memory` as in [`storage::Log::read`].
    pub fn fetch(
        &mut self,
        spec: &FetchSpec,
        now: TimestampMs,
        memory: &mut BytesMut,
    ) -> Result<Fetched<D>, FetchError> {
        self.replica.check_epoch(spec.leader_epoch)?;
        self.used_at = now;
        let offsets = self.log.offsets();
        let last_stable_offset = self.last_stable_offset();
        let mut fetched = Fetched {
            plan: ReadPlan::Empty,
            high_watermark: self.replica.high_watermark(),
            last_stable_offset,
            log_start: offsets.start,
            diverging: None,
            aborted: None,
        };
        if spec.last_fetched_epoch != LeaderEpoch::NONE {
            fetched.diverging = self.divergence(spec)?;
            if fetched.diverging.is_some() {
                return Ok(fetched);
            }
        }
        let below = match spec.isolation {
            Isolation::ReadUncommitted => fetched.high_watermark,
            Isolation::ReadCommitted => last_stable_offset,
        };
        fetched.plan = self.log.read(spec.from, spec.bytes_max, below, memory)?;
        if spec.isolation == Isolation::ReadCommitted {
            // The plan may end earlier: then the reader learns of more than it needs, which costs it nothing.
            let aborted = if fetched.plan.is_empty() { Vec::new() } else { self.log.aborted(spec.from, below)? };
            fetched.aborted = Some(aborted);
        }
        Ok(fetched)
    }

    fn divergence(&self, spec: &FetchSpec) -> Result<Option<Diverging>, FetchError> {
        let ours = self.log.epoch_end(spec.last_fetched_epoch);
        let offsets = self.log.offsets();
        let (Some(epoch), Some(end_offset)) = (ours.epoch, ours.end_offset) else {
            return Err(FetchError::OutOfRange { start: offsets.start, end: offsets.end });
        };
        let differs = epoch < spec.last_fetched_epoch || end_offset < spec.from;
        Ok(differs.then_some(Diverging { epoch, end_offset }))
    }
}
