//! A classic consumer group while its coordinator leads (KIP-62, 345, 394, 814): the volatile machine.
//!
//! ```text
//!  group/state.rs      the five states
//!  group/member.rs     one member
//!  group/join.rs       JoinGroup            group/rebalance.rs  start and end of the join phase, timeouts
//!  group/sync.rs       SyncGroup            group/presence.rs   Heartbeat, LeaveGroup, session ends
//! ```
//!
//! This file keeps members and counts; it answers nobody. Records are proposed through [`Context`], never applied here.

pub(crate) mod join;
pub(crate) mod member;
pub(crate) mod presence;
pub(crate) mod rebalance;
pub mod state;
pub(crate) mod sync;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use model::TimestampMs;

use crate::config::GroupConfig;
use crate::error::GroupError;
use crate::ids::IdSource;
use crate::message::{Outcome, Reply, Ticket};
use crate::records::{self, Record};
use crate::stored::{StoredGroup, StoredMember};
use crate::timers::{TimerKey, Timers};
use member::Member;
use rebalance::InitialDelay;
use state::GroupState;

/// Whose subscriptions are understood: the consumer's own protocol type.
pub(crate) const CONSUMER_PROTOCOL_TYPE: &str = "consumer";

/// What a group may touch beside itself while it decides.
pub(crate) struct Context<'a> {
    pub config: &'a GroupConfig,
    pub timers: &'a mut Timers,
    pub ids: &'a mut IdSource,
    pub now: TimestampMs,
    pub outcome: &'a mut Outcome,
}

impl Context<'_> {
    fn complete(&mut self, ticket: Ticket, reply: Reply) {
        self.outcome.completions.push((ticket, reply));
    }

    fn start_session(&mut self, group: &Arc<str>, member: &Arc<str>, timeout_ms: i32) {
        self.timers.schedule(TimerKey::Session(group.clone(), member.clone()), self.now, i64::from(timeout_ms));
    }

    fn end_session(&mut self, group: &Arc<str>, member: &Arc<str>) {
        self.timers.cancel(&TimerKey::Session(group.clone(), member.clone()));
    }
}

/// One group.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    pub(crate) id: Arc<str>,
    state: GroupState,
    /// Where the state came from: a rebalance out of [`GroupState::Empty`] is the initial one.
    previous_state: GroupState,
    state_since: Option<TimestampMs>,
    generation: i32,
    protocol_type: Option<String>,
    protocol_name: Option<String>,
    leader: Option<Arc<str>>,
    members: BTreeMap<Arc<str>, Member>,
    /// group.instance.id to member id.
    static_members: BTreeMap<String, Arc<str>>,
    /// Ids given out with [`GroupError::MemberIdRequired`], not yet used.
    pending_join: BTreeSet<Arc<str>>,
    /// Members of this generation that have not asked for their assignment.
    pending_sync: BTreeSet<Arc<str>>,
    /// How many members have a join parked.
    awaiting_join: usize,
    /// How many members offer each protocol.
    offers: BTreeMap<String, usize>,
    /// Set while the initial join phase may still be prolonged.
    initial_delay: Option<InitialDelay>,
    new_member_added: bool,
    /// `None` when the subscriptions cannot be understood.
    subscribed_topics: Option<BTreeSet<String>>,
}

impl Group {
    pub fn new(id: Arc<str>, now: TimestampMs) -> Self {
        Self {
            id,
            state: GroupState::Empty,
            previous_state: GroupState::Dead,
            state_since: Some(now),
            generation: 0,
            protocol_type: None,
            protocol_name: None,
            leader: None,
            members: BTreeMap::new(),
            static_members: BTreeMap::new(),
            pending_join: BTreeSet::new(),
            pending_sync: BTreeSet::new(),
            awaiting_join: 0,
            offers: BTreeMap::new(),
            initial_delay: None,
            new_member_added: false,
            subscribed_topics: None,
        }
    }

    /// The group as the log has it: stable if it has members, else empty. Sessions start with `arm`.
    pub fn stored(id: Arc<str>, stored: &StoredGroup) -> Self {
        let mut group = Self::new(id, TimestampMs::NONE);
        group.state_since = stored.state_since;
        group.generation = stored.generation;
        group.protocol_type = Some(stored.protocol_type.clone()).filter(|t| !t.is_empty());
        group.protocol_name = stored.protocol.clone();
        for member in &stored.members {
            group.insert(Member::stored(member, stored.protocol.as_deref()));
        }
        if !stored.members.is_empty() {
            group.state = GroupState::Stable;
            // Kafka's answer to a record without leader: the first member leads.
            let leader = stored.leader.as_deref().and_then(|leader| group.members.get_key_value(leader));
            group.leader = leader.or_else(|| group.members.first_key_value()).map(|(id, _)| id.clone());
        }
        group.subscribed_topics = group.compute_subscribed_topics();
        group
    }

