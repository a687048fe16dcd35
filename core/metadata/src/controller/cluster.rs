//! What the cluster as a whole owns: its id, its finalized features, the blocks of producer ids.

use std::ops::Range;

use model::{NodeId, ProducerId};

use super::draft::Draft;
use super::{Controller, Decision};
use crate::error::CommandError;
use crate::record::{ClusterRecord, FeatureRecord, ProducerIdsRecord, Record};

/// Features that a new cluster finalizes, with their level: what Kafka 4.4 does, as far as this broker serves it.
/// 33 is 4.4-IV2. Java clients read `transaction.version`, and `group.version` is what opens KIP-848.
pub const FINALIZED_FEATURES: [(&str, i16); 3] =
    [("group.version", 1), ("metadata.version", 33), ("transaction.version", 2)];

/// Producer ids in one block.
pub const PRODUCER_ID_BLOCK: i64 = 1000;

impl Controller {
    /// Founds the cluster: its id and its features. Decides on nothing where it has that id already. Fails with
    /// `InconsistentClusterId` where it has another: the node belongs to a different cluster and must not start.
    pub fn bootstrap(&self, cluster_id: &str) -> Result<Decision<()>, CommandError> {
        let mut draft = Draft::new(&self.image);
        match self.image.cluster_id() {
            Some(id) if id == cluster_id => {}
            Some(id) => {
                let why = format!("The cluster id here is {id}, not {cluster_id}.");
                return Err(CommandError::InconsistentClusterId(why));
            }
            None => {
                draft.push(Record::Cluster(ClusterRecord { cluster_id: cluster_id.to_owned() }));
                for (name, level) in FINALIZED_FEATURES {
                    draft.push(Record::Feature(FeatureRecord { name: name.to_owned(), level }));
                }
            }
        }
        Ok(draft.decide(()))
    }

    /// Gives `broker` a block of [`PRODUCER_ID_BLOCK`] producer ids that nobody had before; the end is not part of it.
    /// Fails with `BrokerIdNotRegistered`, with `StaleBrokerEpoch`, and with `UnknownServerError` when none are left.
    /// KIP-730.
    pub fn allocate_producer_ids(
        &self,
        broker: NodeId,
        broker_epoch: i64,
    ) -> Result<Decision<Range<ProducerId>>, CommandError> {
        self.check_broker_epoch(broker, broker_epoch)?;
        let start = self.image.next_producer_id();
        let exhausted = || CommandError::UnknownServerError("There are no producer ids left.".to_owned());
        let end = ProducerId(start.0.checked_add(PRODUCER_ID_BLOCK).ok_or_else(exhausted)?);
        let mut draft = Draft::new(&self.image);
        draft.push(Record::ProducerIds(ProducerIdsRecord { broker, next: end }));
        Ok(draft.decide(start..end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::tests::{Cluster, empty};

    #[test]
    fn a_new_cluster_gets_its_id_and_features_once() {
        let mut controller = empty();
        let records = controller.bootstrap("c").unwrap().records;
        assert_eq!(records[0], Record::Cluster(ClusterRecord { cluster_id: "c".to_owned() }));
        controller.apply(&records).unwrap();
        assert_eq!(controller.image().cluster_id(), Some("c"));
        assert_eq!(controller.image().features().get("metadata.version"), Some(&33));
        assert_eq!(controller.image().features().get("group.version"), Some(&1));
        assert_eq!(controller.image().features().get("transaction.version"), Some(&2));
        assert!(controller.bootstrap("c").unwrap().records.is_empty());
        assert!(matches!(controller.bootstrap("d"), Err(CommandError::InconsistentClusterId(_))));
    }

    #[test]
    fn producer_id_blocks_never_overlap() {
        let mut cluster = Cluster::of(&[(1, None)]);
        let epoch = cluster.epoch(1);
        for block in 0..3 {
            let decision = cluster.0.allocate_producer_ids(NodeId(1), epoch).unwrap();
            assert_eq!(decision.reply, ProducerId(block * 1000)..ProducerId((block + 1) * 1000));
            cluster.0.apply(&decision.records).unwrap();
        }
        let refused = |id, epoch| cluster.0.allocate_producer_ids(NodeId(id), epoch).unwrap_err();
        assert!(matches!(refused(1, epoch + 1), CommandError::StaleBrokerEpoch(_)));
        assert!(matches!(refused(2, epoch), CommandError::BrokerIdNotRegistered(_)));
    }

    #[test]
    fn the_last_producer_ids_are_not_given_out_twice() {
        let mut cluster = Cluster::of(&[(1, None)]);
        let next = ProducerId(i64::MAX - 999);
        cluster.0.apply(&[Record::ProducerIds(ProducerIdsRecord { broker: NodeId(1), next })]).unwrap();
        let refused = cluster.0.allocate_producer_ids(NodeId(1), cluster.epoch(1)).unwrap_err();
        assert!(matches!(refused, CommandError::UnknownServerError(_)));
    }
}
