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
    stop: tokio::sync::watch::Sender<bool>,
}

impl Shards {
    /// Starts `count` shard threads.
    pub fn start(count: usize, config: &StateConfig) -> anyhow::Result<Self> {
        let (senders, receivers): (Vec<_>, Vec<_>) = (0..count).map(|_| mpsc::channel(MAILBOX_MESSAGES)).unzip();
        let handle = Handle { mailboxes: senders.into() };
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let mut threads = Vec::with_capacity(count);
        for (index, mailbox) in receivers.into_iter().enumerate() {
            let (handle, config, stopped) = (handle.clone(), config.clone(), stopped.clone());
            let thread = std::thread::Builder::new()
                .name(format!("shard-{index}"))
                .spawn(move || {
                    if let Err(error) = run(index, handle, mailbox, config, stopped) {
                        tracing::error!(shard = index, %error, "a shard could not start");
                    }
                })
                .context("start a shard thread")?;
            threads.push(thread);
        }
        Ok(Self { handle, threads, stop })
    }

    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Ends all shard threads and waits for them. Logs must have been closed before (`State::close`).
    pub fn stop(self) {
        let _ = self.stop.send(true);
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("a shard thread had panicked");
            }
        }
    }
}

fn run(
    index: usize,
    handle: Handle,
    mut mailbox: mpsc::Receiver<Message>,
    config: StateConfig,
    mut stopped: tokio::sync::watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default())?;
    runtime.block_on(async move {
        let local = Local {
            index,
            state: Rc::new(RefCell::new(State::new(config, handle.mailboxes[index].downgrade()))),
            handle,
        };
        let upkeep = tokio::task::spawn_local(upkeep::run(local.clone()));
        loop {
            tokio::select! {
                biased;
                _ = stopped.changed() => break,
                message = mailbox.recv() => match message {
                    Some(message) => message(&local),
                    None => break,
                }
            }
        }
        upkeep.abort();
    });
    Ok(())
}
