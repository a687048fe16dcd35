//! What a command can be answered with instead of a decision: one variant per Kafka error, each with the message a
//! client is shown. The numbers live in the broker's one table of error codes, not here.

macro_rules! errors {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Why a command was refused. Nothing was decided and nothing changed.
        #[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
        pub enum CommandError {
            $($(#[$doc])* #[error("{0}")] $name(String),)*
        }

        impl CommandError {
            /// The message for the client, as Kafka words it.
            pub fn message(&self) -> &str {
                match self {
                    $(Self::$name(message) => message,)*
                }
            }
        }
    };
}

errors! {
    InvalidTopic,
    TopicAlreadyExists,
    UnknownTopicOrPartition,
    UnknownTopicId,
    TopicDeletionDisabled,
    InvalidPartitions,
    InvalidReplicationFactor,
    InvalidReplicaAssignment,
    InvalidConfig,
    InvalidRequest,
    PolicyViolation,
    /// The broker id is taken by another process that still lives.
    DuplicateBrokerRegistration,
    BrokerIdNotRegistered,
    /// The broker speaks for an earlier registration of its id.
    StaleBrokerEpoch,
    InconsistentClusterId,
    FencedLeaderEpoch,
    /// The sender knows a newer state than this controller: it should look for the active one.
    NotController,
    InvalidUpdateVersion,
    IneligibleReplica,
    PreferredLeaderNotAvailable,
    EligibleLeadersNotAvailable,
    ElectionNotNeeded,
    UnknownServerError,
}

impl CommandError {
    pub(crate) fn no_such_topic() -> Self {
        Self::UnknownTopicOrPartition("This server does not host this topic-partition.".to_owned())
    }

    pub(crate) fn no_such_topic_id() -> Self {
        Self::UnknownTopicId("This server does not host this topic ID.".to_owned())
    }
}
