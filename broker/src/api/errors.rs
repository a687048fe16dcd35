//! The one table from our errors to Kafka's codes.

use coordinator::GroupError;
use metadata::CommandError;
use model::BatchError;
use partition::{EpochError, FetchError, OffsetError, ProduceError};
use storage::ProducerError;
use wire::ErrorCode;

use crate::controller::Unavailable;
use crate::shard::Stopped;
use crate::shard::groups::GroupFault;

/// An error that a client can be told.
pub trait ToCode {
    fn to_code(&self) -> ErrorCode;
}

impl ToCode for ProduceError {
    fn to_code(&self) -> ErrorCode {
        match self {
            Self::NotLeader => ErrorCode::NotLeaderOrFollower,
            Self::TooLarge { .. } => ErrorCode::MessageTooLarge,
            Self::TooLargeForSegment { .. } => ErrorCode::RecordListTooLarge,
            Self::BadTimestamp { .. } => ErrorCode::InvalidTimestamp,
            Self::Batch(error) => error.to_code(),
            Self::Producer(error) => error.to_code(),
            Self::NotEnoughReplicas => ErrorCode::NotEnoughReplicas,
            Self::NotEnoughReplicasAfterAppend => ErrorCode::NotEnoughReplicasAfterAppend,
            Self::TimedOut => ErrorCode::RequestTimedOut,
            Self::NoSpace | Self::Storage(_) => ErrorCode::KafkaStorageError,
        }
    }
}

impl ToCode for ProducerError {
    fn to_code(&self) -> ErrorCode {
        match self {
            Self::OutOfOrderSequence { .. } => ErrorCode::OutOfOrderSequenceNumber,
            Self::InvalidEpoch { .. } => ErrorCode::InvalidProducerEpoch,
            Self::InvalidTxnState { .. } => ErrorCode::InvalidTxnState,
            Self::CoordinatorFenced { .. } => ErrorCode::TransactionCoordinatorFenced,
        }
    }
}

impl ToCode for BatchError {
    fn to_code(&self) -> ErrorCode {
        match self {
            // A message of an older format, and less than a batch, are no batch; the others are batches that are broken.
            Self::UnsupportedMagic(0 | 1) | Self::Truncated { .. } => ErrorCode::InvalidRecord,
            Self::UnsupportedMagic(_) | Self::BadLength(_) | Self::BadCrc { .. } => ErrorCode::CorruptMessage,
            Self::UnknownCodec(_) => ErrorCode::UnsupportedCompressionType,
            _ => ErrorCode::InvalidRecord,
        }
    }
}

impl ToCode for EpochError {
    fn to_code(&self) -> ErrorCode {
        match self {
            Self::NotLeader => ErrorCode::NotLeaderOrFollower,
            Self::Fenced { .. } => ErrorCode::FencedLeaderEpoch,
            Self::Unknown { .. } => ErrorCode::UnknownLeaderEpoch,
        }
    }
}

impl ToCode for FetchError {
    fn to_code(&self) -> ErrorCode {
        match self {
            Self::Epoch(error) => error.to_code(),
            Self::OutOfRange { .. } => ErrorCode::OffsetOutOfRange,
            Self::Corrupt(_) | Self::Storage(_) => ErrorCode::KafkaStorageError,
        }
    }
}

impl ToCode for OffsetError {
    fn to_code(&self) -> ErrorCode {
        match self {
            Self::Epoch(error) => error.to_code(),
            Self::OutOfRange { .. } => ErrorCode::OffsetOutOfRange,
            Self::Storage(_) => ErrorCode::KafkaStorageError,
        }
    }
}

