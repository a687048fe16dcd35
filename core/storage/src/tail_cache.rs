//! The newest batches of a log in memory, the very values that were appended: small reads at the tail cost no system
//! call and copy nothing. A batch keeps the buffer alive that it arrived in, so the budget is of what is kept alive at
//! least; a caller that receives in large buffers trims earlier.

use std::collections::VecDeque;

use model::{Batch, Offset};

/// The last batches, without a gap up to the log's end; or none.
#[derive(Default)]
pub(crate) struct TailCache {
    batches: VecDeque<Batch>,
    bytes: usize,
}

impl TailCache {
    /// Keeps `batch`, which follows the last one, and drops the oldest ones beyond `budget` bytes.
    pub fn push(&mut self, batch: &Batch, budget: usize) {
        if cost(batch) > budget {
            self.clear();
            return;
        }
        self.bytes += cost(batch);
        self.batches.push_back(batch.clone());
        self.trim(budget);
    }

    /// Drops the oldest batches until at most `bytes` are kept.
    pub fn trim(&mut self, bytes: usize) {
        while self.bytes > bytes {
            let Some(oldest) = self.batches.pop_front() else { break };
            self.bytes -= cost(&oldest);
        }
        if self.batches.is_empty() && bytes == 0 {
            self.batches = VecDeque::new();
        }
    }

    pub fn clear(&mut self) {
        self.batches.clear();
        self.bytes = 0;
    }

    /// Drops batches that end at `offset` or above.
    pub fn truncate(&mut self, offset: Offset) {
        while let Some(newest) = self.batches.pop_back_if(|batch| batch.last_offset() >= offset) {
            self.bytes -= cost(&newest);
        }
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The batches from the one that holds `from` on, if that one is here.
    pub fn from(&self, from: Offset) -> Option<impl Iterator<Item = &Batch>> {
        if self.batches.front()?.base_offset() > from {
            return None;
        }
        let first = self.batches.partition_point(|batch| batch.last_offset() < from);
        (first < self.batches.len()).then(|| self.batches.range(first..))
    }
}

/// What keeping a batch costs in memory.
fn cost(batch: &Batch) -> usize {
    size_of::<Batch>() + batch.records_bytes().len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::BatchSpec;

    fn cache(budget: usize) -> TailCache {
        let mut cache = TailCache::default();
        for base in [0, 3, 6, 9] {
            cache.push(&BatchSpec::at(base, 3).build(), budget);
        }
        cache
    }

    fn bases(cache: &TailCache, from: i64) -> Option<Vec<i64>> {
        Some(cache.from(Offset(from))?.map(|batch| batch.base_offset().0).collect())
    }

    #[test]
    fn reads_begin_with_the_batch_that_holds_the_offset() {
        let cache = cache(1 << 20);
        assert_eq!(bases(&cache, 4), Some(vec![3, 6, 9]));
        assert_eq!(bases(&cache, 11), Some(vec![9]));
        assert_eq!(bases(&cache, 12), None);
    }

    #[test]
    fn the_oldest_go_first() {
        let one = cost(&BatchSpec::at(0, 3).build());
        let mut cache = cache(2 * one);
        assert_eq!(cache.bytes(), 2 * one);
        assert_eq!((bases(&cache, 5), bases(&cache, 6)), (None, Some(vec![6, 9])));
        cache.trim(one);
        assert_eq!(bases(&cache, 9), Some(vec![9]));
        cache.push(&BatchSpec { value: 1 << 20, ..BatchSpec::at(12, 1) }.build(), 2 * one);
        assert_eq!((bases(&cache, 9), cache.bytes()), (None, 0), "a batch that does not fit leaves no gap");
    }

    #[test]
    fn truncation_takes_from_the_end() {
        let mut cache = cache(1 << 20);
        cache.truncate(Offset(6));
        assert_eq!(bases(&cache, 0), Some(vec![0, 3]));
        cache.truncate(Offset(0));
        assert_eq!(cache.bytes(), 0);
    }
}
