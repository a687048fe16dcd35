//! The partition of an internal topic that a group or transactional id belongs to.

/// The internal topic that holds groups and their committed offsets.
pub const GROUP_TOPIC: &str = "__consumer_offsets";

/// The partition of `key` among `partitions`, as Kafka's clients and lag tools compute it too: Java's string hash
/// (over UTF-16 units), sign bit cleared, modulo.
///
/// `partitions` must be above 0.
pub fn partition_of(key: &str, partitions: i32) -> i32 {
    assert!(partitions > 0, "an internal topic has partitions");
    let hash = key.encode_utf16().fold(0i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)));
    (hash & i32::MAX) % partitions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_lie_where_java_puts_them() {
        // "console-consumer-1".hashCode() and friends, from the JVM.
        assert_eq!("hello".encode_utf16().fold(0i32, |h, u| h.wrapping_mul(31).wrapping_add(i32::from(u))), 99_162_322);
        assert_eq!(partition_of("hello", 50), 22);
        // A hash of i32::MIN must not become negative.
        assert_eq!(partition_of("polygenelubricants", 50), 0);
        assert_eq!(partition_of("", 50), 0);
    }
}
