//! One partition at run time: the partition, who waits for its progress, and its groups if it is a coordinator.

use std::sync::Arc;

use partition::Partition;
use storage::RealDisk;

use super::groups::Groups;
use super::wait::ProgressWait;

/// Waits are swept for those that are over once so many are registered.
const SWEEP_AT: usize = 8;

/// What a shard keeps for one partition.
pub struct Slot {
    pub partition: Partition<RealDisk>,
    /// Fetches that wait for bytes.
    waits: Vec<Arc<ProgressWait>>,
    sweep_at: usize,
    /// The group coordinator of a partition of `__consumer_offsets`; boxed, since few partitions have one.
    pub groups: Option<Box<Groups>>,
}

impl Slot {
    pub fn new(partition: Partition<RealDisk>) -> Self {
        Self { partition, waits: Vec::new(), sweep_at: SWEEP_AT, groups: None }
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
    pub fn progress(&mut self, bytes: usize) {
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
