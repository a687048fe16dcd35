//! The numbers that a shard keeps while it serves. Plain fields with one owner: counting is an add, and a scrape takes a
//! clone. Everything only grows, so that rates can be taken outside.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::histogram::Histogram;

/// One shard's counters.
#[derive(Clone, Debug, Default)]
pub struct ShardCounters {
    /// By the listener's place in the configuration.
    listeners: Vec<ListenerCounters>,
    topics: Vec<Option<(Arc<str>, TopicCounters)>>,
    slots: BTreeMap<Arc<str>, TopicSlot>,
    free: Vec<TopicSlot>,
    /// What topics that are gone had counted: the sum over all topics must not go back.
    retired: TopicCounters,
    /// By API key.
    apis: Vec<Option<Box<ApiCounters>>>,
    /// Frames that closed their connection: too long, negative, an unknown key or version, not decodable.
    pub frames_refused: u64,
}

/// Where a topic's counters stand in its shard. Asked for once per partition and kept, so that counting searches nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopicSlot(u32);

/// Kafka's BrokerTopicMetrics of one topic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TopicCounters {
    /// Bytes of batches appended for clients.
    pub bytes_in: u64,
    /// Records appended for clients.
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
    pub records_without_key_for_compacted: u64,
}

/// One API's counters.
#[derive(Clone, Debug, Default)]
pub struct ApiCounters {
    /// Requests by version.
    versions: Vec<u64>,
    /// Error codes answered, 0 for none, in the order they were first seen.
    errors: Vec<(i16, u64)>,
    /// From the whole frame received to the answer handed to the socket.
    pub total_time: Histogram,
}

/// One listener's counters, of the connections that this shard serves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ListenerCounters {
    pub connections_opened: u64,
    pub connections_closed: u64,
    /// Of those closed: because they were idle for too long.
    pub connections_expired: u64,
    /// Turned away for a limit on connections, before they were opened.
    pub connections_refused: u64,
    pub bytes_in: u64,
    pub bytes_out: u64,
}

/// More than any API has; a bound on what a wrong caller could make grow.
const VERSIONS_MAX: usize = 64;
const API_KEYS_MAX: usize = 1024;

impl ShardCounters {
    /// The counters of the listener at `index`.
    pub fn listener(&mut self, index: usize) -> &mut ListenerCounters {
        if self.listeners.len() <= index {
            self.listeners.resize_with(index + 1, ListenerCounters::default);
        }
        &mut self.listeners[index]
    }

    /// By the listener's place in the configuration; may be shorter than that.
    pub fn listeners(&self) -> &[ListenerCounters] {
        &self.listeners
    }

    /// The slot of `topic`, a new one at zero unless there is one.
    pub fn topic_slot(&mut self, topic: &Arc<str>) -> TopicSlot {
        if let Some(slot) = self.slots.get(topic) {
            return *slot;
        }
        let entry = Some((topic.clone(), TopicCounters::default()));
        let slot = match self.free.pop() {
            Some(slot) => {
                self.topics[slot.0 as usize] = entry;
                slot
            }
            None => {
                self.topics.push(entry);
                TopicSlot((self.topics.len() - 1) as u32)
            }
        };
        self.slots.insert(topic.clone(), slot);
        slot
    }

    /// The counters behind a slot. A slot whose topic was forgotten counts for the sum of all topics only.
    pub fn topic(&mut self, slot: TopicSlot) -> &mut TopicCounters {
        match self.topics.get_mut(slot.0 as usize) {
            Some(Some((_, counters))) => counters,
            _ => &mut self.retired,
        }
    }

    /// Forgets a topic whose last partition left this shard. Its slot must not be used any more: another topic may get it.
    pub fn forget_topic(&mut self, topic: &str) {
        let Some(slot) = self.slots.remove(topic) else { return };
        if let Some((_, counters)) = self.topics[slot.0 as usize].take() {
            self.retired.add(&counters);
        }
        self.free.push(slot);
    }

    /// Topics with a slot here, in no particular order.
    pub fn topics(&self) -> impl Iterator<Item = (&Arc<str>, &TopicCounters)> {
        self.topics.iter().flatten().map(|(name, counters)| (name, counters))
    }

    /// What forgotten topics had counted.
    pub fn retired(&self) -> &TopicCounters {
        &self.retired
    }

