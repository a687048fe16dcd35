//! Heartbeat (12): a member is alive, and hears whether it has to join again.

use coordinator::message;
use wire::ErrorCode;
use wire::messages::heartbeat::{HeartbeatRequest, HeartbeatResponse};

use super::context::Context;
use super::dispatch::Connection;
use super::errors::ToCode as _;
use crate::coordination::groups;

/// Renews the member's session.
pub async fn handle(context: &Context, _: &Connection, request: HeartbeatRequest, _: i16) -> HeartbeatResponse {
    let code = match context.group_partition(&request.group_id) {
        None => ErrorCode::NotCoordinator,
        Some(partition) => {
            let beat = message::HeartbeatRequest {
                group: request.group_id.to_string(),
                member_id: request.member_id.to_string(),
                group_instance_id: request.group_instance_id.map(|id| id.to_string()),
                generation: request.generation_id,
            };
            match groups::heartbeat(&context.shards, partition, beat).await {
                Ok(()) => ErrorCode::None,
                Err(error) => error.to_code(),
            }
        }
    };
    HeartbeatResponse { error_code: code.code(), ..Default::default() }
}
