//! What follows from a command, for the partition's owner to carry out.

use crate::produce::ProduceResult;

/// Names a write that waits, in words of whoever asked for it. The partition gives it back, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// Filled by a partition's verbs; its owner empties it after each. Kept between calls, so that it allocates nothing.
#[derive(Debug, Default)]
pub struct Effects {
    /// Writes that came to their end.
    pub completions: Vec<(Ticket, ProduceResult)>,
    /// Bytes that consumers may read now and could not before.
    pub readable_bytes: u64,
    /// Every waiting fetch must look again, whatever it waits for: leadership changed, or the log was cut or failed.
    pub wake_all: bool,
    /// Records wait for a sync: run [`crate::Partition::flush_task`] soon.
    pub flush: bool,
}

impl Effects {
    /// Nothing to do.
    pub fn is_empty(&self) -> bool {
        self.completions.is_empty() && self.readable_bytes == 0 && !self.wake_all && !self.flush
    }
}
