//! Produce requests whose acknowledgement waits: for followers, or for the disk.

use std::collections::HashMap;

use partition::{ProduceError, Produced, Ticket};
use tokio::sync::oneshot;

/// What became of one batch.
pub type ProduceResult = Result<Produced, ProduceError>;

/// A ticket's low bits say which batch of its request it stands for.
const ITEM_BITS: u32 = 20;

/// The produce requests of this shard that are not yet fully answered.
#[derive(Default)]
pub struct Parked {
    last_request: u64,
    requests: HashMap<u64, Request>,
}

struct Request {
    results: Vec<Option<ProduceResult>>,
    missing: usize,
    reply: oneshot::Sender<Vec<ProduceResult>>,
}

impl Parked {
    /// A number for a request, whose items then get tickets by [`Parked::ticket`].
    pub fn next_request(&mut self) -> u64 {
        self.last_request += 1;
        self.last_request
    }

    /// The ticket of batch `item` of `request`.
    pub fn ticket(request: u64, item: usize) -> Ticket {
        assert!(item < 1 << ITEM_BITS, "a request holds fewer batches than the decoder's cap");
        Ticket(request << ITEM_BITS | item as u64)
    }

    /// Parks `request`: `results` holds what is known, `None` where a ticket is out.
    pub fn park(&mut self, request: u64, results: Vec<Option<ProduceResult>>) -> oneshot::Receiver<Vec<ProduceResult>> {
        let (reply, answer) = oneshot::channel();
        let missing = results.iter().filter(|result| result.is_none()).count();
        self.requests.insert(request, Request { results, missing, reply });
        answer
    }

    /// A ticket came back. Answers its request once all have.
    pub fn complete(&mut self, ticket: Ticket, result: ProduceResult) {
        let number = ticket.0 >> ITEM_BITS;
        let item = (ticket.0 & ((1 << ITEM_BITS) - 1)) as usize;
        let Some(request) = self.requests.get_mut(&number) else { return };
        if request.results[item].replace(result).is_none() {
            request.missing -= 1;
        }
        if request.missing == 0
            && let Some(request) = self.requests.remove(&number)
        {
            // Whoever asked may have timed out meanwhile.
            let _ = request.reply.send(request.results.into_iter().flatten().collect());
        }
    }

    /// Requests that wait.
    pub fn count(&self) -> usize {
        self.requests.len()
    }
}
