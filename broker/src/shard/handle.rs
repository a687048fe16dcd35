//! Reaching a shard: from its own thread by a plain call, from anywhere else by a message.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use model::PartitionId;
use tokio::sync::{mpsc, oneshot};

use super::errand::{ProduceErrand, ReadErrand};
use super::reply::ReplyTo;
use super::state::State;

/// Messages that may wait for one shard; senders wait beyond that.
pub const MAILBOX_MESSAGES: usize = 4096;

/// Work sent to a shard's thread. What comes with every request has a form of its own, which allocates nothing.
pub(super) enum Message {
    Call(Box<dyn FnOnce(&Local) + Send>),
    Produce(Box<ProduceErrand>, ReplyTo<Box<ProduceErrand>>),
    Read(Box<ReadErrand>, ReplyTo<Box<ReadErrand>>),
    /// End the thread.
    Stop,
}

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
        self.spawn(index, move |local| {
            let _ = reply.send(work(&mut local.state()));
        })
        .await?;
        answer.await.map_err(|_| Stopped)
    }

    /// Runs `work` on the thread of shard `index`, where it may spawn local tasks.
    pub async fn spawn(&self, index: usize, work: impl FnOnce(&Local) + Send + 'static) -> Result<(), Stopped> {
        self.send(index, Message::Call(Box::new(work))).await
    }

    /// As [`Handle::spawn`], without waiting: `false` where the mailbox is full or the shard has ended, and `work` was
    /// dropped.
    pub fn try_spawn(&self, index: usize, work: impl FnOnce(&Local) + Send + 'static) -> bool {
        self.mailboxes[index].try_send(Message::Call(Box::new(work))).is_ok()
    }

    /// Whether the thread of shard `index` has ended.
    pub fn has_ended(&self, index: usize) -> bool {
        self.mailboxes[index].is_closed()
    }

    pub(super) async fn send(&self, index: usize, message: Message) -> Result<(), Stopped> {
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

    /// Sets appends going on shard `index`; they come back through `reply`. Waits only while that shard's mailbox is full.
    pub async fn produce(&self, index: usize, errand: Box<ProduceErrand>, reply: ReplyTo<Box<ProduceErrand>>) {
        if index == self.index {
            self.state().produce(errand, reply);
        } else {
            // Fails where the broker is stopping: the reply says so.
            let _ = self.handle.send(index, Message::Produce(errand, reply)).await;
        }
    }

    /// The same for reads.
    pub async fn read(&self, index: usize, mut errand: Box<ReadErrand>, reply: ReplyTo<Box<ReadErrand>>) {
        if index == self.index {
            self.state().read(&mut errand);
            reply.send(errand);
        } else {
            let _ = self.handle.send(index, Message::Read(errand, reply)).await;
        }
    }

    /// Runs `work` on shard `index`: at once where that is this shard, by message otherwise.
    pub async fn on<R: Send + 'static>(
        &self,
        index: usize,
        work: impl FnOnce(&mut State) -> R + Send + 'static,
    ) -> Result<R, Stopped> {
        if index == self.index { Ok(work(&mut self.state())) } else { self.handle.on(index, work).await }
    }

    pub(super) fn take(&self, message: Message) {
        match message {
            Message::Call(work) => work(self),
            Message::Produce(errand, reply) => self.state().produce(errand, reply),
            Message::Read(mut errand, reply) => {
                self.state().read(&mut errand);
                reply.send(errand);
            }
            Message::Stop => {}
        }
    }
}
