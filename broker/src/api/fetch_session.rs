//! Incremental fetch sessions (KIP-227): what a client asked for and what it was last told, so that both sides name
//! only what changed. A session lives and dies with its connection; a client that comes back opens a new one.

use std::collections::BTreeMap;

use model::{Offset, TopicId};

use crate::telemetry::PlainCounters;

/// Sessions that one connection may keep; the least recently used one goes first. Clients keep one.
const SESSIONS_PER_CONNECTION: usize = 4;

/// The epoch that opens a session (or asks for none: with session id 0).
pub const INITIAL_EPOCH: i32 = 0;
/// The epoch that closes a session, or fetches without one.
pub const FINAL_EPOCH: i32 = -1;

/// What a client wants of one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub fetch_offset: Offset,
    pub max_bytes: i32,
    pub current_leader_epoch: i32,
    pub last_fetched_epoch: i32,
    pub log_start_offset: i64,
}

/// A partition as the client named it: by topic name up to version 12, by id from 13.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    pub topic: TopicKey,
    pub index: i32,
}

/// A topic as the client named it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TopicKey {
    Name(wire::Str),
    Id(TopicId),
}

impl Key {
    /// This key in memory of its own: a session outlives the request that named it.
    fn copied(self) -> Self {
        let topic = match self.topic {
            TopicKey::Name(name) => TopicKey::Name(wire::Str::from(&*name)),
            id @ TopicKey::Id(_) => id,
        };
        Self { topic, ..self }
    }
}

/// What the client was last told about a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    pub high_watermark: i64,
    pub log_start_offset: i64,
    pub failed: bool,
}

#[derive(Clone, Debug)]
struct Entry {
    wanted: Wanted,
    told: Option<Told>,
}

/// One session.
#[derive(Debug)]
pub struct Session {
    id: i32,
    /// The epoch that the next request must carry.
    epoch: i32,
    uses_topic_ids: bool,
    partitions: BTreeMap<Key, Entry>,
    /// The partition after which the next answer begins, so that none starves behind busy ones.
    after: Option<Key>,
}

/// Why a request does not fit its session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// 70: not on this connection, or evicted.
    NotFound,
    /// 71: a request was lost or repeated.
    BadEpoch,
    /// 106: the client changed between topic names and ids.
    TopicIdMix,
}

/// What a request says of its session.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    pub id: i32,
    pub epoch: i32,
    pub uses_topic_ids: bool,
}

/// How a request relates to sessions.
#[derive(Debug, PartialEq, Eq)]
pub enum Kind {
    /// All partitions are in the request, and the answer holds them all. `session_id` is 0 where none was opened.
    Full { session_id: i32 },
    /// Partitions come from the session, and the answer holds what changed.
    Incremental { session_id: i32 },
}

/// The sessions of one connection, oldest use first.
#[derive(Default)]
pub struct Sessions {
    open: Vec<Session>,
    evicted: u64,
    /// Sessions and partitions that [`Sessions::settle`] has counted.
    settled: (u64, u64),
}

impl Sessions {
    /// Takes a request's view of sessions: opens, closes or moves one on. `wanted` are the partitions named in the
    /// request, `forgotten` those it leaves. `new_id` is used where a session opens.
    pub fn begin(
        &mut self,
        asked: Asked,
        wanted: impl Iterator<Item = (Key, Wanted)> + Clone,
        forgotten: impl Iterator<Item = Key> + Clone,
        new_id: impl FnOnce() -> i32,
    ) -> Result<Kind, Refused> {
        let Asked { id, epoch, uses_topic_ids } = asked;
        if epoch == INITIAL_EPOCH || epoch == FINAL_EPOCH {
            // A full request replaces the session that it names.
            self.open.retain(|session| session.id != id);
            if epoch == FINAL_EPOCH || wanted.clone().next().is_none() {
                return Ok(Kind::Full { session_id: 0 });
            }
            if self.open.len() == SESSIONS_PER_CONNECTION {
                self.open.remove(0);
                self.evicted += 1;
            }
            let id = new_id();
            let partitions = wanted.map(|(key, wanted)| (key.copied(), Entry { wanted, told: None }));
            self.open.push(Session { id, epoch: 1, uses_topic_ids, partitions: partitions.collect(), after: None });
            return Ok(Kind::Full { session_id: id });
        }
        let at = self.open.iter().position(|session| session.id == id).ok_or(Refused::NotFound)?;
        let mut session = self.open.remove(at);
        let verdict = session.advance(epoch, uses_topic_ids, wanted, forgotten);
        if verdict.is_ok() && session.partitions.is_empty() {
            // Nothing is left to fetch, so that the session ends.
            return Ok(Kind::Full { session_id: 0 });
        }
        self.open.push(session);
        verdict.map(|()| Kind::Incremental { session_id: id })
    }

