//! One thread a shard: its runtime, its mailbox, its upkeep.

use std::cell::RefCell;
use std::rc::Rc;
use std::thread::JoinHandle;

use anyhow::Context as _;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::mpsc;

use super::handle::{Handle, Local, MAILBOX_MESSAGES, Message};
use super::state::{State, StateConfig};
use super::upkeep;

/// All shard threads, owned by the node.
pub struct Shards {
    handle: Handle,
    threads: Vec<JoinHandle<()>>,
}

impl Shards {
    /// Starts `count` shard threads.
    pub fn start(count: usize, config: &StateConfig) -> anyhow::Result<Self> {
        let (senders, receivers): (Vec<_>, Vec<_>) = (0..count).map(|_| mpsc::channel(MAILBOX_MESSAGES)).unzip();
        let handle = Handle { mailboxes: senders.into() };
        let mut threads = Vec::with_capacity(count);
        for (index, mailbox) in receivers.into_iter().enumerate() {
            let (handle, config) = (handle.clone(), config.clone());
            let thread = std::thread::Builder::new()
                .name(format!("shard-{index}"))
                .spawn(move || {
                    if let Err(error) = run(index, handle, mailbox, config) {
                        tracing::error!(shard = index, %error, "a shard could not start");
                    }
                })
                .context("start a shard thread")?;
            threads.push(thread);
        }
        Ok(Self { handle, threads })
    }

    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Ends all shard threads and waits for them. Logs must have been closed before (`State::close`).
    pub fn stop(self) {
        for mailbox in self.handle.mailboxes.iter() {
            // Fails where the thread has ended by itself.
            let _ = mailbox.blocking_send(Message::Stop);
        }
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("a shard thread had panicked");
            }
        }
    }
}

fn run(index: usize, handle: Handle, mut mailbox: mpsc::Receiver<Message>, config: StateConfig) -> anyhow::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default())?;
    runtime.block_on(async move {
        let local = Local {
            index,
            state: Rc::new(RefCell::new(State::new(config, handle.mailboxes[index].downgrade()))),
            handle,
        };
        let upkeep = tokio::task::spawn_local(upkeep::run(local.clone()));
        let turns = tokio::task::spawn_local(end_turns(local.clone()));
        while let Some(message) = mailbox.recv().await {
            if matches!(message, Message::Stop) {
                break;
            }
            local.take(message);
        }
        upkeep.abort();
        turns.abort();
    });
    Ok(())
}

/// Runs behind all tasks that were ready when the first batch was queued.
async fn end_turns(local: Local) {
    let turn_ends = local.state().turn_ends.clone();
    loop {
        turn_ends.notified().await;
        local.state().append_queued();
    }
}
