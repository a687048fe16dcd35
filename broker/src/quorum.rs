//! The metadata log: an agreed order of entries that survive. What the entries mean is not known here.

mod reserve;
pub mod single;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use model::Offset;

pub use single::{SingleVoter, Status};

/// Why entries were not committed.
#[derive(Debug, thiserror::Error)]
pub enum ProposeError {
    /// Nothing was written: try again when there is room.
    #[error("no space is left for the metadata log")]
    NoSpace,
    #[error("the metadata log cannot be written: {0}")]
    Disk(String),
}

/// An ordered, durable log of entries behind which any number of voters may stand.
pub trait Quorum: Send + Sync {
    /// Commits `entries` in this order, after everything committed before; on disk when it returns. Gives the offset
    /// of the last entry.
    fn propose(&self, entries: Vec<Bytes>) -> BoxFuture<'_, Result<Offset, ProposeError>>;
}
