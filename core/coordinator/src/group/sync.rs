//! SyncGroup: the leader hands in the assignment, everybody gets their share.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::state::GroupState;
use super::{Context, Group};
use crate::error::GroupError;
use crate::message::{Reply, SyncRequest, Synced, Ticket};
use crate::timers::TimerKey;

impl Group {
    /// Answers now, through the outcome, or parks `ticket` until the leader has synced. The leader's own sync proposes
    /// the record of the generation; the group is stable when that is applied.
    pub fn sync(&mut self, request: &SyncRequest, ticket: Ticket, cx: &mut Context<'_>) {
        if let Err(error) = self.check_sync(request) {
            cx.complete(ticket, Reply::Sync(Err(error)));
            return;
        }
        let id = request.member_id.as_str();
        self.pending_sync.remove(id);
        if self.pending_sync.is_empty() {
            cx.timers.cancel(&TimerKey::Sync(self.id.clone()));
        }
        let Some(member) = self.members.get_mut(id) else { return };
        if self.state == GroupState::Stable {
            let assignment = member.assignment.clone();
            let synced = self.synced(assignment);
            cx.complete(ticket, Reply::Sync(Ok(synced)));
            return;
        }
        if let Some(old) = member.awaiting_sync.replace(ticket) {
            cx.complete(old, Reply::Sync(Err(GroupError::RebalanceInProgress)));
        }
        if self.is_leader(id) {
            self.assign(request, cx);
        }
    }

    fn check_sync(&self, request: &SyncRequest) -> Result<(), GroupError> {
        if matches!(self.state, GroupState::Empty | GroupState::Dead) {
            return Err(GroupError::UnknownMemberId);
        }
        self.check_member(&request.member_id, request.group_instance_id.as_deref())?;
        if request.generation != self.generation {
            return Err(GroupError::IllegalGeneration);
        }
        let differs =
            |asked: &Option<String>, ours: &Option<String>| asked.is_some() && ours.is_some() && asked != ours;
        if differs(&request.protocol_type, &self.protocol_type) || differs(&request.protocol_name, &self.protocol_name)
        {
            return Err(GroupError::InconsistentGroupProtocol);
        }
        if self.state == GroupState::PreparingRebalance {
            return Err(GroupError::RebalanceInProgress);
        }
        Ok(())
    }

    /// A member that the leader forgot gets an empty assignment; one that it invented is passed over.
    fn assign(&mut self, request: &SyncRequest, cx: &mut Context<'_>) {
        let given: BTreeMap<&str, &Bytes> =
            request.assignments.iter().map(|(id, bytes)| (id.as_str(), bytes)).collect();
        let share = |id: &str| given.get(id).map(|b| Bytes::copy_from_slice(b)).unwrap_or_default();
        cx.outcome.records.push(self.record(|member| share(&member.id)));

        let (protocol_type, protocol_name) = (self.protocol_type.clone(), self.protocol_name.clone());
        for member in self.members.values_mut() {
            let Some(ticket) = member.awaiting_sync.take() else { continue };
            let synced = Synced {
                protocol_type: protocol_type.clone(),
                protocol_name: protocol_name.clone(),
                assignment: share(&member.id),
            };
            cx.complete(ticket, Reply::Sync(Ok(synced)));
            // A session that ended while the member waited here was forgiven, and nothing else would start the next.
            cx.start_session(&self.id, &member.id, member.session_timeout_ms);
        }
    }

    fn synced(&self, assignment: Bytes) -> Synced {
        Synced { protocol_type: self.protocol_type.clone(), protocol_name: self.protocol_name.clone(), assignment }
    }
}
