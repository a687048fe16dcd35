//! One log on disk, in Apache Kafka's layout: append, read, recover, truncate, retain.
//!
//! ```text
//!  start ............ recovery point ............ first unstable ......... end
//!  first record       below, all survives         below, no transaction    the next record
//!  still here         power loss                  is undecided             gets this offset
//! ```
//!
//! A [`Log`] knows no leader, no in-sync replicas and no high watermark: bounds come in as arguments, and so does the
//! time. All I/O goes through [`Disk`]; there are two, the system's files and one in memory that can fail.

mod codec;
mod config;
mod disk;
mod epoch_cache;
mod header;
mod index_file;
mod log;
mod mapped;
mod names;
mod offset_index;
mod producer_snapshot;
mod producer_state;
mod read_plan;
mod segment;
mod state_file;
mod tail_cache;
#[cfg(test)]
mod testing;
mod time_index;
mod txn_index;
mod walk;

pub mod checkpoint_file;

pub use config::{Config, OpenHints, TimestampOffset};
pub use disk::real::{RealDisk, RealFile};
pub use disk::sim::{SimDisk, SimFile};
pub use disk::{BootId, Disk, DiskError, File};
pub use epoch_cache::EpochEnd;
pub use log::append::{AppendError, Appended, Outcome, Refusal};
pub use log::flush::{FlushTask, Flushed};
pub use log::open::{OpenError, RecoveryReport};
pub use log::record_time::RecordTimeTask;
pub use log::retention::{PurgeTask, RemovalReason, RemovedLog, RemovedSegment};
pub use log::truncate::TruncateError;
pub use log::{Log, LogOffsets};
pub use producer_state::{Check, ProducerError, ProducerState, WrittenBatch};
pub use read_plan::{FileRegion, ReadError, ReadPlan};
pub use txn_index::AbortedTxn;
pub use walk::Torn;
