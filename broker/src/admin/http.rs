//! `/metrics`, `/health/live`, `/health/ready`, `/health/startup`. Reads only; nothing here changes the node.
//!
//! Whoever reaches the port may ask, so everything is bounded ([`Limits`]): a request's head, the time it takes to arrive,
//! the life of a connection, their number, and scrapes at a time. A new connection is always served: where there are too
//! many, the oldest goes, so that a probe is answered whatever others hold open.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::stream::{self, Stream};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;

use crate::shutdown::Shutdown;
use crate::telemetry::{Exporter, Source};

/// Bytes of a request's line and headers; hyper's least.
const HEAD_BYTES_MAX: usize = 8 << 10;
/// Scrapes at a time. Others wait.
const SCRAPES_MAX: usize = 2;
/// Pieces of a scrape's text that wait for the client; the rest is not made before.
const PIECES_MAX: usize = 4;
/// Requests in hand get so long at a stop, or when their connection has lived long enough.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);

/// What clients may take.
#[derive(Clone, Debug)]
pub struct Limits {
    pub connections_max: usize,
    /// A request's head must have arrived in this time; a connection without requests is closed after it.
    pub head_timeout: Duration,
    /// From a scrape's request to the last byte of its answer.
    pub scrape_timeout: Duration,
    /// A connection is closed after this, between two requests.
    pub lifetime: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 64,
            head_timeout: Duration::from_secs(5),
            scrape_timeout: Duration::from_secs(10),
            lifetime: Duration::from_secs(60),
        }
    }
}

struct Service {
    source: Arc<dyn Source>,
    exporter: Arc<Exporter>,
    scrapes: Arc<Semaphore>,
    scrape_timeout: Duration,
}

/// Serves until `shutdown`, then finishes requests in hand for at most a second.
pub async fn serve(listener: TcpListener, source: Arc<dyn Source>, limits: Limits, shutdown: Shutdown) {
    let router = router(source, &limits);
    let mut connections = Connections::default();
    loop {
        tokio::select! {
            biased;
            () = shutdown.requested() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let connection = connection(stream, router.clone(), limits.clone(), shutdown.clone());
                    connections.add(connection, limits.connections_max);
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept an HTTP connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
            Some(_) = connections.tasks.join_next() => {}
        }
    }
    drop(listener);
    let _ = tokio::time::timeout(DRAIN_TIMEOUT, async { while connections.tasks.join_next().await.is_some() {} }).await;
}

/// The connections that are open, the oldest first.
#[derive(Default)]
struct Connections {
    tasks: JoinSet<()>,
    by_age: VecDeque<AbortHandle>,
}

impl Connections {
    fn add(&mut self, connection: impl Future<Output = ()> + Send + 'static, max: usize) {
        self.by_age.retain(|task| !task.is_finished());
        while self.by_age.len() >= max.max(1) {
            if let Some(oldest) = self.by_age.pop_front() {
                oldest.abort();
            }
        }
        self.by_age.push_back(self.tasks.spawn(connection));
    }
}

async fn connection(stream: TcpStream, router: Router, limits: Limits, shutdown: Shutdown) {
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    tokio::pin!(served);
    tokio::select! {
        // A client that breaks the rules or leaves is none of our business.
        _ = served.as_mut() => return,
        () = shutdown.requested() => {}
        () = tokio::time::sleep(limits.lifetime) => {}
    }
    served.as_mut().graceful_shutdown();
    let _ = tokio::time::timeout(DRAIN_TIMEOUT, served).await;
}

fn router(source: Arc<dyn Source>, limits: &Limits) -> Router {
    let service = Service {
        source,
        exporter: Arc::default(),
        scrapes: Arc::new(Semaphore::new(SCRAPES_MAX)),
        scrape_timeout: limits.scrape_timeout,
    };
    Router::new()
        .route("/metrics", get(metrics))
        .route("/health/live", get(live))
        .route("/health/ready", get(ready))
        .route("/health/startup", get(startup))
        .with_state(Arc::new(service))
}

/// Gathers, then lets a thread of its own make the text, as fast as the client takes it.
async fn metrics(State(service): State<Arc<Service>>) -> Response {
    let deadline = Instant::now() + service.scrape_timeout;
    let gather = async {
        let permit = service.scrapes.clone().acquire_owned().await.ok()?;
        Some((service.source.scrape().await, permit))
    };
    let Ok(Some((scrape, permit))) = tokio::time::timeout_at(deadline, gather).await else {
        return (StatusCode::SERVICE_UNAVAILABLE, "the node did not answer in time\n").into_response();
    };
    let (sender, receiver) = mpsc::channel(PIECES_MAX);
    let (exporter, runtime) = (service.exporter.clone(), tokio::runtime::Handle::current());
    tokio::task::spawn_blocking(move || {
        let _permit = permit;
        // `None` once the client left or was too slow.
        let mut to = Some(sender);
        let mut send = |piece: Option<String>| {
            let Some(sender) = &to else { return };
            let sent = runtime.block_on(tokio::time::timeout_at(deadline, sender.send(piece)));
            if !matches!(sent, Ok(Ok(()))) {
                to = None;
            }
        };
        exporter.render(&scrape, &mut |piece| send(Some(piece)));
        send(None);
    });
    ([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], Body::from_stream(whole(receiver))).into_response()
}

/// The pieces up to the `None` that says that they are all. Without it the answer breaks off, so that its reader does not take
/// a part for the whole.
fn whole(receiver: mpsc::Receiver<Option<String>>) -> impl Stream<Item = io::Result<Bytes>> {
    stream::unfold(Some(receiver), |receiver| async {
        let mut receiver = receiver?;
        match receiver.recv().await {
            Some(Some(piece)) => Some((Ok(Bytes::from(piece)), Some(receiver))),
            Some(None) => None,
            None => Some((Err(io::ErrorKind::TimedOut.into()), None)),
        }
    })
}

async fn live(State(service): State<Arc<Service>>) -> Response {
    probe(service.source.health().live)
}

async fn ready(State(service): State<Arc<Service>>) -> Response {
    probe(service.source.health().ready)
}

async fn startup(State(service): State<Arc<Service>>) -> Response {
    let startup = service.source.health().startup;
    let status = if startup.done { "ok" } else { "starting" };
    let body = json!({ "status": status, "recovered": startup.recovered, "total": startup.total });
    answer(startup.done, &body)
}

fn probe(health: Result<(), String>) -> Response {
    match health {
        Ok(()) => answer(true, &json!({ "status": "ok" })),
        Err(reason) => answer(false, &json!({ "status": "failing", "reason": reason })),
    }
}

fn answer(ok: bool, body: &serde_json::Value) -> Response {
    let status = if ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, [(header::CONTENT_TYPE, "application/json")], format!("{body}\n")).into_response()
}

#[cfg(test)]
mod tests;
