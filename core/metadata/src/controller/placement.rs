//! Where the replicas of a new partition go. Leaders spread evenly over brokers, then replicas do; two replicas of a
//! partition share a rack only where there are fewer racks than replicas. KIP-36, by counting instead of by rounds.
//!
//! Equally good brokers are told apart by a throw of the dice per partition, so that the partitions one broker leads
//! have their followers all over the cluster: when it fails, many take over a little.

use std::collections::BTreeMap;

use model::NodeId;

use super::draft::Dice;

/// Places one partition after another, counting what it placed.
pub(super) struct Placement {
    brokers: Vec<Candidate>,
    rack_count: usize,
    dice: Dice,
}

struct Candidate {
    id: NodeId,
    /// Brokers without a rack share one.
    rack: usize,
    leaders: u32,
    replicas: u32,
}

impl Placement {
    /// Over `brokers`, each named once, with its rack.
    pub fn new<'a>(brokers: impl Iterator<Item = (NodeId, Option<&'a str>)>, dice: Dice) -> Self {
        let mut racks: BTreeMap<Option<&str>, usize> = BTreeMap::new();
        let mut candidates = Vec::new();
        for (id, rack) in brokers {
            let next = racks.len();
            let rack = *racks.entry(rack).or_insert(next);
            candidates.push(Candidate { id, rack, leaders: 0, replicas: 0 });
        }
        Self { brokers: candidates, rack_count: racks.len(), dice }
    }

    pub fn broker_count(&self) -> usize {
        self.brokers.len()
    }

    /// Counts a partition that is there already.
    pub fn count(&mut self, replicas: &[NodeId]) {
        for (at, node) in replicas.iter().enumerate() {
            if let Some(broker) = self.brokers.iter_mut().find(|broker| broker.id == *node) {
                broker.leaders += u32::from(at == 0);
                broker.replicas += 1;
            }
        }
    }

    /// The replicas of the next partition, the preferred leader first: `replication_factor` brokers, or all where there
    /// are fewer.
    pub fn place(&mut self, replication_factor: usize) -> Vec<NodeId> {
        let throws: Vec<u64> = self.brokers.iter().map(|_| self.dice.roll()).collect();
        let mut in_rack = vec![0u32; self.rack_count];
        let mut taken = vec![false; self.brokers.len()];
        let mut replicas = Vec::new();
        for at in 0..replication_factor {
            let free = (0..self.brokers.len()).filter(|place| !taken[*place]);
            let best = free.min_by_key(|place| {
                let broker = &self.brokers[*place];
                let leaders = if at == 0 { broker.leaders } else { 0 };
                (in_rack[broker.rack], leaders, broker.replicas, throws[*place])
            });
            let Some(place) = best else { break };
            let broker = &mut self.brokers[place];
            broker.leaders += u32::from(at == 0);
            broker.replicas += 1;
            in_rack[broker.rack] += 1;
            taken[place] = true;
            replicas.push(broker.id);
        }
        replicas
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use model::TimestampMs;
    use proptest::prelude::*;

    use super::*;
    use crate::controller::Moment;

    fn placed(racks: &[Option<&str>], partitions: usize, rf: usize, seed: u64) -> Vec<Vec<NodeId>> {
        let brokers = (1..).map(NodeId).zip(racks.iter().copied());
        let mut placement = Placement::new(brokers, Dice::new(Moment { now: TimestampMs(0), seed }));
        (0..partitions).map(|_| placement.place(rf)).collect()
    }

    /// The lowest and the highest number of partitions a broker leads, then of replicas it holds.
    fn spread(placed: &[Vec<NodeId>], brokers: usize) -> [(usize, usize); 2] {
        let ids = (1..=i32::try_from(brokers).unwrap()).map(NodeId);
        let leaders = ids.clone().map(|id| placed.iter().filter(|replicas| replicas[0] == id).count());
        let held = ids.map(|id| placed.iter().filter(|replicas| replicas.contains(&id)).count());
        let ends = |counts: Vec<usize>| (*counts.iter().min().unwrap(), *counts.iter().max().unwrap());
        [ends(leaders.collect()), ends(held.collect())]
    }

    #[test]
    fn followers_of_one_leader_are_all_over_the_cluster() {
        let placed = placed(&[None; 6], 300, 2, 7);
        let followers: BTreeSet<NodeId> = placed.iter().filter(|r| r[0] == NodeId(1)).map(|r| r[1]).collect();
        assert_eq!(followers.len(), 5);
    }

    #[test]
    fn a_growing_topic_stays_even() {
        let brokers = || (1..=4).map(NodeId).zip([None; 4]);
        let dice = |seed| Dice::new(Moment { now: TimestampMs(0), seed });
        let mut first = Placement::new(brokers(), dice(1));
        let mut all: Vec<_> = (0..6).map(|_| first.place(2)).collect();
        let mut second = Placement::new(brokers(), dice(2));
        all.iter().for_each(|replicas| second.count(replicas));
        all.extend((0..6).map(|_| second.place(2)));
        assert_eq!(spread(&all, 4), [(3, 3), (6, 6)]);
    }

    proptest! {
        #[test]
        fn leaders_and_replicas_spread_evenly(
            brokers in 1..12usize, partitions in 1..80usize, rf in 1..5usize, seed in any::<u64>(),
        ) {
            let rf = rf.min(brokers);
            let placed = placed(&vec![None; brokers], partitions, rf, seed);
            for replicas in &placed {
                prop_assert_eq!(replicas.len(), rf);
                prop_assert_eq!(replicas.iter().collect::<BTreeSet<_>>().len(), rf, "no broker twice");
            }
            let [leaders, held] = spread(&placed, brokers);
            prop_assert!(leaders.1 - leaders.0 <= 1, "leaders {leaders:?}");
            prop_assert!(held.1 - held.0 <= 2, "replicas {held:?}");
        }

        #[test]
        fn racks_are_distinct_where_there_are_enough_and_balanced_where_not(
            racks in prop::collection::vec(0..4usize, 1..10), partitions in 1..40usize, rf in 1..6usize,
            seed in any::<u64>(),
        ) {
            const NAMES: [Option<&str>; 4] = [Some("a"), Some("b"), Some("c"), None];
            let rf = rf.min(racks.len());
            let names: Vec<_> = racks.iter().map(|rack| NAMES[*rack]).collect();
            let distinct = racks.iter().collect::<BTreeSet<_>>().len();
            for replicas in placed(&names, partitions, rf, seed) {
                let of = |node: &NodeId| racks[usize::try_from(node.0 - 1).unwrap()];
                let used: BTreeSet<_> = replicas.iter().map(of).collect();
                prop_assert_eq!(used.len(), rf.min(distinct));
                prop_assert_eq!(replicas.iter().collect::<BTreeSet<_>>().len(), rf, "no broker twice");
            }
        }

        #[test]
        fn racks_of_equal_size_do_not_cost_evenness(
            racks in 1..5usize, each in 1..4usize, rf in 1..4usize, partitions in 1..60usize, seed in any::<u64>(),
        ) {
            const NAMES: [&str; 4] = ["a", "b", "c", "d"];
            let names: Vec<_> = (0..racks * each).map(|at| Some(NAMES[at % racks])).collect();
            let placed = placed(&names, partitions, rf.min(names.len()), seed);
            let [leaders, held] = spread(&placed, names.len());
            prop_assert!(leaders.1 - leaders.0 <= 1, "leaders {leaders:?}");
            prop_assert!(held.1 - held.0 <= 2, "replicas {held:?}");
        }
    }
}
