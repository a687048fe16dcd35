//! The budget of memory that connections may hold, all together: in half-received and unanswered requests, and once
//! more as much in answers that clients do not take.
//!
//! Over the budget nobody reads from a socket any more (TCP then slows the clients down), except that every
//! connection may always hold [`FREE_BYTES`], so that a few greedy ones cannot shut out small requests, and that one
//! connection at a time may overdraw, so that half-received requests never wait for each other. The most that is ever
//! held is the limit and one request.
//!
//! An answer is made before it is known whether its client takes it, so answers cannot be held back: while they are over
//! the limit ([`Unsent::is_over`]) clients that stand still are closed, and at twice the limit whoever does not take his
//! answer at once ([`Unsent::is_far_over`]).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

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
    /// The turn to overdraw: one at a time, first come first served.
    overdraft: Arc<Semaphore>,
    /// Bytes of answers that wait for their clients.
    unsent: AtomicUsize,
    released: Notify,
}

impl Budget {
    /// `limit` in bytes, over all connections.
    pub fn new(limit: usize) -> Self {
        Self {
            shared: Arc::new(Shared {
                limit,
                used: AtomicUsize::new(0),
                overdraft: Arc::new(Semaphore::new(1)),
                unsent: AtomicUsize::new(0),
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

    /// Bytes of answers that wait for their clients now.
    pub fn unsent_bytes(&self) -> usize {
        self.shared.unsent.load(Ordering::Relaxed)
    }

    /// No answers yet of one connection.
    pub fn unsent(&self) -> Unsent {
        Unsent { budget: self.clone(), bytes: 0 }
    }

    /// An empty charge of one connection.
    pub fn charge(&self) -> Charge {
        Charge { budget: self.clone(), bytes: 0, overdraft: None }
    }
}

/// What one connection has taken from the [`Budget`]; given back when dropped.
pub struct Charge {
    budget: Budget,
    bytes: usize,
    /// The turn to overdraw, until the request at hand is answered.
    overdraft: Option<OwnedSemaphorePermit>,
}

impl Charge {
    /// Makes this charge `bytes`: what the connection holds now. Never waits; see [`Charge::room`].
    pub fn set(&mut self, bytes: usize) {
        let counted = bytes.saturating_sub(FREE_BYTES);
        let shared = &self.budget.shared;
        if counted > self.bytes {
            shared.used.fetch_add(counted - self.bytes, Ordering::Relaxed);
        } else if counted < self.bytes {
            let before = shared.used.fetch_sub(self.bytes - counted, Ordering::Relaxed);
            // Nobody waits while there is room.
            if before >= shared.limit {
                shared.released.notify_waiters();
            }
        }
        self.bytes = counted;
    }

    /// The request at hand is answered: another connection may overdraw.
    pub fn request_done(&mut self) {
        self.overdraft = None;
    }

    /// Whether all connections together have used the budget up.
    pub fn is_used_up(&self) -> bool {
        self.budget.used() >= self.budget.limit()
    }

    /// Whether the budget is used up, and it is not this connection's turn to overdraw it.
    pub fn is_short(&self) -> bool {
        self.overdraft.is_none() && self.is_used_up()
    }

    /// Waits until the budget has room, or the connection holds so little that it need not ask, or may overdraw.
    pub async fn room(&mut self) {
        if self.bytes == 0 || !self.is_short() {
            return;
        }
        let shared = self.budget.shared.clone();
        let turn = shared.overdraft.clone().acquire_owned();
        tokio::pin!(turn);
        while self.is_short() {
            let released = shared.released.notified();
            tokio::pin!(released);
            released.as_mut().enable();
            if !self.is_short() {
                return;
            }
            tokio::select! {
                biased;
                () = &mut released => {}
                // The semaphore is never closed.
                permit = &mut turn => self.overdraft = permit.ok(),
            }
        }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.set(0);
    }
}

/// Answers of one connection that wait for its client; given back when dropped.
pub struct Unsent {
    budget: Budget,
    bytes: usize,
}

impl Unsent {
    /// Makes this `bytes`.
    pub fn set(&mut self, bytes: usize) {
        let unsent = &self.budget.shared.unsent;
        if bytes > self.bytes {
            unsent.fetch_add(bytes - self.bytes, Ordering::Relaxed);
        } else if bytes < self.bytes {
            unsent.fetch_sub(self.bytes - bytes, Ordering::Relaxed);
        }
        self.bytes = bytes;
    }

    /// Whether answers take more than the limit, and this connection has a part in it.
    pub fn is_over(&self) -> bool {
        self.bytes > FREE_BYTES && self.budget.unsent_bytes() > self.budget.limit()
    }

    /// Whether they take more than twice the limit, and this connection has a part in it.
    pub fn is_far_over(&self) -> bool {
        self.bytes > FREE_BYTES && self.budget.unsent_bytes() > 2 * self.budget.limit()
    }
}

impl Drop for Unsent {
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

    #[test]
    fn answers_are_over_the_limit_for_those_who_have_a_part_in_it() {
        let budget = Budget::new(100_000);
        let (mut large, mut small) = (budget.unsent(), budget.unsent());
        small.set(FREE_BYTES);
        large.set(100_000);
        assert!(large.is_over() && !large.is_far_over() && !small.is_over());
        large.set(200_000);
        assert!(large.is_far_over());
        drop(large);
        assert_eq!(budget.unsent_bytes(), FREE_BYTES);
    }

    #[tokio::test(start_paused = true)]
    async fn half_received_requests_never_wait_for_each_other() {
        let budget = Budget::new(10);
        let (mut one, mut two) = (budget.charge(), budget.charge());
        one.set(FREE_BYTES + 8);
        two.set(FREE_BYTES + 20);
        assert!(!waits(&mut one).await);
        one.set(FREE_BYTES + 100);
        assert!(!waits(&mut one).await);
        assert!(waits(&mut two).await);
        one.set(0);
        assert!(waits(&mut two).await, "the other's request is not answered yet");
        one.request_done();
        assert!(!waits(&mut two).await);
    }
}
