//! A broker in this process, and a client that speaks `wire` with it: one request, one answer.

#![allow(clippy::unwrap_used, reason = "a helper of tests fails as a test does")]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use broker::cli::Running as _;
use broker::config::{Config, Machine, Place, Properties};
use broker::node::Node;
use bytes::BytesMut;
use wire::header::{RequestHeader, ResponseHeader};
use wire::{Message as _, Reader, Request, Writer};

/// An answer that takes longer is a failure.
const PATIENCE: Duration = Duration::from_secs(30);

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
        Client::connect(self.address)
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

/// A connection.
pub struct Client {
    stream: TcpStream,
    correlation_id: i32,
}

impl Client {
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, correlation_id: 0 }
    }

    /// Sends `request` and waits for its answer, all of which must be of the version asked in.
    pub fn call<R: Request>(&mut self, version: i16, request: &R) -> R::Response {
        self.correlation_id += 1;
        let (mut frame, mut splices) = (BytesMut::new(), Vec::new());
        let mut writer = Writer::new(&mut frame, &mut splices);
        let header = RequestHeader {
            api_key: R::KEY.code(),
            api_version: version,
            correlation_id: self.correlation_id,
            client_id: Some("test".into()),
            ..RequestHeader::default()
        };
        header.encode(&mut writer, R::KEY.request_header_version(version));
        request.encode(&mut writer, version).unwrap();
        self.stream.write_all(&u32::try_from(frame.len()).unwrap().to_be_bytes()).unwrap();
        self.stream.write_all(&frame).unwrap();

        let mut length = [0; 4];
        self.stream.read_exact(&mut length).expect("an answer, not the connection's end");
        let mut answer = vec![0; u32::from_be_bytes(length) as usize];
        self.stream.read_exact(&mut answer).unwrap();
        let mut reader = Reader::new(answer.into());
        let header = ResponseHeader::decode(&mut reader, R::KEY.response_header_version(version)).unwrap();
        assert_eq!(header.correlation_id, self.correlation_id);
        let response = R::Response::decode(&mut reader, version).unwrap();
        reader.finish().unwrap();
        response
    }
}
