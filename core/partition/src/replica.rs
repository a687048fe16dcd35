//! Who leads, who is in sync, and what is committed by that (KIP-101, KIP-497).

use std::sync::Arc;

use model::{LeaderEpoch, NodeId, Offset};

/// A partition's leadership, as the metadata image has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leadership {
    pub leader: Option<NodeId>,
    pub epoch: LeaderEpoch,
    /// Grows with every change of the partition's metadata.
    pub partition_epoch: i32,
    pub replicas: Arc<[NodeId]>,
    pub in_sync: Arc<[NodeId]>,
}

/// A request that names another leader epoch than this replica's, or came to the wrong replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EpochError {
    #[error("this broker does not lead the partition")]
    NotLeader,
    /// The sender knows less than this broker.
    #[error("the leader epoch is older than {current}")]
    Fenced { current: LeaderEpoch },
    /// The sender knows more than this broker.
    #[error("the leader epoch is newer than {current}")]
    Unknown { current: LeaderEpoch },
}

/// This broker's replica.
#[derive(Clone, Debug)]
pub(crate) struct Replica {
    node: NodeId,
    leadership: Leadership,
    high_watermark: Offset,
}

impl Replica {
    pub fn new(node: NodeId, leadership: Leadership) -> Self {
        Self { node, leadership, high_watermark: Offset::ZERO }
    }

    pub fn leadership(&self) -> &Leadership {
        &self.leadership
    }

    pub fn leads(&self) -> bool {
        self.leadership.leader == Some(self.node)
    }

    pub fn high_watermark(&self) -> Offset {
        self.high_watermark
    }

    /// Takes a newer leadership; an older one, of a lower partition epoch, is none.
    pub fn lead_by(&mut self, leadership: Leadership) -> bool {
        let newer = leadership.partition_epoch >= self.leadership.partition_epoch;
        if newer {
            self.leadership = leadership;
        }
        newer
    }

    /// Raises the high watermark to what every in-sync replica has: this one has everything below `counted`.
    /// Where others are in sync it stays, until they have said what they have.
    pub fn advance(&mut self, counted: Offset) -> bool {
        let alone = self.leads() && *self.leadership.in_sync == [self.node];
        if alone && counted > self.high_watermark {
            self.high_watermark = counted;
            return true;
        }
        false
    }

    /// Takes the high watermark into what the log holds.
    pub fn clamp(&mut self, start: Offset, end: Offset) {
        self.high_watermark = self.high_watermark.clamp(start, end);
    }

    /// Whether acks=all may be given: enough replicas are in sync. A topic with fewer replicas than
    /// `min.insync.replicas` needs all of them.
    pub fn enough_in_sync(&self, min_insync_replicas: usize) -> bool {
        let needed = min_insync_replicas.min(self.leadership.replicas.len());
        self.leadership.in_sync.len() >= needed
    }

    /// Compares what a request believes with what is so; -1 believes nothing.
    pub fn check_epoch(&self, believed: LeaderEpoch) -> Result<(), EpochError> {
        let current = self.leadership.epoch;
        if believed != LeaderEpoch::NONE && believed < current {
            return Err(EpochError::Fenced { current });
        }
        if believed > current {
            return Err(EpochError::Unknown { current });
        }
        if self.leads() { Ok(()) } else { Err(EpochError::NotLeader) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn led(leader: i32, in_sync: &[i32]) -> Leadership {
        let nodes = |ids: &[i32]| ids.iter().map(|id| NodeId(*id)).collect();
        Leadership {
            leader: Some(NodeId(leader)),
            epoch: LeaderEpoch(3),
            partition_epoch: 5,
            replicas: nodes(&[1, 2, 3]),
            in_sync: nodes(in_sync),
        }
    }

    #[test]
    fn a_leader_alone_in_sync_commits_what_it_has() {
        let mut replica = Replica::new(NodeId(1), led(1, &[1]));
        assert!(replica.advance(Offset(4)));
        assert!(!replica.advance(Offset(4)));
        assert_eq!(replica.high_watermark(), Offset(4));
    }

    #[test]
    fn a_leader_does_not_commit_for_others_nor_a_follower_at_all() {
        assert!(!Replica::new(NodeId(1), led(1, &[1, 2])).advance(Offset(4)));
        assert!(!Replica::new(NodeId(2), led(1, &[1])).advance(Offset(4)));
    }

    #[test]
    fn epochs_other_than_the_leaders_are_told_apart() {
        let replica = Replica::new(NodeId(1), led(1, &[1]));
        assert_eq!(replica.check_epoch(LeaderEpoch::NONE), Ok(()));
        assert_eq!(replica.check_epoch(LeaderEpoch(3)), Ok(()));
        assert_eq!(replica.check_epoch(LeaderEpoch(2)), Err(EpochError::Fenced { current: LeaderEpoch(3) }));
        assert_eq!(replica.check_epoch(LeaderEpoch(4)), Err(EpochError::Unknown { current: LeaderEpoch(3) }));
        assert_eq!(Replica::new(NodeId(2), led(1, &[1])).check_epoch(LeaderEpoch(3)), Err(EpochError::NotLeader));
    }

    #[test]
    fn min_insync_replicas_above_the_replicas_asks_for_all_of_them() {
        assert!(Replica::new(NodeId(1), led(1, &[1, 2])).enough_in_sync(2));
        assert!(!Replica::new(NodeId(1), led(1, &[1, 2])).enough_in_sync(3));
        assert!(!Replica::new(NodeId(1), led(1, &[1, 2])).enough_in_sync(9));
        assert!(Replica::new(NodeId(1), led(1, &[1, 2, 3])).enough_in_sync(9));
    }

    #[test]
    fn an_older_leadership_is_ignored() {
        let mut replica = Replica::new(NodeId(1), led(1, &[1]));
        assert!(!replica.lead_by(Leadership { partition_epoch: 4, leader: None, ..led(1, &[1]) }));
        assert!(replica.leads());
        assert!(replica.lead_by(Leadership { partition_epoch: 6, leader: None, ..led(1, &[1]) }));
        assert!(!replica.leads());
    }
}
