//! What a group request is refused with, and what a log record is refused with.

/// Why a request about a group was refused. The names are Kafka's; the numbers live in the broker's `api/errors.rs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum GroupError {
    #[error("the metadata of a committed offset is longer than the limit")]
    OffsetMetadataTooLarge,
    #[error("this coordinator could not store the group's state")]
    CoordinatorNotAvailable,
    #[error("this coordinator no longer leads the group")]
    NotCoordinator,
    #[error("the generation is not the group's current one")]
    IllegalGeneration,
    #[error("the protocol type or every protocol offered is foreign to the group")]
    InconsistentGroupProtocol,
    #[error("a group id must not be empty here")]
    InvalidGroupId,
    #[error("the group does not know this member")]
    UnknownMemberId,
    #[error("the session timeout is outside the configured range")]
    InvalidSessionTimeout,
    #[error("the group is rebalancing: join again")]
    RebalanceInProgress,
    #[error("the group still has members")]
    NonEmptyGroup,
    #[error("no such group")]
    GroupIdNotFound,
    #[error("join again with the member id given here")]
    MemberIdRequired,
    #[error("the group has reached its maximum size")]
    GroupMaxSizeReached,
    #[error("another member has taken over this group.instance.id")]
    FencedInstanceId,
    #[error("the group is subscribed to the topic")]
    GroupSubscribedToTopic,
    #[error("a transaction that touches this offset is still open")]
    UnstableOffsetCommit,
}

/// A record of `__consumer_offsets` that cannot be read. The partition must not be led from such a log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    #[error("a record of the offsets topic has a key of type {record_type} that is cut short or malformed: {why}")]
    Key { record_type: i16, why: wire::DecodeError },
    #[error("a record of the offsets topic has a key shorter than its type")]
    NoType,
    #[error("a record of type {record_type} has a malformed value: {why}")]
    Value { record_type: i16, why: wire::DecodeError },
    #[error("a record of type {record_type} has a value of unknown version {version}")]
    ValueVersion { record_type: i16, version: i16 },
}
