//! FindCoordinator (10): which broker answers for a group. Creates the group topic at the first question. KIP-699 asks for
//! several at once.

use wire::messages::find_coordinator::{Coordinator, FindCoordinatorRequest, FindCoordinatorResponse};
use wire::{ErrorCode, Str};

use super::context::Context;
use super::dispatch::Connection;
use crate::coordination::router::GROUP_TOPIC;

const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;

/// Answers for one key up to version 3, for several from version 4.
pub async fn handle(
    context: &Context,
    connection: &Connection,
    request: FindCoordinatorRequest,
    version: i16,
) -> FindCoordinatorResponse {
    let keys = if version < 4 { vec![request.key] } else { request.coordinator_keys };
    let mut found = Vec::with_capacity(keys.len());
    for key in keys {
        found.push(find(context, connection, key, request.key_type).await);
    }
    if version >= 4 {
        for one in found.iter_mut().filter(|one| one.error_code == ErrorCode::None.code()) {
            one.error_message = Some(Str::default());
        }
        return FindCoordinatorResponse { coordinators: found, ..Default::default() };
    }
    let Some(one) = found.pop() else { return FindCoordinatorResponse::default() };
    FindCoordinatorResponse {
        error_code: one.error_code,
        error_message: one.error_message,
        node_id: one.node_id,
        host: one.host,
        port: one.port,
        ..Default::default()
    }
}

async fn find(context: &Context, connection: &Connection, key: Str, kind: i8) -> Coordinator {
    let refuse = |key: Str, code: ErrorCode, message: &str| Coordinator {
        key,
        node_id: -1,
        port: -1,
        error_code: code.code(),
        error_message: Some(message.into()),
        ..Default::default()
    };
    match kind {
        GROUP => {}
        TRANSACTION => return refuse(key, ErrorCode::InvalidRequest, "Transactions are not served yet."),
        _ => return refuse(key, ErrorCode::InvalidRequest, "Only groups have coordinators here."),
    }
    if context.group_partition(&key).is_none()
        && let Err((_, message)) = context.create_missing_topic(GROUP_TOPIC).await
    {
        return refuse(key, ErrorCode::CoordinatorNotAvailable, &message);
    }
    let image = context.image();
    let leader = context
        .group_partition(&key)
        .and_then(|id| image.partition(id.topic, id.index)?.leader)
        .and_then(|leader| image.broker(leader))
        .filter(|broker| !broker.fenced);
    match leader.and_then(|broker| Some((broker.id, broker.endpoint(&connection.peer.listener)?))) {
        Some((node, endpoint)) => Coordinator {
            key,
            node_id: node.0,
            host: endpoint.host.as_str().into(),
            port: i32::from(endpoint.port),
            // Kafka says so too, where it answers for one key.
            error_message: Some(Str::from_static("NONE")),
            ..Default::default()
        },
        None => refuse(key, ErrorCode::CoordinatorNotAvailable, "The coordinator is not available."),
    }
}
