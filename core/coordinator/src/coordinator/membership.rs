//! JoinGroup, SyncGroup, Heartbeat and LeaveGroup: from a request to its group.

use std::sync::Arc;

use model::TimestampMs;

use super::GroupCoordinator;
use crate::error::GroupError;
use crate::group::Group;
use crate::group::state::GroupState;
use crate::message::{
    Decision, HeartbeatRequest, JoinRefused, JoinRequest, LeaveRequest, LeavingMember, LeftMember, Outcome, Reply,
    SyncRequest, Ticket,
};
use crate::records::{self, Change, Decoded, Record};
use crate::stored::StoredGroup;

/// Room for the dash and the UUID that follow an instance id in a member id.
const MEMBER_ID_TAIL: usize = 37;

impl GroupCoordinator {
    /// JoinGroup. `ticket` is answered in this outcome or in a later one: when the join phase ends, the member is
    /// removed, its instance id is taken over, or leadership is lost. A first join creates the group, which is written.
    pub fn join(&mut self, request: &JoinRequest, ticket: Ticket, now: TimestampMs) -> Outcome {
        let mut outcome = Outcome::default();
        if let Err(error) = self.check_join(request) {
            let member_id = request.member_id.clone();
            outcome.completions.push((ticket, Reply::Join(Err(JoinRefused { error, member_id }))));
            return outcome;
        }
        let id: Arc<str> = Arc::from(request.group.as_str());
        let is_new = !self.groups.contains_key(&id);
        if is_new {
            self.groups.insert(id.clone(), Group::new(id.clone(), now));
        }
        self.visit(&id, now, &mut outcome, |group, cx| group.join(request, ticket, cx));
        if is_new {
            let refused = self.groups.get(&id).is_none_or(|g| g.members().next().is_none() && !g.has_pending_members());
            if refused {
                self.groups.remove(&id);
            } else {
                let stored = StoredGroup { state_since: Some(now), ..StoredGroup::default() };
                outcome.records.push(records::group(&id, &stored));
            }
        }
        outcome
    }

    fn check_join(&self, request: &JoinRequest) -> Result<(), GroupError> {
        check_group_id(&request.group)?;
        let session = self.config.session_timeout_min_ms..=self.config.session_timeout_max_ms;
        if !session.contains(&request.session_timeout_ms) {
            return Err(GroupError::InvalidSessionTimeout);
        }
        let instance_max = records::STRING_MAX - MEMBER_ID_TAIL;
        if request.group_instance_id.as_ref().is_some_and(|id| id.len() > instance_max) {
            return Err(GroupError::UnknownMemberId);
        }
        // A group is born by a member without an id; one with an id belongs to a group that is gone.
        if !request.member_id.is_empty() && !self.groups.contains_key(request.group.as_str()) {
            return Err(GroupError::UnknownMemberId);
        }
        Ok(())
    }

    /// SyncGroup. `ticket` is answered in this outcome, or when the leader syncs, the group rebalances, the member is
    /// removed or fenced, or leadership is lost.
    pub fn sync(&mut self, request: &SyncRequest, ticket: Ticket, now: TimestampMs) -> Outcome {
        let mut outcome = Outcome::default();
        let refused = match check_group_id(&request.group) {
            Err(error) => Some(error),
            Ok(()) if !self.groups.contains_key(request.group.as_str()) => Some(GroupError::UnknownMemberId),
            Ok(()) => None,
        };
        if let Some(error) = refused {
            outcome.completions.push((ticket, Reply::Sync(Err(error))));
            return outcome;
        }
        self.visit(&request.group, now, &mut outcome, |group, cx| group.sync(request, ticket, cx));
        outcome
    }

    /// Heartbeat. It writes nothing and rests on nothing that could be lost, so its reply need not wait for the log.
    pub fn heartbeat(&mut self, request: &HeartbeatRequest, now: TimestampMs) -> Result<(), GroupError> {
        check_group_id(&request.group)?;
        let mut outcome = Outcome::default();
        let reply = self.visit(&request.group, now, &mut outcome, |group, cx| Some(group.heartbeat(request, cx)));
        assert!(outcome == Outcome::default(), "a heartbeat proposes no records and answers nobody else");
        reply.unwrap_or(Err(GroupError::UnknownMemberId))
    }

    /// LeaveGroup, for any number of members: each with its own error, in the order asked. Nobody is a member of a group
    /// that is not there.
    pub fn leave(&mut self, request: &LeaveRequest, now: TimestampMs) -> Decision<Result<Vec<LeftMember>, GroupError>> {
        let mut outcome = Outcome::default();
        if let Err(error) = check_group_id(&request.group) {
            return Decision { reply: Err(error), outcome };
        }
        let left = self.visit(&request.group, now, &mut outcome, |group, cx| Some(group.leave(&request.members, cx)));
        let unknown = |member: &LeavingMember| LeftMember {
            member_id: member.member_id.clone(),
            group_instance_id: member.group_instance_id.clone(),
            error: Some(GroupError::UnknownMemberId),
        };
        Decision { reply: Ok(left.unwrap_or_else(|| request.members.iter().map(unknown).collect())), outcome }
    }

    /// The records of an outcome could not be appended, and none of them is in the log. Takes back what was decided on
    /// the way to them; the caller answers that outcome's own completions with its error.
    pub fn append_failed(&mut self, records: &[Record], now: TimestampMs) -> Outcome {
        let mut outcome = Outcome::default();
        for record in records {
            let Ok(Decoded::Change(Change::Group { group: id, value: Some(value) })) = records::decode(record) else {
                // Offsets and tombstones change nothing before they are applied.
                continue;
            };
            let id: Arc<str> = Arc::from(id);
            let Some(stored) = self.stored.group(&id) else {
                // The group was about to be created: whoever has joined it meanwhile starts over.
                self.visit(&id, now, &mut outcome, |group, cx| {
                    group.refuse_joins(GroupError::CoordinatorNotAvailable, cx);
                });
                self.groups.remove(&id);
                self.timers.cancel_group(&id);
                continue;
            };
            let restored = Group::stored(id.clone(), stored);
            let done = self.visit(&id, now, &mut outcome, |group, cx| group.on_append_failed(value.generation, cx));
            if !done {
                // Members that the log still has get a session, at whose end their departure is tried again.
                self.timers.cancel_group(&id);
                self.groups.insert(id.clone(), restored);
                self.visit(&id, now, &mut outcome, |group, cx| group.start_sessions(cx));
            }
        }
        outcome
    }

    /// The state of a group, for tests and metrics.
    pub fn group_state(&self, group: &str) -> Option<GroupState> {
        self.groups.get(group).map(Group::state)
    }
}

/// Membership needs a group id, and a record must be able to hold it.
pub(super) fn check_group_id(group: &str) -> Result<(), GroupError> {
    if group.is_empty() || group.len() > records::STRING_MAX { Err(GroupError::InvalidGroupId) } else { Ok(()) }
}
