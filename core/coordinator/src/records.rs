//! The records of `__consumer_offsets` in Kafka's own layout, which lag tools and `kafka-dump-log` read. The bytes are
//! `wire`'s; here is what they mean to us, and in which version Kafka 4.4 writes them.
//!
//! Written: GroupMetadata (type 2) with value version 3; OffsetCommit (type 1) with value version 4, version 1 when the
//! commit brought its own retention, which leaves no room for leader epoch and topic id. Read: every version. Other types
//! (consumer, share and streams groups) are passed over; a value version from the future is an error, as in Kafka: to
//! pass over a commit would send its consumer back.

use bytes::Bytes;
use model::{LeaderEpoch, Offset, TimestampMs, TopicId};
use wire::records::consumer_protocol_subscription::ConsumerProtocolSubscription;
use wire::records::group_metadata::{GroupMetadataKey, GroupMetadataValue, MemberMetadata};
use wire::records::legacy_offset_commit::LegacyOffsetCommitValue;
use wire::records::offset_commit::{OffsetCommitKey, OffsetCommitValue};
use wire::{DecodeError, EncodeError, Message, Reader, Str, versioned};

use crate::error::ReplayError;
use crate::stored::{CommittedOffset, StoredGroup, StoredMember};

/// One record to append, or one that was read; a `None` value is a tombstone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub key: Bytes,
    pub value: Option<Bytes>,
}

/// A record that this coordinator understands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    Group { group: String, value: Option<StoredGroup> },
    Offset { group: String, topic: String, partition: i32, value: Option<CommittedOffset> },
}

/// What [`decode`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decoded {
    Change(Change),
    /// A type of another group protocol, or of a newer Kafka.
    Unknown {
        record_type: i16,
    },
}

const GROUP_METADATA_VERSION: i16 = 3;
const OFFSET_COMMIT_VERSION: i16 = 4;
const OFFSET_COMMIT_VERSION_WITH_EXPIRY: i16 = 1;

/// Types of keys. The oldest offset commit differs from the present one in nothing else.
const LEGACY_OFFSET_COMMIT: i16 = LegacyOffsetCommitValue::RECORD_TYPE;
const OFFSET_COMMIT: i16 = OffsetCommitKey::RECORD_TYPE;
const GROUP_METADATA: i16 = GroupMetadataKey::RECORD_TYPE;

/// The longest string that these records can hold, in bytes. Requests are checked against it at the door.
pub const STRING_MAX: usize = i16::MAX as usize;

/// The group's new metadata. Every string in it must be at most [`STRING_MAX`] bytes.
pub fn group(group: &str, value: &StoredGroup) -> Record {
    let value = GroupMetadataValue {
        protocol_type: text(&value.protocol_type),
        generation: value.generation,
        protocol: value.protocol.as_deref().map(text),
        leader: value.leader.as_deref().map(text),
        current_state_timestamp: value.state_since.unwrap_or(TimestampMs::NONE).0,
        members: value.members.iter().map(member).collect(),
        ..GroupMetadataValue::default()
    };
    Record {
        key: group_key(group),
        value: Some(bytes_of(versioned::encode_with_version(&value, GROUP_METADATA_VERSION))),
    }
}

fn member(member: &StoredMember) -> MemberMetadata {
    MemberMetadata {
        member_id: text(&member.member_id),
        group_instance_id: member.group_instance_id.as_deref().map(text),
        client_id: text(&member.client_id),
        client_host: text(&member.client_host),
        rebalance_timeout: member.rebalance_timeout_ms,
        session_timeout: member.session_timeout_ms,
        subscription: member.subscription.clone(),
        assignment: member.assignment.clone(),
        ..MemberMetadata::default()
    }
}

pub fn group_tombstone(group: &str) -> Record {
    Record { key: group_key(group), value: None }
}

/// The offset committed for one partition. Every string in it must be at most [`STRING_MAX`] bytes.
pub fn offset(group: &str, topic: &str, partition: i32, value: &CommittedOffset) -> Record {
    let version = if value.expires_at.is_some() { OFFSET_COMMIT_VERSION_WITH_EXPIRY } else { OFFSET_COMMIT_VERSION };
    let value = OffsetCommitValue {
        offset: value.offset.0,
        leader_epoch: value.leader_epoch.0,
        metadata: text(&value.metadata),
        commit_timestamp: value.committed_at.0,
        expire_timestamp: value.expires_at.unwrap_or(TimestampMs::NONE).0,
        topic_id: value.topic_id.0,
        ..OffsetCommitValue::default()
    };
    Record {
        key: offset_key(group, topic, partition),
        value: Some(bytes_of(versioned::encode_with_version(&value, version))),
    }
}

