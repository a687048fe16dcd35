//! What is wrong with a configuration, each as one line for the person who wrote it, and what is merely odd.

use std::fmt;
use std::path::PathBuf;

use super::properties::{Place, SyntaxError};

/// The node does not start with this configuration.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    // Causes are part of the line, so they are not sources as well: a chain would say them twice.
    #[error("cannot read {}: {cause}", path.display())]
    Read { path: PathBuf, cause: std::io::Error },
    #[error("{}: {cause}", path.display())]
    Syntax { path: PathBuf, cause: SyntaxError },
    /// A value outside what its key allows. `allowed` reads after "must be".
    #[error("{key}={value} ({place}): must be {allowed}")]
    Value { key: String, value: String, place: Place, allowed: String },
    #[error("{key} is not set: it must be {allowed}")]
    Missing { key: &'static str, allowed: &'static str },
    /// Values that are fine alone and not together.
    #[error("{0}")]
    Conflict(String),
    /// Kafka can do it and Milena cannot yet.
    #[error("{0}")]
    Unsupported(String),
}

/// Worth a line in the log at start; nothing else comes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warning {
    /// A key of Kafka's that changes nothing here.
    WithoutMeaning {
        key: String,
    },
    /// Keys of Kafka's whose values were checked, and change nothing yet. Told in one line, since many a file has some.
    Idle {
        keys: Vec<String>,
    },
    /// A key that Kafka had once.
    Removed {
        key: String,
        why: &'static str,
    },
    /// A key that neither Kafka nor Milena knows. `close` when it looks like a slip of the fingers.
    Unknown {
        key: String,
        place: Place,
        nearest: &'static str,
        close: bool,
    },
    Repeated {
        key: String,
        lost: Place,
        held: Place,
    },
    /// Something accepted that does less than the writer may expect.
    Note(String),
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WithoutMeaning { key } => write!(f, "{key} has no meaning in Milena and is ignored"),
            Self::Idle { keys } => write!(f, "checked, but without effect in Milena so far: {}", keys.join(", ")),
            Self::Removed { key, why } => write!(f, "{key} is ignored: {why}"),
            Self::Unknown { key, place, nearest, close: true } => {
                write!(f, "unknown key {key} ({place}) is ignored: did you mean {nearest}?")
            }
            Self::Unknown { key, place, nearest, close: false } => {
                write!(f, "unknown key {key} ({place}) is ignored; the nearest known key is {nearest}")
            }
            Self::Repeated { key, lost, held } => {
                write!(f, "{key} is set twice: {held} holds, {lost} is ignored")
            }
            Self::Note(note) => f.write_str(note),
        }
    }
}
