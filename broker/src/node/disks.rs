//! Looking after the log directories while the node runs: how much room each has, and what becomes of one that failed.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, oneshot};

use crate::disk_pool::DiskPool;
use crate::log_dir::LogDir;
use crate::quorum::SingleVoter;
use crate::shard::Handle;
use crate::shutdown::Shutdown;

/// Free space is looked at this often.
const SPACE_EVERY: Duration = Duration::from_secs(1);

/// What is watched, and who is told.
pub struct Watch {
    pub dirs: Arc<[Arc<LogDir>]>,
    /// `metadata.log.dir`; may be one of `dirs`.
    pub metadata_dir: PathBuf,
    pub quorum: SingleVoter,
    pub shards: Handle,
    pub disk: DiskPool,
    /// `milena.disk.free.bytes.min`
    pub free_bytes_min: u64,
    /// Notified by a directory that failed.
    pub failures: Arc<Notify>,
    /// Told when the node cannot go on.
    pub failed: oneshot::Sender<()>,
}

impl Watch {
    /// Runs until the node stops. A directory that fails takes all its partitions with it; without any directory, or
    /// without its metadata log, the node cannot go on, as in Kafka.
    pub async fn run(self, shutdown: Shutdown) {
        let mut known = vec![false; self.dirs.len()];
        loop {
            for (dir, known) in self.dirs.iter().zip(&mut known) {
                if dir.is_failed() && !std::mem::replace(known, true) {
                    self.take_offline(dir).await;
                }
            }
            let (dirs, free_bytes_min) = (self.dirs.clone(), self.free_bytes_min);
            // A disk that hangs answers this no faster than anything else.
            self.disk.run(move || dirs.iter().for_each(|dir| dir.check_space(free_bytes_min))).await;
            let metadata_failed = || self.dirs.iter().any(|dir| dir.is_failed() && dir.path == self.metadata_dir);
            if known.iter().all(|failed| *failed) || self.quorum.is_failed() || metadata_failed() {
                tracing::error!("stopping: no log directory is left, or the one with the metadata log has failed");
                let _ = self.failed.send(());
                return;
            }
            tokio::select! {
                biased;
                () = shutdown.requested() => return,
                () = self.failures.notified() => {}
                () = tokio::time::sleep(SPACE_EVERY) => {}
            }
        }
    }

    async fn take_offline(&self, dir: &Arc<LogDir>) {
        for shard in 0..self.shards.count() {
            let dir = dir.clone();
            // Fails where the shard has ended: so have its partitions.
            let _ = self.shards.on(shard, move |state| state.dir_failed(&dir)).await;
        }
    }
}
