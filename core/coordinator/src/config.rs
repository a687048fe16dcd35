//! The knobs of groups and offsets, with Kafka's defaults. Parsing property files is the shell's.

/// What a [`crate::GroupCoordinator`] is told once; each field names its Kafka property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupConfig {
    /// `group.min.session.timeout.ms`, inclusive.
    pub session_timeout_min_ms: i32,
    /// `group.max.session.timeout.ms`, inclusive.
    pub session_timeout_max_ms: i32,
    /// `group.initial.rebalance.delay.ms`: how long the first join of an empty group waits for company.
    pub initial_rebalance_delay_ms: i32,
    /// `group.max.size`: members of one group.
    pub group_size_max: usize,
    /// How long a member that has never had a generation may wait in JoinGroup before it is dropped. Kafka has no
    /// property for it.
    pub new_member_join_timeout_ms: i32,
    /// `offset.metadata.max.bytes`; counted in UTF-16 units, as Kafka does.
    pub offset_metadata_max: usize,
    /// `offsets.retention.minutes`, in milliseconds. KIP-211.
    pub offsets_retention_ms: i64,
    /// `offsets.retention.check.interval.ms`.
    pub offsets_retention_check_interval_ms: i64,
}

impl Default for GroupConfig {
    fn default() -> Self {
        Self {
            session_timeout_min_ms: 6_000,
            session_timeout_max_ms: 1_800_000,
            initial_rebalance_delay_ms: 3_000,
            group_size_max: i32::MAX as usize,
            new_member_join_timeout_ms: 5 * 60 * 1_000,
            offset_metadata_max: 4_096,
            offsets_retention_ms: 7 * 24 * 60 * 60 * 1_000,
            offsets_retention_check_interval_ms: 600_000,
        }
    }
}
