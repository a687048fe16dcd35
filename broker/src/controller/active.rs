//! The owner of `metadata::Controller`: decide, commit, replay, publish, reply, in this order for each command.

use std::sync::Arc;

use metadata::{Controller, Moment};
use tokio::sync::mpsc;

use super::client::{COMMANDS_MAX, Client, Job, Unavailable};
use crate::clock::Clock;
use crate::quorum::Quorum;
use crate::replication::Publisher;

/// The task that runs decisions.
pub struct Active {
    controller: Controller,
    quorum: Arc<dyn Quorum>,
    publisher: Publisher,
    clock: Clock,
    jobs: mpsc::Receiver<Job>,
}

impl Active {
    /// `controller` has replayed everything committed so far.
    pub fn new(controller: Controller, quorum: Arc<dyn Quorum>, publisher: Publisher, clock: Clock) -> (Self, Client) {
        let (sender, jobs) = mpsc::channel(COMMANDS_MAX);
        (Self { controller, quorum, publisher, clock, jobs }, Client::new(sender))
    }

    /// Runs until every client has gone.
    pub async fn run(mut self) {
        while let Some(job) = self.jobs.recv().await {
            let moment = Moment { now: self.clock.now(), seed: rand::random() };
            let decided = job(&self.controller, moment);
            let outcome = if decided.records.is_empty() { Ok(()) } else { self.commit(&decided.records).await };
            (decided.finish)(outcome);
        }
    }

    async fn commit(&mut self, records: &[metadata::Record]) -> Result<(), Unavailable> {
        let entries = records.iter().map(|record| record.encode().into()).collect();
        let offset = self.quorum.propose(entries).await.map_err(|error| {
            tracing::error!(%error, "the metadata log refuses records");
            Unavailable
        })?;
        match self.controller.apply(records) {
            Ok(step) => self.publisher.publish(step, offset).await,
            // The controller made these records of the very image they do not fit.
            Err(error) => panic!("a decision cannot be replayed: {error}"),
        }
        Ok(())
    }
}
