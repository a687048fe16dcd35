//! Why bytes are not a message, or a message cannot become bytes.

/// Why decoding stopped. Each means that the sender does not speak the protocol; the connection is not worth keeping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    #[error("the message ends inside a field")]
    Truncated,
    #[error("{left} bytes are left behind the message")]
    Trailing { left: usize },
    #[error("a count of {0} is negative or beyond the limit")]
    BadCount(i64),
    #[error("a count of {count} cannot fit the {left} bytes left")]
    CountBeyondBytes { count: usize, left: usize },
    #[error("the message would take more memory than its size allows")]
    Amplification,
    #[error("a length of {0} is negative")]
    BadLength(i64),
    #[error("null where the version allows none")]
    Null,
    #[error("a string is not UTF-8")]
    NotUtf8,
    #[error("a varint is too long")]
    BadVarint,
    #[error("a mark of presence is {0}")]
    BadPresence(i8),
    #[error("tags do not ascend")]
    TagOrder,
    #[error("a tagged field does not fill its announced size")]
    TagSize,
    #[error("version {0} is not known")]
    UnknownVersion(i16),
}

/// Why encoding stopped: a mistake of ours, not of the peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    #[error("{message}.{field} is set, but version {version} cannot carry it")]
    Field { message: &'static str, field: &'static str, version: i16 },
    #[error("{message}.{field} is null, which version {version} does not allow")]
    Null { message: &'static str, field: &'static str, version: i16 },
}

impl EncodeError {
    #[cold]
    pub(crate) fn field(message: &'static str, field: &'static str, version: i16) -> Self {
        Self::Field { message, field, version }
    }

    #[cold]
    pub(crate) fn null(message: &'static str, field: &'static str, version: i16) -> Self {
        Self::Null { message, field, version }
    }
}

/// Either, for what reads and writes again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    #[error(transparent)]
    Decode(#[from] DecodeError),
    #[error(transparent)]
    Encode(#[from] EncodeError),
}