    /// Gives every member of a freshly loaded group a whole session.
    pub fn start_sessions(&self, cx: &mut Context<'_>) {
        for member in self.members.values() {
            cx.start_session(&self.id, &member.id, member.session_timeout_ms);
        }
    }

    /// A group that outgrew the configured size while it was led elsewhere rebalances, which lets its members commit
    /// before the last of them are turned away.
    pub fn shrink_to_limit(&mut self, cx: &mut Context<'_>) {
        if self.members.len() > cx.config.group_size_max && self.may_rebalance() {
            self.prepare_rebalance(cx);
        }
    }

    pub fn state(&self) -> GroupState {
        self.state
    }

    pub fn state_since(&self) -> Option<TimestampMs> {
        self.state_since
    }

    pub fn generation(&self) -> i32 {
        self.generation
    }

    pub fn protocol_type(&self) -> Option<&str> {
        self.protocol_type.as_deref()
    }

    pub fn protocol_name(&self) -> Option<&str> {
        self.protocol_name.as_deref()
    }

    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.values()
    }

    pub fn has_pending_members(&self) -> bool {
        !self.pending_join.is_empty()
    }

    pub fn uses_consumer_protocol(&self) -> bool {
        self.protocol_type.as_deref() == Some(CONSUMER_PROTOCOL_TYPE)
    }

    pub fn knows_subscriptions(&self) -> bool {
        self.subscribed_topics.is_some()
    }

    /// Whether some member consumes `topic`. A consumer group whose subscriptions cannot be read is taken to consume
    /// everything, so that nothing it needs is deleted.
    pub fn is_subscribed_to(&self, topic: &str) -> bool {
        match &self.subscribed_topics {
            Some(topics) => topics.contains(topic),
            None => self.uses_consumer_protocol(),
        }
    }

    /// The member and instance id go together: 25 when unknown, 82 when another member has the instance id.
    pub fn check_member(&self, member_id: &str, group_instance_id: Option<&str>) -> Result<(), GroupError> {
        if let Some(instance) = group_instance_id {
            match self.static_members.get(instance) {
                None => return Err(GroupError::UnknownMemberId),
                Some(id) if &**id != member_id => return Err(GroupError::FencedInstanceId),
                Some(_) => {}
            }
        }
        if self.members.contains_key(member_id) { Ok(()) } else { Err(GroupError::UnknownMemberId) }
    }

    /// The record of this generation, each member's assignment being `assignment(member)`.
    fn record(&self, assignment: impl Fn(&Member) -> Bytes) -> Record {
        let protocol = self.protocol_name.as_deref();
        let members: Vec<StoredMember> = self.members.values().map(|m| m.to_stored(protocol, assignment(m))).collect();
        let value = StoredGroup {
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            generation: self.generation,
            protocol: self.protocol_name.clone(),
            leader: self.leader.as_ref().map(ToString::to_string),
            state_since: self.state_since,
            members,
        };
        records::group(&self.id, &value)
    }

    fn transition(&mut self, next: GroupState, now: TimestampMs) {
        assert!(self.state.may_become(next), "group {} cannot go from {} to {next}", self.id, self.state);
        self.previous_state = self.state;
        self.state = next;
        self.state_since = Some(now);
    }

    fn is_leader(&self, member_id: &str) -> bool {
        self.leader.as_deref() == Some(member_id)
    }

    fn leader_or_empty(&self) -> String {
        self.leader.as_deref().unwrap_or_default().to_owned()
    }

    fn may_rebalance(&self) -> bool {
        self.state.may_become(GroupState::PreparingRebalance)
    }

    fn all_members_joined(&self) -> bool {
        self.awaiting_join == self.members.len() && self.pending_join.is_empty()
    }

    /// The longest rebalance timeout of any member.
    fn rebalance_timeout_ms(&self) -> i32 {
        self.members.values().map(|m| m.rebalance_timeout_ms).max().unwrap_or(0)
    }

    /// Adds a member that the group does not have.
    fn insert(&mut self, member: Member) {
        let id = member.id.clone();
        if let Some(instance) = &member.group_instance_id {
            self.static_members.insert(instance.clone(), id.clone());
        }
        self.count_offers(&member.protocols, true);
        self.leader.get_or_insert_with(|| id.clone());
        self.pending_join.remove(&id);
        self.awaiting_join += usize::from(member.awaits_join());
        if let Some(old) = self.members.insert(id, member) {
            // Only a log with one member twice in a group comes here; the later one counts.
            self.count_offers(&old.protocols, false);
            self.awaiting_join -= usize::from(old.awaits_join());
        }
    }

    /// Takes a member or a pending id out; another member leads if it did.
    fn remove(&mut self, member_id: &str) -> Option<Member> {
        self.pending_join.remove(member_id);
        self.pending_sync.remove(member_id);
        let member = self.members.remove(member_id)?;
        self.count_offers(&member.protocols, false);
        self.awaiting_join -= usize::from(member.awaits_join());
        if let Some(instance) = &member.group_instance_id
            && self.static_members.get(instance).is_some_and(|id| *id == member.id)
        {
            self.static_members.remove(instance);
        }
        if self.is_leader(member_id) {
            self.leader = self.members.keys().next().cloned();
        }
        Some(member)
    }

    fn count_offers(&mut self, protocols: &[(String, Bytes)], more: bool) {
        for (name, _) in protocols {
            if more {
                *self.offers.entry(name.clone()).or_default() += 1;
            } else if let Some(count) = self.offers.get_mut(name) {
                *count -= 1;
                if *count == 0 {
                    self.offers.remove(name);
                }
            }
        }
    }

    /// Parks a join of `member_id`, or takes the parked one out, and returns the ticket that was there.
    fn set_awaiting_join(&mut self, member_id: &str, ticket: Option<Ticket>) -> Option<Ticket> {
        let member = self.members.get_mut(member_id)?;
        let old = std::mem::replace(&mut member.awaiting_join, ticket);
        self.awaiting_join += usize::from(ticket.is_some());
        self.awaiting_join -= usize::from(old.is_some());
        old
    }

    /// Everything of `member_id` that a repeated JoinGroup may change.
    fn update_member(&mut self, member_id: &str, protocols: &[(String, Bytes)], rebalance_ms: i32, session_ms: i32) {
        let Some(member) = self.members.get_mut(member_id) else { return };
        member.rebalance_timeout_ms = member::rebalance_timeout(rebalance_ms, session_ms);
        member.session_timeout_ms = session_ms;
        let old = std::mem::replace(&mut member.protocols, member::copied(protocols));
        let new = member.protocols.clone();
        self.count_offers(&old, false);
        self.count_offers(&new, true);
    }

    /// The topics of all members, if this is a consumer group with subscriptions that can be read.
    fn compute_subscribed_topics(&self) -> Option<BTreeSet<String>> {
        if !self.uses_consumer_protocol() {
            return None;
        }
        if self.members.is_empty() {
            return Some(BTreeSet::new());
        }
        let protocol = self.protocol_name.as_deref()?;
        let mut topics = BTreeSet::new();
        for member in self.members.values() {
            topics.extend(records::subscribed_topics(&member.metadata(Some(protocol)))?);
        }
        Some(topics)
    }

    /// Tickets of every request parked in this group, taken out: the coordinator stops leading.
    pub fn take_tickets(&mut self) -> (Vec<(Ticket, Arc<str>)>, Vec<Ticket>) {
        let (mut joins, mut syncs) = (Vec::new(), Vec::new());
        for member in self.members.values_mut() {
            joins.extend(member.awaiting_join.take().map(|ticket| (ticket, member.id.clone())));
            syncs.extend(member.awaiting_sync.take());
        }
        self.awaiting_join = 0;
        (joins, syncs)
    }
}

