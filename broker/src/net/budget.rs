//! The budget of request bytes: what connections may hold in half-received and unanswered frames, all together.
//!
//! Over the budget nobody reads from a socket any more (TCP then slows the clients down), except that every
//! connection may always hold [`FREE_BYTES`], so that a few greedy ones cannot shut out small requests, and that one
//! connection at a time may overdraw, so that half-received requests never wait for each other. The most that is ever
//! held is the limit and one request.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::Notify;

/// What a connection may hold whatever the others do.
pub const FREE_BYTES: usize = 4 << 10;

/// A shared count of bytes with a limit. Cloning shares it.
#[derive(Clone)]
pub struct Budget {
    shared: Arc<Shared>,
}

struct Shared {
    limit: usize,
    used: AtomicUsize,
    /// Whether a connection is overdrawing.
    overdrawn: AtomicBool,
    released: Notify,
}

impl Budget {
    /// `limit` in bytes, over all connections.
    pub fn new(limit: usize) -> Self {
        Self {
            shared: Arc::new(Shared {
                limit,
                used: AtomicUsize::new(0),
                overdrawn: AtomicBool::new(false),
                released: Notify::new(),
            }),
        }
    }

    /// Bytes charged now.
    pub fn used(&self) -> usize {
        self.shared.used.load(Ordering::Relaxed)
    }

    pub fn limit(&self) -> usize {
        self.shared.limit
    }

    /// An empty charge of one connection.
    pub fn charge(&self) -> Charge {
        Charge { budget: self.clone(), bytes: 0, overdraws: false }
    }
}

/// What one connection has taken from the [`Budget`]; given back when dropped.
pub struct Charge {
    budget: Budget,
    bytes: usize,
    /// Whether this is the one that may overdraw; until it holds nothing.
    overdraws: bool,
}

impl Charge {
    /// Makes this charge `bytes`: what the connection holds now. Never waits; see [`Charge::room`].
    pub fn set(&mut self, bytes: usize) {
        let counted = bytes.saturating_sub(FREE_BYTES);
        let shared = &self.budget.shared;
        if counted > self.bytes {
            shared.used.fetch_add(counted - self.bytes, Ordering::Relaxed);
        } else if counted < self.bytes {
            shared.used.fetch_sub(self.bytes - counted, Ordering::Relaxed);
            if counted == 0 && std::mem::take(&mut self.overdraws) {
                shared.overdrawn.store(false, Ordering::Release);
            }
            shared.released.notify_waiters();
        }
        self.bytes = counted;
    }

    /// Waits until the budget has room, or the connection holds so little that it need not ask, or may overdraw.
    pub async fn room(&mut self) {
        let shared = self.budget.shared.clone();
        loop {
            let released = shared.released.notified();
            tokio::pin!(released);
            released.as_mut().enable();
            if self.bytes == 0 || self.overdraws || self.budget.used() < self.budget.limit() {
                return;
            }
            if !shared.overdrawn.swap(true, Ordering::AcqRel) {
                self.overdraws = true;
                return;
            }
            released.await;
        }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    async fn waits(charge: &mut Charge) -> bool {
        tokio::time::timeout(Duration::from_secs(1), charge.room()).await.is_err()
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_budget_stops_readers_until_another_gives_back() {
        let budget = Budget::new(1000);
        let (mut greedy, mut second, mut third) = (budget.charge(), budget.charge(), budget.charge());
        greedy.set(FREE_BYTES + 1000);
        assert!(!waits(&mut second).await, "holds nothing yet");
        assert!(!waits(&mut greedy).await, "overdraws");
        second.set(FREE_BYTES + 1);
        third.set(FREE_BYTES + 1);
        assert!(waits(&mut second).await && waits(&mut third).await);
        drop(greedy);
        assert!(!waits(&mut second).await && !waits(&mut third).await);
        assert_eq!(budget.used(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn half_received_requests_never_wait_for_each_other() {
        let budget = Budget::new(10);
        let (mut one, mut two) = (budget.charge(), budget.charge());
        one.set(FREE_BYTES + 8);
        two.set(FREE_BYTES + 8);
        assert!(!waits(&mut one).await);
        one.set(FREE_BYTES + 100);
        assert!(!waits(&mut one).await);
        assert!(waits(&mut two).await);
        one.set(0);
        assert!(!waits(&mut two).await);
    }
}
