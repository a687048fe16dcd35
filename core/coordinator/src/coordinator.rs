//! The coordinator of all groups of one partition of `__consumer_offsets`.
//!
//! ```text
//!  new ─► apply × every record of the log ─► start_leading ─► requests and deadlines ─► stop_leading
//!                                                 └── each Outcome: append, apply, then complete ──┘
//! ```
//!
//! `coordinator/membership.rs` joins, syncs, heartbeats and leaves; `coordinator/offsets.rs` commits, fetches, deletes
//! and expires offsets; `coordinator/admin.rs` lists, describes and deletes groups. The rules of one group are in
//! [`crate::group`].

mod admin;
mod membership;
mod offsets;

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{Offset, TimestampMs};

use crate::config::GroupConfig;
use crate::error::{GroupError, ReplayError};
use crate::group::{Context, Group};
use crate::ids::IdSource;
use crate::message::{JoinRefused, Outcome, Reply, Ticket};
use crate::records::{self, Change, Decoded, Record};
use crate::stored::Stored;
use crate::timers::{TimerKey, Timers};

/// One partition's coordinator. Every request needs [`GroupCoordinator::start_leading`] first; before, and after
/// [`GroupCoordinator::stop_leading`], the caller answers "loading" or "not coordinator" itself.
#[derive(Debug, Clone)]
pub struct GroupCoordinator {
    config: GroupConfig,
    ids: IdSource,
    stored: Stored,
    applied_end: Offset,
    unknown_records: u64,
    tallies: Tallies,
    leading: bool,
    /// While leading: every stored group, and those that are about to be stored.
    groups: BTreeMap<Arc<str>, Group>,
    timers: Timers,
}

/// What a coordinator has done since it leads, for metrics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tallies {
    /// Offsets committed, by partition.
    pub offset_commits: u64,
    /// Offsets dropped because nobody needed them for the retention time.
    pub offset_expirations: u64,
    /// Rebalances that ended with everybody's assignment in the log.
    pub completed_rebalances: u64,
}

impl Tallies {
    pub fn add(&mut self, other: Self) {
        self.offset_commits += other.offset_commits;
        self.offset_expirations += other.offset_expirations;
        self.completed_rebalances += other.completed_rebalances;
    }
}

/// What [`GroupCoordinator::apply`] did with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    Changed,
    /// The record belongs to a group protocol that is not served here. It stays in the log and is counted.
    Unknown {
        record_type: i16,
    },
}

impl GroupCoordinator {
    pub fn new(config: GroupConfig, ids: IdSource) -> Self {
        Self {
            config,
            ids,
            stored: Stored::default(),
            applied_end: Offset::ZERO,
            unknown_records: 0,
            tallies: Tallies::default(),
            leading: false,
            groups: BTreeMap::new(),
            timers: Timers::default(),
        }
    }

    /// Makes one record part of the state. `offset` is its place in the log; records come in order, gaps are fine.
    ///
    /// A leader calls this for each record of an [`Outcome`] right after the append, before the next request; it does
    /// not wait for the high watermark, only the replies do. Fails, changing nothing, on a record of ours that cannot be
    /// read: such a log must not be led from.
    pub fn apply(&mut self, record: &Record, offset: Offset, now: TimestampMs) -> Result<Applied, ReplayError> {
        let decoded = records::decode(record)?;
        self.applied_end = offset + 1;
        match decoded {
            Decoded::Unknown { record_type } => {
                self.unknown_records += 1;
                Ok(Applied::Unknown { record_type })
            }
            Decoded::Change(change) => {
                if self.leading {
                    self.follow(&change, now);
                }
                self.stored.apply(change);
                Ok(Applied::Changed)
            }
        }
    }

    /// The end of what has been applied: one more than the last record's offset. A reply made now rests on records below
    /// it, so it may be released when the high watermark reaches it.
    pub fn applied_end(&self) -> Offset {
        self.applied_end
    }

    /// Records passed over so far, for a metric and a warning.
    pub fn unknown_records(&self) -> u64 {
        self.unknown_records
    }

    pub fn tallies(&self) -> Tallies {
        self.tallies
    }

    /// What the log says.
    pub fn stored(&self) -> &Stored {
        &self.stored
    }

    pub fn config(&self) -> &GroupConfig {
        &self.config
    }

    pub fn is_leading(&self) -> bool {
        self.leading
    }

