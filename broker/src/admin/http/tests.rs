//! Over a real socket on a port that the kernel picks.

use std::net::SocketAddr;

use futures_util::future::BoxFuture;
use model::{NodeId, TimestampMs, TopicId};
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;
use crate::shutdown::{self, Trigger};
use crate::telemetry::{Health, Names, NodeScrape, PartitionScrape, Scrape, Startup};

struct Fake {
    health: Mutex<Health>,
    partitions: i32,
}

impl Source for Fake {
    fn scrape(&self) -> BoxFuture<'_, Scrape> {
        Box::pin(async {
            Scrape {
                at: TimestampMs(2),
                names: Names { api: |_| "Produce", error: |_| "NONE" },
                node: NodeScrape {
                    id: NodeId(1),
                    version: "0",
                    started_at: TimestampMs(1),
                    state: 3,
                    recovered: 0,
                    to_recover: 0,
                    request_bytes: 0,
                    request_bytes_max: 0,
                    log_dirs: vec![],
                    partitions_missing: 0,
                },
                listeners: vec![],
                shards: vec![],
                partitions: (0..self.partitions).map(partition).collect(),
                groups: vec![],
                controller: Default::default(),
                quorum: Default::default(),
            }
        })
    }

    fn health(&self) -> Health {
        self.health.lock().clone()
    }
}

fn partition(index: i32) -> PartitionScrape {
    PartitionScrape {
        topic: "t".into(),
        topic_id: TopicId::ZERO,
        index,
        is_leader: true,
        leader: NodeId(1),
        preferred_leader: NodeId(1),
        replicas: 1,
        in_sync_replicas: 1,
        in_sync_replicas_min: 1,
        offline: false,
        log_start_offset: 0,
        last_stable_offset: 0,
        high_watermark: 0,
        log_end_offset: 0,
        bytes: 0,
        bytes_max: None,
        segments: 1,
        producer_ids: 0,
    }
}

struct Server {
    address: SocketAddr,
    fake: Arc<Fake>,
    trigger: Trigger,
    served: tokio::task::JoinHandle<()>,
}

async fn start(partitions: i32, limits: Limits) -> Server {
    let starting = Startup { recovered: 3, total: 10, done: false };
    let health = Health { live: Ok(()), ready: Err("recovering".to_owned()), startup: starting };
    let fake = Arc::new(Fake { health: Mutex::new(health), partitions });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (trigger, shutdown) = shutdown::channel();
    let served = tokio::spawn(serve(listener, fake.clone(), limits, shutdown));
    Server { address, fake, trigger, served }
}

impl Server {
    /// Opens a connection, sends `bytes`, and reads until it is closed.
    async fn talk(&self, bytes: &[u8]) -> String {
        let mut stream = self.open(bytes).await;
        let mut response = Vec::new();
        let _ = stream.read_to_end(&mut response).await;
        String::from_utf8(response).unwrap()
    }

    async fn open(&self, bytes: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream
    }

    async fn ask(&self, path: &str) -> (u16, String) {
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let response = self.talk(request.as_bytes()).await;
        (status(&response), response.split_once("\r\n\r\n").unwrap().1.trim().to_owned())
    }
}

fn status(response: &str) -> u16 {
    response.split(' ').nth(1).unwrap().parse().unwrap()
}

/// Ends where the other side has closed the connection.
async fn closed(stream: &mut TcpStream) {
    let _ = stream.read_to_end(&mut Vec::new()).await;
}

