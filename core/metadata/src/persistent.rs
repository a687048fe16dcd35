//! Two collections whose clones share everything: [`SortedMap`] and [`ChunkedVec`]. A change copies one chunk and the
//! list of chunks when somebody else holds them, nothing when nobody does; so the next image of 100,000 partitions
//! costs what changed. No unsafe, no hashing: order is the keys'.

mod map;
mod vec;

#[cfg(test)]
use std::{collections::BTreeSet, sync::Arc};

pub use map::SortedMap;
pub use vec::ChunkedVec;

#[cfg(test)]
type Chunks<T> = Arc<Vec<Arc<Vec<T>>>>;

#[cfg(test)]
fn copied<T>(after: &Chunks<T>, before: &Chunks<T>) -> usize {
    if Arc::ptr_eq(after, before) {
        return 0;
    }
    let shared: BTreeSet<_> = before.iter().map(Arc::as_ptr).collect();
    let own = after.iter().filter(|chunk| !shared.contains(&Arc::as_ptr(chunk))).map(|chunk| chunk.len());
    after.len() + own.sum::<usize>()
}
