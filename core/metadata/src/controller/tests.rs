//! What the tests of all commands share: a cluster to command. And what holds for every sequence of commands.

use std::sync::Arc;

use model::{NodeId, TimestampMs};
use proptest::prelude::*;

use super::*;
use crate::configs::Properties;
use crate::ids::IncarnationId;
use crate::record::BrokerChangedRecord;
use crate::resource::ConfigResource;

pub(super) fn empty() -> Controller {
    Controller::new(Image::empty(NodeId(1), Arc::new(Properties::new())))
}

pub(super) fn moment(seed: u64) -> Moment {
    Moment { now: TimestampMs(1_700_000_000_000), seed }
}

pub(super) fn registration(id: i32, life: u8, rack: Option<&str>) -> Registration {
    Registration {
        id: NodeId(id),
        incarnation: IncarnationId([life; 16]),
        endpoints: vec![],
        rack: rack.map(str::to_owned),
        directories: vec![],
        clean_stop: true,
    }
}

pub(super) fn topic(name: &str, partitions: i32, replication_factor: i16) -> NewTopic {
    NewTopic {
        name: name.to_owned(),
        partitions: Some(partitions),
        replication_factor: Some(replication_factor),
        assignments: vec![],
        configs: vec![],
    }
}

/// A controller whose decisions all come true.
pub(super) struct Cluster(pub Controller);

impl Cluster {
    /// With these brokers, registered and unfenced.
    pub fn of(brokers: &[(i32, Option<&str>)]) -> Self {
        Self::with_file(brokers, &[])
    }

    pub fn with_file(brokers: &[(i32, Option<&str>)], file: &[(&str, &str)]) -> Self {
        let file = file.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let mut cluster = Self(Controller::new(Image::empty(NodeId(1), Arc::new(file))));
        let founded = cluster.0.bootstrap("c").unwrap();
        cluster.commit(founded);
        for (id, rack) in brokers {
            let epoch = cluster.0.register_broker(registration(*id, 1, *rack)).unwrap();
            let epoch = cluster.commit(epoch);
            let unfenced = cluster.0.unfence_broker(NodeId(*id), epoch).unwrap();
            cluster.commit(unfenced);
        }
        cluster
    }

    pub fn commit<R>(&mut self, decision: Decision<R>) -> R {
        self.0.apply(&decision.records).unwrap();
        decision.reply
    }

    pub fn epoch(&self, id: i32) -> i64 {
        self.0.image().broker(NodeId(id)).unwrap().epoch
    }
}

#[test]
fn records_that_do_not_follow_leave_the_image_as_it_was() {
    let mut cluster = Cluster::of(&[(1, None)]);
    let before = cluster.0.image().clone();
    let mut records = cluster.0.create_topics(vec![topic("t", 1, 1)], moment(1)).records;
    records.push(records[0].clone());
    assert!(cluster.0.apply(&records).is_err());
    assert_eq!(*cluster.0.image(), before);
}

