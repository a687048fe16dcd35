//! Heartbeat, LeaveGroup and the end of a session: who is still here.

use std::sync::Arc;

use super::state::GroupState;
use super::{Context, Group};
use crate::error::GroupError;
use crate::message::{HeartbeatRequest, LeavingMember, LeftMember};

impl Group {
    /// Renews the member's session. In the join phase the answer asks it to join again.
    pub fn heartbeat(&mut self, request: &HeartbeatRequest, cx: &mut Context<'_>) -> Result<(), GroupError> {
        self.check_member(&request.member_id, request.group_instance_id.as_deref())?;
        if request.generation != self.generation {
            return Err(GroupError::IllegalGeneration);
        }
        self.renew_session(&request.member_id, cx);
        if self.state == GroupState::PreparingRebalance { Err(GroupError::RebalanceInProgress) } else { Ok(()) }
    }

    pub fn renew_session(&self, member_id: &str, cx: &mut Context<'_>) {
        if let Some(member) = self.members.get(member_id) {
            cx.start_session(&self.id, &member.id, member.session_timeout_ms);
        }
    }

    /// Removes each member that may be removed, and rebalances once for all of them.
    pub fn leave(&mut self, members: &[LeavingMember], cx: &mut Context<'_>) -> Vec<LeftMember> {
        let left: Vec<LeftMember> = members
            .iter()
            .map(|leaving| LeftMember {
                member_id: leaving.member_id.clone(),
                group_instance_id: leaving.group_instance_id.clone(),
                error: self.leave_one(leaving, cx).err(),
            })
            .collect();
        if left.iter().any(|member| member.error.is_none()) {
            match self.state {
                GroupState::Stable | GroupState::CompletingRebalance => self.rebalance_or_complete_join(cx),
                GroupState::PreparingRebalance => self.maybe_complete_join(cx),
                GroupState::Empty | GroupState::Dead => {}
            }
        }
        left
    }

    fn leave_one(&mut self, leaving: &LeavingMember, cx: &mut Context<'_>) -> Result<(), GroupError> {
        let id: Arc<str> = if leaving.member_id.is_empty() {
            // An administrator names static members by their instance id alone.
            let instance = leaving.group_instance_id.as_deref().unwrap_or_default();
            self.static_members.get(instance).cloned().ok_or(GroupError::UnknownMemberId)?
        } else {
            Arc::from(leaving.member_id.as_str())
        };
        if !self.pending_join.contains(&id) && !leaving.member_id.is_empty() {
            self.check_member(&id, leaving.group_instance_id.as_deref())?;
        }
        cx.end_session(&self.id, &id);
        if let Some(member) = self.remove(&id) {
            self.refuse_parked(&member, GroupError::UnknownMemberId, cx);
        }
        Ok(())
    }

    /// The member has not been heard of for a whole session, or its first join has waited too long.
    pub fn on_session_deadline(&mut self, member_id: &str, cx: &mut Context<'_>) {
        let was_pending = self.pending_join.contains(member_id);
        match self.members.get(member_id) {
            Some(member) if member.is_excused() => return,
            None if !was_pending => return,
            _ => {}
        }
        if let Some(member) = self.remove(member_id) {
            self.refuse_parked(&member, GroupError::UnknownMemberId, cx);
        }
        match self.state {
            GroupState::Stable | GroupState::CompletingRebalance if !was_pending => {
                self.rebalance_or_complete_join(cx);
            }
            GroupState::PreparingRebalance if self.all_members_joined() => self.complete_join(cx),
            _ => {}
        }
    }
}
