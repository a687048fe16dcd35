//! A fetch that waits for bytes: on any number of partitions, on any shards.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use tokio::sync::Notify;

/// Shared by the waiting fetch and the slots it watches.
pub struct ProgressWait {
    /// Bytes still missing to `fetch.min.bytes`.
    missing: AtomicI64,
    woken: Notify,
}

impl ProgressWait {
    /// A wait for `missing` more bytes. The last one in `place` is used again where no slot holds it any more.
    pub fn again(place: &mut Option<Arc<Self>>, missing: i64) -> &Arc<Self> {
        let new = Self { missing: AtomicI64::new(missing), woken: Notify::new() };
        match place.as_mut().and_then(Arc::get_mut) {
            Some(last) => *last = new,
            None => *place = Some(Arc::new(new)),
        }
        place.as_ref().expect("put there just now")
    }

    /// `bytes` became readable in a watched partition.
    pub fn progress(&self, bytes: i64) {
        if self.missing.fetch_sub(bytes, Ordering::AcqRel) <= bytes {
            self.woken.notify_one();
        }
    }

    /// Something other than bytes happened: a new leader, a deleted topic, an error.
    pub fn wake(&self) {
        self.missing.store(0, Ordering::Release);
        self.woken.notify_one();
    }

    /// Whether the wait is over and the slot may forget it.
    pub fn is_over(&self) -> bool {
        self.missing.load(Ordering::Acquire) <= 0
    }

    /// Completes once enough bytes came, or [`ProgressWait::wake`] was called.
    pub async fn done(&self) {
        while !self.is_over() {
            self.woken.notified().await;
        }
    }

    /// The fetch has gone: slots drop their share at the next look.
    pub fn cancel(&self) {
        self.missing.store(0, Ordering::Release);
    }
}
