//! Transactions in a log: which are open, which were aborted, and up to where everything is decided (KIP-98).

use model::Offset;
use model::batch::HEADER_BYTES;

use super::Log;
use crate::disk::{Disk, DiskError, File as _, Trying as _};
use crate::header::{Header, Marker};
use crate::producer_state::{EndedTxn, ProducerStates};
use crate::read_plan::ReadError;
use crate::segment::{SegmentError, remove_if_there};
use crate::txn_index::{AbortedTxn, TxnIndex};
use crate::{names, producer_snapshot};

impl<D: Disk> Log<D> {
    /// Below, every transaction is decided and its marker forgotten by [`Log::forget_decided`]. Not below the start.
    pub(super) fn first_unstable(&self) -> Offset {
        let decided = self.decided.iter().map(|txn| txn.first_offset);
        decided.chain(self.producers.first_open()).min().map_or(self.end, |first| first.max(self.start))
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
        if let Some(aborted) = txn.aborted(&self.producers) {
            self.active_mut().aborted.push(aborted);
        }
    }

    /// The aborted transactions that have records in `from..upto`, by the offset of their markers. Those who read
    /// committed records skip their producer's records from each first offset to its marker.
    pub fn aborted(&mut self, from: Offset, upto: Offset) -> Result<Vec<AbortedTxn>, ReadError> {
        let mut found = Vec::new();
        for index in self.segment_of(from)..self.segments.len() {
            if self.segments[index].aborted.is_empty() {
                continue;
            }
            let path = self.segments[index].path(&self.dir, names::TXN_INDEX);
            if self.segments[index].aborted.all(&self.disk, &path).is_err() {
                self.rebuild_aborted(index)?;
            }
            let all = self.segments[index].aborted.all(&self.disk, &path);
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

    /// Makes the index of aborted transactions of a segment anew, from what was known of producers before it.
    pub(super) fn rebuild_aborted(&mut self, index: usize) -> Result<(), ReadError> {
        let (base, end) = (self.segments[index].base, self.segment_end(index));
        let mut producers = self.producers_at(base)?;
        let mut aborted = Vec::new();
        self.replay(index, base, end, &mut producers, |ended, producers| {
            aborted.extend(ended.aborted(producers));
        })?;
        let segment = &mut self.segments[index];
        segment.aborted = TxnIndex::with_stored(0);
        aborted.into_iter().for_each(|txn| segment.aborted.push(txn));
        remove_if_there(&self.disk, &segment.path(&self.dir, names::TXN_INDEX)).map_err(ReadError::Disk)?;
        self.dirty = true;
        Ok(())
    }

    /// What was known of producers when the log ended at `upto`: from the last snapshot before it, and the batches
    /// since.
    pub(super) fn producers_at(&mut self, upto: Offset) -> Result<ProducerStates, ReadError> {
        let (mut producers, from) = self.latest_snapshot(upto).map_err(ReadError::Disk)?;
        let from = from.max(self.segments[0].base);
        for index in self.segment_of(from)..self.segments.len() {
            if self.segments[index].base >= upto {
                break;
            }
            self.replay(index, from, upto, &mut producers, |_, _| ())?;
        }
        Ok(producers)
    }

    /// Notes the batches of one segment between two offsets; calls `each` behind each transaction that ended.
    fn replay(
        &mut self,
        index: usize,
        from: Offset,
        upto: Offset,
        producers: &mut ProducerStates,
        mut each: impl FnMut(EndedTxn, &ProducerStates),
    ) -> Result<(), ReadError> {
        let Some(first) = self.find_in(index, from)? else { return Ok(()) };
        let path = self.segments[index].path(&self.dir, names::LOG);
        self.segments[index].walk(&self.disk, &self.dir, first.position, |file, position, header| {
            if header.base_offset >= upto {
                return Ok(false);
            }
            if !header.is_control() {
                producers.note(header);
                return Ok(true);
            }
            let mut records = [0; Marker::BYTES_MAX];
            let read = file.read_at(&mut records, position + HEADER_BYTES as u64).trying("read", &path)?;
            if let Some(ended) =
                Marker::parse(&records[..read]).and_then(|marker| producers.note_marker(header, marker))
            {
                each(ended, producers);
            }
            Ok(true)
        })?;
        Ok(())
    }

    /// The newest readable snapshot at `upto` or before, and its offset; nothing, and offset 0, without one.
    fn latest_snapshot(&self, upto: Offset) -> Result<(ProducerStates, Offset), DiskError> {
        let names = self.disk.list(&self.dir).trying("list", &self.dir)?;
        let mut offsets: Vec<Offset> =
            names.iter().filter_map(|name| names::offset(name, names::SNAPSHOT)).filter(|at| *at <= upto).collect();
        offsets.sort();
        for offset in offsets.into_iter().rev() {
            let path = names::path(&self.dir, offset, names::SNAPSHOT);
            if let Some(producers) = producer_snapshot::decode(&self.disk.read(&path).trying("read", &path)?) {
                return Ok((producers, offset));
            }
        }
        Ok((ProducerStates::default(), Offset::ZERO))
    }
}

impl EndedTxn {
    /// The entry of the index of aborted transactions, where this one was; `producers` as they are behind its marker.
    fn aborted(&self, producers: &ProducerStates) -> Option<AbortedTxn> {
        (!self.committed).then(|| AbortedTxn {
            producer_id: self.producer_id,
            first_offset: self.first_offset,
            last_offset: self.marker_offset,
            last_stable_offset: producers.first_open().unwrap_or(self.marker_offset + 1),
        })
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
