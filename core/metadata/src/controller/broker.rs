//! A broker comes and goes: registration and the end of its fence. KIP-631, KIP-966.

use model::NodeId;

use super::draft::Draft;
use super::{Controller, Decision};
use crate::error::CommandError;
use crate::ids::{DirectoryId, IncarnationId};
use crate::image::{Image, PartitionImage, TopicImage};
use crate::record::{
    BrokerChangedRecord, BrokerRegisteredRecord, Endpoint, LeaderChange, LeadersRestartedRecord, PartitionChangeRecord,
    Record,
};

/// A broker's process as it introduces itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Registration {
    pub id: NodeId,
    pub incarnation: IncarnationId,
    pub endpoints: Vec<Endpoint>,
    pub rack: Option<String>,
    pub directories: Vec<DirectoryId>,
    /// Whether its logs end where they ended when the broker last stopped.
    pub clean_stop: bool,
}

impl Controller {
    /// Takes the broker in, fenced, and gives it an epoch higher than any before. A broker that led partitions and did
    /// not stop cleanly leads them again under a new leader epoch: what it had not flushed is lost, and whoever read it
    /// must notice. The same process asking again keeps its epoch and its standing.
    ///
    /// Whether an earlier process of the same id still lives is for the caller to know, who sees heartbeats.
    pub fn register_broker(&self, registration: Registration) -> Result<Decision<i64>, CommandError> {
        let Registration { id, incarnation, endpoints, rack, directories, clean_stop } = registration;
        let known = self.image.broker(id);
        let same_process = known.filter(|broker| broker.incarnation == incarnation);
        let record = BrokerRegisteredRecord {
            id,
            epoch: same_process.map_or(self.image.next_broker_epoch(), |broker| broker.epoch),
            incarnation,
            endpoints,
            rack,
            directories,
            fenced: same_process.is_none_or(|broker| broker.fenced),
            shutting_down: same_process.is_some_and(|broker| broker.shutting_down),
        };
        let epoch = record.epoch;
        let mut draft = Draft::new(&self.image);
        if same_process.is_none_or(|broker| broker.to_record() != record) {
            draft.push(Record::BrokerRegistered(record));
        }
        if same_process.is_none() && known.is_some() && !clean_stop && leads_something(&self.image, id) {
            draft.push(Record::LeadersRestarted(LeadersRestartedRecord { broker: id }));
        }
        Ok(draft.decide(epoch))
    }

    /// Lets the broker lead and be in sync, and makes it leader of the leaderless partitions that it may lead. Fails
    /// with `BrokerIdNotRegistered` or `StaleBrokerEpoch`: the broker must register first.
    pub fn unfence_broker(&self, id: NodeId, epoch: i64) -> Result<Decision<()>, CommandError> {
        self.check_broker_epoch(id, epoch)?;
        let mut draft = Draft::new(&self.image);
        if self.image.broker(id).is_some_and(|broker| broker.fenced) {
            let record = BrokerChangedRecord { id, epoch, fenced: Some(false), shutting_down: None };
            draft.push(Record::BrokerChanged(record));
        }
        if draft.image().is_active(id) {
            for topic in self.image.topics() {
                let leaderless = topic.partitions().filter(|(_, partition)| partition.leader.is_none());
                for (index, partition) in leaderless {
                    if let Some(change) = lead(topic, index, partition, id) {
                        draft.push(Record::PartitionChange(change));
                    }
                }
            }
        }
        Ok(draft.decide(()))
    }

    /// That `broker` speaks for its present registration.
    pub(super) fn check_broker_epoch(&self, broker: NodeId, epoch: i64) -> Result<(), CommandError> {
        match self.image.broker(broker) {
            None => Err(CommandError::BrokerIdNotRegistered(format!("Broker ID {broker} is not currently registered"))),
            Some(known) if known.epoch != epoch => Err(CommandError::StaleBrokerEpoch(format!(
                "Expected broker epoch {epoch}, but found broker epoch {}",
                known.epoch
            ))),
            Some(_) => Ok(()),
        }
    }
}

fn leads_something(image: &Image, id: NodeId) -> bool {
    image.topics().any(|topic| topic.partitions.iter().any(|partition| partition.leader == Some(id)))
}

/// The change that makes `id` the leader of a leaderless partition, if it holds every committed record.
fn lead(topic: &TopicImage, index: i32, partition: &PartitionImage, id: NodeId) -> Option<PartitionChangeRecord> {
    let change =
        PartitionChangeRecord { leader: Some(LeaderChange::To(id)), ..PartitionChangeRecord::of(topic.id, index) };
    if partition.isr.contains(&id) {
        return Some(change);
    }
    if !partition.elr.contains(&id) {
        return None;
    }
    // Alone in sync: where that is enough to commit, those left behind lose their eligibility.
    let min_isr = usize::try_from(topic.config.min_insync_replicas).unwrap_or(1).min(partition.replicas.len());
    let elr = if min_isr > 1 { partition.elr.iter().copied().filter(|node| *node != id).collect() } else { Vec::new() };
    Some(PartitionChangeRecord { isr: Some(vec![id]), elr: Some(elr), ..change })
}

#[cfg(test)]
mod tests {
    use model::{LeaderEpoch, TopicId};

    use super::*;
    use crate::controller::tests::{Cluster, moment, registration, topic};

    /// Brokers 1 and 2 and a topic of two partitions with both as replicas.
    fn cluster() -> (Cluster, TopicId) {
        let mut cluster = Cluster::of(&[(1, None), (2, None)]);
        let decision = cluster.0.create_topics(vec![topic("t", 2, 2)], moment(1));
        let id = cluster.commit(decision).remove(0).unwrap().id;
        (cluster, id)
    }

