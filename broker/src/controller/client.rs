//! Asking the active controller, from any thread.

use metadata::{Controller, Decision};
use model::TimestampMs;
use tokio::sync::{mpsc, oneshot};

/// Commands that may wait for the controller; callers wait beyond that.
pub const COMMANDS_MAX: usize = 256;

/// Seeds for a decision: its time, and randomness for ids and placement.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    pub now: TimestampMs,
    pub seed: u64,
}

/// A decision with its reply still inside: the records to commit, and what to do once they are.
pub(super) struct Decided {
    pub records: Vec<metadata::Record>,
    /// Called with whether the records were committed.
    pub finish: Box<dyn FnOnce(Result<(), Unavailable>) + Send>,
}

pub(super) type Job = Box<dyn FnOnce(&Controller, Moment) -> Decided + Send>;

/// No controller answers: it is stopping, or its log cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the controller is not available")]
pub struct Unavailable;

/// A handle on the active controller.
#[derive(Clone)]
pub struct Client {
    jobs: mpsc::Sender<Job>,
}

impl Client {
    pub(super) fn new(jobs: mpsc::Sender<Job>) -> Self {
        Self { jobs }
    }

    /// Lets the controller `decide`, and gives the reply once its records are committed and in the local image.
    pub async fn submit<R: Send + 'static, E: Send + 'static>(
        &self,
        decide: impl FnOnce(&Controller, Moment) -> Result<Decision<R>, E> + Send + 'static,
    ) -> Result<Result<R, E>, Unavailable> {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |controller, moment| match decide(controller, moment) {
            Ok(Decision { records, reply: value }) => Decided {
                records,
                finish: Box::new(move |committed| {
                    let _ = reply.send(committed.map(|()| Ok(value)));
                }),
            },
            Err(refused) => Decided {
                records: Vec::new(),
                finish: Box::new(move |_| {
                    let _ = reply.send(Ok(Err(refused)));
                }),
            },
        });
        self.jobs.send(job).await.map_err(|_| Unavailable)?;
        answer.await.map_err(|_| Unavailable)?
    }
}
