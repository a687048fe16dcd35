//! The records of the metadata log: what happened, never why. They are all that an [`crate::Image`] is made of.
//!
//! Encoded as MessagePack with field names, so that a reader of an earlier version skips the fields it does not know and
//! one of a later version fills in those that were not there yet (`#[serde(default)]` on every field added later). A
//! kind of record that the reader does not know is an error: it cannot know what it would lose.

use model::{LeaderEpoch, NodeId, ProducerId, TopicId};
use serde::{Deserialize, Serialize};

use crate::ids::{DirectoryId, IncarnationId};
use crate::resource::ConfigResource;

/// One fact. The order of records is the order of the log.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Record {
    Cluster(ClusterRecord),
    Topic(TopicRecord),
    TopicRemoved(TopicRemovedRecord),
    Partition(PartitionRecord),
    PartitionChange(PartitionChangeRecord),
    Config(ConfigRecord),
    BrokerRegistered(BrokerRegisteredRecord),
    BrokerChanged(BrokerChangedRecord),
    BrokerUnregistered(BrokerUnregisteredRecord),
    LeadersRestarted(LeadersRestartedRecord),
    ProducerIds(ProducerIdsRecord),
    Feature(FeatureRecord),
}

/// The cluster's id, written once.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ClusterRecord {
    pub cluster_id: String,
}

/// A topic without partitions; its [`PartitionRecord`]s follow in the same decision.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TopicRecord {
    #[serde(with = "crate::ids::topic_id")]
    pub id: TopicId,
    pub name: String,
}

/// The topic is gone with its partitions and configs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TopicRemovedRecord {
    #[serde(with = "crate::ids::topic_id")]
    pub id: TopicId,
}

/// A new partition. Indexes of a topic come in order, from 0, without gaps.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PartitionRecord {
    #[serde(with = "crate::ids::topic_id")]
    pub topic: TopicId,
    pub index: i32,
    /// In order of preference; the first is the preferred leader.
    pub replicas: Vec<NodeId>,
    /// The in-sync replicas; empty means "the same as `replicas`".
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub isr: Vec<NodeId>,
    /// Eligible leader replicas outside the ISR. KIP-966.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub elr: Vec<NodeId>,
    /// One per replica, or empty where none is known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub directories: Vec<DirectoryId>,
    pub leader: Option<NodeId>,
    pub leader_epoch: LeaderEpoch,
    pub partition_epoch: i32,
}

/// New state of an existing partition; what is `None` stays. The partition epoch grows by one with every such record.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PartitionChangeRecord {
    #[serde(with = "crate::ids::topic_id")]
    pub topic: TopicId,
    pub index: i32,
    /// A new leader, or none; the leader epoch grows by one, even where the leader is the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leader: Option<LeaderChange>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<Vec<NodeId>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub isr: Option<Vec<NodeId>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elr: Option<Vec<NodeId>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directories: Option<Vec<DirectoryId>>,
}

impl PartitionChangeRecord {
    pub(crate) fn of(topic: TopicId, index: i32) -> Self {
        Self { topic, index, leader: None, replicas: None, isr: None, elr: None, directories: None }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum LeaderChange {
    To(NodeId),
    ToNone,
}

/// One config of one resource is now `value`, or no longer set.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ConfigRecord {
    pub resource: ConfigResource,
    pub name: String,
    pub value: Option<String>,
}

/// Where a broker listens.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Endpoint {
    /// The listener's name, as in `listeners`.
    pub listener: String,
    pub host: String,
    pub port: u16,
    pub protocol: SecurityProtocol,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum SecurityProtocol {
    Plaintext,
    Ssl,
    SaslPlaintext,
    SaslSsl,
}

/// A broker's process has introduced itself; replaces what was known of its id.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct BrokerRegisteredRecord {
    pub id: NodeId,
    /// Grows with every registration in the cluster.
    pub epoch: i64,
    pub incarnation: IncarnationId,
    pub endpoints: Vec<Endpoint>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rack: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub directories: Vec<DirectoryId>,
    pub fenced: bool,
    #[serde(default)]
    pub shutting_down: bool,
}

/// A registered broker's standing; what is `None` stays.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct BrokerChangedRecord {
    pub id: NodeId,
    pub epoch: i64,
    /// A fenced broker leads nothing and is not shown to clients.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fenced: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shutting_down: Option<bool>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct BrokerUnregisteredRecord {
    pub id: NodeId,
    pub epoch: i64,
}

/// A broker came back from an unclean stop and leads again what it led: every such partition's leader epoch grows by
/// one. One record instead of one per partition, so that the restart of a lone broker costs the log nothing.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LeadersRestartedRecord {
    pub broker: NodeId,
}

/// Every producer id below `next` is taken. KIP-730.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ProducerIdsRecord {
    pub broker: NodeId,
    pub next: ProducerId,
}

/// A feature's finalized level; 0 takes it away. KIP-584.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FeatureRecord {
    pub name: String,
    pub level: i16,
}

