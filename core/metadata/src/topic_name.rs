//! Which names a topic may have, and which topics are the broker's own.

use crate::error::CommandError;

/// The longest topic name: a folder named `topic-partition` has to fit the usual 255 bytes.
pub const TOPIC_NAME_CHARS_MAX: usize = 249;

pub const CONSUMER_OFFSETS: &str = "__consumer_offsets";
pub const TRANSACTION_STATE: &str = "__transaction_state";
pub const SHARE_GROUP_STATE: &str = "__share_group_state";
pub const CLUSTER_METADATA: &str = "__cluster_metadata";

/// Whether clients are told that the topic is internal.
pub fn is_internal(name: &str) -> bool {
    matches!(name, CONSUMER_OFFSETS | TRANSACTION_STATE | SHARE_GROUP_STATE)
}

/// 1 to 249 of ASCII letters, digits, '.', '_' and '-', but neither "." nor "..". Fails with `InvalidTopic`.
pub fn validate(name: &str) -> Result<(), CommandError> {
    let why = if name.is_empty() {
        "the empty string is not allowed".to_owned()
    } else if name == "." || name == ".." {
        format!("'{name}' is not allowed")
    } else if name.chars().count() > TOPIC_NAME_CHARS_MAX {
        format!("the length of '{name}' is longer than the max allowed length {TOPIC_NAME_CHARS_MAX}")
    } else if !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-')) {
        format!("'{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'")
    } else {
        return Ok(());
    };
    Err(CommandError::InvalidTopic(format!("Topic name is invalid: {why}")))
}

/// Names that differ only in '.' and '_' would share a metric's name: they have the same key here.
/// `None` for a name without either, which collides with nothing but itself.
pub fn collision_key(name: &str) -> Option<String> {
    name.contains(['.', '_']).then(|| name.replace('.', "_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_refused_in_kafkas_words() {
        assert_eq!(validate("orders.v1_a-B9"), Ok(()));
        assert_eq!(validate(&"x".repeat(249)), Ok(()));
        for (name, message) in [
            ("", "Topic name is invalid: the empty string is not allowed"),
            (".", "Topic name is invalid: '.' is not allowed"),
            ("..", "Topic name is invalid: '..' is not allowed"),
            (
                "a b",
                "Topic name is invalid: 'a b' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'",
            ),
        ] {
            assert_eq!(validate(name), Err(CommandError::InvalidTopic(message.to_owned())));
        }
        assert!(validate(&"x".repeat(250)).unwrap_err().message().ends_with("longer than the max allowed length 249"));
        assert!(validate("ünïcode").is_err());
    }

    #[test]
    fn names_that_differ_in_dots_and_underscores_collide() {
        assert_eq!(collision_key("a.b"), collision_key("a_b"));
        assert_ne!(collision_key("a.b"), collision_key("a.c"));
        assert_eq!(collision_key("a-b"), None);
    }
}