#[cfg(test)]
impl Group {
    pub fn leads(&self, member_id: &str) -> bool {
        self.is_leader(member_id)
    }

    /// What must hold between any two requests.
    pub fn check(&self) {
        assert_eq!(self.awaiting_join, self.members.values().filter(|m| m.awaits_join()).count());
        let mut offers: BTreeMap<String, usize> = BTreeMap::new();
        for (name, _) in self.members.values().flat_map(|m| &m.protocols) {
            *offers.entry(name.clone()).or_default() += 1;
        }
        assert_eq!(offers, self.offers);
        assert_eq!(self.leader.is_some(), !self.members.is_empty(), "{self:?}");
        assert!(self.leader.as_ref().is_none_or(|id| self.members.contains_key(id)));
        assert!(self.static_members.values().all(|id| self.members.contains_key(id)));
        assert!(self.pending_sync.iter().all(|id| self.members.contains_key(id)));
        assert!(self.pending_join.iter().all(|id| !self.members.contains_key(id)));
        if self.state == GroupState::Empty {
            assert!(self.members.is_empty());
        }
        for member in self.members.values() {
            assert!(!member.awaits_join() || self.state == GroupState::PreparingRebalance, "{self:?}");
            assert!(member.awaiting_sync.is_none() || self.state == GroupState::CompletingRebalance, "{self:?}");
        }
    }
}
