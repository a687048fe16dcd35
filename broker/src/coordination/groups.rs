//! Asking the coordinator of a group, wherever it lives: the group's partition, its shard, one message there and back.

use coordinator::message::HeartbeatRequest;
use coordinator::{Decision, GroupCoordinator, GroupError, Outcome, Reply, Ticket};
use model::{PartitionId, TimestampMs};

use crate::shard::Local;
use crate::shard::groups::GroupFault;

/// Lets the coordinator on `partition` decide; gives its reply once that is committed.
pub async fn decide<R: Send + 'static>(
    shards: &Local,
    partition: PartitionId,
    decide: impl FnOnce(&mut GroupCoordinator, TimestampMs) -> Decision<R> + Send + 'static,
) -> Result<R, GroupFault> {
    let begun = shards.on(shards.owner(partition), move |state| state.decide_groups(partition, decide)).await;
    let waiting = begun.map_err(|_| GroupError::NotCoordinator)??;
    Ok(waiting.await.map_err(|_| GroupError::NotCoordinator)??)
}

/// Hands the coordinator a request that it answers when it sees fit.
pub async fn park(
    shards: &Local,
    partition: PartitionId,
    hand: impl FnOnce(&mut GroupCoordinator, Ticket, TimestampMs) -> Outcome + Send + 'static,
) -> Result<Reply, GroupFault> {
    let begun = shards.on(shards.owner(partition), move |state| state.park_groups(partition, hand)).await;
    let waiting = begun.map_err(|_| GroupError::NotCoordinator)??;
    Ok(waiting.await.map_err(|_| GroupError::NotCoordinator)?)
}

/// Asks the coordinator something that changes nothing.
pub async fn ask<R: Send + 'static>(
    shards: &Local,
    partition: PartitionId,
    ask: impl FnOnce(&GroupCoordinator) -> R + Send + 'static,
) -> Result<R, GroupFault> {
    let asked = shards.on(shards.owner(partition), move |state| state.ask_groups(partition, ask)).await;
    asked.map_err(|_| GroupError::NotCoordinator)?
}

/// Renews a member's session.
pub async fn heartbeat(shards: &Local, partition: PartitionId, request: HeartbeatRequest) -> Result<(), GroupFault> {
    let asked = shards.on(shards.owner(partition), move |state| state.heartbeat(partition, &request)).await;
    asked.map_err(|_| GroupError::NotCoordinator)?
}
