//! Transactions in a log: which are open, which were aborted, and up to where everything is decided (KIP-98).

use model::Offset;

use super::Log;
use crate::disk::Disk;
use crate::header::{Header, Marker};
use crate::names;
use crate::read_plan::ReadError;
use crate::segment::SegmentError;
use crate::txn_index::AbortedTxn;

impl<D: Disk> Log<D> {
    /// Below, every transaction is decided and its marker forgotten by [`Log::forget_decided`].
    pub(super) fn first_unstable(&self) -> Offset {
        let decided = self.decided.iter().map(|txn| txn.first_offset);
        decided.chain(self.producers.first_open()).min().unwrap_or(self.end)
    }

    /// Lets go of decided transactions whose markers lie below `below`, the high watermark. Until then a new leader may
    /// not know the marker, so their records count as undecided.
    pub fn forget_decided(&mut self, below: Offset) {
        if !self.decided.is_empty() {
            self.decided.retain(|txn| txn.marker_offset >= below);
        }
    }

    pub(super) fn settle_marker(&mut self, batch: &Header, marker: Marker) {
        let Some(txn) = self.producers.note_marker(batch, marker) else { return };
        self.decided.push(txn);
        if !txn.committed {
            let last_stable_offset = self.producers.first_open().unwrap_or(txn.marker_offset + 1);
            self.active_mut().aborted.push(AbortedTxn {
                producer_id: txn.producer_id,
                first_offset: txn.first_offset,
                last_offset: txn.marker_offset,
                last_stable_offset,
            });
        }
    }

    /// The aborted transactions that have records in `from..upto`, by the offset of their markers. Those who read
    /// committed records skip their producer's records from each first offset to its marker.
    pub fn aborted(&mut self, from: Offset, upto: Offset) -> Result<Vec<AbortedTxn>, ReadError> {
        let mut found = Vec::new();
        for index in self.segment_of(from)..self.segments.len() {
            let segment = &mut self.segments[index];
            if segment.aborted.is_empty() {
                continue;
            }
            let path = segment.path(&self.dir, names::TXN_INDEX);
            let all = segment.aborted.all(&self.disk, &path);
            for txn in all.map_err(|_| ReadError::Corrupt { file: path.display().to_string(), position: 0 })? {
                if txn.last_offset >= from && txn.first_offset < upto {
                    found.push(txn);
                }
                if txn.last_stable_offset >= upto {
                    return Ok(found);
                }
            }
        }
        Ok(found)
    }
}

impl From<SegmentError> for ReadError {
    fn from(error: SegmentError) -> Self {
        match error {
            SegmentError::Disk(error) => Self::Disk(error),
            SegmentError::Corrupt { path, position } => Self::Corrupt { file: path.display().to_string(), position },
        }
    }
}
