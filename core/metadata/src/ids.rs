//! Ids that only metadata knows, and 16-byte ids as bytes in records.

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
        pub struct $name(#[serde(with = "bytes16")] pub [u8; 16]);
    };
}

id! {
    /// A log directory of a broker. KIP-858.
    DirectoryId
}
id! {
    /// One life of a broker process.
    IncarnationId
}

impl DirectoryId {
    /// The broker has not said yet where the replica lies.
    pub const UNASSIGNED: Self = Self([0; 16]);
}

/// A [`model::TopicId`] as 16 bytes instead of 16 numbers.
pub(crate) mod topic_id {
    use model::TopicId;
    use serde::{Deserializer, Serializer};

    pub fn serialize<S: Serializer>(id: &TopicId, to: S) -> Result<S::Ok, S::Error> {
        super::bytes16::serialize(&id.0, to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<TopicId, D::Error> {
        super::bytes16::deserialize(from).map(TopicId)
    }
}

mod bytes16 {
    use std::fmt;

    use serde::de::{Error, SeqAccess, Visitor};
    use serde::{Deserializer, Serializer};

    pub fn serialize<S: Serializer>(id: &[u8; 16], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(id)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<[u8; 16], D::Error> {
        from.deserialize_bytes(Bytes16)
    }

    struct Bytes16;

    impl<'de> Visitor<'de> for Bytes16 {
        type Value = [u8; 16];

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("16 bytes")
        }

        fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<[u8; 16], E> {
            bytes.try_into().map_err(|_| E::invalid_length(bytes.len(), &self))
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut numbers: A) -> Result<[u8; 16], A::Error> {
            let mut id = [0; 16];
            for (at, byte) in id.iter_mut().enumerate() {
                *byte = numbers.next_element()?.ok_or_else(|| A::Error::invalid_length(at, &self))?;
            }
            Ok(id)
        }
    }
}