    /// Makes the shard's counters tell of what is open here now.
    pub fn settle(&mut self, counters: &mut PlainCounters) {
        let partitions: usize = self.open.iter().map(|session| session.partitions.len()).sum();
        let now = (self.open.len() as u64, partitions as u64);
        counters.fetch_sessions = counters.fetch_sessions + now.0 - self.settled.0;
        counters.fetch_session_partitions = counters.fetch_session_partitions + now.1 - self.settled.1;
        counters.fetch_sessions_evicted += std::mem::take(&mut self.evicted);
        self.settled = now;
    }

    /// The connection ends, and its sessions with it.
    pub fn close(&mut self, counters: &mut PlainCounters) {
        self.open.clear();
        self.settle(counters);
    }

    /// The session `id`, which [`Sessions::begin`] has just confirmed.
    pub fn get(&mut self, id: i32) -> Option<&mut Session> {
        self.open.iter_mut().find(|session| session.id == id)
    }
}

impl Session {
    fn advance(
        &mut self,
        epoch: i32,
        uses_topic_ids: bool,
        wanted: impl Iterator<Item = (Key, Wanted)> + Clone,
        forgotten: impl Iterator<Item = Key> + Clone,
    ) -> Result<(), Refused> {
        if epoch != self.epoch {
            return Err(Refused::BadEpoch);
        }
        let names_none = wanted.clone().next().is_none() && forgotten.clone().next().is_none();
        if uses_topic_ids != self.uses_topic_ids && !(names_none && self.partitions.is_empty()) {
            return Err(Refused::TopicIdMix);
        }
        self.epoch = if epoch == i32::MAX { 1 } else { epoch + 1 };
        for (key, wanted) in wanted {
            match self.partitions.get_mut(&key) {
                Some(entry) => entry.wanted = wanted,
                None => {
                    self.partitions.insert(key.copied(), Entry { wanted, told: None });
                }
            }
        }
        for key in forgotten {
            self.partitions.remove(&key);
        }
        Ok(())
    }

    /// All partitions, beginning behind the last one that filled an answer.
    pub fn partitions(&self) -> impl Iterator<Item = (&Key, &Wanted)> {
        let after = self.after.as_ref();
        let behind = self.partitions.iter().filter(move |(key, _)| after.is_some_and(|after| *key > after));
        let before = self.partitions.iter().filter(move |(key, _)| after.is_none_or(|after| *key <= after));
        behind.chain(before).map(|(key, entry)| (key, &entry.wanted))
    }

