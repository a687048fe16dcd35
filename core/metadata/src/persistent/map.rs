//! A sorted map in chunks of at most [`CHUNK_MAX`] entries, shared between clones.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

const CHUNK_MAX: usize = 128;

type Chunk<K, V> = Arc<Vec<(K, V)>>;

/// A sorted map with O(1) clone and O(log n) lookup; one change copies at most one chunk and the list of chunks.
pub struct SortedMap<K, V> {
    /// No chunk is empty; keys ascend within a chunk and from chunk to chunk.
    chunks: Arc<Vec<Chunk<K, V>>>,
    len: usize,
}

impl<K: Ord, V> SortedMap<K, V> {
    pub fn len(&self) -> usize {
        self.len
    }

    /// The first chunk whose last key is at or above `key`, and the place of `key` in it.
    fn locate<Q: Ord + ?Sized>(&self, key: &Q) -> (usize, Result<usize, usize>)
    where
        K: Borrow<Q>,
    {
        let chunk = self.chunks.partition_point(|c| c.last().is_some_and(|(last, _)| last.borrow() < key));
        let place = self.chunks.get(chunk).map_or(Err(0), |c| c.binary_search_by(|(k, _)| k.borrow().cmp(key)));
        (chunk, place)
    }

    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let (chunk, place) = self.locate(key);
        Some(&self.chunks.get(chunk)?.get(place.ok()?)?.1)
    }

    pub fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.get(key).is_some()
    }

    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.chunks.iter().flat_map(|chunk| chunk.iter()).map(|(k, v)| (k, v))
    }

    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|(_, v)| v)
    }

    /// The entries whose key is at or above `key`, ascending.
    pub fn iter_from<Q: Ord + ?Sized>(&self, key: &Q) -> impl Iterator<Item = (&K, &V)>
    where
        K: Borrow<Q>,
    {
        let (chunk, place) = self.locate(key);
        let (Ok(skip) | Err(skip)) = place;
        self.chunks.iter().skip(chunk).flat_map(|chunk| chunk.iter()).skip(skip).map(|(k, v)| (k, v))
    }
}

#[cfg(test)]
impl<K, V> SortedMap<K, V> {
    /// What making `self` out of `before` had to copy: entries, and places in the list of chunks.
    pub fn copied_since(&self, before: &Self) -> usize {
        super::copied(&self.chunks, &before.chunks)
    }
}

impl<K: Ord + Clone, V: Clone> SortedMap<K, V> {
    /// Sets `key` to `value` and returns what it was.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        let (mut at, mut place) = self.locate(&key);
        let chunks = Arc::make_mut(&mut self.chunks);
        if at == chunks.len() {
            let Some(last) = chunks.last() else {
                chunks.push(Arc::new(vec![(key, value)]));
                self.len = 1;
                return None;
            };
            (at, place) = (chunks.len() - 1, Err(last.len()));
        }
        let chunk = Arc::make_mut(&mut chunks[at]);
        match place {
            Ok(place) => return Some(std::mem::replace(&mut chunk[place].1, value)),
            Err(place) => chunk.insert(place, (key, value)),
        }
        self.len += 1;
        if chunk.len() > CHUNK_MAX {
            // Ascending inserts are the common case; a chunk that only ever grew at its end is left nearly full.
            let keep = if place == Err(CHUNK_MAX) { CHUNK_MAX } else { CHUNK_MAX / 2 };
            let upper = chunk.split_off(keep);
            chunks.insert(at + 1, Arc::new(upper));
        }
        None
    }

    /// Takes `key` out and returns what it held.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let (at, place) = self.locate(key);
        let place = place.ok()?;
        let chunks = Arc::make_mut(&mut self.chunks);
        let chunk = Arc::make_mut(&mut chunks[at]);
        let (_, value) = chunk.remove(place);
        self.len -= 1;
        let left = chunk.len();
        if left == 0 {
            chunks.remove(at);
        } else if left < CHUNK_MAX / 4 && at + 1 < chunks.len() && left + chunks[at + 1].len() <= CHUNK_MAX {
            let next = chunks.remove(at + 1);
            Arc::make_mut(&mut chunks[at]).extend(next.iter().cloned());
        }
        Some(value)
    }

    /// The value of `key`, made this clone's own.
    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let (at, place) = self.locate(key);
        let place = place.ok()?;
        let chunk = Arc::make_mut(Arc::make_mut(&mut self.chunks).get_mut(at)?);
        Some(&mut chunk.get_mut(place)?.1)
    }
}

impl<K, V> Clone for SortedMap<K, V> {
    fn clone(&self) -> Self {
        Self { chunks: Arc::clone(&self.chunks), len: self.len }
    }
}

impl<K, V> Default for SortedMap<K, V> {
    fn default() -> Self {
        Self { chunks: Arc::default(), len: 0 }
    }
}

impl<K: Ord, V: PartialEq> PartialEq for SortedMap<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && (Arc::ptr_eq(&self.chunks, &other.chunks) || self.iter().eq(other.iter()))
    }
}

impl<K: Ord + fmt::Debug, V: fmt::Debug> fmt::Debug for SortedMap<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_change_leaves_other_chunks_shared() {
        let mut before = SortedMap::default();
        (0..10_000).for_each(|key| assert_eq!(before.insert(key, key), None));
        let mut after = before.clone();
        after.insert(5_000, -1);
        let shared = before.chunks.iter().zip(after.chunks.iter()).filter(|(a, b)| Arc::ptr_eq(a, b)).count();
        assert_eq!(shared, before.chunks.len() - 1);
        assert_eq!((before.get(&5_000), after.get(&5_000)), (Some(&5_000), Some(&-1)));
    }

    proptest! {
        #[test]
        fn it_holds_what_a_btree_map_holds(steps in prop::collection::vec((0..600u16, any::<bool>()), 0..3000)) {
            let (mut map, mut model) = (SortedMap::default(), BTreeMap::new());
            for (at, (key, put)) in steps.into_iter().enumerate() {
                if put {
                    prop_assert_eq!(map.insert(key, at), model.insert(key, at));
                } else {
                    prop_assert_eq!(map.remove(&key), model.remove(&key));
                }
                prop_assert_eq!(map.len(), model.len());
            }
            prop_assert!(map.chunks.iter().all(|c| !c.is_empty() && c.len() <= CHUNK_MAX));
            prop_assert!(map.iter().eq(model.iter()));
            prop_assert!(map.iter_from(&300).eq(model.range(300..)));
            prop_assert_eq!(map.get(&17), model.get(&17));
        }
    }
}
