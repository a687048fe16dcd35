//! A few threads for what may sleep on the disk: syncs, removals, cold reads. Shards never wait for a disk themselves.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::Context as _;
use parking_lot::{Condvar, Mutex};

type Task = Box<dyn FnOnce() + Send>;

/// Hands tasks to the pool's threads. The queue has no bound of its own: callers keep to one sync per partition and one
/// cold read per request, both of which are bounded where they are made.
#[derive(Clone)]
pub struct DiskPool {
    shared: Arc<Shared>,
}

struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
}

#[derive(Default)]
struct Queue {
    tasks: VecDeque<Task>,
    stopping: bool,
}

/// The pool's threads, owned by the node.
pub struct DiskThreads {
    pool: DiskPool,
    threads: Vec<JoinHandle<()>>,
}

impl DiskThreads {
    pub fn start(count: usize) -> anyhow::Result<Self> {
        let pool = DiskPool { shared: Arc::new(Shared { queue: Mutex::default(), wake: Condvar::new() }) };
        let mut threads = Vec::with_capacity(count);
        for index in 0..count {
            let pool = pool.clone();
            let thread = std::thread::Builder::new().name(format!("disk-{index}")).spawn(move || pool.work());
            threads.push(thread.context("start a disk thread")?);
        }
        Ok(Self { pool, threads })
    }

    pub fn pool(&self) -> DiskPool {
        self.pool.clone()
    }

    /// Finishes what is queued, then ends the threads.
    pub fn stop(self) {
        self.pool.shared.queue.lock().stopping = true;
        self.pool.shared.wake.notify_all();
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("a disk thread had panicked");
            }
        }
    }
}

impl DiskPool {
    pub fn submit(&self, task: impl FnOnce() + Send + 'static) {
        self.shared.queue.lock().tasks.push_back(Box::new(task));
        self.shared.wake.notify_one();
    }

    /// Runs `work` on the pool and gives its result; `None` where the pool is gone.
    pub async fn run<R: Send + 'static>(&self, work: impl FnOnce() -> R + Send + 'static) -> Option<R> {
        let (reply, answer) = tokio::sync::oneshot::channel();
        self.submit(move || {
            let _ = reply.send(work());
        });
        answer.await.ok()
    }

    fn work(&self) {
        loop {
            let task = {
                let mut queue = self.shared.queue.lock();
                loop {
                    if let Some(task) = queue.tasks.pop_front() {
                        break task;
                    }
                    if queue.stopping {
                        return;
                    }
                    self.shared.wake.wait(&mut queue);
                }
            };
            task();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn a_stop_finishes_what_was_queued() {
        let threads = DiskThreads::start(2).unwrap();
        let done = Arc::new(AtomicUsize::new(0));
        for _ in 0..100 {
            let done = done.clone();
            threads.pool().submit(move || {
                done.fetch_add(1, Ordering::Relaxed);
            });
        }
        threads.stop();
        assert_eq!(done.load(Ordering::Relaxed), 100);
    }
}
