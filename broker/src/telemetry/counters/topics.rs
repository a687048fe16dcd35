//! Kafka's BrokerTopicMetrics, by topic.

use std::collections::HashMap;
use std::sync::Arc;

use model::TopicId;

/// One shard's topics. Their number is that of the cluster's topics at most: a deleted one is forgotten.
#[derive(Debug, Default)]
pub struct Topics {
    by_slot: Vec<Option<(Arc<str>, TopicCounters)>>,
    slots: HashMap<TopicId, TopicSlot>,
    free: Vec<TopicSlot>,
    retired: TopicCounters,
}

/// Where a topic's counters stand in its shard. Asked for once and kept, so that counting searches nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopicSlot(u32);

/// What is counted for one topic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TopicCounters {
    /// Bytes of batches appended for clients and for group coordinators.
    pub bytes_in: u64,
    /// Records appended for them.
    pub messages_in: u64,
    /// Bytes of batches sent to clients.
    pub bytes_out: u64,
    /// Bytes of batches refused for their size.
    pub bytes_rejected: u64,
    /// Partitions of produce requests, as Kafka counts.
    pub produce_requests: u64,
    pub produce_requests_failed: u64,
    /// Partitions of fetch requests.
    pub fetch_requests: u64,
    pub fetch_requests_failed: u64,
    pub batches_with_invalid_magic: u64,
    pub batches_with_invalid_crc: u64,
    pub batches_with_invalid_offset_or_sequence: u64,
}

impl Topics {
    /// The slot of a topic, a new one at zero unless there is one.
    pub fn slot(&mut self, id: TopicId, name: &Arc<str>) -> TopicSlot {
        if let Some(slot) = self.slots.get(&id) {
            return *slot;
        }
        let entry = Some((name.clone(), TopicCounters::default()));
        let slot = match self.free.pop() {
            Some(slot) => {
                self.by_slot[slot.0 as usize] = entry;
                slot
            }
            None => {
                self.by_slot.push(entry);
                TopicSlot((self.by_slot.len() - 1) as u32)
            }
        };
        self.slots.insert(id, slot);
        slot
    }

    /// The slot of a topic that has one.
    pub fn find(&self, id: TopicId) -> Option<TopicSlot> {
        self.slots.get(&id).copied()
    }

    /// The counters behind a slot. A slot whose topic was forgotten counts for the sum of all topics only.
    pub fn at(&mut self, slot: TopicSlot) -> &mut TopicCounters {
        match self.by_slot.get_mut(slot.0 as usize) {
            Some(Some((_, counters))) => counters,
            _ => &mut self.retired,
        }
    }

    /// Forgets a topic that was deleted. Its slot must not be used any more: another topic may get it.
    pub fn forget(&mut self, id: TopicId) {
        let Some(slot) = self.slots.remove(&id) else { return };
        if let Some((_, counters)) = self.by_slot[slot.0 as usize].take() {
            self.retired.add(&counters);
        }
        self.free.push(slot);
    }

    /// Topics that anything was counted for, in no order.
    pub fn used(&self) -> impl Iterator<Item = (&Arc<str>, &TopicCounters)> {
        let known = self.by_slot.iter().flatten().map(|(name, counters)| (name, counters));
        known.filter(|(_, counters)| **counters != TopicCounters::default())
    }

    /// What forgotten topics had counted.
    pub fn retired(&self) -> &TopicCounters {
        &self.retired
    }
}

impl TopicCounters {
    pub fn add(&mut self, other: &Self) {
        self.bytes_in += other.bytes_in;
        self.messages_in += other.messages_in;
        self.bytes_out += other.bytes_out;
        self.bytes_rejected += other.bytes_rejected;
        self.produce_requests += other.produce_requests;
        self.produce_requests_failed += other.produce_requests_failed;
        self.fetch_requests += other.fetch_requests;
        self.fetch_requests_failed += other.fetch_requests_failed;
        self.batches_with_invalid_magic += other.batches_with_invalid_magic;
        self.batches_with_invalid_crc += other.batches_with_invalid_crc;
        self.batches_with_invalid_offset_or_sequence += other.batches_with_invalid_offset_or_sequence;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_keeps_its_slot_and_a_forgotten_one_keeps_its_sum() {
        let mut topics = Topics::default();
        let (a, b): (Arc<str>, Arc<str>) = ("a".into(), "b".into());
        let (a_id, b_id) = (TopicId([1; 16]), TopicId([2; 16]));
        let slot = topics.slot(a_id, &a);
        topics.at(slot).bytes_in += 10;
        assert_eq!((topics.slot(a_id, &a), topics.find(a_id)), (slot, Some(slot)));
        topics.forget(a_id);
        topics.at(slot).bytes_in += 1;
        assert_eq!((topics.used().count(), topics.retired().bytes_in), (0, 11));
        let reused = topics.slot(b_id, &b);
        assert_eq!(reused, slot);
        assert_eq!(*topics.at(reused), TopicCounters::default());
        topics.forget(a_id);
        assert_eq!(topics.find(b_id), Some(reused));
    }

    #[test]
    fn a_topic_that_nobody_asked_for_takes_no_room_in_a_scrape() {
        let mut topics = Topics::default();
        let (quiet, busy): (Arc<str>, Arc<str>) = ("quiet".into(), "busy".into());
        topics.slot(TopicId([1; 16]), &quiet);
        let slot = topics.slot(TopicId([2; 16]), &busy);
        topics.at(slot).fetch_requests_failed += 1;
        assert_eq!(topics.used().map(|(name, _)| &**name).collect::<Vec<_>>(), ["busy"]);
    }
}
