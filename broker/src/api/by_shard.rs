//! The parts of one request by the shard that owns each: one errand a shard, and results back in their places. Kept by
//! a connection and used for request after request.

use crate::shard::{Replies, ReplyTo, Stopped};

/// What each shard is asked on behalf of one request. `E` is the errand, `P` a place in the answer.
pub struct ByShard<E, P> {
    shares: Vec<Share<E, P>>,
}

/// One shard's share of a request.
pub struct Share<E, P> {
    /// Where in the answer each part goes, in the order of the errand's parts.
    pub places: Vec<P>,
    /// `None` while it is under way.
    pub errand: Option<Box<E>>,
    replies: Replies<Box<E>>,
}

impl<E, P> Default for ByShard<E, P> {
    fn default() -> Self {
        Self { shares: Vec::new() }
    }
}

impl<E: Default, P> ByShard<E, P> {
    /// Adds a part at `place` to what `shard` is asked; the errand to put it into.
    pub fn add(&mut self, shard: usize, place: P) -> &mut E {
        if self.shares.len() <= shard {
            let new = || Share { places: Vec::new(), errand: None, replies: Replies::default() };
            self.shares.resize_with(shard + 1, new);
        }
        let share = &mut self.shares[shard];
        share.places.push(place);
        share.errand.get_or_insert_default()
    }

    /// The shares that have parts, each with its shard. That of shard `own` comes last: others work while this one does.
    pub fn used(&mut self, own: usize) -> impl Iterator<Item = (usize, &mut Share<E, P>)> {
        let own_at = own.min(self.shares.len());
        let (before, rest) = self.shares.split_at_mut(own_at);
        let (own, after) = rest.split_at_mut(rest.len().min(1));
        let before = before.iter_mut().enumerate();
        let after = after.iter_mut().enumerate().map(move |(at, share)| (own_at + 1 + at, share));
        let own = own.iter_mut().map(move |share| (own_at, share));
        before.chain(after).chain(own).filter(|(_, share)| !share.places.is_empty())
    }
}

impl<E: Default, P> Share<E, P> {
    /// The errand, to be sent off, and where it is to come back to.
    pub fn leave(&mut self) -> (Box<E>, ReplyTo<Box<E>>) {
        (self.errand.take().unwrap_or_default(), self.replies.expect())
    }

    /// The errand, once it has come back; `Err` where its shard has ended.
    pub async fn back(&mut self) -> Result<&mut E, Stopped> {
        Ok(self.errand.insert(self.replies.receive().await?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_shard_has_one_share_and_the_own_one_comes_last() {
        let mut by_shard = ByShard::<Vec<i32>, char>::default();
        for _ in 0..2 {
            for (shard, place, part) in [(1, 'a', 10), (0, 'b', 20), (1, 'c', 30), (3, 'd', 40)] {
                by_shard.add(shard, place).push(part);
            }
            for (_, share) in by_shard.used(1) {
                let (errand, reply) = share.leave();
                reply.send(errand);
            }
            let mut told = Vec::new();
            for (shard, share) in by_shard.used(1) {
                let places = share.places.drain(..).collect::<Vec<_>>();
                let parts = share.back().await.unwrap().drain(..).collect::<Vec<_>>();
                told.push((shard, places, parts));
            }
            let expected = [(0, vec!['b'], vec![20]), (3, vec!['d'], vec![40]), (1, vec!['a', 'c'], vec![10, 30])];
            assert_eq!(told, expected, "in the order of their parts, and empty for the next request");
        }
    }
}