impl ToCode for CommandError {
    fn to_code(&self) -> ErrorCode {
        match self {
            Self::InvalidTopic(_) => ErrorCode::InvalidTopicException,
            Self::TopicAlreadyExists(_) => ErrorCode::TopicAlreadyExists,
            Self::UnknownTopicOrPartition(_) => ErrorCode::UnknownTopicOrPartition,
            Self::UnknownTopicId(_) => ErrorCode::UnknownTopicId,
            Self::TopicDeletionDisabled(_) => ErrorCode::TopicDeletionDisabled,
            Self::InvalidPartitions(_) => ErrorCode::InvalidPartitions,
            Self::InvalidReplicationFactor(_) => ErrorCode::InvalidReplicationFactor,
            Self::InvalidReplicaAssignment(_) => ErrorCode::InvalidReplicaAssignment,
            Self::InvalidConfig(_) => ErrorCode::InvalidConfig,
            Self::InvalidRequest(_) => ErrorCode::InvalidRequest,
            Self::PolicyViolation(_) => ErrorCode::PolicyViolation,
            Self::DuplicateBrokerRegistration(_) => ErrorCode::DuplicateBrokerRegistration,
            Self::BrokerIdNotRegistered(_) => ErrorCode::BrokerIdNotRegistered,
            Self::StaleBrokerEpoch(_) => ErrorCode::StaleBrokerEpoch,
            Self::InconsistentClusterId(_) => ErrorCode::InconsistentClusterId,
            Self::FencedLeaderEpoch(_) => ErrorCode::FencedLeaderEpoch,
            Self::NotController(_) => ErrorCode::NotController,
            Self::InvalidUpdateVersion(_) => ErrorCode::InvalidUpdateVersion,
            Self::IneligibleReplica(_) => ErrorCode::IneligibleReplica,
            Self::PreferredLeaderNotAvailable(_) => ErrorCode::PreferredLeaderNotAvailable,
            Self::EligibleLeadersNotAvailable(_) => ErrorCode::EligibleLeadersNotAvailable,
            Self::ElectionNotNeeded(_) => ErrorCode::ElectionNotNeeded,
            Self::UnknownServerError(_) => ErrorCode::UnknownServerError,
        }
    }
}

impl ToCode for GroupError {
    fn to_code(&self) -> ErrorCode {
        match self {
            Self::OffsetMetadataTooLarge => ErrorCode::OffsetMetadataTooLarge,
            Self::CoordinatorNotAvailable => ErrorCode::CoordinatorNotAvailable,
            Self::NotCoordinator => ErrorCode::NotCoordinator,
            Self::IllegalGeneration => ErrorCode::IllegalGeneration,
            Self::InconsistentGroupProtocol => ErrorCode::InconsistentGroupProtocol,
            Self::InvalidGroupId => ErrorCode::InvalidGroupId,
            Self::UnknownMemberId => ErrorCode::UnknownMemberId,
            Self::InvalidSessionTimeout => ErrorCode::InvalidSessionTimeout,
            Self::RebalanceInProgress => ErrorCode::RebalanceInProgress,
            Self::NonEmptyGroup => ErrorCode::NonEmptyGroup,
            Self::GroupIdNotFound => ErrorCode::GroupIdNotFound,
            Self::MemberIdRequired => ErrorCode::MemberIdRequired,
            Self::GroupMaxSizeReached => ErrorCode::GroupMaxSizeReached,
            Self::FencedInstanceId => ErrorCode::FencedInstanceId,
            Self::GroupSubscribedToTopic => ErrorCode::GroupSubscribedToTopic,
            Self::UnstableOffsetCommit => ErrorCode::UnstableOffsetCommit,
        }
    }
}

impl ToCode for GroupFault {
    fn to_code(&self) -> ErrorCode {
        match self {
            Self::Loading => ErrorCode::CoordinatorLoadInProgress,
            Self::Group(error) => error.to_code(),
        }
    }
}

impl ToCode for Unavailable {
    fn to_code(&self) -> ErrorCode {
        ErrorCode::NotController
    }
}

impl ToCode for Stopped {
    fn to_code(&self) -> ErrorCode {
        ErrorCode::NotLeaderOrFollower
    }
}