pub fn offset_tombstone(group: &str, topic: &str, partition: i32) -> Record {
    Record { key: offset_key(group, topic, partition), value: None }
}

fn group_key(group: &str) -> Bytes {
    bytes_of(versioned::encode_key(GROUP_METADATA, &GroupMetadataKey { group: text(group) }))
}

fn offset_key(group: &str, topic: &str, partition: i32) -> Bytes {
    let key = OffsetCommitKey { group: text(group), topic: text(topic), partition };
    bytes_of(versioned::encode_key(OFFSET_COMMIT, &key))
}

fn text(text: &str) -> Str {
    assert!(
        text.len() <= STRING_MAX,
        "a string of {} bytes reached a record: requests are checked at the door",
        text.len()
    );
    Str::from(text)
}

fn bytes_of(encoded: Result<Bytes, EncodeError>) -> Bytes {
    match encoded {
        Ok(bytes) => bytes,
        Err(error) => panic!("a record of ours can always be written: {error}"),
    }
}

/// Reads one record. A type that is not ours is no error; a key or value of our types that cannot be read is.
pub fn decode(record: &Record) -> Result<Decoded, ReplayError> {
    let record_type = versioned::record_type(&record.key).map_err(|_| ReplayError::NoType)?;
    match record_type {
        LEGACY_OFFSET_COMMIT | OFFSET_COMMIT => {
            let OffsetCommitKey { group, topic, partition } = key(record_type, &record.key)?;
            let value = record.value.as_ref().map(|v| value(record_type, v)).transpose()?.map(committed_offset);
            Ok(Decoded::Change(Change::Offset { group: group.to_string(), topic: topic.to_string(), partition, value }))
        }
        GROUP_METADATA => {
            let GroupMetadataKey { group } = key(record_type, &record.key)?;
            let value = record.value.as_ref().map(|v| value(record_type, v)).transpose()?.map(stored_group);
            Ok(Decoded::Change(Change::Group { group: group.to_string(), value }))
        }
        _ => Ok(Decoded::Unknown { record_type }),
    }
}

fn key<M: Message>(record_type: i16, key: &Bytes) -> Result<M, ReplayError> {
    versioned::decode_key(key.clone()).map_err(|why| ReplayError::Key { record_type, why })
}

fn value<M: Message>(record_type: i16, value: &Bytes) -> Result<M, ReplayError> {
    versioned::decode_with_version(value.clone()).map_err(|why| match why {
        DecodeError::UnknownVersion(version) => ReplayError::ValueVersion { record_type, version },
        why => ReplayError::Value { record_type, why },
    })
}

fn committed_offset(value: OffsetCommitValue) -> CommittedOffset {
    CommittedOffset {
        offset: Offset(value.offset),
        leader_epoch: LeaderEpoch(value.leader_epoch),
        metadata: value.metadata.to_string(),
        committed_at: TimestampMs(value.commit_timestamp),
        expires_at: timestamp(value.expire_timestamp),
        topic_id: TopicId(value.topic_id),
    }
}

fn stored_group(value: GroupMetadataValue) -> StoredGroup {
    StoredGroup {
        protocol_type: value.protocol_type.to_string(),
        generation: value.generation,
        protocol: value.protocol.map(|p| p.to_string()),
        leader: value.leader.map(|l| l.to_string()),
        state_since: timestamp(value.current_state_timestamp),
        members: value.members.into_iter().map(stored_member).collect(),
    }
}

/// Strings and bytes are copied, so that a small value does not keep the batch it was read from.
fn stored_member(member: MemberMetadata) -> StoredMember {
    StoredMember {
        member_id: member.member_id.to_string(),
        group_instance_id: member.group_instance_id.map(|i| i.to_string()),
        client_id: member.client_id.to_string(),
        client_host: member.client_host.to_string(),
        rebalance_timeout_ms: member.rebalance_timeout,
        session_timeout_ms: member.session_timeout,
        subscription: Bytes::copy_from_slice(&member.subscription),
        assignment: Bytes::copy_from_slice(&member.assignment),
    }
}

fn timestamp(ms: i64) -> Option<TimestampMs> {
    Some(TimestampMs(ms)).filter(|at| *at != TimestampMs::NONE)
}

/// The topics of a consumer's subscription: version 0 of ConsumerProtocolSubscription is a prefix of every later one.
/// `None` when the bytes are something else.
pub fn subscribed_topics(metadata: &Bytes) -> Option<Vec<String>> {
    let mut r = Reader::new(metadata.clone());
    if r.i16().ok()? < 0 {
        return None;
    }
    let subscription = ConsumerProtocolSubscription::decode(&mut r, 0).ok()?;
    Some(subscription.topics.iter().map(ToString::to_string).collect())
}

#[cfg(test)]
mod tests;
