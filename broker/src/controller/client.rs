//! Asking the active controller, from any thread.

use metadata::{CommandError, Controller, Decision, Moment};
use tokio::sync::{mpsc, oneshot};

/// Commands that may wait for the controller; callers wait beyond that.
pub const COMMANDS_MAX: usize = 256;

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

impl From<Unavailable> for CommandError {
    fn from(error: Unavailable) -> Self {
        Self::NotController(error.to_string())
    }
}

/// A handle on the active controller.
#[derive(Clone)]
pub struct Client {
    jobs: mpsc::Sender<Job>,
}

impl Client {
    pub(super) fn new(jobs: mpsc::Sender<Job>) -> Self {
        Self { jobs }
    }

    /// Lets the controller `decide`, and gives the reply once its records are committed and in the local image. With
    /// `validate_only` the reply is what it would be, and nothing changes.
    pub async fn submit<R: Send + 'static>(
        &self,
        validate_only: bool,
        decide: impl FnOnce(&Controller, Moment) -> Decision<R> + Send + 'static,
    ) -> Result<R, Unavailable> {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |controller, moment| {
            let Decision { records, reply: value } = decide(controller, moment);
            Decided {
                records: if validate_only { Vec::new() } else { records },
                finish: Box::new(move |committed| {
                    let _ = reply.send(committed.map(|()| value));
                }),
            }
        });
        self.jobs.send(job).await.map_err(|_| Unavailable)?;
        answer.await.map_err(|_| Unavailable)?
    }

    /// The same for a command that is refused as a whole.
    pub async fn try_submit<R: Send + 'static>(
        &self,
        decide: impl FnOnce(&Controller, Moment) -> Result<Decision<R>, CommandError> + Send + 'static,
    ) -> Result<Result<R, CommandError>, Unavailable> {
        self.submit(false, |controller, moment| match decide(controller, moment) {
            Ok(Decision { records, reply }) => Decision { records, reply: Ok(reply) },
            Err(refused) => Decision { records: Vec::new(), reply: Err(refused) },
        })
        .await
    }
}
