//! One answer at a time from one part of the broker to another, through a place that is used again and again: what a
//! oneshot channel is, without an allocation for each answer.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Poll, Waker};

use parking_lot::Mutex;

use super::handle::Stopped;

struct Place<T> {
    answer: Option<Result<T, Stopped>>,
    waiting: Option<Waker>,
}

/// Where answers arrive.
pub struct Replies<T> {
    place: Arc<Mutex<Place<T>>>,
}

/// Gives one answer. Dropped without one, it says that none will come.
pub struct ReplyTo<T> {
    place: Option<Arc<Mutex<Place<T>>>>,
}

impl<T> Default for Replies<T> {
    fn default() -> Self {
        Self { place: Arc::new(Mutex::new(Place { answer: None, waiting: None })) }
    }
}

impl<T> Replies<T> {
    /// The sending end of the next answer. The one before was received.
    pub fn expect(&self) -> ReplyTo<T> {
        ReplyTo { place: Some(self.place.clone()) }
    }

    /// The answer, once it is there.
    pub async fn receive(&mut self) -> Result<T, Stopped> {
        poll_fn(|cx| {
            let mut place = self.place.lock();
            match place.answer.take() {
                Some(answer) => Poll::Ready(answer),
                None => {
                    place.waiting = Some(cx.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }
}

impl<T> ReplyTo<T> {
    pub fn send(mut self, answer: T) {
        self.put(Ok(answer));
    }

    fn put(&mut self, answer: Result<T, Stopped>) {
        let Some(place) = self.place.take() else { return };
        let waiting = {
            let mut place = place.lock();
            place.answer = Some(answer);
            place.waiting.take()
        };
        if let Some(waiting) = waiting {
            waiting.wake();
        }
    }
}

impl<T> Drop for ReplyTo<T> {
    fn drop(&mut self) {
        self.put(Err(Stopped));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_place_takes_answer_after_answer() {
        let mut replies = Replies::default();
        for answer in 0..3 {
            let to = replies.expect();
            let sender = tokio::spawn(async move { to.send(answer) });
            assert_eq!(replies.receive().await, Ok(answer));
            sender.await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_sender_that_is_dropped_says_that_no_answer_will_come() {
        let mut replies = Replies::<i32>::default();
        drop(replies.expect());
        assert_eq!(replies.receive().await, Err(Stopped));
    }
}
