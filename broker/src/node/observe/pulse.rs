//! Whether the shards still turn: each look leaves every shard a message, and no look waits for one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::shard::{Handle, Local};

/// A shard that leaves a message lying for so long is stuck. Far beyond what a slow disk costs it.
const STUCK: Duration = Duration::from_secs(30);

/// Asks the shards for a sign of life.
pub struct Pulse {
    shards: Handle,
    began: Instant,
    stuck: Duration,
    asked: Vec<Arc<Asked>>,
}

/// What one shard was last asked.
#[derive(Default)]
struct Asked {
    /// When it was first asked without an answer so far, in milliseconds since `began` and one more; 0 once it answered.
    since: AtomicU64,
    /// A message lies in its mailbox.
    lies: AtomicBool,
}

impl Pulse {
    pub fn new(shards: Handle) -> Self {
        let asked = (0..shards.count()).map(|_| Arc::default()).collect();
        Self { shards, began: Instant::now(), stuck: STUCK, asked }
    }

    /// An error names the first shard that has ended, or that has not answered in time.
    pub fn check(&self) -> Result<(), String> {
        let now = self.began.elapsed().as_millis() as u64 + 1;
        for (shard, asked) in self.asked.iter().enumerate() {
            if self.shards.has_ended(shard) {
                return Err(format!("shard {shard} has ended"));
            }
            // Only the first of two looks at a time leaves a message.
            if !asked.lies.swap(true, Ordering::AcqRel) {
                let _ = asked.since.compare_exchange(0, now, Ordering::AcqRel, Ordering::Acquire);
                let asked_now = asked.clone();
                let answer = move |_: &Local| {
                    asked_now.since.store(0, Ordering::Release);
                    asked_now.lies.store(false, Ordering::Release);
                };
                if !self.shards.try_spawn(shard, answer) {
                    asked.lies.store(false, Ordering::Release);
                }
            }
            let since = asked.since.load(Ordering::Acquire);
            let waited = Duration::from_millis(if since > 0 { now.saturating_sub(since) } else { 0 });
            if waited >= self.stuck {
                return Err(format!("shard {shard} has not answered for {} s", waited.as_secs()));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::disk_pool::DiskThreads;
    use crate::shard::{Shards, StateConfig};

    #[test]
    fn a_shard_that_is_stuck_or_gone_is_named_and_one_that_turns_again_is_not() {
        let disk = DiskThreads::start(1).unwrap();
        let config = StateConfig {
            clock: Clock,
            disk: disk.pool(),
            groups: coordinator::GroupConfig::default(),
            tail_bytes_max: 0,
            retention_interval_ms: 300_000,
            checkpoint_interval_ms: 60_000,
        };
        let shards = Shards::start(2, &config).unwrap();
        let pulse = Pulse { stuck: Duration::from_millis(50), ..Pulse::new(shards.handle()) };
        assert_eq!(pulse.check(), Ok(()));
        let (release, held) = std::sync::mpsc::channel::<()>();
        assert!(shards.handle().try_spawn(1, move |_| held.recv().unwrap_or_default()));
        let patience = Instant::now() + Duration::from_secs(20);
        let until = |wanted: fn(&Result<(), String>) -> bool| {
            while !wanted(&pulse.check()) {
                assert!(Instant::now() < patience, "{:?}", pulse.check());
                std::thread::yield_now();
            }
        };
        until(|now| now.as_ref().is_err_and(|why| why.starts_with("shard 1 has not answered for ")));
        drop(release);
        until(|now| now.is_ok());
        shards.stop();
        assert_eq!(pulse.check(), Err("shard 0 has ended".to_owned()));
        disk.stop();
    }
}