#[tokio::test]
async fn startup_tells_its_progress_until_it_is_done() {
    let server = start(0, Limits::default()).await;
    let (status, body) = server.ask("/health/startup").await;
    assert_eq!((status, body.as_str()), (503, r#"{"recovered":3,"status":"starting","total":10}"#));
    assert_eq!(server.ask("/health/live").await, (200, r#"{"status":"ok"}"#.to_owned()));
    let (status, body) = server.ask("/health/ready").await;
    assert_eq!((status, body.as_str()), (503, r#"{"reason":"recovering","status":"failing"}"#));

    let done = Startup { recovered: 10, total: 10, done: true };
    *server.fake.health.lock() = Health { live: Err("disk".to_owned()), ready: Ok(()), startup: done };
    assert_eq!(server.ask("/health/startup").await.0, 200);
    assert_eq!(server.ask("/health/ready").await.0, 200);
    assert_eq!(server.ask("/health/live").await.0, 503);
}

#[tokio::test]
async fn metrics_are_served_and_other_paths_and_methods_are_not() {
    let server = start(0, Limits::default()).await;
    let (code, body) = server.ask("/metrics").await;
    assert_eq!(code, 200);
    assert!(body.contains("kafka_server_kafkaserver_brokerstate 3"), "{body}");
    assert_eq!(server.ask("/").await.0, 404);
    let posted = server.talk(b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999\r\n\r\nabc").await;
    assert_eq!(status(&posted), 405);
}

#[tokio::test]
async fn a_connection_serves_one_scrape_after_another() {
    let server = start(300, Limits::default()).await;
    let once = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
    let last = b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let both = server.talk(&[&once[..], last].concat()).await;
    assert_eq!(both.matches("HTTP/1.1 200 OK").count(), 2);
    assert_eq!(both.matches("kafka_log_log_size{topic=\"t\",partition=\"299\"} 0").count(), 2);
}

#[tokio::test]
async fn a_stop_ends_serving_even_while_a_client_stays() {
    let server = start(0, Limits::default()).await;
    let half = server.open(b"GET /metrics HTTP/1.1\r\n").await;
    assert_eq!(server.ask("/health/live").await.0, 200);
    server.trigger.stop();
    server.served.await.unwrap();
    drop(half);
}

#[tokio::test]
async fn a_request_with_an_endless_head_is_refused() {
    let server = start(0, Limits::default()).await;
    let long = format!("GET /health/live HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "x".repeat(HEAD_BYTES_MAX));
    assert_eq!(status(&server.talk(long.as_bytes()).await), 431);
    let many = format!("GET /health/live HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(500));
    assert_eq!(status(&server.talk(many.as_bytes()).await), 431);
    let path = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "x".repeat(2 * HEAD_BYTES_MAX));
    assert_eq!(status(&server.talk(path.as_bytes()).await) / 100, 4);
}

#[tokio::test]
async fn a_head_that_does_not_come_to_its_end_closes_its_connection() {
    let server = start(0, Limits { head_timeout: Duration::from_millis(100), ..Limits::default() }).await;
    for bytes in [&b"GET /health/live HTTP/1.1\r\nHo"[..], b""] {
        closed(&mut server.open(bytes).await).await;
    }
    // Byte by byte is no way around it.
    let (mut read, mut write) = server.open(b"GET /health/live HTTP/1.1\r\nX: ").await.into_split();
    let drip = async {
        while write.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let mut answer = Vec::new();
    tokio::select! {
        _ = read.read_to_end(&mut answer) => {}
        () = drip => {}
    }
}

#[tokio::test]
async fn a_probe_is_answered_while_others_hold_all_connections() {
    let server = start(0, Limits { connections_max: 4, ..Limits::default() }).await;
    let mut held = Vec::new();
    for _ in 0..20 {
        held.push(server.open(b"GET /health/live HTTP/1.1\r\n").await);
        assert_eq!(server.ask("/health/live").await.0, 200);
    }
    // The oldest had to go.
    closed(&mut held[0]).await;
}

#[tokio::test]
async fn a_connection_does_not_live_for_ever() {
    let server = start(0, Limits { lifetime: Duration::from_millis(50), ..Limits::default() }).await;
    closed(&mut server.open(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n").await).await;
}

#[tokio::test]
async fn scrapers_that_do_not_read_do_not_keep_others_from_scraping() {
    let limits = Limits { scrape_timeout: Duration::from_millis(300), ..Limits::default() };
    let server = start(20_000, limits).await;
    let mut stalled = Vec::new();
    for _ in 0..SCRAPES_MAX {
        stalled.push(server.open(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await);
    }
    // Until they are given up, others wait, or are told so.
    let patience = Instant::now() + Duration::from_secs(20);
    loop {
        let mut stream = server.open(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
        let mut head = [0; 15];
        stream.read_exact(&mut head).await.unwrap();
        if head.starts_with(b"HTTP/1.1 200 OK") {
            break;
        }
        assert!(Instant::now() < patience, "{}", String::from_utf8_lossy(&head));
    }
    // What they get in the end is not taken for the whole: the last chunk is missing.
    let mut part = Vec::new();
    let _ = stalled.remove(0).read_to_end(&mut part).await;
    assert!(part.starts_with(b"HTTP/1.1 200 OK") && !part.ends_with(b"0\r\n\r\n"));
}
