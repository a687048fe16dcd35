//! The parts of one request, gathered by the shard that owns each: one message a shard, and answers back in their places.

/// What one shard is asked, and where in the answer each part goes.
pub struct Share<P, W> {
    pub shard: usize,
    /// As many as `work`, in the same order.
    pub places: Vec<P>,
    pub work: Vec<W>,
}

/// Gathers `parts` (shard, place, work) by shard. The share of shard `own` comes last: others work while this one does.
pub fn gather<P, W>(parts: impl Iterator<Item = (usize, P, W)>, own: usize) -> Vec<Share<P, W>> {
    let mut shares: Vec<Share<P, W>> = Vec::new();
    for (shard, place, work) in parts {
        match shares.iter_mut().find(|share| share.shard == shard) {
            Some(share) => {
                share.places.push(place);
                share.work.push(work);
            }
            None => shares.push(Share { shard, places: vec![place], work: vec![work] }),
        }
    }
    shares.sort_by_key(|share| share.shard == own);
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shard_has_one_share_and_the_own_one_comes_last() {
        let parts = [(1, 'a', 10), (0, 'b', 20), (1, 'c', 30), (2, 'd', 40)];
        let shares = gather(parts.into_iter(), 1);
        let told: Vec<_> = shares.into_iter().map(|share| (share.shard, share.places, share.work)).collect();
        assert_eq!(
            told,
            [(0, vec!['b'], vec![20]), (2, vec!['d'], vec![40]), (1, vec!['a', 'c'], vec![10, 30])],
            "in the order of their parts"
        );
    }
}
