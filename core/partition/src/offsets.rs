//! Questions about offsets: by time, by epoch, and moving the log's start.

use model::{LeaderEpoch, Offset, TimestampMs};
use storage::{Disk, EpochEnd, ReadError, TruncateError};

use crate::effects::Effects;
use crate::fetch::Isolation;
use crate::partition::Partition;
use crate::replica::EpochError;

/// Which offset is asked for. KIP-79, KIP-734, KIP-405, KIP-1005.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffsetSpec {
    /// The first record that is this old or younger.
    Timestamp(TimestampMs),
    /// Where a consumer that reads to the end stops.
    Latest,
    Earliest,
    /// The record of the largest time.
    MaxTimestamp,
    /// The first record on this broker's own disk; here the same as the earliest.
    EarliestLocal,
    /// The last record in remote storage; there is none.
    LatestTiered,
    /// The first record that waits to go to remote storage; there is none.
    EarliestPendingUpload,
}

/// An offset, with the time of its record where it was asked for by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundOffset {
    pub timestamp: TimestampMs,
    pub offset: Offset,
    pub leader_epoch: LeaderEpoch,
}

/// Why a question about offsets has no answer.
#[derive(Debug, thiserror::Error)]
pub enum OffsetError {
    #[error(transparent)]
    Epoch(#[from] EpochError),
    #[error("the offset is outside {start}..={end}")]
    OutOfRange { start: Offset, end: Offset },
    #[error("the disk failed: {0}")]
    Storage(String),
}

impl From<ReadError> for OffsetError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::OutOfRange { start, end } => Self::OutOfRange { start, end },
            other => Self::Storage(other.to_string()),
        }
    }
}

impl<D: Disk> Partition<D> {
    /// The offset that `spec` asks for, `None` where there is none; never one that the reader may not read yet.
    pub fn find_offset(
        &mut self,
        spec: OffsetSpec,
        isolation: Isolation,
        leader_epoch: LeaderEpoch,
    ) -> Result<Option<FoundOffset>, OffsetError> {
        self.replica.check_epoch(leader_epoch)?;
        let below = match isolation {
            Isolation::ReadUncommitted => self.replica.high_watermark(),
            Isolation::ReadCommitted => self.last_stable_offset(),
        };
        let untimed = |offset: Offset, leader_epoch: Option<LeaderEpoch>| FoundOffset {
            timestamp: TimestampMs::NONE,
            offset,
            leader_epoch: leader_epoch.unwrap_or(LeaderEpoch::NONE),
        };
        let found = match spec {
            OffsetSpec::Latest => return Ok(Some(untimed(below, Some(self.replica.leadership().epoch)))),
            OffsetSpec::Earliest | OffsetSpec::EarliestLocal => {
                let start = self.log.offsets().start;
                return Ok(Some(untimed(start, self.log.epoch_at(start))));
            }
            OffsetSpec::LatestTiered | OffsetSpec::EarliestPendingUpload => return Ok(None),
            OffsetSpec::MaxTimestamp => self.log.max_timestamp_offset(below)?,
            OffsetSpec::Timestamp(at) => self.log.find_by_timestamp(at, below)?,
        };
        Ok(found.map(|found| FoundOffset {
            timestamp: found.timestamp,
            offset: found.offset,
            leader_epoch: self.log.epoch_at(found.offset).unwrap_or(LeaderEpoch::NONE),
        }))
    }

    /// Where `epoch` ended. KIP-101.
    pub fn epoch_end(&self, epoch: LeaderEpoch, leader_epoch: LeaderEpoch) -> Result<EpochEnd, EpochError> {
        self.replica.check_epoch(leader_epoch)?;
        Ok(self.log.epoch_end(epoch))
    }

    /// Gives up every record below `upto` (`None`: below the high watermark) and returns the log's new start, which
    /// never goes back. Fails with `OutOfRange` above the high watermark. KIP-107.
    pub fn delete_records(&mut self, upto: Option<Offset>, effects: &mut Effects) -> Result<Offset, OffsetError> {
        self.replica.check_epoch(LeaderEpoch::NONE)?;
        let high_watermark = self.replica.high_watermark();
        let start = self.log.offsets().start;
        let upto = upto.unwrap_or(high_watermark);
        if upto < Offset::ZERO || upto > high_watermark {
            return Err(OffsetError::OutOfRange { start, end: high_watermark });
        }
        if upto > start {
            self.log.advance_start(upto).map_err(|error| match error {
                TruncateError::OutOfRange { end } => OffsetError::OutOfRange { start, end },
                other => OffsetError::Storage(other.to_string()),
            })?;
            effects.wake_all = true;
        }
        Ok(self.log.offsets().start)
    }
}
