//! A vector in chunks of [`CHUNK`], shared between clones. It only grows.

use std::fmt;
use std::sync::Arc;

const CHUNK: usize = 64;

/// A growing list with O(1) clone and lookup; changing one element copies at most its chunk and the list of chunks.
pub struct ChunkedVec<T> {
    chunks: Arc<Vec<Arc<Vec<T>>>>,
    len: usize,
}

impl<T> ChunkedVec<T> {
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn get(&self, index: usize) -> Option<&T> {
        self.chunks.get(index / CHUNK)?.get(index % CHUNK)
    }

    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flat_map(|chunk| chunk.iter())
    }
}

#[cfg(test)]
impl<T> ChunkedVec<T> {
    /// What making `self` out of `before` had to copy: elements, and places in the list of chunks.
    pub fn copied_since(&self, before: &Self) -> usize {
        super::copied(&self.chunks, &before.chunks)
    }
}

impl<T: Clone> ChunkedVec<T> {
    pub fn push(&mut self, value: T) {
        let chunks = Arc::make_mut(&mut self.chunks);
        match chunks.last_mut() {
            Some(last) if last.len() < CHUNK => Arc::make_mut(last).push(value),
            _ => chunks.push(Arc::new(vec![value])),
        }
        self.len += 1;
    }

    /// The element at `index`, made this clone's own.
    pub fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        if index >= self.len {
            return None;
        }
        let chunk = Arc::make_mut(&mut self.chunks).get_mut(index / CHUNK)?;
        Arc::make_mut(chunk).get_mut(index % CHUNK)
    }
}

impl<T> Clone for ChunkedVec<T> {
    fn clone(&self) -> Self {
        Self { chunks: Arc::clone(&self.chunks), len: self.len }
    }
}

impl<T> Default for ChunkedVec<T> {
    fn default() -> Self {
        Self { chunks: Arc::default(), len: 0 }
    }
}

impl<T: PartialEq> PartialEq for ChunkedVec<T> {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && (Arc::ptr_eq(&self.chunks, &other.chunks) || self.iter().eq(other.iter()))
    }
}

impl<T: fmt::Debug> fmt::Debug for ChunkedVec<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<T: Clone> FromIterator<T> for ChunkedVec<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut list = Self::default();
        items.into_iter().for_each(|item| list.push(item));
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_does_not_see_later_changes() {
        let mut list: ChunkedVec<i32> = (0..200).collect();
        let before = list.clone();
        *list.get_mut(130).unwrap() = -1;
        list.push(200);
        assert_eq!((before.len(), before.get(130)), (200, Some(&130)));
        assert_eq!((list.len(), list.get(130), list.get(200)), (201, Some(&-1), Some(&200)));
        assert_eq!(list.get(201), None);
        assert!(list.get_mut(201).is_none());
    }

    #[test]
    fn a_change_leaves_other_chunks_shared() {
        let before: ChunkedVec<i32> = (0..1000).collect();
        let mut after = before.clone();
        *after.get_mut(0).unwrap() = 7;
        let shared = before.chunks.iter().zip(after.chunks.iter()).filter(|(a, b)| Arc::ptr_eq(a, b)).count();
        assert_eq!(shared, before.chunks.len() - 1);
    }
}
