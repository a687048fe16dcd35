//! The numbers that a shard keeps while it serves. Plain fields with one owner: counting is an add, and a scrape takes a
//! copy ([`ShardCounters::counted`]). What counts events only grows, so that rates can be taken outside.

mod apis;
mod topics;

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

pub use apis::ApiCounters;
pub use topics::{TopicCounters, TopicSlot, Topics};

use super::histogram::Histogram;

/// One shard's counters.
#[derive(Debug, Default)]
pub struct ShardCounters {
    /// By the listener's place in the configuration.
    listeners: Vec<Listener>,
    pub topics: Topics,
    pub apis: apis::Apis,
    pub plain: PlainCounters,
    /// How long syncs of logs took.
    pub flush_time: Histogram,
}

/// What is not counted by anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlainCounters {
    /// Connections closed for what they sent: frames too long, negative, cut short, of an unknown key or version, or not
    /// decodable.
    pub frames_refused: u64,
    /// Fetches that wait for bytes now.
    pub fetches_parked: u64,
    /// Fetches whose wait ended without enough bytes.
    pub fetches_expired: u64,
    /// Produces whose acknowledgement did not come in time.
    pub produces_expired: u64,
    /// Incremental fetch sessions open now.
    pub fetch_sessions: u64,
    /// Partitions in them.
    pub fetch_session_partitions: u64,
    /// Sessions that gave way to younger ones.
    pub fetch_sessions_evicted: u64,
    /// Offsets committed, by partition.
    pub offset_commits: u64,
    pub offset_expirations: u64,
    pub completed_rebalances: u64,
    /// Partitions of groups that were read, how long that took in all, and the longest.
    pub group_loads: u64,
    pub group_load_us: u64,
    pub group_load_us_max: u64,
}

/// What one listener's connections on this shard have sent and received, shared by all of them.
#[derive(Debug, Default)]
pub struct Traffic {
    received: Cell<u64>,
    sent: Cell<u64>,
}

impl Traffic {
    /// `bytes` came from a socket.
    pub fn received(&self, bytes: usize) {
        self.received.set(self.received.get() + bytes as u64);
    }

    /// `bytes` went to a socket.
    pub fn sent(&self, bytes: usize) {
        self.sent.set(self.sent.get() + bytes as u64);
    }
}

#[derive(Debug, Default)]
struct Listener {
    connections: ListenerCounters,
    traffic: Rc<Traffic>,
}

/// One listener's counters, of the connections that a shard serves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ListenerCounters {
    pub opened: u64,
    pub closed: u64,
    /// Of those closed: because they were idle for too long.
    pub expired: u64,
    /// In a scrape only: while a shard serves, [`Traffic`] counts them.
    pub bytes_in: u64,
    pub bytes_out: u64,
}

/// What a scrape takes.
#[derive(Clone, Debug, Default)]
pub struct Counted {
    /// By the listener's place in the configuration; may be shorter than that.
    pub listeners: Vec<ListenerCounters>,
    /// Topics that were asked for at least once, in no order.
    pub topics: Vec<(Arc<str>, TopicCounters)>,
    /// What topics that are gone had counted: the sum over all topics must not go back.
    pub retired: TopicCounters,
    /// APIs that were asked for, by key.
    pub apis: Vec<(i16, ApiCounters)>,
    pub plain: PlainCounters,
    pub flush_time: Histogram,
}

impl ShardCounters {
    /// The counters of the listener at `index`.
    pub fn listener(&mut self, index: usize) -> &mut ListenerCounters {
        &mut self.listener_at(index).connections
    }

    /// Where connections of the listener at `index` count their bytes.
    pub fn traffic(&mut self, index: usize) -> Rc<Traffic> {
        self.listener_at(index).traffic.clone()
    }

    fn listener_at(&mut self, index: usize) -> &mut Listener {
        if self.listeners.len() <= index {
            self.listeners.resize_with(index + 1, Listener::default);
        }
        &mut self.listeners[index]
    }

    pub fn counted(&self) -> Counted {
        let listener = |listener: &Listener| ListenerCounters {
            bytes_in: listener.traffic.received.get(),
            bytes_out: listener.traffic.sent.get(),
            ..listener.connections
        };
        Counted {
            listeners: self.listeners.iter().map(listener).collect(),
            topics: self.topics.used().map(|(name, counters)| (name.clone(), *counters)).collect(),
            retired: *self.topics.retired(),
            apis: self.apis.iter().map(|(key, api)| (key, api.clone())).collect(),
            plain: self.plain,
            flush_time: self.flush_time.clone(),
        }
    }
}

impl PlainCounters {
    pub fn add(&mut self, other: &Self) {
        self.frames_refused += other.frames_refused;
        self.fetches_parked += other.fetches_parked;
        self.fetches_expired += other.fetches_expired;
        self.produces_expired += other.produces_expired;
        self.fetch_sessions += other.fetch_sessions;
        self.fetch_session_partitions += other.fetch_session_partitions;
        self.fetch_sessions_evicted += other.fetch_sessions_evicted;
        self.offset_commits += other.offset_commits;
        self.offset_expirations += other.offset_expirations;
        self.completed_rebalances += other.completed_rebalances;
        self.group_loads += other.group_loads;
        self.group_load_us += other.group_load_us;
        self.group_load_us_max = self.group_load_us_max.max(other.group_load_us_max);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_appear_when_first_counted_and_share_the_bytes_of_their_connections() {
        let mut counters = ShardCounters::default();
        counters.listener(1).opened += 1;
        let (one, other) = (counters.traffic(1), counters.traffic(1));
        one.received(3);
        other.received(4);
        other.sent(5);
        let listeners = counters.counted().listeners;
        assert_eq!(listeners.len(), 2);
        assert_eq!(listeners[1], ListenerCounters { opened: 1, bytes_in: 7, bytes_out: 5, ..Default::default() });
    }
}
