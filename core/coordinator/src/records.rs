//! The records of `__consumer_offsets` in Kafka's own layout, which lag tools and `kafka-dump-log` read: keys open with
//! an int16 record type, values with an int16 version.
//!
//! Written: GroupMetadata (type 2) with value version 3; OffsetCommit (type 1) with value version 3, version 1 when the
//! commit brought its own retention, version 4 when it named its topic by id. Read: every version. Other types (consumer,
//! share and streams groups) are passed over.

mod codec;

use bytes::{Bytes, BytesMut};
use model::{LeaderEpoch, Offset, TimestampMs, TopicId};

use crate::error::ReplayError;
use crate::stored::{CommittedOffset, StoredGroup, StoredMember};
use codec::{Reader, Writer};

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

/// Types of keys: the old and the present offset commit differ in nothing else.
const LEGACY_OFFSET_COMMIT: i16 = 0;
const OFFSET_COMMIT: i16 = 1;
const GROUP_METADATA: i16 = 2;

const GROUP_METADATA_VERSION: i16 = 3;
const OFFSET_COMMIT_VERSION: i16 = 3;
const OFFSET_COMMIT_VERSION_WITH_EXPIRY: i16 = 1;
const OFFSET_COMMIT_VERSION_WITH_TOPIC_ID: i16 = 4;
const TOPIC_ID_TAG: u32 = 0;

/// The longest string that these records can hold, in bytes. Requests are checked against it at the door.
pub const STRING_MAX: usize = i16::MAX as usize;

/// The group's new metadata. Every string in it must be at most [`STRING_MAX`] bytes.
pub fn group(group: &str, value: &StoredGroup) -> Record {
    let mut buf = Writer(BytesMut::with_capacity(128));
    buf.i16(GROUP_METADATA_VERSION);
    buf.string(&value.protocol_type);
    buf.i32(value.generation);
    buf.nullable_string(value.protocol.as_deref());
    buf.nullable_string(value.leader.as_deref());
    buf.i64(value.state_since.unwrap_or(TimestampMs::NONE).0);
    buf.count(value.members.len());
    for member in &value.members {
        buf.string(&member.member_id);
        buf.nullable_string(member.group_instance_id.as_deref());
        buf.string(&member.client_id);
        buf.string(&member.client_host);
        buf.i32(member.rebalance_timeout_ms);
        buf.i32(member.session_timeout_ms);
        buf.bytes(&member.subscription);
        buf.bytes(&member.assignment);
    }
    Record { key: group_key(group), value: Some(buf.0.freeze()) }
}

pub fn group_tombstone(group: &str) -> Record {
    Record { key: group_key(group), value: None }
}

/// The offset committed for one partition. Every string in it must be at most [`STRING_MAX`] bytes.
pub fn offset(group: &str, topic: &str, partition: i32, value: &CommittedOffset) -> Record {
    let version = if value.expires_at.is_some() {
        OFFSET_COMMIT_VERSION_WITH_EXPIRY
    } else if value.topic_id != TopicId::ZERO {
        OFFSET_COMMIT_VERSION_WITH_TOPIC_ID
    } else {
        OFFSET_COMMIT_VERSION
    };
    let mut buf = Writer(BytesMut::with_capacity(48 + value.metadata.len()));
    buf.i16(version);
    buf.i64(value.offset.0);
    if version >= 3 {
        buf.i32(value.leader_epoch.0);
    }
    if version >= OFFSET_COMMIT_VERSION_WITH_TOPIC_ID {
        buf.compact_string(&value.metadata);
    } else {
        buf.string(&value.metadata);
    }
    buf.i64(value.committed_at.0);
    if let Some(at) = value.expires_at {
        buf.i64(at.0);
    }
    if version >= OFFSET_COMMIT_VERSION_WITH_TOPIC_ID {
        buf.one_tag(TOPIC_ID_TAG, &value.topic_id.0);
    }
    Record { key: offset_key(group, topic, partition), value: Some(buf.0.freeze()) }
}

pub fn offset_tombstone(group: &str, topic: &str, partition: i32) -> Record {
    Record { key: offset_key(group, topic, partition), value: None }
}

fn group_key(group: &str) -> Bytes {
    let mut buf = Writer(BytesMut::with_capacity(4 + group.len()));
    buf.i16(GROUP_METADATA);
    buf.string(group);
    buf.0.freeze()
}

fn offset_key(group: &str, topic: &str, partition: i32) -> Bytes {
    let mut buf = Writer(BytesMut::with_capacity(10 + group.len() + topic.len()));
    buf.i16(OFFSET_COMMIT);
    buf.string(group);
    buf.string(topic);
    buf.i32(partition);
    buf.0.freeze()
}

