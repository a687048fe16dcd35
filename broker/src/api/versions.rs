//! Which APIs are served, and in which versions. An API enters this table when it works.

use wire::ApiKey;

/// A range of versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Served {
    /// The lowest version advertised.
    pub min: i16,
    /// The highest version advertised.
    pub max: i16,
    /// The lowest version really accepted: Produce is advertised from 0, since older librdkafka compresses only
    /// then (KAFKA-18659), and served from 3.
    pub min_accepted: i16,
}

impl Served {
    pub fn accepts(self, version: i16) -> bool {
        (self.min_accepted..=self.max).contains(&version)
    }
}

/// Every API of this broker, in order of their numbers.
pub const SERVED: &[ApiKey] = &[
    ApiKey::Produce,
    ApiKey::Fetch,
    ApiKey::ListOffsets,
    ApiKey::Metadata,
    ApiKey::OffsetCommit,
    ApiKey::OffsetFetch,
    ApiKey::FindCoordinator,
    ApiKey::JoinGroup,
    ApiKey::Heartbeat,
    ApiKey::LeaveGroup,
    ApiKey::SyncGroup,
    ApiKey::DescribeGroups,
    ApiKey::ListGroups,
    ApiKey::ApiVersions,
    ApiKey::CreateTopics,
    ApiKey::DeleteTopics,
    ApiKey::DeleteRecords,
    ApiKey::InitProducerId,
    ApiKey::OffsetForLeaderEpoch,
    ApiKey::DescribeConfigs,
    ApiKey::AlterConfigs,
    ApiKey::DescribeLogDirs,
    ApiKey::CreatePartitions,
    ApiKey::DeleteGroups,
    ApiKey::IncrementalAlterConfigs,
    ApiKey::OffsetDelete,
    ApiKey::DescribeCluster,
    ApiKey::DescribeProducers,
    ApiKey::ListConfigResources,
    ApiKey::DescribeTopicPartitions,
];

/// The versions of `key`, `None` where it is not served.
pub fn served(key: ApiKey) -> Option<Served> {
    SERVED.contains(&key).then(|| {
        let range = key.versions();
        let min = if key == ApiKey::Produce { 0 } else { range.min };
        Served { min, max: range.max_stable, min_accepted: range.min }
    })
}
