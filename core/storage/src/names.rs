//! The names of a log's files, as Kafka has them.

use std::path::{Path, PathBuf};

use model::Offset;

pub(crate) const LOG: &str = "log";
pub(crate) const OFFSET_INDEX: &str = "index";
pub(crate) const TIME_INDEX: &str = "timeindex";
pub(crate) const TXN_INDEX: &str = "txnindex";
pub(crate) const SNAPSHOT: &str = "snapshot";
/// Everything that may carry a segment's base offset.
pub(crate) const OF_SEGMENT: [&str; 5] = [LOG, OFFSET_INDEX, TIME_INDEX, TXN_INDEX, SNAPSHOT];

pub(crate) const EPOCHS: &str = "leader-epoch-checkpoint";
pub(crate) const METADATA: &str = "partition.metadata";
/// Ours: see [`crate::state_file`]. Kafka ignores names that it does not know.
pub(crate) const STATE: &str = "log.state";
/// Ours: a start refused to cut the log, and said why. There until one need not.
pub(crate) const REFUSED: &str = "log.refused";

pub(crate) const DELETED: &str = ".deleted";
pub(crate) const TEMPORARY: &str = ".tmp";

/// `00000000000000000042.log` for 42 and `log`.
pub(crate) fn of_segment(base: Offset, suffix: &str) -> String {
    format!("{:020}.{suffix}", base.0)
}

pub(crate) fn path(dir: &Path, base: Offset, suffix: &str) -> PathBuf {
    dir.join(of_segment(base, suffix))
}

/// The offset in a name of the form `00000000000000000042.suffix`.
pub(crate) fn offset(name: &str, suffix: &str) -> Option<Offset> {
    let digits = name.strip_suffix(suffix)?.strip_suffix('.')?;
    let all_digits = digits.len() == 20 && digits.bytes().all(|digit| digit.is_ascii_digit());
    digits.parse().ok().filter(|_| all_digits).map(Offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_carry_twenty_digits() {
        assert_eq!(of_segment(Offset(42), LOG), "00000000000000000042.log");
        assert_eq!(offset("00000000000000000042.log", LOG), Some(Offset(42)));
        for other in
            ["42.log", "00000000000000000042.log.deleted", "0000000000000000004x.log", "99999999999999999999.log"]
        {
            assert_eq!(offset(other, LOG), None, "{other}");
        }
    }
}
