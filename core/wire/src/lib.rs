//! Kafka's wire format: every message of a broker listener in every version, generated from Kafka's schemas, and the
//! primitives below them (KIP-482 flexible versions).
//!
//! Decoding borrows from one [`bytes::Bytes`] and is bounded: no count is believed before it is held against the bytes
//! left, and a message never allocates more than [`reader::AMPLIFICATION`] times its size. Record batches pass
//! through unread. Nothing here knows what a message means.

pub mod api_key;
pub mod error;
pub mod error_code;
pub mod header;
pub mod messages;
pub mod reader;
pub mod records;
pub mod string;
pub mod tags;
pub mod versioned;
pub mod writer;

pub use api_key::ApiKey;
pub use error::{DecodeError, EncodeError};
pub use error_code::ErrorCode;
pub use reader::Reader;
pub use string::Str;
pub use tags::Tags;
pub use versioned::{decode_with_version, encode_with_version};
pub use writer::{Records, Splice, Writer};

/// A message or record with versions.
pub trait Message: Sized {
    /// The versions with a schema.
    const VERSIONS: std::ops::RangeInclusive<i16>;

    /// Reads one message; `version` must be one of [`Message::VERSIONS`].
    fn decode(r: &mut Reader, version: i16) -> Result<Self, DecodeError>;

    /// Writes the message. Fails where a field is set that `version` cannot carry.
    fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError>;

    /// Shows `each` every error code that the message carries in `version`, 0 for none included. Only responses do.
    fn errors(&self, _version: i16, _each: &mut dyn FnMut(i16)) {}
}

/// A request, and what answers it.
pub trait Request: Message {
    const KEY: ApiKey;
    type Response: Message;
}

/// What every generated file needs.
mod prelude {
    pub use bytes::Bytes;

    pub use crate::api_key::ApiKey;
    pub use crate::error::{DecodeError, EncodeError};
    pub use crate::reader::Reader;
    pub use crate::string::Str;
    pub use crate::tags::Tags;
    pub use crate::writer::{Records, Writer};
    pub use crate::{Message, Request};
}
