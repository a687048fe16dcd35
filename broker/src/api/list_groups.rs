//! ListGroups (16): the groups that this broker coordinates. KIP-518 filters by state, KIP-848 by type.

use wire::messages::list_groups::{ListGroupsRequest, ListGroupsResponse, ListedGroup};
use wire::{ErrorCode, Str};

use super::context::Context;
use super::dispatch::Connection;
use super::errors::ToCode as _;
use crate::coordination::groups;
use crate::coordination::router::GROUP_TOPIC;

/// Asks every coordinator of this broker.
pub async fn handle(context: &Context, _: &Connection, request: ListGroupsRequest, _: i16) -> ListGroupsResponse {
    let mut response = ListGroupsResponse::default();
    let image = context.image();
    let Some(topic) = image.topic_by_name(GROUP_TOPIC) else { return response };
    let states: Vec<String> = request.states_filter.iter().map(ToString::to_string).collect();
    let types: Vec<String> = request.types_filter.iter().map(ToString::to_string).collect();
    for (index, partition) in topic.partitions() {
        if partition.leader != Some(context.config.node_id) {
            continue;
        }
        let id = model::PartitionId { topic: topic.id, index };
        let (states, types) = (states.clone(), types.clone());
        match groups::ask(&context.shards, id, move |groups| groups.list_groups(&states, &types)).await {
            Ok(listed) => response.groups.extend(listed.into_iter().map(|group| ListedGroup {
                group_id: group.group.into(),
                protocol_type: group.protocol_type.into(),
                group_state: Str::from_static(group.state.name()),
                group_type: Str::from_static("classic"),
                ..Default::default()
            })),
            Err(error) if error.to_code() == ErrorCode::CoordinatorLoadInProgress => {
                response.error_code = error.to_code().code();
            }
            // Another broker's by now.
            Err(_) => {}
        }
    }
    response
}
