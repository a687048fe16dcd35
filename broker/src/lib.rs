//! The broker: threads, sockets and clocks around the pure core.
//!
//! ```text
//!  net ──frames──> api ──asks──> shard (partitions, groups)     admin: people, probes, scrapers
//!                   └──asks──> controller ──commits──> quorum ──image──> replication ──commands──> shard
//! ```

pub mod admin;
pub mod api;
pub mod cli;
pub mod clock;
pub mod config;
pub mod controller;
pub mod coordination;
pub mod data_dir;
pub mod disk_pool;
pub mod log_dir;
pub mod net;
pub mod node;
pub mod quorum;
pub mod replication;
pub mod shard;
pub mod shutdown;
pub mod telemetry;
