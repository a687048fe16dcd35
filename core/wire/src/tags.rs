//! Tagged fields that this version of the schemas does not know: kept, and sent on. KIP-482.

use bytes::Bytes;

/// Unknown tagged fields, by ascending tag. One word in a struct while there are none, as there mostly are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(clippy::box_collection)] // A vector would be three words in every struct.
pub struct Tags(Option<Box<Vec<(u32, Bytes)>>>);

impl Tags {
    /// Room for exactly `count` tags, so that nothing moves.
    pub(crate) fn with_capacity(count: usize) -> Self {
        Self(Some(Box::new(Vec::with_capacity(count))))
    }

    /// What [`Tags::with_capacity`] takes from the heap.
    pub(crate) fn heap_bytes(count: usize) -> usize {
        size_of::<Vec<(u32, Bytes)>>() + count * size_of::<(u32, Bytes)>()
    }

    pub fn is_empty(&self) -> bool {
        self.as_slice().is_empty()
    }

    pub(crate) fn push(&mut self, tag: u32, value: Bytes) {
        self.0.get_or_insert_default().push((tag, value));
    }

    pub fn as_slice(&self) -> &[(u32, Bytes)] {
        self.0.as_deref().map_or(&[], Vec::as_slice)
    }
}
