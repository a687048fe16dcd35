//! JoinGroup: who may join, under which id, and whether that starts a rebalance.

use std::sync::Arc;

use super::member::{self, Member};
use super::state::GroupState;
use super::{Context, Group};
use crate::error::GroupError;
use crate::message::{JoinRefused, JoinRequest, Reply, Ticket};
use crate::records;

/// A client id may be as long as a string can be; the member id made from it takes only so much of it.
const CLIENT_ID_IN_MEMBER_ID_MAX: usize = 255;

impl Group {
    /// Answers now, through the outcome, or parks `ticket` until the join phase ends.
    pub fn join(&mut self, request: &JoinRequest, ticket: Ticket, cx: &mut Context<'_>) {
        let known = !request.member_id.is_empty();
        if !self.accepts(&request.member_id, cx.config.group_size_max) {
            if let Some(member) = self.remove(&request.member_id) {
                self.refuse_parked(&member, GroupError::UnknownMemberId, cx);
            }
            cx.end_session(&self.id, &Arc::from(request.member_id.as_str()));
            refuse(ticket, GroupError::GroupMaxSizeReached, "", cx);
        } else if !self.supports_protocols(request) {
            refuse(ticket, GroupError::InconsistentGroupProtocol, &request.member_id, cx);
        } else if known {
            self.join_known(request, ticket, cx);
        } else {
            self.join_unknown(request, ticket, cx);
        }
    }

    /// In the join phase those who wait count, so that a group beyond its size loses those who come last; otherwise the
    /// members do.
    fn accepts(&self, member_id: &str, size_max: usize) -> bool {
        match self.state {
            GroupState::Empty | GroupState::Dead => true,
            GroupState::PreparingRebalance => {
                self.members.get(member_id).is_some_and(Member::awaits_join) || self.awaiting_join < size_max
            }
            GroupState::CompletingRebalance | GroupState::Stable => {
                self.members.contains_key(member_id) || self.members.len() < size_max
            }
        }
    }

    fn supports_protocols(&self, request: &JoinRequest) -> bool {
        let fits = |text: &str| text.len() <= records::STRING_MAX;
        if !fits(&request.protocol_type) || !request.protocols.iter().all(|(name, _)| fits(name)) {
            return false;
        }
        if self.state == GroupState::Empty {
            return !request.protocol_type.is_empty() && !request.protocols.is_empty();
        }
        self.protocol_type.as_deref() == Some(&request.protocol_type)
            && request.protocols.iter().any(|(name, _)| self.is_offered_by_all(name))
    }

    fn join_unknown(&mut self, request: &JoinRequest, ticket: Ticket, cx: &mut Context<'_>) {
        if let Some(instance) = &request.group_instance_id {
            let id = self.fresh_id(instance, cx);
            match self.static_members.get(instance).cloned() {
                Some(old) => self.replace_static(&old, id, request, ticket, cx),
                None => self.add_member(id, request, ticket, cx),
            }
            return;
        }
        let id = self.fresh_id(head(&request.client_id, CLIENT_ID_IN_MEMBER_ID_MAX), cx);
        if request.require_known_member_id {
            // A client that is gone before it hears of its id leaves nothing but this entry, for one session. KIP-394.
            self.pending_join.insert(id.clone());
            cx.start_session(&self.id, &id, request.session_timeout_ms);
            refuse(ticket, GroupError::MemberIdRequired, &id, cx);
        } else {
            self.add_member(id, request, ticket, cx);
        }
    }

    /// An id that nobody in this group has, whatever the seed.
    fn fresh_id(&self, prefix: &str, cx: &mut Context<'_>) -> Arc<str> {
        loop {
            let id: Arc<str> = Arc::from(cx.ids.member_id(prefix));
            if !self.members.contains_key(&id) && !self.pending_join.contains(&id) {
                return id;
            }
        }
    }

    fn join_known(&mut self, request: &JoinRequest, ticket: Ticket, cx: &mut Context<'_>) {
        let id = request.member_id.as_str();
        if self.pending_join.contains(id) {
            if request.group_instance_id.is_some() {
                // Ids are handed out in advance to dynamic members only.
                refuse(ticket, GroupError::UnknownMemberId, id, cx);
                return;
            }
            self.add_member(Arc::from(id), request, ticket, cx);
            return;
        }
        if let Err(error) = self.check_member(id, request.group_instance_id.as_deref()) {
            refuse(ticket, error, id, cx);
            return;
        }
        let unchanged = self.members.get(id).is_some_and(|m| m.protocols == member::copied(&request.protocols));
        let answer_now = match self.state {
            // The answer to the first attempt may have been lost.
            GroupState::CompletingRebalance => unchanged,
            // A leader comes back because it saw something that its metadata does not show, such as new partitions.
            GroupState::Stable => unchanged && !self.is_leader(id),
            _ => false,
        };
        if answer_now {
            let members = if self.is_leader(id) { self.joined_members() } else { Vec::new() };
            let joined = self.joined(id, members);
            cx.complete(ticket, Reply::Join(Ok(joined)));
            return;
        }
        self.update_member(id, &request.protocols, request.rebalance_timeout_ms, request.session_timeout_ms);
        self.park_join(id, ticket, cx);
        self.rebalance_or_complete_join(cx);
    }

