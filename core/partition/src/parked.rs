//! Writes whose acknowledgement waits, in order of their offsets.

use std::collections::VecDeque;

use model::Offset;

use crate::effects::{Effects, Ticket};
use crate::produce::{ProduceError, Produced};

/// A write that waits until everything below `upto` is safe.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiting {
    pub upto: Offset,
    pub ticket: Ticket,
    pub produced: Produced,
}

/// Offsets only grow, so the first of a queue is always the first to come due.
#[derive(Debug, Default)]
pub(crate) struct Parked {
    /// acks=all: for the high watermark.
    committed: VecDeque<Waiting>,
    /// acks=1 where the topic wants its records synced: for the disk.
    counted: VecDeque<Waiting>,
}

impl Parked {
    pub fn until_committed(&mut self, waiting: Waiting) {
        self.committed.push_back(waiting);
    }

    pub fn until_counted(&mut self, waiting: Waiting) {
        self.counted.push_back(waiting);
    }

    /// Gives back what has come due. `enough_in_sync` is asked once more: a write that was committed by too few gets
    /// its own error, since it stays in the log.
    pub fn release(&mut self, high_watermark: Offset, counted: Offset, enough_in_sync: bool, effects: &mut Effects) {
        while let Some(waiting) = self.committed.pop_front_if(|waiting| waiting.upto <= high_watermark) {
            let result =
                if enough_in_sync { Ok(waiting.produced) } else { Err(ProduceError::NotEnoughReplicasAfterAppend) };
            effects.completions.push((waiting.ticket, result));
        }
        while let Some(waiting) = self.counted.pop_front_if(|waiting| waiting.upto <= counted) {
            effects.completions.push((waiting.ticket, Ok(waiting.produced)));
        }
    }

    /// Gives back all with an error.
    pub fn fail(&mut self, error: impl Fn() -> ProduceError, effects: &mut Effects) {
        for waiting in self.committed.drain(..).chain(self.counted.drain(..)) {
            effects.completions.push((waiting.ticket, Err(error())));
        }
    }

    pub fn len(&self) -> usize {
        self.committed.len() + self.counted.len()
    }
}
