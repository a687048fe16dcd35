//! The budget of newest batches in memory, over all partitions of a shard.

use model::{PartitionId, TimestampMs};

use super::state::State;

impl State {
    /// A partition keeps `bytes` more in memory. Beyond the budget, the partitions that were used longest ago keep nothing:
    /// a quarter of the budget becomes free at once, so that this is seldom done.
    pub(super) fn tails_grew(&mut self, bytes: usize) {
        self.tail_bytes += bytes;
        let budget = self.config.tail_bytes_max;
        if self.tail_bytes <= budget {
            return;
        }
        let kept = |id: &PartitionId| {
            let partition = &self.slots.get(id)?.partition;
            Some((partition.used_at(), *id, partition.tail_bytes()))
        };
        let mut tails: Vec<(TimestampMs, PartitionId, usize)> = self.touched.iter().filter_map(kept).collect();
        self.tail_bytes = tails.iter().map(|(_, _, bytes)| bytes).sum();
        tails.sort_by_key(|(used_at, _, _)| *used_at);
        let mut oldest = tails.into_iter();
        while self.tail_bytes > budget / 4 * 3
            && let Some((_, id, bytes)) = oldest.next()
        {
            if let Some(slot) = self.slots.get_mut(&id) {
                slot.partition.trim_tail(0);
            }
            self.tail_bytes -= bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use partition::Config;

    use super::super::testing::Rig;
    use super::*;

    #[test]
    fn over_the_budget_the_partitions_used_longest_ago_keep_nothing_in_memory() {
        const BUDGET: usize = 64 << 10;
        let mut rig = Rig::new(BUDGET);
        let ids: Vec<PartitionId> = (0..20).map(|index| rig.partition(index, Config::default())).collect();
        let in_memory = |rig: &Rig, id: &PartitionId| rig.state.slot(*id).unwrap().partition.tail_bytes();
        for id in &ids {
            let before = rig.state.now();
            for _ in 0..8 {
                rig.produce(&[*id], &[7; 1000]);
                rig.state.append_queued();
            }
            // Time decides who was used last.
            while rig.state.now() == before {
                std::thread::yield_now();
            }
            let all: usize = ids.iter().map(|id| in_memory(&rig, id)).sum();
            assert!(all <= BUDGET, "{all} bytes");
        }
        let kept: Vec<bool> = ids.iter().map(|id| in_memory(&rig, id) > 0).collect();
        assert!(!kept[0] && kept[19] && kept.is_sorted(), "{kept:?}");
    }
}
