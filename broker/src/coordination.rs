//! Where a group lives: group id -> partition of `__consumer_offsets` -> shard.

pub mod router;
