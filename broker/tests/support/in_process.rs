//! A broker in this process.

use std::net::SocketAddr;

use broker::cli::Running as _;
use broker::config::{Config, Machine, Place, Properties};
use broker::node::Node;

use super::Client;

/// One broker with its data in a folder of its own; stopped and removed when dropped.
pub struct Broker {
    node: Option<Node>,
    address: SocketAddr,
    _dir: tempfile::TempDir,
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
        let node = Node::start(Config::parse(&properties, &Machine::detect()).unwrap()).unwrap();
        let address = node.addresses()[0];
        Self { node: Some(node), address, _dir: dir }
    }

    pub fn client(&self) -> Client {
        Client::connect(self.address).unwrap()
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let stopped = self.node.take().map(Node::stop);
        if !std::thread::panicking() {
            stopped.transpose().unwrap();
        }
    }
}
