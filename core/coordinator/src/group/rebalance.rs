//! The join phase: how it starts, how long it waits, how it ends; and the wait for SyncGroup after it.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::TimestampMs;

use super::state::GroupState;
use super::{Context, Group};
use crate::error::GroupError;
use crate::message::{JoinRefused, Joined, JoinedMember, Reply};
use crate::timers::TimerKey;

/// A join phase without any joiner is tried again no sooner than this, whatever the members' rebalance timeouts say.
const RETRY_MIN_MS: i64 = 1_000;

/// The initial join phase of a group waits `delay_ms` at a time while new members come, `remaining_ms` more at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InitialDelay {
    delay_ms: i64,
    remaining_ms: i64,
}

impl Group {
    /// Starts a join phase if none runs, else ends the running one if nobody is missing.
    pub(super) fn rebalance_or_complete_join(&mut self, cx: &mut Context<'_>) {
        if self.may_rebalance() {
            self.prepare_rebalance(cx);
        } else {
            self.maybe_complete_join(cx);
        }
    }

    /// Ends the join phase if nobody is missing, unless it is the initial one, which has its own delay.
    pub(super) fn maybe_complete_join(&mut self, cx: &mut Context<'_>) {
        let initial = self.previous_state == GroupState::Empty;
        if self.state == GroupState::PreparingRebalance && !initial && self.all_members_joined() {
            self.complete_join(cx);
        }
    }

    /// Starts a join phase. Whoever waits in SyncGroup is told to join again.
    pub(super) fn prepare_rebalance(&mut self, cx: &mut Context<'_>) {
        if self.state == GroupState::CompletingRebalance {
            self.refuse_syncs(cx);
        }
        self.pending_sync.clear();
        cx.timers.cancel(&TimerKey::Sync(self.id.clone()));

        if self.state == GroupState::Empty {
            let delay_ms = i64::from(cx.config.initial_rebalance_delay_ms.max(0));
            let remaining_ms = (i64::from(self.rebalance_timeout_ms()) - delay_ms).max(0);
            self.initial_delay = Some(InitialDelay { delay_ms, remaining_ms });
            self.transition(GroupState::PreparingRebalance, cx.now);
            cx.timers.schedule(TimerKey::Join(self.id.clone()), cx.now, delay_ms);
            return;
        }
        self.transition(GroupState::PreparingRebalance, cx.now);
        if self.all_members_joined() {
            self.complete_join(cx);
        } else {
            let timeout_ms = i64::from(self.rebalance_timeout_ms());
            cx.timers.schedule(TimerKey::Join(self.id.clone()), cx.now, timeout_ms);
        }
    }

    fn refuse_syncs(&mut self, cx: &mut Context<'_>) {
        for member in self.members.values_mut() {
            member.assignment = bytes::Bytes::new();
            if let Some(ticket) = member.awaiting_sync.take() {
                cx.complete(ticket, Reply::Sync(Err(GroupError::RebalanceInProgress)));
                cx.start_session(&self.id, &member.id, member.session_timeout_ms);
            }
        }
    }

    /// The join phase has lasted long enough. The initial one is prolonged while new members arrived.
    pub fn on_join_deadline(&mut self, cx: &mut Context<'_>) {
        if self.state != GroupState::PreparingRebalance {
            return;
        }
        match self.initial_delay {
            Some(initial) if self.new_member_added && initial.delay_ms > 0 && initial.remaining_ms > 0 => {
                self.new_member_added = false;
                let delay_ms = i64::from(cx.config.initial_rebalance_delay_ms.max(0)).min(initial.remaining_ms);
                let remaining_ms = (initial.remaining_ms - initial.delay_ms).max(0);
                self.initial_delay = Some(InitialDelay { delay_ms, remaining_ms });
                cx.timers.schedule(TimerKey::Join(self.id.clone()), cx.now, delay_ms);
            }
            _ => self.complete_join(cx),
        }
    }

    /// Ends the join phase: dynamic members that did not join are dropped, the rest is the next generation. A group
    /// that nobody is left in becomes empty, which is written; any other is written when its leader has synced.
    pub(super) fn complete_join(&mut self, cx: &mut Context<'_>) {
        cx.timers.cancel(&TimerKey::Join(self.id.clone()));
        self.initial_delay = None;
        self.new_member_added = false;

        let gone: Vec<Arc<str>> =
            self.members.values().filter(|m| !m.awaits_join() && !m.is_static()).map(|m| m.id.clone()).collect();
        for id in &gone {
            self.remove(id);
            cx.end_session(&self.id, id);
        }

        if !self.members.is_empty() && !self.elect_joined_leader() {
            // Only static members are left and none has joined: their sessions will end one by one.
            let timeout_ms = i64::from(self.rebalance_timeout_ms()).max(RETRY_MIN_MS);
            cx.timers.schedule(TimerKey::Join(self.id.clone()), cx.now, timeout_ms);
            return;
        }

        self.generation = if self.generation == i32::MAX { 1 } else { self.generation + 1 };
        self.pending_sync.clear();
        if self.members.is_empty() {
            self.protocol_name = None;
            self.transition(GroupState::Empty, cx.now);
            self.subscribed_topics = self.compute_subscribed_topics();
            let record = self.record(|_| bytes::Bytes::new());
            cx.outcome.records.push(record);
            return;
        }

        self.protocol_name = self.select_protocol();
        self.subscribed_topics = self.compute_subscribed_topics();
        self.transition(GroupState::CompletingRebalance, cx.now);
        let ids: Vec<Arc<str>> = self.members.keys().cloned().collect();
        for id in ids {
            let ticket = self.set_awaiting_join(&id, None);
            let members = if self.is_leader(&id) { self.joined_members() } else { Vec::new() };
            if let Some(ticket) = ticket {
                cx.complete(ticket, Reply::Join(Ok(self.joined(&id, members))));
            }
            if let Some(member) = self.members.get_mut(&id) {
                member.is_new = false;
                cx.start_session(&self.id, &id, member.session_timeout_ms);
            }
            self.pending_sync.insert(id);
        }
        let timeout_ms = i64::from(self.rebalance_timeout_ms());
        cx.timers.schedule(TimerKey::Sync(self.id.clone()), cx.now, timeout_ms);
    }