    /// Notes what the client is told of `key`, and says whether it has to be: records, an error, or a moved offset.
    pub fn tell(&mut self, key: &Key, told: Told, has_records: bool) -> bool {
        let Some(entry) = self.partitions.get_mut(key) else { return true };
        // After an error the partition is told again next time, whatever it is then.
        let changed = has_records || told.failed || entry.told != Some(told);
        entry.told = (!told.failed).then_some(told);
        if has_records {
            // Not the caller's key, which may share its request's frame.
            self.after = self.partitions.get_key_value(key).map(|(kept, _)| kept.clone());
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(index: i32) -> Key {
        Key { topic: TopicKey::Name("t".into()), index }
    }

    fn wanted(offset: i64) -> Wanted {
        Wanted {
            fetch_offset: Offset(offset),
            max_bytes: 1000,
            current_leader_epoch: -1,
            last_fetched_epoch: -1,
            log_start_offset: -1,
        }
    }

    fn begin(
        sessions: &mut Sessions,
        (id, epoch, uses_topic_ids): (i32, i32, bool),
        wanted: &[(Key, Wanted)],
        forgotten: &[Key],
        new_id: i32,
    ) -> Result<Kind, Refused> {
        let asked = Asked { id, epoch, uses_topic_ids };
        sessions.begin(asked, wanted.iter().cloned(), forgotten.iter().cloned(), || new_id)
    }

    fn opened() -> Sessions {
        let mut sessions = Sessions::default();
        let both = [(key(0), wanted(0)), (key(1), wanted(0))];
        let kind = begin(&mut sessions, (0, INITIAL_EPOCH, false), &both, &[], 7);
        assert_eq!(kind, Ok(Kind::Full { session_id: 7 }));
        sessions
    }

    #[test]
    fn an_incremental_request_names_only_what_changed() {
        let mut sessions = opened();
        let kind = begin(&mut sessions, (7, 1, false), &[(key(1), wanted(5))], &[key(0)], 0);
        assert_eq!(kind, Ok(Kind::Incremental { session_id: 7 }));
        let now: Vec<_> = sessions.get(7).unwrap().partitions().map(|(k, w)| (k.index, w.fetch_offset.0)).collect();
        assert_eq!(now, [(1, 5)]);
    }

    #[test]
    fn a_wrong_epoch_or_id_or_mix_of_topic_ids_is_refused() {
        let mut sessions = opened();
        assert_eq!(begin(&mut sessions, (7, 2, false), &[], &[], 0), Err(Refused::BadEpoch));
        assert_eq!(begin(&mut sessions, (8, 1, false), &[], &[], 0), Err(Refused::NotFound));
        assert_eq!(begin(&mut sessions, (7, 1, true), &[], &[], 0), Err(Refused::TopicIdMix));
        assert!(begin(&mut sessions, (7, 1, false), &[], &[], 0).is_ok());
    }

    #[test]
    fn the_final_epoch_closes_the_session() {
        let mut sessions = opened();
        assert_eq!(begin(&mut sessions, (7, FINAL_EPOCH, false), &[], &[], 0), Ok(Kind::Full { session_id: 0 }));
        assert_eq!(begin(&mut sessions, (7, 1, false), &[], &[], 0), Err(Refused::NotFound));
    }

    #[test]
    fn a_partition_is_told_again_only_when_something_moved_and_always_after_an_error() {
        let mut sessions = opened();
        let session = sessions.get(7).unwrap();
        let quiet = Told { high_watermark: 3, log_start_offset: 0, failed: false };
        assert!(session.tell(&key(0), quiet, false));
        assert!(!session.tell(&key(0), quiet, false));
        assert!(session.tell(&key(0), Told { failed: true, ..quiet }, false));
        assert!(session.tell(&key(0), quiet, false));
    }

    #[test]
    fn the_next_answer_begins_behind_the_partition_that_filled_the_last() {
        let mut sessions = opened();
        let session = sessions.get(7).unwrap();
        session.tell(&key(0), Told { high_watermark: 3, log_start_offset: 0, failed: false }, true);
        let order: Vec<_> = session.partitions().map(|(k, _)| k.index).collect();
        assert_eq!(order, [1, 0]);
    }

    #[test]
    fn a_session_ends_when_nothing_is_left_in_it() {
        let mut sessions = opened();
        let all = [key(0), key(1)];
        assert_eq!(begin(&mut sessions, (7, 1, false), &[], &all, 0), Ok(Kind::Full { session_id: 0 }));
        assert_eq!(begin(&mut sessions, (7, 2, false), &[], &[], 0), Err(Refused::NotFound));
    }

    #[test]
    fn a_connection_keeps_a_bounded_number_of_sessions() {
        let mut sessions = opened();
        for id in 100..100 + SESSIONS_PER_CONNECTION as i32 {
            begin(&mut sessions, (0, INITIAL_EPOCH, false), &[(key(0), wanted(0))], &[], id).unwrap();
        }
        assert_eq!(begin(&mut sessions, (7, 1, false), &[], &[], 0), Err(Refused::NotFound));
        let mut counters = PlainCounters::default();
        sessions.settle(&mut counters);
        let told = |c: &PlainCounters| (c.fetch_sessions, c.fetch_session_partitions, c.fetch_sessions_evicted);
        assert_eq!(told(&counters), (SESSIONS_PER_CONNECTION as u64, SESSIONS_PER_CONNECTION as u64, 1));
        sessions.settle(&mut counters);
        sessions.close(&mut counters);
        assert_eq!(told(&counters), (0, 0, 1));
    }
}
