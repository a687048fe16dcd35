//! Over a real socket on a port that the kernel picks.

use std::net::SocketAddr;

use futures_util::future::BoxFuture;
use model::{NodeId, TimestampMs};
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;
use crate::shutdown::{self, Trigger};
use crate::telemetry::{Health, Names, NodeScrape, Scrape, Startup};

struct Fake {
    health: Mutex<Health>,
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
                    request_bytes: 0,
                    request_bytes_max: 0,
                    log_dirs: vec![],
                },
                listeners: vec![],
                shards: vec![],
                partitions: vec![],
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

async fn start() -> (SocketAddr, Arc<Fake>, Trigger, tokio::task::JoinHandle<anyhow::Result<()>>) {
    let starting = Startup { recovered: 3, total: 10, done: false };
    let health = Health { live: Ok(()), ready: Err("recovering".to_owned()), startup: starting };
    let fake = Arc::new(Fake { health: Mutex::new(health) });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (trigger, shutdown) = shutdown::channel();
    let served = tokio::spawn(serve(listener, fake.clone(), shutdown));
    (address, fake, trigger, served)
}

async fn ask(address: SocketAddr, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    let status = response.split(' ').nth(1).unwrap().parse().unwrap();
    (status, response.split_once("\r\n\r\n").unwrap().1.trim().to_owned())
}

#[tokio::test]
async fn startup_tells_its_progress_until_it_is_done() {
    let (address, fake, _trigger, _served) = start().await;
    let (status, body) = ask(address, "/health/startup").await;
    assert_eq!((status, body.as_str()), (503, r#"{"recovered":3,"status":"starting","total":10}"#));
    assert_eq!(ask(address, "/health/live").await, (200, r#"{"status":"ok"}"#.to_owned()));
    let (status, body) = ask(address, "/health/ready").await;
    assert_eq!((status, body.as_str()), (503, r#"{"reason":"recovering","status":"failing"}"#));

    let done = Startup { recovered: 10, total: 10, done: true };
    *fake.health.lock() = Health { live: Err("disk".to_owned()), ready: Ok(()), startup: done };
    assert_eq!(ask(address, "/health/startup").await.0, 200);
    assert_eq!(ask(address, "/health/ready").await.0, 200);
    assert_eq!(ask(address, "/health/live").await.0, 503);
}

#[tokio::test]
async fn metrics_are_served_and_other_paths_are_not() {
    let (address, _fake, _trigger, _served) = start().await;
    let (status, body) = ask(address, "/metrics").await;
    assert_eq!(status, 200);
    assert!(body.contains("kafka_server_kafkaserver_brokerstate 3"), "{body}");
    assert_eq!(ask(address, "/").await.0, 404);
}

#[tokio::test]
async fn a_stop_ends_serving_even_while_a_client_stays() {
    let (address, _fake, trigger, served) = start().await;
    let mut half = TcpStream::connect(address).await.unwrap();
    half.write_all(b"GET /metrics HTTP/1.1\r\n").await.unwrap();
    assert_eq!(ask(address, "/health/live").await.0, 200);
    trigger.stop();
    served.await.unwrap().unwrap();
    drop(half);
}
