//! What a shard does when nobody asks: deadlines of groups and produces to the millisecond, and a round of housekeeping now and then.

use std::time::Duration;

use model::{PartitionId, TimestampMs};
use partition::Effects;

use super::handle::Local;
use super::state::State;

/// Between two rounds of housekeeping.
const ROUND_MS: i64 = 1000;
/// A partition that nobody used for this long gives back its files and memory.
const IDLE_MS: i64 = 10_000;
/// A sleep is never longer than this, whatever the clock does.
const SLEEP_MS_MAX: i64 = 60_000;

/// Runs until the shard ends.
pub(super) async fn run(local: Local) {
    let mut next_checkpoint = TimestampMs(0);
    let mut next_retention = TimestampMs(0);
    {
        let state = local.state();
        next_checkpoint = next_checkpoint.max(state.now() + state.config.checkpoint_interval_ms);
        next_retention = next_retention.max(state.now() + state.config.retention_interval_ms);
    }
    let wake = local.state().wake_upkeep.clone();
    loop {
        let sleep_ms = {
            let mut state = local.state();
            let now = state.now();
            let group = state.deadlines.first().map_or(i64::MAX, |(at, _)| *at - now);
            let produce = state.parked.next_deadline().map_or(i64::MAX, |at| at - now);
            // Nothing touched: nothing to do before the next retention, group deadline or purge.
            let idle = state.touched.is_empty() && state.purges.is_empty();
            let round = if idle { next_retention - now } else { ROUND_MS };
            let sleep_ms = group.min(produce).min(round).clamp(0, SLEEP_MS_MAX);
            state.upkeep_at = now + sleep_ms;
            sleep_ms
        };
        tokio::select! {
            () = wake.notified() => {}
            () = tokio::time::sleep(Duration::from_millis(sleep_ms as u64)) => {}
        }
        let mut state = local.state();
        let now = state.now();
        state.upkeep_at = TimestampMs(i64::MAX);
        state.counters.plain.produces_expired += state.parked.expire(now) as u64;
        state.group_deadlines(now);
        let checkpoint = now >= next_checkpoint;
        if checkpoint {
            next_checkpoint = now + state.config.checkpoint_interval_ms;
        }
        state.look_after_touched(now, checkpoint);
        state.purge(now);
        if now >= next_retention {
            next_retention = now + state.config.retention_interval_ms;
            state.retain(now);
        }
    }
}

impl State {
    /// A round over the partitions that something happened to: overdue syncs, checkpoints, rest for the idle ones.
    fn look_after_touched(&mut self, now: TimestampMs, checkpoint: bool) {
        let mut touched = std::mem::take(&mut self.touched);
        let mut tail_bytes = 0;
        touched.retain(|id| {
            let Some(slot) = self.slots.get_mut(id) else { return false };
            if slot.partition.wants_flush(now) {
                self.flush(*id);
            }
            let Some(slot) = self.slots.get_mut(id) else { return false };
            let rested = slot.partition.rest_if_idle(now, IDLE_MS);
            if (checkpoint || rested)
                && let Err(error) = slot.partition.checkpoint()
            {
                slot.dir.fail(&error.to_string());
            }
            if rested {
                // A checkpoint may have opened files again.
                slot.partition.rest_if_idle(now, 0);
                // One that must still be synced some day is looked at until it is.
                slot.touched = slot.partition.flush_due().is_some();
                return slot.touched;
            }
            tail_bytes += slot.partition.tail_bytes();
            true
        });
        // What was touched meanwhile stands behind.
        touched.append(&mut self.touched);
        self.touched = touched;
        // What was counted since may have been given up elsewhere.
        self.tail_bytes = tail_bytes;
        self.tails_grew(0);
    }

    fn purge(&mut self, now: TimestampMs) {
        let due = self.purges.extract_if(.., |(at, _)| *at <= now);
        for (_, task) in due {
            self.config.disk.submit(move || {
                if let Err(error) = task.run() {
                    tracing::warn!(%error, "files of removed records could not be removed");
                }
            });
        }
    }

    /// Removes what the topics' retention gives up, on every partition.
    pub fn retain(&mut self, now: TimestampMs) {
        let ids: Vec<PartitionId> = self.slots.keys().copied().collect();
        for id in ids {
            self.retain_one(id, now);
        }
    }

    fn retain_one(&mut self, id: PartitionId, now: TimestampMs) {
        let Some(slot) = self.slots.get_mut(&id) else { return };
        let mut effects = Effects::default();
        match slot.partition.retain(now, &mut effects) {
            Ok(removed) => {
                let due = now + slot.file_delete_delay_ms;
                for segment in removed {
                    tracing::info!(
                        topic = &*slot.topic,
                        partition = id.index,
                        base = segment.base.0,
                        bytes = segment.bytes,
                        reason = ?segment.reason,
                        "a segment was removed"
                    );
                    self.purges.push((due, segment.purge_task()));
                }
            }
            Err(error) => slot.dir.fail(&error.to_string()),
        }
        self.carry_out(id, &mut effects);
    }
}

#[cfg(test)]
mod tests {
    use partition::{Acks, Config, FlushPolicy, Ticket};

    use super::super::testing::Rig;
    use super::*;

    #[test]
    fn a_partition_that_nobody_uses_is_synced_when_its_topic_wants_it() {
        let mut rig = Rig::new(0);
        let minute = Config { flush: FlushPolicy { messages: i64::MAX, ms: 60_000 }, ..Config::default() };
        let (id, batch) = (rig.partition(0, minute), rig.batch(b"v"));
        let state = &mut rig.state;
        let now = state.now();
        state.with(id, |slot, now, effects| {
            slot.partition.write(batch, Acks::All, Ticket(0), now, effects).unwrap().unwrap()
        });
        let due = state.slot(id).unwrap().partition.flush_due().unwrap();
        assert!(due >= now + 60_000);
        for later in [IDLE_MS, 2 * IDLE_MS, 59_000] {
            state.look_after_touched(now + later, false);
        }
        assert!(state.slot(id).unwrap().partition.wants_flush(due));
        state.look_after_touched(due, false);
        assert!(!state.slot(id).unwrap().partition.wants_flush(due), "the sync is under way");
    }
}
