//! Member ids: `client.id` or `group.instance.id`, a dash and a UUID, drawn from a seed so that a run can be repeated.

use std::fmt::Write as _;

/// A seeded source of UUIDs. Two sources with one seed give the same ids in the same order; the broker seeds each
/// coordinator from its own randomness at each election, so that ids never repeat.
#[derive(Debug, Clone)]
pub struct IdSource {
    state: u64,
}

impl IdSource {
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// SplitMix64 (Steele, Lea, Flood 2014): enough for ids that must differ, useless as a secret.
    fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// `prefix-UUID`, the UUID of version 4 in its usual 36 characters.
    pub fn member_id(&mut self, prefix: &str) -> String {
        let high = (self.next_u64() & !0xf000) | 0x4000;
        let low = (self.next_u64() & !(0b11 << 62)) | (0b10 << 62);
        let mut id = String::with_capacity(prefix.len() + 37);
        id.push_str(prefix);
        // Writing to a String cannot fail.
        let _ = write!(
            id,
            "-{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xffff,
            low >> 48,
            low & 0xffff_ffff_ffff
        );
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn member_ids_are_a_prefix_and_a_version_4_uuid_and_repeat_with_the_seed() {
        let mut ids = IdSource::new(7);
        let id = ids.member_id("rdkafka");
        assert_eq!(id.len(), "rdkafka-".len() + 36);
        assert_eq!(&id[8 + 14..8 + 15], "4");
        assert!("89ab".contains(&id[8 + 19..8 + 20]));
        assert_ne!(id, ids.member_id("rdkafka"));
        assert_eq!(id, IdSource::new(7).member_id("rdkafka"));
    }
}
