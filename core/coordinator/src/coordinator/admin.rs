//! ListGroups, DescribeGroups and DeleteGroups, and a look at the groups for metrics.

use std::ops::Bound;

use super::GroupCoordinator;
use crate::error::GroupError;
use crate::group::Group;
use crate::group::state::GroupState;
use crate::message::{Decision, GroupDescription, GroupView, ListedGroup, MemberDescription, Outcome};
use crate::records;

/// The type that tools show for these groups.
const GROUP_TYPE: &str = "classic";

impl GroupCoordinator {
    /// Groups whose state and type are among those asked for, ignoring case; an empty filter takes all.
    pub fn list_groups(&self, states: &[String], types: &[String]) -> Vec<ListedGroup> {
        let matches =
            |filter: &[String], name: &str| filter.is_empty() || filter.iter().any(|f| f.eq_ignore_ascii_case(name));
        if !matches(types, GROUP_TYPE) {
            return Vec::new();
        }
        self.groups
            .iter()
            .filter(|(_, group)| matches(states, group.state().name()))
            .map(|(id, group)| ListedGroup {
                group: id.to_string(),
                protocol_type: group.protocol_type().unwrap_or_default().to_owned(),
                state: group.state(),
            })
            .collect()
    }

    /// One group as tools see it; `None` if there is none, which old API versions show as a dead group and version 6
    /// as `GroupIdNotFound`.
    pub fn describe_group(&self, group: &str) -> Option<GroupDescription> {
        self.groups.get(group).map(describe)
    }

    /// DeleteGroups: each group with its offsets, or why not, in the order asked.
    pub fn delete_groups(&self, groups: &[String]) -> Decision<Vec<(String, Result<(), GroupError>)>> {
        let mut outcome = Outcome::default();
        let reply = groups.iter().map(|group| (group.clone(), self.delete_group(group, &mut outcome))).collect();
        Decision { reply, outcome }
    }

    fn delete_group(&self, id: &str, outcome: &mut Outcome) -> Result<(), GroupError> {
        let group = self.groups.get(id).ok_or(GroupError::GroupIdNotFound)?;
        if group.state() != GroupState::Empty {
            return Err(GroupError::NonEmptyGroup);
        }
        for (topic, partitions) in self.stored.offsets(id).into_iter().flatten() {
            outcome.records.extend(partitions.keys().map(|p| records::offset_tombstone(id, topic, *p)));
        }
        outcome.records.push(records::group_tombstone(id));
        Ok(())
    }

    /// The groups whose names come after `after`, by name, with the offsets committed for each: for metrics, which look at
    /// a few groups at a time.
    pub fn groups_after<'a>(&'a self, after: Option<&str>) -> impl Iterator<Item = GroupView<'a>> + use<'a> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.groups.range::<str, _>((from, Bound::Unbounded)).map(|(id, group)| GroupView {
            id,
            state: group.state(),
            members: group.members().count(),
            offsets: self.stored.offsets(id),
        })
    }
}

fn describe(group: &Group) -> GroupDescription {
    let stable = group.state() == GroupState::Stable;
    let protocol = group.protocol_name().filter(|_| stable);
    let members = group
        .members()
        .map(|member| MemberDescription {
            member_id: member.id.to_string(),
            group_instance_id: member.group_instance_id.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            metadata: member.metadata(protocol),
            assignment: member.assignment.clone(),
        })
        .collect();
    GroupDescription {
        group: group.id.to_string(),
        state: group.state(),
        protocol_type: group.protocol_type().unwrap_or_default().to_owned(),
        protocol: protocol.unwrap_or_default().to_owned(),
        members,
    }
}