#[test]
fn applying_tells_what_changed() {
    let mut cluster = Cluster::of(&[(1, None)]);
    let records = cluster.0.create_topics(vec![topic("t", 2, 1)], moment(1)).records;
    let step = cluster.0.apply(&records).unwrap();
    assert_eq!(step.before.topic_count(), 0);
    assert_eq!(step.topics_created().map(|topic| &*topic.name).collect::<Vec<_>>(), ["t"]);
    assert_eq!(step.partitions().map(|partition| partition.index).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(step.next, *cluster.0.image());
}

/// A command with few names to choose from, so that commands meet.
#[derive(Clone, Debug)]
enum Command {
    Register(i32, u8, bool),
    Unfence(i32),
    Fence(i32),
    Create(Vec<NewTopic>),
    Grow(Vec<MorePartitions>),
    Delete(Vec<TopicRef>),
    Alter(Vec<(ConfigResource, Vec<ConfigChange>)>),
    Replace(Vec<(ConfigResource, NewConfigs)>),
    ProducerIds(i32),
}

fn commands() -> impl Strategy<Value = Command> {
    let name =
        || prop::sample::select(vec!["a", "b.c", "b_c", "d", "__consumer_offsets", "a b"]).prop_map(str::to_owned);
    let node = || 1..4i32;
    let nodes = || prop::collection::vec(node().prop_map(NodeId), 0..4);
    let key = || {
        let keys = vec!["retention.ms", "cleanup.policy", "log.retention.ms", "min.insync.replicas", "nope"];
        prop::sample::select(keys).prop_map(str::to_owned)
    };
    let value = || {
        let values = vec![Some("1"), Some("2"), Some("delete"), Some("compact"), Some(""), None];
        prop::sample::select(values).prop_map(|value| value.map(str::to_owned))
    };
    let configs = || prop::collection::vec((key(), value()), 0..3);
    let resource = || {
        let own = Just(ConfigResource::BrokerDefault);
        prop_oneof![
            3 => name().prop_map(ConfigResource::Topic),
            1 => node().prop_map(|id| ConfigResource::Broker(NodeId(id))),
            1 => own,
        ]
    };
    let op = prop::sample::select(vec![ConfigOp::Set, ConfigOp::Delete, ConfigOp::Append, ConfigOp::Subtract]);
    let change = (key(), op, value()).prop_map(|(name, op, value)| ConfigChange { name, op, value });
    let counts = (prop::option::of(-1..5i32), prop::option::of(-1..4i16));
    let assignments = prop_oneof![3 => Just(vec![]), 1 => prop::collection::vec((0..3i32, nodes()), 1..3)];
    let new = (name(), counts, assignments, configs()).prop_map(
        |(name, (partitions, replication_factor), assignments, configs)| NewTopic {
            name,
            partitions,
            replication_factor,
            assignments,
            configs,
        },
    );
    let more = (name(), 0..9i32, prop::option::weighted(0.3, prop::collection::vec(nodes(), 1..3)))
        .prop_map(|(topic, count, assignments)| MorePartitions { topic, count, assignments });
    prop_oneof![
        (node(), any::<u8>(), any::<bool>()).prop_map(|(id, life, clean)| Command::Register(id, life, clean)),
        node().prop_map(Command::Unfence),
        node().prop_map(Command::Fence),
        prop::collection::vec(new, 1..4).prop_map(Command::Create),
        prop::collection::vec(more, 1..3).prop_map(Command::Grow),
        prop::collection::vec(name().prop_map(TopicRef::Name), 1..3).prop_map(Command::Delete),
        prop::collection::vec((resource(), prop::collection::vec(change, 0..3)), 1..3).prop_map(Command::Alter),
        prop::collection::vec((resource(), configs()), 1..3).prop_map(Command::Replace),
        node().prop_map(Command::ProducerIds),
    ]
}

fn decide(controller: &Controller, command: Command, seed: u64) -> Vec<Record> {
    let epoch = |id: i32| controller.image().broker(NodeId(id)).map_or(0, |broker| broker.epoch);
    match command {
        Command::Register(id, life, clean_stop) => {
            let registration = Registration { clean_stop, ..registration(id, life, None) };
            controller.register_broker(registration).unwrap().records
        }
        Command::Unfence(id) => {
            controller.unfence_broker(NodeId(id), epoch(id)).map_or(vec![], |decision| decision.records)
        }
        // Nobody decides on a fence yet, but partitions without an active replica have to be lived with.
        Command::Fence(id) if controller.image().broker(NodeId(id)).is_some() => {
            let (id, epoch) = (NodeId(id), epoch(id));
            vec![Record::BrokerChanged(BrokerChangedRecord { id, epoch, fenced: Some(true), shutting_down: None })]
        }
        Command::Fence(_) => vec![],
        Command::Create(items) => controller.create_topics(items, moment(seed)).records,
        Command::Grow(items) => controller.create_partitions(items, moment(seed)).records,
        Command::Delete(items) => controller.delete_topics(items).records,
        Command::Alter(items) => controller.alter_configs(items).records,
        Command::Replace(items) => controller.replace_configs(items).records,
        Command::ProducerIds(id) => {
            controller.allocate_producer_ids(NodeId(id), epoch(id)).map_or(vec![], |decision| decision.records)
        }
    }
}

proptest! {
    #[test]
    fn whatever_is_decided_replays_here_and_from_a_snapshot(
        commands in prop::collection::vec((commands(), any::<u64>()), 1..40),
    ) {
        let mut controller = Cluster::of(&[(1, None), (2, None)]).0;
        let mut log = Vec::new();
        let base = controller.image().clone();
        for (command, seed) in commands {
            let records = decide(&controller, command, seed);
            let applied = controller.apply(&records);
            prop_assert!(applied.is_ok(), "{applied:?}");
            log.extend(records);
        }
        let mut again = Controller::new(base);
        again.apply(&log).unwrap();
        prop_assert_eq!(again.image(), controller.image(), "in one step or in many");
        let mut restored = empty();
        let snapshot: Vec<Record> = controller.image().to_records().collect();
        restored.apply(&snapshot).unwrap();
        prop_assert_eq!(restored.image(), controller.image(), "from a snapshot");
    }
}
