//! The one place of the broker that reads the wall clock. Everything below the shell is handed `now`.

use std::time::{SystemTime, UNIX_EPOCH};

use model::TimestampMs;

/// The machine's wall clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clock;

impl Clock {
    /// Milliseconds since 1970-01-01 UTC. May go back when the machine's clock is set; a clock before 1970 reads 0.
    pub fn now(self) -> TimestampMs {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        TimestampMs(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_reads_a_time_after_this_was_written() {
        assert!(Clock.now() > TimestampMs(1_700_000_000_000));
    }
}
