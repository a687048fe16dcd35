//! The two brokers: an Apache Kafka and a Milena with the same settings.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use wire::ApiKey;
use wire::messages::api_versions::ApiVersionsRequest;

use super::side::Served;
use super::support::Client;
use super::support::process::Process;

/// What `kafka-peer` tells a broker beside what the test does; Milena is told it, too.
const OF_THE_PEER: &[&str] = &["log.segment.bytes=1073741824", "log.retention.hours=168", "num.partitions=1"];

/// What both are told: no waiting for more members, no expiry of old timestamps, sessions that end soon.
const SETTINGS: &[&str] = &[
    "group.initial.rebalance.delay.ms=0",
    "group.min.session.timeout.ms=500",
    "log.retention.ms=-1",
    "offsets.topic.num.partitions=2",
    "transaction.state.log.num.partitions=2",
];

/// Both, until dropped.
pub struct Brokers {
    pub kafka: SocketAddr,
    pub milena: SocketAddr,
    _milena: Process,
    _kafka: Option<Peer>,
    _dir: tempfile::TempDir,
}

/// `None` where no peer is asked for.
pub fn start() -> Option<Brokers> {
    let wanted = std::env::var("MILENA_PEER").ok()?;
    let dir = tempfile::tempdir().unwrap();
    let peer = (wanted == "1").then(|| Peer::start(&dir.path().join("kafka")));
    let kafka = peer.as_ref().map_or_else(|| wanted.parse().expect("an address"), |peer| peer.address);
    let mut milena = Process::new(dir.path(), &[OF_THE_PEER, SETTINGS].concat().join("\n"));
    milena.start();
    Some(Brokers { kafka, milena: milena.address(), _milena: milena, _kafka: peer, _dir: dir })
}

impl Brokers {
    /// The versions that both advertise of what Milena serves.
    pub fn served(&self) -> Served {
        let ranges = |address| -> Served {
            let answer = Client::connect(address).unwrap().ask(0, &ApiVersionsRequest::default());
            answer.api_keys.into_iter().map(|key| (key.api_key, (key.min_version, key.max_version))).collect()
        };
        let kafka = ranges(self.kafka);
        let both = |(key, (min, max)): (i16, (i16, i16))| {
            let (their_min, their_max) = *kafka.get(&key)?;
            let accepted = ApiKey::from_code(key)?.versions().min;
            Some((key, (min.max(their_min).max(accepted), max.min(their_max))))
        };
        ranges(self.milena).into_iter().filter_map(both).collect()
    }
}

/// An Apache Kafka of our own.
struct Peer {
    control: PathBuf,
    dir: PathBuf,
    address: SocketAddr,
}

impl Peer {
    fn start(dir: &Path) -> Self {
        let control = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/peer/kafka-peer");
        assert!(control.exists(), "MILENA_PEER=1 needs {}", control.display());
        let port = (0..100).map(|_| free_port()).find(|port| TcpListener::bind(("127.0.0.1", port + 10)).is_ok());
        let port = port.expect("two ports are free");
        let mut start = Command::new(&control);
        start.args(["start", "--heap", "512m", "--base-port", &port.to_string(), "--dir"]).arg(dir);
        start.args(SETTINGS.iter().flat_map(|setting| ["--set", setting]));
        let peer = Self { control, dir: dir.to_owned(), address: ([127, 0, 0, 1], port).into() };
        assert!(start.stdout(Stdio::null()).status().expect("run kafka-peer").success(), "Kafka does not start");
        peer
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = Command::new(&self.control).arg("kill").arg(&self.dir).arg("1").status();
    }
}

/// Below the ports that the kernel gives to clients.
fn free_port() -> u16 {
    loop {
        let port = 20_000 + (rand::random::<u16>() % 10_000);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
