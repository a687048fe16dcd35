//! Records in and out of a shard's partitions: one call for all of a request's partitions that lie here.

use model::{LeaderEpoch, Offset, PartitionId};
use partition::{
    Effects, EpochError, FetchError, FetchSpec, FoundOffset, Isolation, OffsetError, OffsetSpec, ProduceError,
    ProduceResult, Ticket,
};
use storage::EpochEnd;

use super::errand::{Produce, ProduceErrand, ReadErrand};
use super::parked::Parked;
use super::reply::ReplyTo;
use super::state::{GROUP_TICKET, State};

/// Emptied queues that are kept for the next loop turn.
const SPARE_QUEUES_MAX: usize = 64;

impl State {
    /// Queues each batch at its partition. What waits for one partition at the end of this loop turn, from whichever
    /// connection, is appended in one write. The errand comes back once every batch is acknowledged or refused.
    pub fn produce(&mut self, mut errand: Box<ProduceErrand>, reply: ReplyTo<Box<ProduceErrand>>) {
        let acks = errand.acks;
        let mut batches = std::mem::take(&mut self.batches);
        std::mem::swap(&mut batches, &mut errand.batches);
        if self.turn_errands.is_empty() {
            self.turn_ends.notify_one();
        }
        let number = self.parked.park(errand, batches.len(), reply);
        self.turn_errands.push(number);
        for (item, Produce { partition, batch }) in batches.drain(..).enumerate() {
            let ticket = Parked::ticket(number, item);
            let Some(slot) = self.slots.get_mut(&partition) else {
                let why = self.why_unopened(partition).map(str::to_owned);
                self.parked.complete(ticket, Err(why.map_or(ProduceError::NotLeader, ProduceError::Storage)));
                continue;
            };
            if slot.queue.is_empty() {
                slot.queue = self.spare_queues.pop().unwrap_or_default();
                self.queued.push(partition);
            }
            slot.queue.push(batch, acks, ticket);
        }
        self.batches = batches;
    }

    /// Appends what was queued in this loop turn.
    pub(super) fn append_queued(&mut self) {
        let now = self.now();
        let mut queued = std::mem::take(&mut self.queued);
        let mut effects = std::mem::take(&mut self.effects);
        for id in queued.drain(..) {
            let Some(slot) = self.slots.get_mut(&id) else { continue };
            let mut queue = std::mem::take(&mut slot.queue);
            self.sizes.extend(queue.iter().map(|(batch, ticket)| (ticket, batch.size_bytes(), batch.record_count())));
            let tail_bytes = slot.partition.tail_bytes();
            if slot.dir.is_full() {
                queue.refuse(|| ProduceError::NoSpace, &mut effects);
            } else {
                slot.partition.produce(&mut queue, now, &mut effects);
            }
            let grown = slot.partition.tail_bytes().saturating_sub(tail_bytes);
            self.count_produce(id, &effects.completions);
            self.sizes.clear();
            if self.spare_queues.len() < SPARE_QUEUES_MAX {
                self.spare_queues.push(queue);
            }
            self.touch(id);
            self.carry_out(id, &mut effects);
            self.tails_grew(grown);
        }
        self.effects = effects;
        self.queued = queued;
        for number in self.turn_errands.drain(..) {
            self.parked.appended(number, now);
        }
        if self.parked.next_deadline().is_some_and(|next| next < self.upkeep_at) {
            self.wake_upkeep.notify_one();
        }
    }

    /// Counts the batches of `sizes`, some of which may be refused among `completions`.
    fn count_produce(&mut self, id: PartitionId, completions: &[(Ticket, ProduceResult)]) {
        let Some(slot) = self.slots.get(&id) else { return };
        let counters = self.counters.topics.at(slot.counters);
        counters.produce_requests += self.sizes.len() as u64;
        let mut refused = (0, 0);
        for (ticket, result) in completions {
            let Err(error) = result else { continue };
            let Some((_, bytes, records)) = self.sizes.iter().find(|(of, _, _)| of == ticket) else { continue };
            refused = (refused.0 + *bytes as u64, refused.1 + (*records).max(0) as u64);
            match error {
                ProduceError::TooLarge { .. } | ProduceError::TooLargeForSegment { .. } => {
                    counters.bytes_rejected += *bytes as u64;
                }
                ProduceError::Producer(_) => counters.batches_with_invalid_offset_or_sequence += 1,
                _ => {}
            }
        }
        counters.bytes_in += self.sizes.iter().map(|(_, bytes, _)| *bytes as u64).sum::<u64>() - refused.0;
        let records = self.sizes.iter().map(|(_, _, records)| (*records).max(0) as u64).sum::<u64>();
        counters.messages_in += records - refused.1;
    }

