//! The cluster's decisions: a command and the image go in, records and a reply come out. Nothing changes by deciding;
//! the image changes when the records, once they are in the log, are applied. KIP-631.
//!
//! ```text
//!  command ──▶ decide (&self) ──▶ Decision { records, reply }
//!                                     │            └──▶ to the client, once the records are in the log
//!                                     ▼
//!                                 the log ──▶ apply (&mut self) ──▶ Step { before, next, changes }
//! ```
//!
//! Time and randomness come in as a [`Moment`]. Within one command, later items see what earlier ones decided.

mod broker;
mod cluster;
mod config;
mod create;
mod delete;
mod draft;
mod partitions;
mod placement;

use model::TimestampMs;

use crate::delta::{Delta, Step};
use crate::image::{Image, ReplayError};
use crate::record::Record;
pub use broker::Registration;
pub use cluster::{FINALIZED_FEATURES, PRODUCER_ID_BLOCK};
pub use config::{ConfigChange, ConfigOp, NewConfigs};
pub use create::{CreatedTopic, NewTopic};
pub use delete::TopicRef;
pub use partitions::MorePartitions;

/// What a command comes to. `reply` holds once `records` are in the log, all of them or none.
#[derive(Clone, PartialEq, Debug)]
pub struct Decision<R> {
    pub records: Vec<Record>,
    pub reply: R,
}

/// Time and randomness of one decision.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    pub now: TimestampMs,
    /// Where new ids and the placement of replicas come from: another one for every decision.
    pub seed: u64,
}

/// Partitions that one command may add, as in Kafka: a larger batch would hold up everybody else's.
const PARTITIONS_PER_COMMAND_MAX: u64 = 10_000;

/// Decides over the image of the records that are in the log so far.
#[derive(Clone, Debug)]
pub struct Controller {
    image: Image,
}

impl Controller {
    pub fn new(image: Image) -> Self {
        Self { image }
    }

    /// The cluster as of the last records applied.
    pub fn image(&self) -> &Image {
        &self.image
    }

    /// Moves on by records that are in the log now, and says what they changed. Fails where they do not follow from
    /// this image; it is then as it was, and the log cannot be trusted.
    pub fn apply(&mut self, records: &[Record]) -> Result<Step, ReplayError> {
        let mut delta = Delta::new(&self.image);
        records.iter().try_for_each(|record| delta.replay(record))?;
        let step = delta.finish();
        self.image = step.next.clone();
        Ok(step)
    }
}

#[cfg(test)]
mod tests;
