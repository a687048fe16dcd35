//! What is asked of a group coordinator and what it answers, free of any wire version: the broker's `api` layer converts.
//!
//! Bytes that clients send (subscriptions, assignments) are opaque here and are copied when they are kept, so that no
//! network buffer outlives its request.

use bytes::Bytes;
use model::{LeaderEpoch, Offset, TopicId};

use crate::error::GroupError;
use crate::group::state::GroupState;
use crate::records::Record;
use crate::stored::GroupOffsets;

/// The caller's name for a request whose answer may come later. Tickets must not repeat while one is parked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// What a request or a deadline led to.
///
/// The caller appends `records` in order as one batch, gives each to [`crate::GroupCoordinator::apply`] at once, before
/// the next request, and releases `completions` when the high watermark has passed them (at once if there are none). If
/// the append fails, it answers every completion of this outcome with that failure and calls
/// [`crate::GroupCoordinator::append_failed`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use]
pub struct Outcome {
    pub records: Vec<Record>,
    pub completions: Vec<(Ticket, Reply)>,
}

/// A reply that is ready now, with what it led to. The reply waits for the records like a completion does.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Decision<R> {
    pub reply: R,
    pub outcome: Outcome,
}

/// The answer to a parked request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    Join(Result<Joined, JoinRefused>),
    Sync(Result<Synced, GroupError>),
}

/// JoinGroup (KIP-62, KIP-345 static members, KIP-394 two-step member ids, KIP-800 reason).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinRequest {
    pub group: String,
    /// Empty for a member that has none yet.
    pub member_id: String,
    pub group_instance_id: Option<String>,
    pub protocol_type: String,
    /// Name and opaque metadata, in the member's order of preference.
    pub protocols: Vec<(String, Bytes)>,
    pub session_timeout_ms: i32,
    /// Negative (version 0 of the API) means the session timeout.
    pub rebalance_timeout_ms: i32,
    pub client_id: String,
    pub client_host: String,
    /// Version 4 and later: a dynamic member without id gets one with [`GroupError::MemberIdRequired`] and comes again.
    pub require_known_member_id: bool,
    /// Version 9 and later: a static leader that returns to a stable group is told so and keeps its assignment. KIP-814.
    pub supports_skip_assignment: bool,
    pub reason: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    pub member_id: String,
    pub generation: i32,
    pub protocol_type: Option<String>,
    pub protocol_name: Option<String>,
    pub leader: String,
    pub skip_assignment: bool,
    /// Everybody, for the leader; nobody, for the others.
    pub members: Vec<JoinedMember>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinedMember {
    pub member_id: String,
    pub group_instance_id: Option<String>,
    pub metadata: Bytes,
}

/// A refused join also carries the member id to answer with: the new one for [`GroupError::MemberIdRequired`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinRefused {
    pub error: GroupError,
    pub member_id: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncRequest {
    pub group: String,
    pub member_id: String,
    pub group_instance_id: Option<String>,
    pub generation: i32,
    /// Version 5 and later; `None` is not checked.
    pub protocol_type: Option<String>,
    pub protocol_name: Option<String>,
    /// The leader's: member id and its assignment.
    pub assignments: Vec<(String, Bytes)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Synced {
    pub protocol_type: Option<String>,
    pub protocol_name: Option<String>,
    pub assignment: Bytes,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeartbeatRequest {
    pub group: String,
    pub member_id: String,
    pub group_instance_id: Option<String>,
    pub generation: i32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaveRequest {
    pub group: String,
    pub members: Vec<LeavingMember>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeavingMember {
    /// Empty when an administrator removes a static member by its instance id.
    pub member_id: String,
    pub group_instance_id: Option<String>,
    pub reason: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftMember {
    pub member_id: String,
    pub group_instance_id: Option<String>,
    pub error: Option<GroupError>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitRequest {
    pub group: String,
    /// Empty, with a negative generation, for commits without membership.
    pub member_id: String,
    pub group_instance_id: Option<String>,
    pub generation: i32,
    /// Versions 2 to 4: an own retention of these offsets, in milliseconds from now.
    pub retention_ms: Option<i64>,
    pub topics: Vec<CommitTopic>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitTopic {
    pub name: String,
    /// [`TopicId::ZERO`] when unknown.
    pub topic_id: TopicId,
    pub partitions: Vec<CommitPartition>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitPartition {
    pub index: i32,
    pub offset: Offset,
    pub leader_epoch: LeaderEpoch,
    pub metadata: Option<String>,
}

/// One topic of a commit or a deletion: each partition with its error, in the order asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicResult {
    pub name: String,
    pub topic_id: TopicId,
    pub partitions: Vec<(i32, Option<GroupError>)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchOffsetsRequest {
    pub group: String,
    /// `None`: every offset of the group.
    pub topics: Option<Vec<FetchTopic>>,
    /// Refuse offsets that an open transaction may still change. KIP-447.
    pub require_stable: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchTopic {
    pub name: String,
    /// [`TopicId::ZERO`] matches whatever was committed.
    pub topic_id: TopicId,
    pub partitions: Vec<i32>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedTopic {
    pub name: String,
    pub topic_id: TopicId,
    pub partitions: Vec<FetchedOffset>,
}

/// [`Offset::NONE`] with empty metadata and no error where nothing is committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedOffset {
    pub partition: i32,
    pub offset: Offset,
    pub leader_epoch: LeaderEpoch,
    pub metadata: String,
    pub error: Option<GroupError>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeleteOffsetsRequest {
    pub group: String,
    pub topics: Vec<(String, Vec<i32>)>,
}

/// DescribeGroups. Metadata and assignments are given in [`GroupState::Stable`] only, as in Kafka.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupDescription {
    pub group: String,
    pub state: GroupState,
    pub protocol_type: String,
    pub protocol: String,
    pub members: Vec<MemberDescription>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberDescription {
    pub member_id: String,
    pub group_instance_id: Option<String>,
    pub client_id: String,
    pub client_host: String,
    pub metadata: Bytes,
    pub assignment: Bytes,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedGroup {
    pub group: String,
    pub protocol_type: String,
    pub state: GroupState,
}

/// One group as metrics see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupView<'a> {
    pub id: &'a str,
    pub state: GroupState,
    pub members: usize,
    /// `None` where nothing is committed.
    pub offsets: Option<&'a GroupOffsets>,
}
