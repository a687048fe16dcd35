//! One partition at run time: the partition, who waits for its progress, and its groups if it is a coordinator.

use std::sync::Arc;

use partition::{Partition, Queue};
use storage::RealDisk;

use super::groups::Groups;
use super::wait::ProgressWait;
use crate::log_dir::LogDir;
use crate::telemetry::TopicSlot;

/// Waits are swept for those that are over once so many are registered.
const SWEEP_AT: usize = 8;

/// What a shard keeps for one partition.
pub struct Slot {
    pub topic: Arc<str>,
    pub partition: Partition<RealDisk>,
    pub dir: Arc<LogDir>,
    pub counters: TopicSlot,
    /// Batches to append at the end of this loop turn.
    pub queue: Queue,
    /// Fetches that wait for bytes.
    waits: Vec<Arc<ProgressWait>>,
    sweep_at: usize,
    /// Upkeep looks at this partition at its next round.
    pub touched: bool,
    /// The group coordinator of a partition of `__consumer_offsets`; boxed, since few partitions have one.
    pub groups: Option<Box<Groups>>,
    /// Its log could not be read as groups.
    pub groups_failed: bool,
    /// How long removed files are kept (`file.delete.delay.ms`).
    pub file_delete_delay_ms: i64,
}

impl Slot {
    pub fn new(topic: Arc<str>, partition: Partition<RealDisk>, dir: Arc<LogDir>, counters: TopicSlot) -> Self {
        Self {
            topic,
            partition,
            dir,
            counters,
            queue: Queue::default(),
            waits: Vec::new(),
            sweep_at: SWEEP_AT,
            touched: false,
            groups: None,
            groups_failed: false,
            file_delete_delay_ms: 60_000,
        }
    }

    /// Lets `wait` know of every byte that becomes readable from now on.
    pub fn watch(&mut self, wait: &Arc<ProgressWait>) {
        if self.waits.len() >= self.sweep_at {
            self.waits.retain(|wait| !wait.is_over());
            self.sweep_at = (self.waits.len() * 2).max(SWEEP_AT);
        }
        self.waits.push(wait.clone());
    }

    /// `bytes` became readable.
    pub fn progress(&mut self, bytes: u64) {
        self.waits.retain(|wait| {
            if wait.is_over() {
                return false;
            }
            wait.progress(bytes as i64);
            !wait.is_over()
        });
    }

    /// Something happened that every waiting fetch must see.
    pub fn wake_all(&mut self) {
        self.waits.drain(..).for_each(|wait| wait.wake());
    }
}
