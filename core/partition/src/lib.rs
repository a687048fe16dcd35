//! One partition's whole life: its log, who leads it, up to where it is committed, and the produces that wait for that.
//!
//! ```text
//!  log start ........ last stable offset ........ high watermark ........ counted ........ log end
//!                     read_committed stops here   consumers stop here     this replica     appended, not yet
//!                                                                         vouches for it   synced if it must be
//! ```
//!
//! A [`Partition`] takes commands and gives values; what happens as a consequence (acknowledgements that came due, bytes
//! that became readable, a sync that is needed) it leaves in [`Effects`]. It knows no thread, no clock and no
//! protocol.

mod checks;
mod config;
mod effects;
mod fetch;
mod offsets;
mod parked;
mod partition;
mod produce;
mod replica;
#[cfg(test)]
mod tests;

pub use config::{Compression, Config, FlushPolicy, TimestampBounds};
pub use effects::{Effects, Ticket};
pub use fetch::{Diverging, FetchError, FetchSpec, Fetched, Isolation};
pub use offsets::{FoundOffset, OffsetError, OffsetSpec};
pub use partition::Partition;
pub use produce::{Acks, ProduceError, ProduceResult, Produced, Queue};
pub use replica::{EpochError, Leadership};
