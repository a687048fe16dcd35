//! What people, probes and Prometheus ask, on a port of its own. Knows the node only as a [`Source`], never a shard.
//!
//! [`Source`]: crate::telemetry::Source

pub mod http;
