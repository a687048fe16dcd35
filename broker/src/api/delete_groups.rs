//! DeleteGroups (42): empty groups with all their offsets. KIP-229.

use std::collections::BTreeSet;

use wire::messages::delete_groups::{DeletableGroupResult, DeleteGroupsRequest, DeleteGroupsResponse};
use wire::{ErrorCode, Str};

use super::context::Context;
use super::dispatch::Connection;
use super::errors::ToCode as _;
use crate::coordination::groups;

/// Answers each group for itself, once.
pub async fn handle(context: &Context, _: &Connection, request: DeleteGroupsRequest, _: i16) -> DeleteGroupsResponse {
    let mut response = DeleteGroupsResponse::default();
    let names: BTreeSet<Str> = request.groups_names.into_iter().collect();
    for group in names {
        let code = delete(context, &group).await;
        response.results.push(DeletableGroupResult { group_id: group, error_code: code.code(), ..Default::default() });
    }
    response
}

async fn delete(context: &Context, group: &Str) -> ErrorCode {
    let Some(partition) = context.group_partition(group) else { return ErrorCode::NotCoordinator };
    let names = vec![group.to_string()];
    match groups::decide(&context.shards, partition, move |groups, _| groups.delete_groups(&names)).await {
        Err(error) => error.to_code(),
        Ok(results) => match results.into_iter().next() {
            Some((_, Err(error))) => error.to_code(),
            _ => ErrorCode::None,
        },
    }
}