    /// One answered request. `total_us` runs from the whole frame received to the answer handed to the socket.
    pub fn request(&mut self, api_key: i16, version: i16, total_us: u64) {
        let Some(api) = self.api_mut(api_key) else { return };
        let version = usize::try_from(version).unwrap_or(0).min(VERSIONS_MAX);
        if api.versions.len() <= version {
            api.versions.resize(version + 1, 0);
        }
        api.versions[version] += 1;
        api.total_time.record(total_us);
    }

    /// `times` answers, or parts of one, with this error code; 0 is none.
    pub fn error(&mut self, api_key: i16, code: i16, times: u64) {
        let Some(api) = self.api_mut(api_key) else { return };
        match api.errors.iter_mut().find(|(seen, _)| *seen == code) {
            Some((_, count)) => *count += times,
            None => api.errors.push((code, times)),
        }
    }

    /// APIs that were asked for, by key.
    pub fn apis(&self) -> impl Iterator<Item = (i16, &ApiCounters)> {
        self.apis.iter().enumerate().filter_map(|(key, api)| Some((key as i16, api.as_deref()?)))
    }

    /// Allocates once per API, at its first request.
    fn api_mut(&mut self, api_key: i16) -> Option<&mut ApiCounters> {
        let key = usize::try_from(api_key).ok().filter(|key| *key < API_KEYS_MAX)?;
        if self.apis.len() <= key {
            self.apis.resize_with(key + 1, || None);
        }
        Some(self.apis[key].get_or_insert_default())
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
        self.records_without_key_for_compacted += other.records_without_key_for_compacted;
    }
}

impl ApiCounters {
    /// Requests by version, those without a request left out.
    pub fn versions(&self) -> impl Iterator<Item = (usize, u64)> {
        self.versions.iter().copied().enumerate().filter(|(_, count)| *count > 0)
    }

    pub fn errors(&self) -> &[(i16, u64)] {
        &self.errors
    }

    /// Adds what another shard counted for the same API.
    pub fn merge(&mut self, other: &Self) {
        if self.versions.len() < other.versions.len() {
            self.versions.resize(other.versions.len(), 0);
        }
        for (mine, theirs) in self.versions.iter_mut().zip(&other.versions) {
            *mine += theirs;
        }
        for (code, count) in &other.errors {
            match self.errors.iter_mut().find(|(seen, _)| seen == code) {
                Some((_, mine)) => *mine += count,
                None => self.errors.push((*code, *count)),
            }
        }
        self.total_time.merge(&other.total_time);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_keeps_its_slot_and_a_forgotten_one_keeps_its_sum() {
        let mut counters = ShardCounters::default();
        let (a, b): (Arc<str>, Arc<str>) = ("a".into(), "b".into());
        let slot = counters.topic_slot(&a);
        counters.topic(slot).bytes_in += 10;
        assert_eq!(counters.topic_slot(&a), slot);
        counters.forget_topic("a");
        counters.topic(slot).bytes_in += 1;
        assert_eq!((counters.topics().count(), counters.retired().bytes_in), (0, 11));
        let reused = counters.topic_slot(&b);
        assert_eq!(reused, slot);
        assert_eq!(*counters.topic(reused), TopicCounters::default());
        counters.forget_topic("never seen");
    }

    #[test]
    fn requests_are_counted_by_api_version_and_error() {
        let mut counters = ShardCounters::default();
        counters.request(1, 17, 250);
        counters.request(1, 17, 350);
        counters.request(1, 4, 100);
        counters.error(1, 0, 2);
        counters.error(1, 6, 1);
        counters.error(1, 6, 1);
        counters.request(-1, 0, 1);
        counters.request(i16::MAX, 0, 1);
        let (key, fetch) = counters.apis().next().unwrap();
        assert_eq!((key, counters.apis().count()), (1, 1));
        assert_eq!(fetch.versions().collect::<Vec<_>>(), [(4, 1), (17, 2)]);
        assert_eq!(fetch.errors(), [(0, 2), (6, 2)]);
        assert_eq!(fetch.total_time.count(), 3);

        let mut sum = fetch.clone();
        sum.merge(fetch);
        assert_eq!(sum.versions().collect::<Vec<_>>(), [(4, 2), (17, 4)]);
        assert_eq!(sum.errors(), [(0, 4), (6, 4)]);
    }

    #[test]
    fn listeners_appear_when_first_counted() {
        let mut counters = ShardCounters::default();
        counters.listener(1).connections_opened += 1;
        assert_eq!(counters.listeners().len(), 2);
        assert_eq!(counters.listeners()[1].connections_opened, 1);
    }
}
