//! SIGINT and SIGTERM: the first asks for an orderly stop, a second one ends the process at once.

use std::sync::mpsc;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};

/// What a shell shows for a process that SIGINT ended.
const INTERRUPTED: i32 = 130;

/// Hears signals from [`Signals::listen`] on, also those that come while a node is still starting.
pub struct Signals {
    first: mpsc::Receiver<()>,
    heard: mpsc::SyncSender<()>,
}

impl Signals {
    /// Takes both signals over for the rest of the process.
    pub fn listen() -> anyhow::Result<Self> {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_io().build().context("listen for signals")?;
        let (mut interrupt, mut terminate) = {
            let _inside = runtime.enter();
            let interrupt = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
            (interrupt, signal(SignalKind::terminate()).context("listen for SIGTERM")?)
        };
        let (heard, first) = mpsc::sync_channel(1);
        let end = heard.clone();
        let listen = move || {
            let next = async || {
                tokio::select! {
                    _ = interrupt.recv() => "SIGINT",
                    _ = terminate.recv() => "SIGTERM",
                }
            };
            runtime.block_on(pass_on(next, &heard));
            std::process::exit(INTERRUPTED);
        };
        std::thread::Builder::new().name("signals".to_owned()).spawn(listen).context("listen for signals")?;
        Ok(Self { first, heard: end })
    }

    /// Ends the wait as the first signal does, from another thread.
    pub fn ender(&self) -> impl FnOnce() + Send + 'static {
        let heard = self.heard.clone();
        move || {
            // Full where a signal came before.
            let _ = heard.try_send(());
        }
    }

    /// Waits for the first signal.
    pub fn wait(&self) {
        // The listening thread holds its end until the process is gone.
        let _ = self.first.recv();
    }
}

/// Passes the first signal on and ends with the second.
async fn pass_on(mut next: impl AsyncFnMut() -> &'static str, heard: &mpsc::SyncSender<()>) {
    // Awaited outside of the macro, which skips its arguments when nobody wants the line.
    let signal = next().await;
    tracing::info!(signal, "stopping; a second signal stops at once");
    // Nobody waits any more when the start has failed.
    let _ = heard.send(());
    let signal = next().await;
    tracing::warn!(signal, "stopping at once: the next start recovers");
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn the_first_signal_is_passed_on_and_the_second_ends_even_with_logging_off() {
        let (signals, mut coming) = tokio::sync::mpsc::unbounded_channel();
        let (heard, first) = mpsc::sync_channel(1);
        let mut listening = Box::pin(pass_on(async || coming.recv().await.unwrap(), &heard));
        assert!(listening.as_mut().now_or_never().is_none());
        assert!(first.try_recv().is_err(), "no signal came yet");
        signals.send("SIGTERM").unwrap();
        assert!(listening.as_mut().now_or_never().is_none());
        first.try_recv().unwrap();
        signals.send("SIGINT").unwrap();
        assert!(listening.as_mut().now_or_never().is_some());
    }
}
