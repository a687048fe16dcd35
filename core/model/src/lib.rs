//! The words every other room shares: ids, offsets, time and the record batch (format v2, KIP-98).
//!
//! A type enters only when two floors above need it. Nothing here reads a clock, a file or a socket.

pub mod batch;
pub mod builder;
pub mod compression;
pub mod ids;
mod plain_frame;
pub mod records;
mod varint;

pub use batch::{Batch, BatchError, ValidBatch};
pub use builder::{BatchBuilder, Producer};
pub use compression::Codec;
pub use ids::{LeaderEpoch, NodeId, Offset, PartitionId, ProducerEpoch, ProducerId, TimestampMs, TopicId};
pub use records::{Header, Headers, Record, Records};
