//! The threads that own partitions. A shard is one thread with a single-threaded runtime, its partitions, and the
//! connections handed to it. Requests for its own partitions run inline; for another shard's, one message there and
//! one back.
//!
//! ```text
//!  connection task ── Local::on(own shard) ──────────> State      a plain call
//!                  └─ Local::on(other shard) ─ mailbox ─> State   one message there, one back
//! ```
//!
//! Produced batches are queued, and appended when all connections and messages that were ready have had their turn: so
//! batches that came together for one partition leave in one write.
//!
//! Nothing here knows an API or a socket.

pub mod errand;
pub mod groups;
pub mod handle;
pub mod parked;
pub mod records;
pub mod reply;
pub mod slot;
pub mod state;
mod tails;
#[cfg(test)]
mod testing;
pub mod thread;
pub mod upkeep;
pub mod wait;

pub use errand::{Fetched, Produce, ProduceErrand, Read, ReadErrand};
pub use handle::{Handle, Local, Stopped};
pub use reply::{Replies, ReplyTo};
pub use slot::Slot;
pub use state::{State, StateConfig};
pub use thread::Shards;
pub use wait::ProgressWait;
