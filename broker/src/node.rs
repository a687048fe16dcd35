//! The composition root: builds every service once, starts them in order, stops them in the reverse order.
//!
//! ```text
//!  listeners bound -> directories locked -> metadata replayed -> registered -> logs open -> shards serve -> accepting
//! ```

mod accept;
mod disks;
mod observe;
mod start;
mod stop;

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use metadata::{CommandError, NewTopic};

use crate::cli::Running;
use crate::config::Config;
use crate::controller::Client;
use crate::data_dir::DataDir;
use crate::disk_pool::DiskThreads;
use crate::log_dir::LogDir;
use crate::quorum::SingleVoter;
use crate::shard::Shards;
use crate::shutdown::Trigger;
use crate::telemetry::logging::Loggers;

/// A running broker with its controller.
pub struct Node {
    /// The control runtime: controller, accepting, HTTP.
    runtime: tokio::runtime::Runtime,
    trigger: Trigger,
    addresses: Vec<SocketAddr>,
    /// Host and port that clients are told, of the first listener.
    bootstrap: String,
    controller: Client,
    shards: Shards,
    disk: DiskThreads,
    quorum: SingleVoter,
    data_dirs: Vec<DataDir>,
    dirs: Arc<[Arc<LogDir>]>,
    connections: Arc<accept::Connections>,
    http: Option<Http>,
    /// Completes when the node cannot go on.
    failure: tokio::sync::oneshot::Receiver<()>,
}

/// Metrics and health, served from before recovery to the very end.
struct Http {
    trigger: Trigger,
    address: SocketAddr,
    served: tokio::task::JoinHandle<()>,
}

impl Node {
    /// Starts a node; returns when clients are served. An error leaves nothing running, and no directory of another
    /// node touched.
    pub fn start(config: Config, loggers: Loggers) -> anyhow::Result<Self> {
        start::start(config, loggers)
    }

    /// Where each broker listener really listens, in their order.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Where metrics and health are served, if they are.
    pub fn http_address(&self) -> Option<SocketAddr> {
        Some(self.http.as_ref()?.address)
    }
}

impl Running for Node {
    fn bootstrap(&self) -> String {
        self.bootstrap.clone()
    }

    fn create_topic(&self, name: &str, partitions: Option<i32>, replication_factor: Option<i16>) -> anyhow::Result<()> {
        let topic = NewTopic { name: name.to_owned(), partitions, replication_factor, ..NewTopic::default() };
        let created =
            self.controller.submit(false, move |controller, moment| controller.create_topics(vec![topic], moment));
        match self.runtime.block_on(created).context("create a topic")?.pop() {
            None | Some(Ok(_) | Err(CommandError::TopicAlreadyExists(_))) => Ok(()),
            Some(Err(error)) => Err(anyhow::anyhow!("topic {name}: {}", error.message())),
        }
    }

    fn on_failure(&mut self, end: impl FnOnce() + Send + 'static) {
        let (_, never) = tokio::sync::oneshot::channel();
        let failure = std::mem::replace(&mut self.failure, never);
        self.runtime.spawn(async move {
            if failure.await.is_ok() {
                end();
            }
        });
    }

    fn stop(self) -> anyhow::Result<()> {
        stop::stop(self)
    }
}
