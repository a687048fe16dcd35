//! What the HTTP side asks of the node.

use futures_util::future::BoxFuture;

use super::scrape::Scrape;

/// Implemented by the node. `health` must not wait for any shard: it is asked while shards may be stuck.
pub trait Source: Send + Sync {
    /// Gathers one moment from every shard and from the control side.
    fn scrape(&self) -> BoxFuture<'_, Scrape>;

    /// What is known right now, without waiting.
    fn health(&self) -> Health;
}

/// The answers to the three probes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// `Err` says why the process should be restarted.
    pub live: Result<(), String>,
    /// `Err` says why clients should go elsewhere for now.
    pub ready: Result<(), String>,
    pub startup: Startup,
}

/// How far the start has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Startup {
    /// Logs opened so far, out of `total`; `total` is 0 until it is known.
    pub recovered: u64,
    pub total: u64,
    /// Clients are served.
    pub done: bool,
}
