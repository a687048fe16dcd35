//! Two collections whose clones share everything: [`SortedMap`] and [`ChunkedVec`]. A change copies one chunk and the
//! list of chunks when somebody else holds them, nothing when nobody does; so the next image of 100,000 partitions
//! costs what changed. No unsafe, no hashing: order is the keys'.

mod map;
mod vec;

pub use map::SortedMap;
pub use vec::ChunkedVec;