    fn change(cluster: &mut Cluster, change: PartitionChangeRecord) {
        cluster.0.apply(&[Record::PartitionChange(change)]).unwrap();
    }

    #[test]
    fn a_broker_is_fenced_until_it_asks_not_to_be() {
        let mut cluster = Cluster::of(&[(1, None)]);
        let decision = cluster.0.register_broker(registration(2, 1, Some("r"))).unwrap();
        let epoch = cluster.commit(decision);
        assert_eq!(epoch, cluster.epoch(1) + 1);
        let broker = cluster.0.image().broker(NodeId(2)).unwrap();
        assert_eq!((broker.fenced, broker.epoch, broker.rack.as_deref()), (true, epoch, Some("r")));
        let decision = cluster.0.unfence_broker(NodeId(2), epoch).unwrap();
        cluster.commit(decision);
        assert!(cluster.0.image().is_active(NodeId(2)));
        assert!(cluster.0.unfence_broker(NodeId(2), epoch).unwrap().records.is_empty());
        let refused = |id, epoch| cluster.0.unfence_broker(NodeId(id), epoch).unwrap_err();
        assert!(matches!(refused(2, epoch - 1), CommandError::StaleBrokerEpoch(_)));
        assert!(matches!(refused(3, epoch), CommandError::BrokerIdNotRegistered(_)));
    }

    #[test]
    fn the_same_process_keeps_its_epoch_and_standing() {
        let mut cluster = Cluster::of(&[(1, None)]);
        let decision = cluster.0.register_broker(registration(1, 1, None)).unwrap();
        assert_eq!((decision.reply, decision.records.len()), (cluster.epoch(1), 0));
        let decision = cluster.0.register_broker(registration(1, 1, Some("moved"))).unwrap();
        assert_eq!(cluster.commit(decision), cluster.epoch(1));
        let broker = cluster.0.image().broker(NodeId(1)).unwrap();
        assert_eq!((broker.rack.as_deref(), broker.fenced), (Some("moved"), false));
    }

    #[test]
    fn a_leader_that_crashed_leads_on_under_a_new_epoch() {
        let (mut cluster, id) = cluster();
        for (life, clean_stop, records, epoch) in [(2, true, 1, 0), (3, false, 2, 1), (4, true, 1, 1)] {
            let again = Registration { clean_stop, ..registration(1, life, None) };
            let decision = cluster.0.register_broker(again).unwrap();
            assert_eq!(decision.records.len(), records);
            cluster.commit(decision);
            let topic = cluster.0.image().topic_by_id(id).unwrap();
            for partition in topic.partitions.iter() {
                let led = partition.leader == Some(NodeId(1));
                assert_eq!(partition.leader_epoch, LeaderEpoch(if led { epoch } else { 0 }));
            }
        }
    }

    #[test]
    fn a_crashed_broker_that_led_nothing_costs_one_record() {
        let cluster = Cluster::of(&[(1, None)]);
        let again = Registration { clean_stop: false, ..registration(1, 2, None) };
        assert_eq!(cluster.0.register_broker(again).unwrap().records.len(), 1);
    }

    #[test]
    fn a_broker_of_the_isr_takes_leaderless_partitions() {
        let (mut cluster, id) = cluster();
        let nobody = Some(LeaderChange::ToNone);
        change(&mut cluster, PartitionChangeRecord { leader: nobody, ..PartitionChangeRecord::of(id, 0) });
        let only_1 = PartitionChangeRecord { isr: Some(vec![NodeId(1)]), ..PartitionChangeRecord::of(id, 1) };
        change(&mut cluster, PartitionChangeRecord { leader: nobody, ..only_1 });
        let decision = cluster.0.register_broker(registration(2, 2, None)).unwrap();
        let epoch = cluster.commit(decision);
        let decision = cluster.0.unfence_broker(NodeId(2), epoch).unwrap();
        let elected =
            PartitionChangeRecord { leader: Some(LeaderChange::To(NodeId(2))), ..PartitionChangeRecord::of(id, 0) };
        assert_eq!(decision.records[1..], [Record::PartitionChange(elected)]);
        cluster.commit(decision);
        assert_eq!(cluster.0.image().partition(id, 0).unwrap().leader_epoch, LeaderEpoch(2));
        assert_eq!(cluster.0.image().partition(id, 1).unwrap().leader, None);
    }

    #[test]
    fn an_eligible_broker_becomes_the_isr_of_a_leaderless_partition() {
        for (min_isr, elr_left) in [("1", vec![]), ("2", vec![NodeId(1)])] {
            let mut cluster = Cluster::of(&[(1, None), (2, None)]);
            let configs = vec![("min.insync.replicas".to_owned(), Some(min_isr.to_owned()))];
            let item = crate::NewTopic { configs, ..topic("t", 1, 2) };
            let decision = cluster.0.create_topics(vec![item], moment(1));
            let id = cluster.commit(decision).remove(0).unwrap().id;
            let lost = PartitionChangeRecord {
                leader: Some(LeaderChange::ToNone),
                isr: Some(vec![]),
                elr: Some(vec![NodeId(1), NodeId(2)]),
                ..PartitionChangeRecord::of(id, 0)
            };
            change(&mut cluster, lost);
            let decision = cluster.0.unfence_broker(NodeId(2), cluster.epoch(2)).unwrap();
            cluster.commit(decision);
            let partition = cluster.0.image().partition(id, 0).unwrap();
            assert_eq!((partition.leader, partition.isr.to_vec()), (Some(NodeId(2)), vec![NodeId(2)]));
            assert_eq!(partition.elr.to_vec(), elr_left, "min.insync.replicas {min_isr}");
        }
    }
}
