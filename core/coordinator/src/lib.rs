//! Consumer groups and their committed offsets, as one replicated state machine per partition of `__consumer_offsets`.
//!
//! ```text
//!  request ──► GroupCoordinator ──► Outcome { records, completions }
//!                   ▲                     │ append beside it
//!                   └────── apply(record) ◄┘            (and again, from the log, at the next start)
//! ```
//!
//! A decision never touches what is durable ([`stored`]): group metadata and offsets change in
//! [`GroupCoordinator::apply`] only, which runs the same for a live leader and for one that reads the log. What a leader
//! knows beyond the log (who waits for whom, sessions, members that have not been persisted yet) is volatile, lives in
//! [`group`], and is changed by decisions directly; a new leader starts without it, as Kafka's does.
//!
//! Nothing here knows a clock, a socket, a thread or the log itself: `now` and the seed come in as arguments.

pub mod config;
pub mod coordinator;
pub mod error;
pub mod group;
pub mod ids;
pub mod message;
pub mod records;
pub mod stored;
pub mod timers;

pub use config::GroupConfig;
pub use coordinator::{Applied, GroupCoordinator, Tallies};
pub use error::{GroupError, ReplayError};
pub use group::state::GroupState;
pub use ids::IdSource;
pub use message::{Decision, Outcome, Reply, Ticket};
pub use records::Record;