/// Reads one record. A type that is not ours is no error; a key or value of our types that cannot be read is.
pub fn decode(record: &Record) -> Result<Decoded, ReplayError> {
    let mut key = Reader::new(&record.key);
    let record_type = key.i16().map_err(|_| ReplayError::NoType)?;
    let key_error = |why| ReplayError::Key { record_type, why };
    match record_type {
        LEGACY_OFFSET_COMMIT | OFFSET_COMMIT => {
            let group = key.string(false).map_err(key_error)?;
            let topic = key.string(false).map_err(key_error)?;
            let partition = key.i32().map_err(key_error)?;
            let value = record.value.as_ref().map(|v| decode_offset(record_type, v)).transpose()?;
            Ok(Decoded::Change(Change::Offset { group, topic, partition, value }))
        }
        GROUP_METADATA => {
            let group = key.string(false).map_err(key_error)?;
            let value = record.value.as_ref().map(|v| decode_group(v)).transpose()?;
            Ok(Decoded::Change(Change::Group { group, value }))
        }
        _ => Ok(Decoded::Unknown { record_type }),
    }
}

fn decode_offset(record_type: i16, value: &[u8]) -> Result<CommittedOffset, ReplayError> {
    let bad = |why| ReplayError::Value { record_type, why };
    let mut buf = Reader::new(value);
    let version = buf.i16().map_err(bad)?;
    if !(0..=4).contains(&version) {
        return Err(ReplayError::ValueVersion { record_type, version });
    }
    let flexible = version >= 4;
    let offset = Offset(buf.i64().map_err(bad)?);
    let leader_epoch = if version >= 3 { LeaderEpoch(buf.i32().map_err(bad)?) } else { LeaderEpoch::NONE };
    let metadata = buf.string(flexible).map_err(bad)?;
    let committed_at = TimestampMs(buf.i64().map_err(bad)?);
    let expires_at = if version == 1 { Some(buf.i64().map_err(bad)?).filter(|&at| at != -1) } else { None };
    let mut topic_id = TopicId::ZERO;
    if flexible {
        buf.tags(|tag, data| {
            if tag == TOPIC_ID_TAG {
                topic_id = TopicId(data.try_into().map_err(|_| "a topic id that is not 16 bytes long")?);
            }
            Ok(())
        })
        .map_err(bad)?;
    }
    let expires_at = expires_at.map(TimestampMs);
    Ok(CommittedOffset { offset, leader_epoch, metadata, committed_at, expires_at, topic_id })
}

fn decode_group(value: &[u8]) -> Result<StoredGroup, ReplayError> {
    let bad = |why| ReplayError::Value { record_type: GROUP_METADATA, why };
    let mut buf = Reader::new(value);
    let version = buf.i16().map_err(bad)?;
    if !(0..=4).contains(&version) {
        return Err(ReplayError::ValueVersion { record_type: GROUP_METADATA, version });
    }
    read_group(&mut buf, version).map_err(bad)
}

fn read_group(buf: &mut Reader<'_>, version: i16) -> Result<StoredGroup, &'static str> {
    let flexible = version >= 4;
    let protocol_type = buf.string(flexible)?;
    let generation = buf.i32()?;
    let protocol = buf.nullable_string(flexible)?;
    let leader = buf.nullable_string(flexible)?;
    let state_since = if version >= 2 { Some(buf.i64()?).filter(|&at| at != -1).map(TimestampMs) } else { None };
    let count = buf.count(flexible)?;
    let mut members = Vec::with_capacity(count.min(1_024));
    for _ in 0..count {
        let member_id = buf.string(flexible)?;
        let group_instance_id = if version >= 3 { buf.nullable_string(flexible)? } else { None };
        let client_id = buf.string(flexible)?;
        let client_host = buf.string(flexible)?;
        let rebalance_timeout_ms = if version >= 1 { buf.i32()? } else { -1 };
        let session_timeout_ms = buf.i32()?;
        let subscription = buf.bytes(flexible)?;
        let assignment = buf.bytes(flexible)?;
        if flexible {
            buf.tags(|_, _| Ok(()))?;
        }
        members.push(StoredMember {
            member_id,
            group_instance_id,
            client_id,
            client_host,
            rebalance_timeout_ms,
            session_timeout_ms,
            subscription,
            assignment,
        });
    }
    if flexible {
        buf.tags(|_, _| Ok(()))?;
    }
    Ok(StoredGroup { protocol_type, generation, protocol, leader, state_since, members })
}

/// The topics of a consumer's subscription: version 0 of ConsumerProtocolSubscription is a prefix of every later one.
/// `None` when the bytes are something else.
pub fn subscribed_topics(metadata: &[u8]) -> Option<Vec<String>> {
    let mut buf = Reader::new(metadata);
    if buf.i16().ok()? < 0 {
        return None;
    }
    let count = buf.count(false).ok()?;
    let mut topics = Vec::with_capacity(count.min(1_024));
    for _ in 0..count {
        topics.push(buf.string(false).ok()?);
    }
    Some(topics)
}

#[cfg(test)]
mod tests;
