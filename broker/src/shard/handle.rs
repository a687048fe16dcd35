//! Reaching a shard: from its own thread by a plain call, from anywhere else by a message.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use model::PartitionId;
use tokio::sync::{mpsc, oneshot};

use super::state::State;

/// Messages that may wait for one shard; senders wait beyond that.
pub const MAILBOX_MESSAGES: usize = 4096;

/// Work sent to a shard's thread.
pub(super) type Message = Box<dyn FnOnce(&Local) + Send>;

/// The shard's thread has ended: the broker is stopping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the broker is stopping")]
pub struct Stopped;

/// All shards, from any thread. Cheap to clone.
#[derive(Clone)]
pub struct Handle {
    pub(super) mailboxes: Arc<[mpsc::Sender<Message>]>,
}

impl Handle {
    pub fn count(&self) -> usize {
        self.mailboxes.len()
    }

    /// The shard that owns `partition`: neighbours of one topic lie on different shards.
    pub fn owner(&self, partition: PartitionId) -> usize {
        let seed = u32::from_be_bytes([
            partition.topic.0[0],
            partition.topic.0[1],
            partition.topic.0[2],
            partition.topic.0[3],
        ]);
        (seed as usize).wrapping_add(partition.index as usize) % self.count()
    }

    /// Runs `work` on the thread of shard `index` and gives its result back.
    pub async fn on<R: Send + 'static>(
        &self,
        index: usize,
        work: impl FnOnce(&mut State) -> R + Send + 'static,
    ) -> Result<R, Stopped> {
        let (reply, answer) = oneshot::channel();
        self.send(
            index,
            Box::new(move |local| {
                let _ = reply.send(work(&mut local.state()));
            }),
        )
        .await?;
        answer.await.map_err(|_| Stopped)
    }

    /// Runs `work` on the thread of shard `index`, where it may spawn local tasks.
    pub async fn spawn(&self, index: usize, work: impl FnOnce(&Local) + Send + 'static) -> Result<(), Stopped> {
        self.send(index, Box::new(work)).await
    }

    /// As [`Handle::spawn`], without waiting: `false` where the mailbox is full or the shard has ended, and `work` was
    /// dropped.
    pub fn try_spawn(&self, index: usize, work: impl FnOnce(&Local) + Send + 'static) -> bool {
        self.mailboxes[index].try_send(Box::new(work)).is_ok()
    }

    /// Whether the thread of shard `index` has ended.
    pub fn has_ended(&self, index: usize) -> bool {
        self.mailboxes[index].is_closed()
    }

    async fn send(&self, index: usize, message: Message) -> Result<(), Stopped> {
        self.mailboxes[index].send(message).await.map_err(|_| Stopped)
    }
}

/// The shards as seen from one shard's own thread.
#[derive(Clone)]
pub struct Local {
    pub(super) index: usize,
    pub(super) state: Rc<RefCell<State>>,
    pub(super) handle: Handle,
}

impl Local {
    pub fn index(&self) -> usize {
        self.index
    }

    /// All shards, for work that leaves this thread.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// This shard's state. Never held across an await.
    pub fn state(&self) -> std::cell::RefMut<'_, State> {
        self.state.borrow_mut()
    }

    pub fn owner(&self, partition: PartitionId) -> usize {
        self.handle.owner(partition)
    }

    /// Sets `work` going on shard `index`: done at once where that is this shard, under way otherwise. Waits only
    /// while that shard's mailbox is full.
    pub async fn begin<R: Send + 'static>(
        &self,
        index: usize,
        work: impl FnOnce(&mut State) -> R + Send + 'static,
    ) -> Begun<R> {
        if index == self.index {
            return Begun::Done(work(&mut self.state()));
        }
        let (reply, answer) = oneshot::channel();
        let message: Message = Box::new(move |local| {
            let _ = reply.send(work(&mut local.state()));
        });
        match self.handle.send(index, message).await {
            Ok(()) => Begun::Sent(answer),
            Err(Stopped) => Begun::Stopped,
        }
    }

    /// Runs `work` on shard `index`: at once where that is this shard, by message otherwise.
    pub async fn on<R: Send + 'static>(
        &self,
        index: usize,
        work: impl FnOnce(&mut State) -> R + Send + 'static,
    ) -> Result<R, Stopped> {
        self.begin(index, work).await.result().await
    }
}

/// Work set going by [`Local::begin`].
pub enum Begun<R> {
    Done(R),
    Sent(oneshot::Receiver<R>),
    Stopped,
}

impl<R> Begun<R> {
    /// The result, once it is there.
    pub async fn result(self) -> Result<R, Stopped> {
        match self {
            Self::Done(result) => Ok(result),
            Self::Sent(answer) => answer.await.map_err(|_| Stopped),
            Self::Stopped => Err(Stopped),
        }
    }
}
