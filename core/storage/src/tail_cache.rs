//! The newest batches of a log in memory: small reads at the tail cost no system call. Batches are copied in, and out to a
//! reader: a share of the buffer that one arrived in would keep all of that alive, a megabyte perhaps for a hundred bytes,
//! and its connection could not use it again. A few KiB are copied faster than the system is called.
//!
//! ```text
//!  bytes   | dropped | oldest ............... newest |
//!                   from                            end of the log
//! ```

use std::collections::VecDeque;

use bytes::Bytes;
use model::{Batch, Offset};

/// The last batches, without a gap up to the log's end; or none.
#[derive(Default)]
pub(crate) struct TailCache {
    /// Whole batches as they stand in the file, one behind the other.
    bytes: Vec<u8>,
    /// Where the oldest one begins.
    from: usize,
    batches: VecDeque<Kept>,
}

#[derive(Clone, Copy)]
struct Kept {
    base_offset: Offset,
    last_offset: Offset,
    end: usize,
}

impl TailCache {
    /// Keeps `batch`, which follows the last one, and drops the oldest ones so that the bytes of all stay within `budget`. One
    /// of more than `largest` is not kept, and nothing before it.
    pub fn push(&mut self, batch: &Batch, budget: usize, largest: usize) {
        let size = batch.size_bytes();
        if size > largest.min(budget) {
            self.clear();
            return;
        }
        if self.bytes.len() + size > budget {
            // Half at once, so that a byte is moved once on average.
            self.keep((budget - size) / 2);
        }
        let need = self.bytes.len() + size;
        if need > self.bytes.capacity() {
            let grown = need.max(self.bytes.capacity() * 2).min(budget.max(need));
            self.bytes.reserve_exact(grown - self.bytes.len());
        }
        self.bytes.extend_from_slice(batch.header());
        self.bytes.extend_from_slice(batch.records_bytes());
        let (base_offset, last_offset) = (batch.base_offset(), batch.last_offset());
        self.batches.push_back(Kept { base_offset, last_offset, end: self.bytes.len() });
    }

    /// Drops the oldest batches until the others have at most `bytes`, and closes up.
    fn keep(&mut self, bytes: usize) {
        while self.bytes.len() - self.from > bytes
            && let Some(oldest) = self.batches.pop_front()
        {
            self.from = oldest.end;
        }
        self.bytes.drain(..self.from);
        self.batches.iter_mut().for_each(|kept| kept.end -= self.from);
        self.from = 0;
    }

    /// Drops the oldest batches until the rest takes at most `bytes` of memory, and gives back what is over.
    pub fn trim(&mut self, bytes: usize) {
        if self.bytes() > bytes {
            let books = self.batches.len() * size_of::<Kept>();
            self.keep(bytes.saturating_sub(books));
            self.bytes.shrink_to_fit();
            self.batches.shrink_to_fit();
        }
    }

    pub fn clear(&mut self) {
        self.bytes.clear();
        self.batches.clear();
        self.from = 0;
    }

    /// Drops batches that end at `offset` or above.
    pub fn truncate(&mut self, offset: Offset) {
        while self.batches.pop_back_if(|batch| batch.last_offset >= offset).is_some() {}
        self.bytes.truncate(self.batches.back().map_or(self.from, |newest| newest.end));
    }

    /// Memory taken.
    pub fn bytes(&self) -> usize {
        self.bytes.capacity() + self.batches.capacity() * size_of::<Kept>()
    }

    /// Whole batches from the one that holds `from` on, which is given whatever its size, up to `max_bytes` and to `below`,
    /// exclusive. `None` where that one is not here.
    pub fn read(&self, from: Offset, max_bytes: usize, below: Offset) -> Option<&[u8]> {
        if self.batches.front()?.base_offset > from {
            return None;
        }
        let first = self.batches.partition_point(|batch| batch.last_offset < from);
        let begin = first.checked_sub(1).map_or(self.from, |before| self.batches[before].end);
        self.batches.get(first)?;
        let most = begin.saturating_add(max_bytes);
        let fit = self.batches.partition_point(|batch| batch.end <= most).max(first + 1);
        let readable = self.batches.partition_point(|batch| batch.last_offset < below);
        match fit.min(readable).checked_sub(1).filter(|last| *last >= first) {
            Some(last) => Some(&self.bytes[begin..self.batches[last].end]),
            None => Some(&[]),
        }
    }

