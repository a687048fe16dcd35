//! Bytes to frames and back, in order: listeners, connections, the budget of request bytes. Knows no Kafka API:
//! a [`Service`] answers each frame.

pub mod budget;
pub mod connection;
pub mod listener;
pub mod output;

pub use budget::Budget;
pub use connection::{Closed, Connection, Peer, Service, Verdict};
pub use listener::{Acceptor, Binding, listen};
pub use output::{Output, Region};