/// Bytes that are not a record, or of a kind that this version does not know.
#[derive(Debug, thiserror::Error)]
#[error("not a metadata record of this version: {0}")]
pub struct RecordError(String);

impl Record {
    /// The record's bytes for the log.
    pub fn encode(&self) -> Vec<u8> {
        rmp_serde::to_vec_named(self)
            .expect("a record has only types that MessagePack knows, and a Vec takes every byte")
    }

    /// Reads one record from exactly `bytes`.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let mut rest = bytes;
        let record: Self = rmp_serde::from_read(&mut rest).map_err(|e| RecordError(e.to_string()))?;
        if rest.is_empty() { Ok(record) } else { Err(RecordError(format!("{} bytes follow it", rest.len()))) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Serialize;

    use super::*;

    fn examples() -> Vec<Record> {
        let topic = TopicId([0xf7; 16]);
        vec![
            Record::Cluster(ClusterRecord { cluster_id: "c".to_owned() }),
            Record::Topic(TopicRecord { id: topic, name: "orders".to_owned() }),
            Record::TopicRemoved(TopicRemovedRecord { id: topic }),
            Record::Partition(PartitionRecord {
                topic,
                index: 3,
                replicas: vec![NodeId(1), NodeId(2)],
                isr: vec![NodeId(2)],
                elr: vec![NodeId(1)],
                directories: vec![DirectoryId([9; 16]); 2],
                leader: Some(NodeId(2)),
                leader_epoch: LeaderEpoch(4),
                partition_epoch: 5,
            }),
            Record::PartitionChange(PartitionChangeRecord {
                leader: Some(LeaderChange::ToNone),
                isr: Some(vec![NodeId(1)]),
                ..PartitionChangeRecord::of(topic, 3)
            }),
            Record::Config(ConfigRecord { resource: ConfigResource::BrokerDefault, name: "a".to_owned(), value: None }),
            Record::BrokerRegistered(BrokerRegisteredRecord {
                id: NodeId(1),
                epoch: 7,
                incarnation: IncarnationId([3; 16]),
                endpoints: vec![Endpoint {
                    listener: "PLAINTEXT".to_owned(),
                    host: "h".to_owned(),
                    port: 9092,
                    protocol: SecurityProtocol::Plaintext,
                }],
                rack: Some("r".to_owned()),
                directories: vec![],
                fenced: true,
                shutting_down: false,
            }),
            Record::BrokerChanged(BrokerChangedRecord {
                id: NodeId(1),
                epoch: 7,
                fenced: Some(false),
                shutting_down: None,
            }),
            Record::BrokerUnregistered(BrokerUnregisteredRecord { id: NodeId(1), epoch: 7 }),
            Record::LeadersRestarted(LeadersRestartedRecord { broker: NodeId(1) }),
            Record::ProducerIds(ProducerIdsRecord { broker: NodeId(1), next: ProducerId(1000) }),
            Record::Feature(FeatureRecord { name: "f".to_owned(), level: 2 }),
        ]
    }

    #[test]
    fn every_kind_of_record_reads_back_as_written() {
        for record in examples() {
            assert_eq!(Record::decode(&record.encode()).unwrap(), record);
        }
    }

    #[test]
    fn a_partition_costs_the_log_under_150_bytes() {
        let record = PartitionRecord {
            topic: TopicId([0xf7; 16]),
            index: 99_999,
            replicas: vec![NodeId(1), NodeId(2), NodeId(3)],
            isr: vec![],
            elr: vec![],
            directories: vec![],
            leader: Some(NodeId(1)),
            leader_epoch: LeaderEpoch(0),
            partition_epoch: 0,
        };
        assert!(Record::Partition(record).encode().len() < 150);
    }

    #[test]
    fn a_field_of_a_later_version_is_skipped() {
        #[derive(Serialize)]
        enum Later {
            Cluster(LaterCluster),
        }
        #[derive(Serialize)]
        struct LaterCluster {
            cluster_id: String,
            colour: Vec<String>,
        }
        let later = Later::Cluster(LaterCluster { cluster_id: "c".to_owned(), colour: vec!["red".to_owned()] });
        let bytes = rmp_serde::to_vec_named(&later).unwrap();
        assert_eq!(Record::decode(&bytes).unwrap(), Record::Cluster(ClusterRecord { cluster_id: "c".to_owned() }));
    }

    #[test]
    fn a_kind_of_a_later_version_is_an_error() {
        #[derive(Serialize)]
        enum Later {
            Moon(ClusterRecord),
        }
        let later = Later::Moon(ClusterRecord { cluster_id: "c".to_owned() });
        assert!(Record::decode(&rmp_serde::to_vec_named(&later).unwrap()).is_err());
    }

    #[test]
    fn cut_or_lengthened_bytes_are_an_error() {
        for record in examples() {
            let mut bytes = record.encode();
            for end in 0..bytes.len() {
                assert!(Record::decode(&bytes[..end]).is_err());
            }
            bytes.push(0);
            assert!(Record::decode(&bytes).is_err());
        }
    }

    proptest! {
        #[test]
        fn any_bytes_decode_or_fail_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = Record::decode(&bytes);
        }
    }
}