    /// The batch that holds `offset`, if it is here.
    pub fn batch(&self, offset: Offset) -> Option<Batch> {
        let bytes = self.read(offset, 0, Offset(i64::MAX))?;
        Batch::cut(&mut Bytes::copy_from_slice(bytes)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::BatchSpec;

    const ALL: Offset = Offset(i64::MAX);

    fn push(cache: &mut TailCache, base: i64, budget: usize) {
        cache.push(&BatchSpec::at(base, 3).build(), budget, budget);
    }

    fn cache(budget: usize) -> TailCache {
        let mut cache = TailCache::default();
        for base in [0, 3, 6, 9] {
            push(&mut cache, base, budget);
        }
        cache
    }

    fn one() -> usize {
        BatchSpec::at(0, 3).build().size_bytes()
    }

    fn bases_up_to(cache: &TailCache, from: i64, max_bytes: usize, below: Offset) -> Option<Vec<i64>> {
        let mut bytes = Bytes::copy_from_slice(cache.read(Offset(from), max_bytes, below)?);
        let mut bases = Vec::new();
        while !bytes.is_empty() {
            let batch = Batch::cut(&mut bytes).expect("whole batches");
            batch.check_crc().expect("as they were appended");
            bases.push(batch.base_offset().0);
        }
        Some(bases)
    }

    fn bases(cache: &TailCache, from: i64) -> Option<Vec<i64>> {
        bases_up_to(cache, from, usize::MAX, ALL)
    }

    #[test]
    fn reads_begin_with_the_batch_that_holds_the_offset() {
        let cache = cache(1 << 20);
        assert_eq!(bases(&cache, 4), Some(vec![3, 6, 9]));
        assert_eq!(bases(&cache, 11), Some(vec![9]));
        assert_eq!(bases(&cache, 12), None);
        assert_eq!(cache.batch(Offset(7)).unwrap().base_offset(), Offset(6));
    }

    #[test]
    fn reads_end_with_the_last_whole_batch_before_their_bounds_and_give_one_whatever_its_size() {
        let cache = cache(1 << 20);
        assert_eq!(bases_up_to(&cache, 4, 1, ALL), Some(vec![3]));
        assert_eq!(bases_up_to(&cache, 4, 3 * one() - 1, ALL), Some(vec![3, 6]));
        assert_eq!(bases_up_to(&cache, 4, 3 * one(), ALL), Some(vec![3, 6, 9]));
        assert_eq!(bases_up_to(&cache, 0, usize::MAX, Offset(9)), Some(vec![0, 3, 6]));
        assert_eq!(bases_up_to(&cache, 4, usize::MAX, Offset(5)), Some(vec![]), "its batch reaches the bound");
    }

    #[test]
    fn the_oldest_go_first_and_memory_stays_within_the_budget() {
        let budget = 4 * one();
        let mut cache = TailCache::default();
        for n in 0..1000 {
            push(&mut cache, 3 * n, budget);
            assert!(cache.bytes.capacity() <= budget);
            let kept = bases(&cache, 3 * n).expect("the newest is here");
            assert_eq!(kept, [3 * n]);
        }
        let oldest = cache.batches[0].base_offset.0;
        assert!(oldest >= 2988, "{oldest}");
        assert_eq!(bases(&cache, oldest), Some((oldest..3000).step_by(3).collect()));
        assert_eq!(bases(&cache, oldest - 1), None);
    }

    #[test]
    fn a_batch_that_does_not_fit_leaves_no_gap() {
        let mut cache = cache(1 << 20);
        let large = BatchSpec { value: 1000, ..BatchSpec::at(12, 1) }.build();
        cache.push(&large, 1 << 20, large.size_bytes() - 1);
        assert_eq!((bases(&cache, 9), bases(&cache, 12)), (None, None));
        push(&mut cache, 13, 1 << 20);
        assert_eq!((bases(&cache, 9), bases(&cache, 13)), (None, Some(vec![13])));
    }

    #[test]
    fn trimming_gives_memory_back() {
        let mut cache = cache(1 << 20);
        let most = 2 * one() + 4 * size_of::<Kept>();
        cache.trim(most);
        assert!(cache.bytes() <= most);
        assert_eq!((bases(&cache, 3), bases(&cache, 6)), (None, Some(vec![6, 9])));
        cache.trim(0);
        assert_eq!((bases(&cache, 9), cache.bytes()), (None, 0));
    }

    #[test]
    fn truncation_takes_from_the_end() {
        let mut cache = cache(1 << 20);
        cache.truncate(Offset(6));
        assert_eq!(bases(&cache, 0), Some(vec![0, 3]));
        push(&mut cache, 6, 1 << 20);
        assert_eq!(bases(&cache, 0), Some(vec![0, 3, 6]));
        cache.truncate(Offset(0));
        assert_eq!(bases(&cache, 0), None);
    }
}
