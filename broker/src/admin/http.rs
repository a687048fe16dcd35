//! `/metrics`, `/health/live`, `/health/ready`, `/health/startup`. Reads only; nothing here changes the node.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::shutdown::Shutdown;
use crate::telemetry::{Exporter, Source};

/// A scrape that the node cannot gather in this time is answered 503.
const SCRAPE_TIMEOUT: Duration = Duration::from_secs(10);
/// Scrapes at a time; each may hold megabytes of text. Others wait.
const SCRAPES_MAX: usize = 2;
/// Requests in hand at a stop get so long.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);

struct Service {
    source: Arc<dyn Source>,
    exporter: Exporter,
    scrapes: Semaphore,
}

/// Serves until `shutdown`, then finishes requests in hand for at most a second. Fails only as accepting fails.
pub async fn serve(listener: TcpListener, source: Arc<dyn Source>, shutdown: Shutdown) -> anyhow::Result<()> {
    let stop = shutdown.clone();
    let server = axum::serve(listener, router(source)).with_graceful_shutdown(async move { stop.requested().await });
    let deadline = async {
        shutdown.requested().await;
        tokio::time::sleep(DRAIN_TIMEOUT).await;
    };
    tokio::select! {
        served = server.into_future() => served.context("serve HTTP"),
        // A client that keeps its connection busy does not keep the node.
        () = deadline => Ok(()),
    }
}

fn router(source: Arc<dyn Source>) -> Router {
    let service = Service { source, exporter: Exporter::new(), scrapes: Semaphore::new(SCRAPES_MAX) };
    Router::new()
        .route("/metrics", get(metrics))
        .route("/health/live", get(live))
        .route("/health/ready", get(ready))
        .route("/health/startup", get(startup))
        .with_state(Arc::new(service))
}

async fn metrics(State(service): State<Arc<Service>>) -> Response {
    let gather = async {
        let permit = service.scrapes.acquire().await.ok()?;
        let scrape = service.source.scrape().await;
        Some((scrape, permit))
    };
    match tokio::time::timeout(SCRAPE_TIMEOUT, gather).await {
        Ok(Some((scrape, _permit))) => {
            let text = service.exporter.render(&scrape);
            ([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response()
        }
        _ => (StatusCode::SERVICE_UNAVAILABLE, "the node did not answer in time\n").into_response(),
    }
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
