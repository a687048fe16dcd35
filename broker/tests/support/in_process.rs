//! A broker in this process.

use std::net::SocketAddr;
use std::path::PathBuf;

use broker::cli::Running as _;
use broker::config::{Config, Machine, Place, Properties};
use broker::node::Node;
use broker::telemetry::logging::Loggers;

use super::Client;

/// One broker with its data in a folder of its own; stopped and removed when dropped.
pub struct Broker {
    node: Option<Node>,
    properties: Properties,
    address: SocketAddr,
    dir: tempfile::TempDir,
}

impl Broker {
    /// Node 1, with `set` over what a developer's broker has.
    pub fn start(set: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut properties = Properties::default();
        for (key, value) in [
            ("node.id", "1"),
            ("listeners", "PLAINTEXT://127.0.0.1:0"),
            ("log.dirs", dir.path().to_str().unwrap()),
            ("milena.http.listener", ""),
            ("offsets.topic.replication.factor", "1"),
            ("group.initial.rebalance.delay.ms", "0"),
        ] {
            properties.set(key, value, Place::Preset);
        }
        for (key, value) in set {
            properties.set(key, value, Place::CommandLine);
        }
        let node = start(&properties);
        Self { address: node.addresses()[0], node: Some(node), properties, dir }
    }

    /// Stops in order and starts again on the same data, on another port.
    pub fn restart(&mut self) {
        self.node.take().map(Node::stop).transpose().unwrap();
        let node = start(&self.properties);
        self.address = node.addresses()[0];
        self.node = Some(node);
    }

    /// The folder of a partition.
    pub fn folder(&self, topic: &str, partition: i32) -> PathBuf {
        self.dir.path().join(format!("{topic}-{partition}"))
    }

    pub fn client(&self) -> Client {
        Client::connect(self.address).unwrap()
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it serves HTTP; it must have been told to, by `milena.http.listener`.
    pub fn http(&self) -> SocketAddr {
        self.node.as_ref().and_then(Node::http_address).expect("it was told to serve HTTP")
    }
}

fn start(properties: &Properties) -> Node {
    Node::start(Config::parse(properties, &Machine::detect()).unwrap(), Loggers::detached()).unwrap()
}

impl Drop for Broker {
    fn drop(&mut self) {
        let stopped = self.node.take().map(Node::stop);
        if !std::thread::panicking() {
            stopped.transpose().unwrap();
        }
    }
}