    /// Members of this generation that never asked for their assignment are dropped, and the rest joins again.
    pub fn on_sync_deadline(&mut self, cx: &mut Context<'_>) {
        let waiting = matches!(self.state, GroupState::CompletingRebalance | GroupState::Stable);
        if !waiting || self.pending_sync.is_empty() {
            return;
        }
        for id in std::mem::take(&mut self.pending_sync) {
            self.remove(&id);
            cx.end_session(&self.id, &id);
        }
        self.prepare_rebalance(cx);
    }

    /// The leader stays if it joined again; else a member that did takes over. False when nobody did.
    fn elect_joined_leader(&mut self) -> bool {
        let leader_joined = self.leader.as_ref().and_then(|id| self.members.get(id)).is_some_and(|m| m.awaits_join());
        if leader_joined {
            return true;
        }
        match self.members.values().find(|m| m.awaits_join()) {
            Some(member) => {
                self.leader = Some(member.id.clone());
                true
            }
            None => false,
        }
    }

    /// Of the protocols that every member offers, the one that most members like best; of equals, the first by name.
    pub(super) fn select_protocol(&self) -> Option<String> {
        let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
        for member in self.members.values() {
            let choice = member.protocols.iter().find(|(name, _)| self.is_offered_by_all(name));
            if let Some((name, _)) = choice {
                *votes.entry(name).or_default() += 1;
            }
        }
        let most = votes.values().copied().max()?;
        votes.into_iter().find(|(_, count)| *count == most).map(|(name, _)| name.to_owned())
    }

    pub(super) fn is_offered_by_all(&self, protocol: &str) -> bool {
        self.offers.get(protocol).copied().unwrap_or(0) == self.members.len()
    }

    pub(super) fn joined_members(&self) -> Vec<JoinedMember> {
        let protocol = self.protocol_name.as_deref();
        self.members
            .values()
            .map(|m| JoinedMember {
                member_id: m.id.to_string(),
                group_instance_id: m.group_instance_id.clone(),
                metadata: m.metadata(protocol),
            })
            .collect()
    }

    /// The answer to `member_id` about this generation.
    pub(super) fn joined(&self, member_id: &str, members: Vec<JoinedMember>) -> Joined {
        Joined {
            member_id: member_id.to_owned(),
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol_name: self.protocol_name.clone(),
            leader: self.leader_or_empty(),
            skip_assignment: false,
            members,
        }
    }

    /// The record of `generation` could not be appended. A generation that was about to become stable starts over. True
    /// if that is all; false if the caller, which has the stored group, is to go back to it: a static member's takeover
    /// or the last member's departure did not happen.
    pub fn on_append_failed(&mut self, generation: i32, cx: &mut Context<'_>) -> bool {
        if self.generation != generation {
            return true;
        }
        match self.state {
            GroupState::CompletingRebalance => {
                self.prepare_rebalance(cx);
                true
            }
            GroupState::PreparingRebalance | GroupState::Dead => true,
            GroupState::Stable | GroupState::Empty => false,
        }
    }

    /// Every join parked here is refused with `error`: the group will not exist.
    pub fn refuse_joins(&mut self, error: GroupError, cx: &mut Context<'_>) {
        let (joins, syncs) = self.take_tickets();
        for (ticket, id) in joins {
            cx.complete(ticket, Reply::Join(Err(JoinRefused { error, member_id: id.to_string() })));
        }
        for ticket in syncs {
            cx.complete(ticket, Reply::Sync(Err(error)));
        }
    }

    /// The leader's assignment is in the log: from here the group is stable, unless the record is of another
    /// generation; returns whether it became so. Called by replay only.
    pub fn install_assignments(&mut self, stored: &crate::stored::StoredGroup, now: TimestampMs) -> bool {
        if self.state != GroupState::CompletingRebalance || self.generation != stored.generation {
            return false;
        }
        for stored in &stored.members {
            if let Some(member) = self.members.get_mut(stored.member_id.as_str()) {
                member.assignment = stored.assignment.clone();
            }
        }
        self.transition(GroupState::Stable, now);
        true
    }
}
