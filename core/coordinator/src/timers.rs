//! Deadlines as data: what will be due when. Nothing here waits.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::TimestampMs;

/// What falls due. The order decides between two that fall due together, so a run can be repeated.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum TimerKey {
    /// The next look for expired offsets in all groups.
    OffsetExpiry,
    /// The end of a group's join phase.
    Join(Arc<str>),
    /// The end of a group's wait for SyncGroup.
    Sync(Arc<str>),
    /// The end of a member's session: group, member.
    Session(Arc<str>, Arc<str>),
}

/// At most one deadline per key, found by key and by time.
#[derive(Debug, Clone, Default)]
pub struct Timers {
    by_key: BTreeMap<TimerKey, TimestampMs>,
    by_time: BTreeSet<(TimestampMs, TimerKey)>,
}

impl Timers {
    /// Sets or moves the deadline of `key` to `delay_ms` after `now`, at least one millisecond later: a timer that
    /// fires can set itself again without keeping [`Timers::pop_due`] busy forever.
    pub fn schedule(&mut self, key: TimerKey, now: TimestampMs, delay_ms: i64) {
        let at = now + delay_ms.max(1);
        if let Some(old) = self.by_key.insert(key.clone(), at) {
            self.by_time.remove(&(old, key.clone()));
        }
        self.by_time.insert((at, key));
    }

    pub fn cancel(&mut self, key: &TimerKey) {
        if let Some(old) = self.by_key.remove(key) {
            self.by_time.remove(&(old, key.clone()));
        }
    }

    /// Forgets every deadline of `group` and of its members.
    pub fn cancel_group(&mut self, group: &Arc<str>) {
        self.cancel(&TimerKey::Join(group.clone()));
        self.cancel(&TimerKey::Sync(group.clone()));
        let first = TimerKey::Session(group.clone(), Arc::from(""));
        let sessions: Vec<TimerKey> = self
            .by_key
            .range(first..)
            .map(|(key, _)| key)
            .take_while(|key| matches!(key, TimerKey::Session(g, _) if g == group))
            .cloned()
            .collect();
        for key in &sessions {
            self.cancel(key);
        }
    }

    pub fn deadline(&self, key: &TimerKey) -> Option<TimestampMs> {
        self.by_key.get(key).copied()
    }

    /// The earliest deadline of all.
    pub fn next(&self) -> Option<TimestampMs> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// Takes the earliest of what is due at `now`, the deadline itself included.
    pub fn pop_due(&mut self, now: TimestampMs) -> Option<TimerKey> {
        if self.next()? > now {
            return None;
        }
        let (_, key) = self.by_time.pop_first()?;
        self.by_key.remove(&key);
        Some(key)
    }

    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    pub fn clear(&mut self) {
        self.by_key.clear();
        self.by_time.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(member: &str) -> TimerKey {
        TimerKey::Session(Arc::from("g"), Arc::from(member))
    }

    #[test]
    fn moving_a_deadline_forgets_the_earlier_one() {
        let mut timers = Timers::default();
        timers.schedule(session("a"), TimestampMs(0), 10);
        timers.schedule(session("a"), TimestampMs(5), 10);
        assert_eq!(timers.next(), Some(TimestampMs(15)));
        assert_eq!(timers.pop_due(TimestampMs(14)), None);
        assert_eq!(timers.pop_due(TimestampMs(15)), Some(session("a")));
        assert!(timers.is_empty());
    }

    #[test]
    fn cancelling_a_group_leaves_other_groups_alone() {
        let mut timers = Timers::default();
        let other = TimerKey::Session(Arc::from("h"), Arc::from("a"));
        timers.schedule(session("a"), TimestampMs(0), 10);
        timers.schedule(session("b"), TimestampMs(0), 10);
        timers.schedule(TimerKey::Join(Arc::from("g")), TimestampMs(0), 10);
        timers.schedule(other.clone(), TimestampMs(0), 10);
        timers.cancel_group(&Arc::from("g"));
        assert_eq!(timers.len(), 1);
        assert!(timers.deadline(&other).is_some());
    }

    #[test]
    fn a_delay_of_nothing_is_still_in_the_future() {
        let mut timers = Timers::default();
        timers.schedule(session("a"), TimestampMs(7), 0);
        assert_eq!(timers.pop_due(TimestampMs(7)), None);
        assert_eq!(timers.next(), Some(TimestampMs(8)));
    }
}
