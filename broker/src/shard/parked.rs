//! Produce errands whose batches are not all acknowledged yet: they wait for the end of the loop turn, for followers,
//! or for the disk; for these two no longer than their clients do.

use std::collections::BTreeSet;

use model::TimestampMs;
use partition::{ProduceError, ProduceResult, Ticket};

use super::errand::ProduceErrand;
use super::reply::ReplyTo;

/// A ticket's low bits say which batch of its errand it stands for.
const ITEM_BITS: u32 = 20;

/// The produce errands of this shard that are not yet fully answered.
#[derive(Default)]
pub struct Parked {
    errands: Vec<Option<Waiting>>,
    free: Vec<usize>,
    deadlines: BTreeSet<(TimestampMs, usize)>,
}

struct Waiting {
    /// `None` once it was sent back for being late.
    errand: Option<(Box<ProduceErrand>, ReplyTo<Box<ProduceErrand>>)>,
    /// Tickets that are out.
    missing: usize,
    deadline: Option<TimestampMs>,
}

impl Parked {
    /// Takes an errand until the tickets of all its `items` batches have come back. Returns its number, for
    /// [`Parked::ticket`].
    pub fn park(&mut self, mut errand: Box<ProduceErrand>, items: usize, reply: ReplyTo<Box<ProduceErrand>>) -> usize {
        assert!(items > 0, "an errand without batches is not sent");
        errand.results.clear();
        errand.results.resize_with(items, || None);
        let waiting = Some(Waiting { errand: Some((errand, reply)), missing: items, deadline: None });
        match self.free.pop() {
            Some(number) => {
                self.errands[number] = waiting;
                number
            }
            None => {
                self.errands.push(waiting);
                self.errands.len() - 1
            }
        }
    }

    /// The ticket of batch `item` of the errand `number`.
    pub fn ticket(number: usize, item: usize) -> Ticket {
        assert!(item < 1 << ITEM_BITS, "a request holds fewer batches than the decoder's cap");
        Ticket((number as u64) << ITEM_BITS | item as u64)
    }

    /// A ticket came back: once, so that its number is not yet another errand's. Answers the errand once all have.
    pub fn complete(&mut self, ticket: Ticket, result: ProduceResult) {
        let number = (ticket.0 >> ITEM_BITS) as usize;
        let item = (ticket.0 & ((1 << ITEM_BITS) - 1)) as usize;
        let waiting = self.errands[number].as_mut().expect("an errand's number stays until its last ticket came back");
        if let Some((errand, _)) = &mut waiting.errand {
            let before = errand.results[item].replace(result);
            assert!(before.is_none(), "a ticket comes back once");
        }
        waiting.missing -= 1;
        if waiting.missing == 0
            && let Some(Waiting { errand, deadline, .. }) = self.errands[number].take()
        {
            self.free.push(number);
            if let Some(deadline) = deadline {
                self.deadlines.remove(&(deadline, number));
            }
            if let Some((errand, reply)) = errand {
                reply.send(errand);
            }
        }
    }

    /// The batches of the errand `number` are in their logs: what still waits, waits for as long as its client does.
    pub fn appended(&mut self, number: usize, now: TimestampMs) {
        let Some(waiting) = self.errands[number].as_mut().filter(|waiting| waiting.deadline.is_none()) else { return };
        let Some((errand, _)) = &waiting.errand else { return };
        let deadline = now + errand.timeout_ms;
        waiting.deadline = Some(deadline);
        self.deadlines.insert((deadline, number));
    }

    pub fn next_deadline(&self) -> Option<TimestampMs> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// Sends back the errands that have waited long enough; returns how many of their batches were not acknowledged.
    /// Tickets that are out still come back, to nobody.
    pub fn expire(&mut self, now: TimestampMs) -> usize {
        let mut late = 0;
        while let Some((_, number)) = self.deadlines.first().copied().filter(|(at, _)| *at <= now) {
            self.deadlines.pop_first();
            let Some(waiting) = &mut self.errands[number] else { continue };
            waiting.deadline = None;
            let Some((mut errand, reply)) = waiting.errand.take() else { continue };
            for result in errand.results.iter_mut().filter(|result| result.is_none()) {
                *result = Some(Err(ProduceError::TimedOut));
                late += 1;
            }
            reply.send(errand);
        }
        late
    }

    /// Errands that wait.
    pub fn count(&self) -> usize {
        self.errands.iter().flatten().filter(|waiting| waiting.errand.is_some()).count()
    }
}

#[cfg(test)]
mod tests {
    use super::super::reply::Replies;
    use super::*;

    #[tokio::test]
    async fn an_errand_comes_back_with_its_last_ticket_and_its_number_is_used_again() {
        let mut parked = Parked::default();
        let mut replies = Replies::default();
        let first = parked.park(Box::default(), 2, replies.expect());
        let other = parked.park(Box::default(), 1, Replies::default().expect());
        parked.complete(Parked::ticket(first, 1), Err(ProduceError::NoSpace));
        assert_eq!((parked.count(), first != other), (2, true));
        parked.complete(Parked::ticket(first, 0), Err(ProduceError::NotLeader));
        let errand = replies.receive().await.unwrap();
        assert_eq!(errand.results, [Some(Err(ProduceError::NotLeader)), Some(Err(ProduceError::NoSpace))]);
        assert_eq!(parked.park(errand, 1, replies.expect()), first);
    }

    #[tokio::test]
    async fn an_errand_waits_from_its_append_for_as_long_as_its_client_and_its_number_until_the_last_ticket() {
        let (mut parked, mut replies) = (Parked::default(), Replies::default());
        let errand = Box::new(ProduceErrand { timeout_ms: 50, ..ProduceErrand::default() });
        let number = parked.park(errand, 2, replies.expect());
        assert_eq!(parked.next_deadline(), None, "nothing is appended yet");
        parked.appended(number, TimestampMs(1000));
        parked.complete(Parked::ticket(number, 0), Err(ProduceError::NoSpace));
        assert_eq!((parked.next_deadline(), parked.expire(TimestampMs(1049))), (Some(TimestampMs(1050)), 0));
        assert_eq!(parked.expire(TimestampMs(1050)), 1);
        let errand = replies.receive().await.unwrap();
        assert_eq!(errand.results, [Some(Err(ProduceError::NoSpace)), Some(Err(ProduceError::TimedOut))]);
        let other = parked.park(errand, 1, replies.expect());
        assert_ne!(other, number, "its second ticket is still out");
        parked.complete(Parked::ticket(number, 1), Err(ProduceError::NotLeader));
        assert_eq!(parked.park(Box::default(), 1, Replies::default().expect()), number);
        parked.appended(other, TimestampMs(2000));
        parked.complete(Parked::ticket(other, 0), Err(ProduceError::NotLeader));
        assert_eq!(parked.next_deadline(), None);
    }
}
