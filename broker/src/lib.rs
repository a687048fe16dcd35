//! The broker: threads, sockets and clocks around the pure core.
//!
//! ```text
//!  net ──frames──> api ──asks──> shard (partitions, groups)     admin: people, probes, scrapers
//!                   └──asks──> controller ──commits──> quorum ──image──> replication ──commands──> shard
//! ```

pub mod admin;
pub mod cli;
pub mod clock;
pub mod config;
pub mod coordination;
pub mod data_dir;
pub mod net;
pub mod shutdown;
pub mod telemetry;
