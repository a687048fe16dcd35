//! Records in and out of a shard's partitions: one call for all of a request's partitions that lie here.

use std::sync::Arc;

use model::{LeaderEpoch, Offset, PartitionId, TimestampMs, ValidBatch};
use partition::{
    Acks, Effects, EpochError, FetchError, FetchSpec, FoundOffset, Isolation, OffsetError, OffsetSpec, ProduceError,
    ProduceResult,
};
use storage::{EpochEnd, RealDisk};
use tokio::sync::oneshot;

use super::parked::Parked;
use super::slot::Slot;
use super::state::{GROUP_TICKET, State};
use super::wait::ProgressWait;

/// A batch for a partition of this shard.
pub struct Produce {
    pub partition: PartitionId,
    pub batch: ValidBatch,
}

/// The outcomes of a produce, in the order of its batches.
pub enum ProduceReply {
    Now(Vec<ProduceResult>),
    /// Some wait for the disk or for other replicas.
    Later(oneshot::Receiver<Vec<ProduceResult>>),
}

/// One partition to read.
#[derive(Clone, Copy, Debug)]
pub struct Read {
    pub partition: PartitionId,
    pub from: Offset,
    pub bytes_max: usize,
    /// -1 where the reader does not say.
    pub leader_epoch: LeaderEpoch,
    /// -1 where the reader does not say.
    pub last_fetched_epoch: LeaderEpoch,
}

/// What was read of one partition.
pub type Fetched = partition::Fetched<RealDisk>;

impl State {
    /// Appends each batch to its partition.
    pub fn produce(&mut self, batches: Vec<Produce>, acks: Acks, now: TimestampMs) -> ProduceReply {
        let request = self.parked.next_request();
        let mut waiting = false;
        let mut results = Vec::with_capacity(batches.len());
        for (item, Produce { partition, batch }) in batches.into_iter().enumerate() {
            let ticket = Parked::ticket(request, item);
            let (bytes, records) = (batch.size_bytes() as u64, batch.record_count().max(0) as u64);
            let result = self.with(partition, |slot, _, effects| produce_one(slot, batch, acks, ticket, now, effects));
            let result = result.unwrap_or(Some(Err(ProduceError::NotLeader)));
            self.count_produce(partition, result.as_ref(), bytes, records);
            waiting |= result.is_none();
            results.push(result);
        }
        if waiting {
            return ProduceReply::Later(self.parked.park(request, results));
        }
        ProduceReply::Now(results.into_iter().flatten().collect())
    }

    fn count_produce(&mut self, id: PartitionId, result: Option<&ProduceResult>, bytes: u64, records: u64) {
        let Some(slot) = self.slots.get(&id) else { return };
        let counters = self.counters.topics.at(slot.counters);
        counters.produce_requests += 1;
        match result {
            None | Some(Ok(_)) => {
                counters.bytes_in += bytes;
                counters.messages_in += records;
            }
            Some(Err(error)) => {
                counters.produce_requests_failed += 1;
                match error {
                    ProduceError::TooLarge { .. } | ProduceError::TooLargeForSegment { .. } => {
                        counters.bytes_rejected += bytes;
                    }
                    ProduceError::Producer(_) => counters.batches_with_invalid_offset_or_sequence += 1,
                    _ => {}
                }
            }
        }
    }

    /// Counts produces for partition `id` whose acknowledgement was waited for, in vain.
    pub(super) fn count_failed(&mut self, id: PartitionId, effects: &Effects) {
        let of_clients = |ticket: &partition::Ticket| ticket.0 & GROUP_TICKET == 0;
        let completions = effects.completions.iter();
        let failed = completions.filter(|(ticket, result)| of_clients(ticket) && result.is_err()).count();
        if failed > 0
            && let Some(slot) = self.slots.get(&id)
        {
            self.counters.topics.at(slot.counters).produce_requests_failed += failed as u64;
        }
    }

    /// Plans each read, in order. With `wait`, every partition tells it of progress from now on. `first` is for the first
    /// of the looks that one request takes.
    pub fn read(
        &mut self,
        reads: &[Read],
        isolation: Isolation,
        wait: Option<&Arc<ProgressWait>>,
        first: bool,
    ) -> Vec<Result<Fetched, FetchError>> {
        let now = self.now();
        let mut outcomes = Vec::with_capacity(reads.len());
        let mut touched = Vec::new();
        for read in reads {
            let Some(slot) = self.slots.get_mut(&read.partition) else {
                outcomes.push(Err(FetchError::Epoch(EpochError::NotLeader)));
                continue;
            };
            if let Some(wait) = wait {
                slot.watch(wait);
            }
            let spec = FetchSpec {
                from: read.from,
                bytes_max: read.bytes_max,
                isolation,
                leader_epoch: read.leader_epoch,
                last_fetched_epoch: read.last_fetched_epoch,
            };
            let outcome = slot.partition.fetch(&spec, now);
            let counters = self.counters.topics.at(slot.counters);
            counters.fetch_requests += u64::from(first);
            match &outcome {
                Ok(fetched) => {
                    if !fetched.plan.is_empty() && !slot.touched {
                        // A read may have opened files: upkeep closes them again.
                        slot.touched = true;
                        touched.push(read.partition);
                    }
                }
                // An error ends the request, so that it is met once.
                Err(_) => counters.fetch_requests_failed += 1,
            }
            outcomes.push(outcome);
        }
        touched.into_iter().for_each(|id| self.note_touched(id));
        outcomes
    }

    pub fn find_offset(
        &mut self,
        id: PartitionId,
        spec: OffsetSpec,
        isolation: Isolation,
        leader_epoch: LeaderEpoch,
    ) -> Result<Option<FoundOffset>, OffsetError> {
        let found = self.with(id, |slot, _, _| slot.partition.find_offset(spec, isolation, leader_epoch));
        found.unwrap_or(Err(OffsetError::Epoch(EpochError::NotLeader)))
    }

    /// KIP-107; `None` deletes up to the high watermark.
    pub fn delete_records(&mut self, id: PartitionId, upto: Option<Offset>) -> Result<Offset, OffsetError> {
        let deleted = self.with(id, |slot, _, effects| slot.partition.delete_records(upto, effects));
        deleted.unwrap_or(Err(OffsetError::Epoch(EpochError::NotLeader)))
    }

    /// KIP-101.
    pub fn epoch_end(
        &self,
        id: PartitionId,
        epoch: LeaderEpoch,
        leader_epoch: LeaderEpoch,
    ) -> Result<EpochEnd, EpochError> {
        self.slots.get(&id).map_or(Err(EpochError::NotLeader), |slot| slot.partition.epoch_end(epoch, leader_epoch))
    }
}

fn produce_one(
    slot: &mut Slot,
    batch: ValidBatch,
    acks: Acks,
    ticket: partition::Ticket,
    now: TimestampMs,
    effects: &mut Effects,
) -> Option<ProduceResult> {
    if slot.dir.is_full() {
        return Some(Err(ProduceError::NoSpace));
    }
    slot.partition.produce(batch, acks, ticket, now, effects)
}