    /// The whole log has been applied and this broker leads the partition: sessions of all stored members start now.
    pub fn start_leading(&mut self, now: TimestampMs) -> Outcome {
        assert!(!self.leading, "a coordinator cannot start to lead twice");
        self.leading = true;
        self.groups =
            self.stored.groups().map(|(id, stored)| (id.clone(), Group::stored(id.clone(), stored))).collect();
        self.schedule_expiry(now);
        let mut outcome = Outcome::default();
        for id in self.group_ids() {
            self.visit(&id, now, &mut outcome, |group, cx| {
                group.start_sessions(cx);
                group.shrink_to_limit(cx);
            });
        }
        outcome
    }

    /// Leadership is gone: every parked request is answered with [`GroupError::NotCoordinator`], and all that the log
    /// does not know is forgotten.
    pub fn stop_leading(&mut self) -> Vec<(Ticket, Reply)> {
        self.leading = false;
        self.timers.clear();
        let error = GroupError::NotCoordinator;
        let mut completions = Vec::new();
        for group in std::mem::take(&mut self.groups).values_mut() {
            let (joins, syncs) = group.take_tickets();
            completions.extend(
                joins
                    .into_iter()
                    .map(|(ticket, id)| (ticket, Reply::Join(Err(JoinRefused { error, member_id: id.to_string() })))),
            );
            completions.extend(syncs.into_iter().map(|ticket| (ticket, Reply::Sync(Err(error)))));
        }
        completions
    }

    /// When [`GroupCoordinator::on_deadline`] has to be called next; `None` while nothing waits.
    pub fn next_deadline(&self) -> Option<TimestampMs> {
        self.timers.next()
    }

    /// Does everything that is due at `now`, deadlines of exactly `now` included. Afterwards the next deadline lies
    /// after `now`.
    ///
    /// The outcome's records must be applied before anything else is asked, as always.
    pub fn on_deadline(&mut self, now: TimestampMs) -> Outcome {
        let mut outcome = Outcome::default();
        while let Some(key) = self.timers.pop_due(now) {
            match key {
                TimerKey::OffsetExpiry => {
                    self.tallies.offset_expirations += self.expire_into(now, &mut outcome);
                    self.schedule_expiry(now);
                }
                TimerKey::Join(id) => self.visit(&id, now, &mut outcome, |group, cx| group.on_join_deadline(cx)),
                TimerKey::Sync(id) => self.visit(&id, now, &mut outcome, |group, cx| group.on_sync_deadline(cx)),
                TimerKey::Session(id, member) => {
                    self.visit(&id, now, &mut outcome, |group, cx| group.on_session_deadline(&member, cx));
                }
            }
        }
        outcome
    }

    fn schedule_expiry(&mut self, now: TimestampMs) {
        self.timers.schedule(TimerKey::OffsetExpiry, now, self.config.offsets_retention_check_interval_ms);
    }

    /// Brings the live groups in line with a change of what is stored.
    fn follow(&mut self, change: &Change, now: TimestampMs) {
        match change {
            Change::Group { group, value: Some(stored) } => {
                if let Some(group) = self.groups.get_mut(group.as_str()) {
                    self.tallies.completed_rebalances += u64::from(group.install_assignments(stored, now));
                } else {
                    let id: Arc<str> = Arc::from(group.as_str());
                    self.groups.insert(id.clone(), Group::stored(id.clone(), stored));
                    self.visit(&id, now, &mut Outcome::default(), |group, cx| group.start_sessions(cx));
                }
            }
            Change::Group { group, value: None } => {
                if let Some((id, _)) = self.groups.remove_entry(group.as_str()) {
                    self.timers.cancel_group(&id);
                }
            }
            Change::Offset { group, value: Some(_), .. } => {
                self.tallies.offset_commits += 1;
                if !self.groups.contains_key(group.as_str()) {
                    let id: Arc<str> = Arc::from(group.as_str());
                    self.groups.insert(id.clone(), Group::new(id, now));
                }
            }
            Change::Offset { value: None, .. } => {}
        }
    }

    fn group_ids(&self) -> Vec<Arc<str>> {
        self.groups.keys().cloned().collect()
    }

    /// Lets `visit` act on a group, if it exists.
    fn visit<R: Default>(
        &mut self,
        id: &str,
        now: TimestampMs,
        outcome: &mut Outcome,
        visit: impl FnOnce(&mut Group, &mut Context<'_>) -> R,
    ) -> R {
        let Some(group) = self.groups.get_mut(id) else { return R::default() };
        let mut cx = Context { config: &self.config, timers: &mut self.timers, ids: &mut self.ids, now, outcome };
        visit(group, &mut cx)
    }
}

#[cfg(test)]
impl GroupCoordinator {
    pub(crate) fn check(&self) {
        for group in self.groups.values() {
            group.check();
        }
    }
}

#[cfg(test)]
mod tests;
