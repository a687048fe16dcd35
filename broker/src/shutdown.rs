//! The signal to stop: one [`Trigger`], as many [`Shutdown`]s as there are services. Works across runtimes.

use tokio::sync::watch;

/// Says stop, once and for all. Dropping it says stop too, so that a node that fails half-built leaves nothing running.
#[derive(Debug)]
pub struct Trigger {
    sender: watch::Sender<bool>,
}

/// Hears that it is time to stop. Clones hear the same.
#[derive(Clone, Debug)]
pub struct Shutdown {
    receiver: watch::Receiver<bool>,
}

/// A connected pair.
pub fn channel() -> (Trigger, Shutdown) {
    let (sender, receiver) = watch::channel(false);
    (Trigger { sender }, Shutdown { receiver })
}

impl Trigger {
    /// Every [`Shutdown`] hears it, those cloned or first polled later included. Saying it twice is saying it once.
    pub fn stop(&self) {
        self.sender.send_replace(true);
    }

    /// Another ear.
    pub fn listen(&self) -> Shutdown {
        Shutdown { receiver: self.sender.subscribe() }
    }
}

impl Shutdown {
    /// Ends when it is time to stop; at once if it already is. May be dropped half-way and asked again.
    pub async fn requested(&self) {
        // An error means the trigger is gone, which says stop as well.
        let _ = self.receiver.clone().wait_for(|stop| *stop).await;
    }

    pub fn is_requested(&self) -> bool {
        *self.receiver.borrow() || self.receiver.has_changed().is_err()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn a_stop_is_heard_by_clones_made_before_and_after() {
        let (trigger, before) = channel();
        assert!(!before.is_requested());
        assert!(before.requested().now_or_never().is_none(), "nobody said stop yet");
        trigger.stop();
        let after = before.clone();
        before.requested().await;
        after.requested().await;
        trigger.listen().requested().await;
        assert!(after.is_requested());
    }

    #[tokio::test]
    async fn a_dropped_trigger_says_stop() {
        let (trigger, shutdown) = channel();
        drop(trigger);
        assert!(shutdown.is_requested());
        shutdown.requested().await;
    }
}
