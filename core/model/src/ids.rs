//! Ids, offsets and times as types of their own, so that two numbers cannot change places.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
    };
}

number! {
    /// The id of a broker or controller: `node.id`.
    NodeId(i32)
}
number! {
    /// The place of a record in its partition. The first record ever written has offset 0.
    Offset(i64)
}
number! {
    /// The reign of one leader over a partition; grows by one at each election. KIP-101.
    LeaderEpoch(i32)
}
number! {
    /// Milliseconds since 1970-01-01 UTC; [`TimestampMs::NONE`] where a batch carries no time.
    TimestampMs(i64)
}
number! {
    /// An idempotent or transactional producer's id. KIP-98.
    ProducerId(i64)
}
number! {
    /// The incarnation of a producer id. KIP-98.
    ProducerEpoch(i16)
}

impl Offset {
    pub const ZERO: Self = Self(0);
    /// The wire's "no offset".
    pub const NONE: Self = Self(-1);
}

impl Add<i64> for Offset {
    type Output = Self;
    fn add(self, records: i64) -> Self {
        Self(self.0 + records)
    }
}

impl AddAssign<i64> for Offset {
    fn add_assign(&mut self, records: i64) {
        self.0 += records;
    }
}

impl Sub for Offset {
    type Output = i64;
    fn sub(self, earlier: Self) -> i64 {
        self.0 - earlier.0
    }
}

impl LeaderEpoch {
    /// The wire's "no epoch".
    pub const NONE: Self = Self(-1);
}

impl TimestampMs {
    pub const NONE: Self = Self(-1);
}

impl Add<i64> for TimestampMs {
    type Output = Self;
    fn add(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }
}

impl Sub for TimestampMs {
    type Output = i64;
    fn sub(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl ProducerId {
    pub const NONE: Self = Self(-1);
}

impl ProducerEpoch {
    pub const NONE: Self = Self(-1);
}

/// A topic's id, which a re-created topic of the same name does not share. KIP-516.
///
/// Shown as Kafka shows it: 22 characters of URL-safe base64.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TopicId(pub [u8; 16]);

impl TopicId {
    /// "No topic id" on the wire.
    pub const ZERO: Self = Self([0; 16]);

    /// A version 4 UUID made of `random`. Kafka's tools refuse ids that begin with '-' as they look like an option,
    /// so such a draw is turned into one that does not.
    pub fn from_random(random: [u8; 16]) -> Self {
        let mut bytes = random;
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        // The first base64 digit is the top six bits; 62 is '-'.
        if bytes[0] >> 2 == 62 {
            bytes[0] ^= 0x80;
        }
        Self(bytes)
    }
}

impl fmt::Display for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TopicId({self})")
    }
}

/// What [`TopicId::from_str`] refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a topic id: expected 22 characters of URL-safe base64")]
pub struct BadTopicId(pub String);

impl FromStr for TopicId {
    type Err = BadTopicId;

    fn from_str(text: &str) -> Result<Self, BadTopicId> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| BadTopicId(text.to_owned()))?;
        Ok(Self(bytes.try_into().map_err(|_| BadTopicId(text.to_owned()))?))
    }
}

/// One partition of one incarnation of a topic.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PartitionId {
    pub topic: TopicId,
    pub index: i32,
}

impl fmt::Debug for PartitionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topic_id_prints_and_parses_as_kafka_does() {
        let id: TopicId = "rm2-yvNxRc2fH4wPmqbCvQ".parse().unwrap();
        assert_eq!(id.to_string(), "rm2-yvNxRc2fH4wPmqbCvQ");
        assert!("short".parse::<TopicId>().is_err());
    }

    #[test]
    fn random_topic_id_never_looks_like_an_option() {
        for first in 0..=255u8 {
            let id = TopicId::from_random([first; 16]);
            assert!(!id.to_string().starts_with('-'), "{id}");
        }
    }
}
