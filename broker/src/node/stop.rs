//! Stopping in order: no new connections, then no connections, then closed logs, then the clean mark. Each step has a
//! deadline and a log line.

use std::time::{Duration, Instant};

use super::Node;

/// Connections get this long to end their request in hand.
const CONNECTIONS_MS_MAX: u64 = 5_000;
const POLL_MS: u64 = 5;

pub fn stop(node: Node) -> anyhow::Result<()> {
    let started = Instant::now();
    tracing::info!("stopping");
    node.trigger.stop();
    let deadline = started + Duration::from_millis(CONNECTIONS_MS_MAX);
    while node.connections.count() > 0 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(POLL_MS));
    }
    if node.connections.count() > 0 {
        tracing::warn!(connections = node.connections.count(), "connections were cut off in the middle of a request");
    }
    let shards = node.shards.handle();
    let closed = node.runtime.block_on(async {
        futures_util::future::join_all((0..shards.count()).map(|shard| shards.on(shard, |state| state.close()))).await
    });
    let failed: usize = closed.into_iter().map(|closed| closed.unwrap_or(1)).sum();
    node.shards.stop();
    node.disk.stop();
    node.quorum.checkpoint()?;
    let failure = node.dirs.iter().find_map(|dir| Some((dir.path.display(), dir.failure()?)));
    let clean = failed == 0 && failure.is_none() && !node.quorum.is_failed();
    if clean {
        for dir in &node.data_dirs {
            dir.mark_clean()?;
        }
    }
    if let Some(http) = node.http {
        http.trigger.stop();
        let _ = node.runtime.block_on(http.served);
    }
    node.runtime.shutdown_timeout(Duration::from_secs(1));
    tracing::info!(ms = started.elapsed().as_millis() as u64, clean, "stopped");
    if let Some((dir, why)) = failure {
        anyhow::bail!("log directory {dir} failed: {why}; the next start recovers it");
    }
    anyhow::ensure!(!node.quorum.is_failed(), "the metadata log failed; the next start recovers it");
    anyhow::ensure!(clean, "not every log could be closed in order: the next start recovers them");
    Ok(())
}