    /// Counts produces for partition `id` that came to nothing.
    pub(super) fn count_failed(&mut self, id: PartitionId, effects: &Effects) {
        let of_clients = |ticket: &Ticket| ticket.0 & GROUP_TICKET == 0;
        let completions = effects.completions.iter();
        let failed = completions.filter(|(ticket, result)| of_clients(ticket) && result.is_err()).count();
        if failed > 0
            && let Some(slot) = self.slots.get(&id)
        {
            self.counters.topics.at(slot.counters).produce_requests_failed += failed as u64;
        }
    }

    /// Plans each read of `errand`, in order.
    pub fn read(&mut self, errand: &mut ReadErrand) {
        let now = self.now();
        errand.make_ready();
        for read in &errand.reads {
            let Some(slot) = self.slots.get_mut(&read.partition) else {
                let why = self.why_unopened(read.partition).map(str::to_owned);
                let error = why.map_or(FetchError::Epoch(EpochError::NotLeader), FetchError::Storage);
                errand.outcomes.push(Err(error));
                continue;
            };
            if let Some(wait) = &errand.wait {
                slot.watch(wait);
            }
            let spec = FetchSpec {
                from: read.from,
                bytes_max: read.bytes_max,
                isolation: errand.isolation,
                leader_epoch: read.leader_epoch,
                last_fetched_epoch: read.last_fetched_epoch,
            };
            let outcome = slot.partition.fetch(&spec, now, &mut errand.memory);
            let counters = self.counters.topics.at(slot.counters);
            counters.fetch_requests += u64::from(errand.first);
            match &outcome {
                Ok(fetched) => {
                    if !fetched.plan.is_empty() {
                        // A read may have opened files: upkeep closes them again.
                        self.touch(read.partition);
                    }
                }
                // An error ends the request, so that it is met once.
                Err(_) => counters.fetch_requests_failed += 1,
            }
            errand.outcomes.push(outcome);
        }
        errand.note_taken();
    }

    pub fn find_offset(
        &mut self,
        id: PartitionId,
        spec: OffsetSpec,
        isolation: Isolation,
        leader_epoch: LeaderEpoch,
    ) -> Result<Option<FoundOffset>, OffsetError> {
        let found = self.with(id, |slot, _, _| slot.partition.find_offset(spec, isolation, leader_epoch));
        found.unwrap_or_else(|| Err(self.no_offset(id)))
    }

    /// KIP-107; `None` deletes up to the high watermark.
    pub fn delete_records(&mut self, id: PartitionId, upto: Option<Offset>) -> Result<Offset, OffsetError> {
        let deleted = self.with(id, |slot, _, effects| slot.partition.delete_records(upto, effects));
        deleted.unwrap_or_else(|| Err(self.no_offset(id)))
    }

    /// Why a partition that is not here tells no offset.
    fn no_offset(&self, id: PartitionId) -> OffsetError {
        let why = self.why_unopened(id).map(str::to_owned);
        why.map_or(OffsetError::Epoch(EpochError::NotLeader), OffsetError::Storage)
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

#[cfg(test)]
mod tests {
    use model::TopicId;
    use partition::{Config, FlushPolicy};

    use super::super::testing::Rig;
    use super::*;

    #[tokio::test]
    async fn errands_of_one_turn_are_appended_in_their_order_and_answered_at_its_end() {
        let mut rig = Rig::new(0);
        let (first, second) = (rig.partition(0, Config::default()), rig.partition(1, Config::default()));
        let gone = PartitionId { topic: TopicId([9; 16]), index: 0 };
        let mut replies: Vec<_> = [&[first, second][..], &[first], &[gone, first]]
            .into_iter()
            .map(|partitions| rig.produce(partitions, b"v"))
            .collect();
        assert_eq!(rig.state.slot(first).unwrap().partition.offsets().end, Offset(0), "nothing is appended yet");
        rig.state.append_queued();
        let mut told = Vec::new();
        for reply in &mut replies {
            let errand = reply.receive().await.unwrap();
            let bases = errand.results.iter().flatten();
            told.push(bases.map(|result| result.as_ref().ok().map(|one| one.base_offset.0)).collect::<Vec<_>>());
        }
        assert_eq!(told, [vec![Some(0), Some(0)], vec![Some(1)], vec![None, Some(2)]]);
        let counted = *rig.state.counters.topics.at(rig.state.slot(first).unwrap().counters);
        assert_eq!((counted.produce_requests, counted.messages_in, counted.produce_requests_failed), (4, 4, 0));
    }

    #[test]
    fn a_produce_waits_for_its_sync_from_its_append_on_for_as_long_as_its_client() {
        let mut rig = Rig::new(0);
        let flush = FlushPolicy { messages: 1, ms: i64::MAX };
        let id = rig.partition(0, Config { flush, ..Config::default() });
        rig.produce(&[id], b"v");
        assert_eq!(rig.state.parked.next_deadline(), None);
        let before = rig.state.now();
        rig.state.append_queued();
        let deadline = rig.state.parked.next_deadline().expect("it waits for the disk");
        assert!(deadline >= before + 30_000 && deadline <= rig.state.now() + 30_000);
        assert_eq!(rig.state.parked.expire(deadline), 1);
    }
}