    fn add_member(&mut self, id: Arc<str>, request: &JoinRequest, ticket: Ticket, cx: &mut Context<'_>) {
        if self.members.is_empty() {
            self.protocol_type = Some(request.protocol_type.clone());
        }
        if self.state == GroupState::PreparingRebalance && self.previous_state == GroupState::Empty {
            self.new_member_added = true;
        }
        let mut member = Member::new(id.clone(), request);
        member.client_id = head(&member.client_id, records::STRING_MAX).to_owned();
        member.client_host = head(&member.client_host, records::STRING_MAX).to_owned();
        self.insert(member);
        self.park_join(&id, ticket, cx);
        // A new member cannot heartbeat before it has its answer, and while it waits nobody sees whether its client is
        // still there.
        cx.start_session(&self.id, &id, cx.config.new_member_join_timeout_ms);
        self.rebalance_or_complete_join(cx);
    }

    /// A static member came back under a new id: the old id is fenced at once. KIP-345.
    fn replace_static(
        &mut self,
        old_id: &Arc<str>,
        id: Arc<str>,
        request: &JoinRequest,
        ticket: Ticket,
        cx: &mut Context<'_>,
    ) {
        let old_leader = self.leader_or_empty();
        let was_leader = self.is_leader(old_id);
        let Some(mut member) = self.remove(old_id) else { return };
        self.refuse_parked(&member, GroupError::FencedInstanceId, cx);
        cx.end_session(&self.id, old_id);

        member.id = id.clone();
        member.awaiting_join = None;
        member.awaiting_sync = None;
        member.is_new = false;
        self.insert(member);
        if was_leader {
            self.leader = Some(id.clone());
        }
        self.update_member(&id, &request.protocols, request.rebalance_timeout_ms, request.session_timeout_ms);
        cx.start_session(&self.id, &id, request.session_timeout_ms);

        match self.state {
            GroupState::Stable if self.protocol_name == self.select_protocol() => {
                self.subscribed_topics = self.compute_subscribed_topics();
                cx.outcome.records.push(self.record(|m| m.assignment.clone()));
                let mut joined = self.joined(&id, Vec::new());
                if request.supports_skip_assignment {
                    joined.skip_assignment = was_leader;
                    if was_leader {
                        joined.members = self.joined_members();
                    }
                } else {
                    // An old client that saw itself as leader would assign anew, which nobody would then hear of: it is
                    // told the leader it does not know any more. KIP-814.
                    joined.leader = old_leader;
                }
                cx.complete(ticket, Reply::Join(Ok(joined)));
            }
            GroupState::Stable | GroupState::CompletingRebalance => {
                // After the join phase the leader may already assign to the old id, and the new one would get nothing.
                self.park_join(&id, ticket, cx);
                self.prepare_rebalance(cx);
            }
            _ => {
                self.park_join(&id, ticket, cx);
                self.maybe_complete_join(cx);
            }
        }
    }

    /// Parks `ticket`; an earlier join of the same member, whose connection must be gone, is told to try again.
    fn park_join(&mut self, member_id: &str, ticket: Ticket, cx: &mut Context<'_>) {
        if let Some(old) = self.set_awaiting_join(member_id, Some(ticket)) {
            refuse(old, GroupError::RebalanceInProgress, member_id, cx);
        }
    }

    /// Answers what a member that was just removed had parked.
    pub(super) fn refuse_parked(&self, member: &Member, error: GroupError, cx: &mut Context<'_>) {
        if let Some(ticket) = member.awaiting_join {
            let id = if error == GroupError::UnknownMemberId { "" } else { &*member.id };
            refuse(ticket, error, id, cx);
        }
        if let Some(ticket) = member.awaiting_sync {
            cx.complete(ticket, Reply::Sync(Err(error)));
        }
    }
}

pub(crate) fn refuse(ticket: Ticket, error: GroupError, member_id: &str, cx: &mut Context<'_>) {
    cx.complete(ticket, Reply::Join(Err(JoinRefused { error, member_id: member_id.to_owned() })));
}

/// The first `max` bytes of `text`, less if a character would be cut.
fn head(text: &str, max: usize) -> &str {
    let mut end = text.len().min(max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
