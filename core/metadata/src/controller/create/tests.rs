use model::LeaderEpoch;

use super::*;
use crate::controller::tests::{Cluster, moment, topic};
use crate::record::{BrokerChangedRecord, PartitionRecord};

fn refusal(cluster: &Cluster, item: NewTopic) -> CommandError {
    let decision = cluster.0.create_topics(vec![item], moment(1));
    assert!(decision.records.is_empty(), "a refused topic leaves no record");
    decision.reply.into_iter().next().unwrap().unwrap_err()
}

fn nodes(ids: &[i32]) -> Vec<NodeId> {
    ids.iter().copied().map(NodeId).collect()
}

fn manual(assignments: &[(i32, &[i32])]) -> NewTopic {
    let assignments = assignments.iter().map(|(index, ids)| (*index, nodes(ids))).collect();
    NewTopic { partitions: None, replication_factor: None, assignments, ..topic("m", 1, 1) }
}

#[test]
fn a_topic_is_its_record_then_configs_then_partitions() {
    let mut cluster = Cluster::of(&[(1, None)]);
    let configs = vec![("retention.ms".to_owned(), Some("5000".to_owned()))];
    let decision = cluster.0.create_topics(vec![NewTopic { configs, ..topic("orders", 2, 1) }], moment(1));
    let created = decision.reply[0].clone().unwrap();
    let id = created.id;
    let partition = |index| {
        Record::Partition(PartitionRecord {
            topic: id,
            index,
            replicas: nodes(&[1]),
            isr: vec![],
            elr: vec![],
            directories: vec![],
            leader: Some(NodeId(1)),
            leader_epoch: LeaderEpoch(0),
            partition_epoch: 0,
        })
    };
    let config = ConfigRecord {
        resource: ConfigResource::Topic("orders".to_owned()),
        name: "retention.ms".to_owned(),
        value: Some("5000".to_owned()),
    };
    let head = Record::Topic(TopicRecord { id, name: "orders".to_owned() });
    assert_eq!(decision.records, [head, Record::Config(config), partition(0), partition(1)]);
    assert_eq!((created.name.as_str(), created.partitions, created.replication_factor), ("orders", 2, 1));
    let line = created.configs.iter().find(|line| line.name == "retention.ms").unwrap();
    assert_eq!(line.value.as_deref(), Some("5000"));
    cluster.commit(decision);
    assert_eq!(cluster.0.image().topic_by_name("orders").unwrap().config.retention_ms, 5000);
}

#[test]
fn counts_that_nobody_gave_come_from_the_brokers_configs() {
    let brokers = [(1, None), (2, None), (3, None)];
    let file = [("num.partitions", "4"), ("default.replication.factor", "3")];
    let cluster = Cluster::with_file(&brokers, &file);
    for (partitions, replication_factor) in [(None, None), (Some(-1), Some(-1))] {
        let item = NewTopic { partitions, replication_factor, ..topic("t", 1, 1) };
        let created = cluster.0.create_topics(vec![item], moment(1)).reply[0].clone().unwrap();
        assert_eq!((created.partitions, created.replication_factor), (4, 3));
    }
}

#[test]
fn another_moment_gives_another_id() {
    let cluster = Cluster::of(&[(1, None)]);
    let id = |moment| cluster.0.create_topics(vec![topic("t", 1, 1)], moment).reply[0].clone().unwrap().id;
    assert_eq!(id(moment(1)), id(moment(1)));
    assert_ne!(id(moment(1)), id(moment(2)));
    assert_ne!(id(moment(1)), id(Moment { now: model::TimestampMs(5), seed: 1 }));
}

/// Answers of Apache Kafka 4.4.0, but for the end of the first one, which speaks of directories we cannot cordon.
#[test]
fn topics_are_refused_in_kafkas_words() {
    use CommandError::*;
    let mut cluster = Cluster::of(&[(1, None)]);
    let decision = cluster.0.create_topics(vec![topic("a.b", 1, 1)], moment(1));
    cluster.commit(decision).remove(0).unwrap();
    let config = |name: &str, value: Option<&str>| {
        let configs = vec![(name.to_owned(), value.map(str::to_owned))];
        NewTopic { configs, ..topic("c", 1, 3) }
    };
    let (low_rf, low_count) = (
        "Replication factor must be larger than 0, or -1 to use the default value.",
        "Number of partitions was set to an invalid non-positive value.",
    );
    for (item, error) in [
        (
            topic("t", 1, 2),
            InvalidReplicationFactor(
                "Unable to replicate the partition 2 time(s): The target replication factor of 2 cannot be reached \
                 because only 1 broker(s) are registered."
                    .to_owned(),
            ),
        ),
        (topic("t", 1, 0), InvalidReplicationFactor(low_rf.to_owned())),
        (topic("t", 1, -2), InvalidReplicationFactor(low_rf.to_owned())),
        (topic("t", 0, 1), InvalidPartitions(low_count.to_owned())),
        (topic("t", -5, 1), InvalidPartitions(low_count.to_owned())),
        (topic("t", 10_001, 1), PolicyViolation("Excessively large number of partitions per request.".to_owned())),
        (topic("a.b", 1, 1), TopicAlreadyExists("Topic 'a.b' already exists.".to_owned())),
        (topic("a_b", 1, 1), InvalidTopic("Topic 'a_b' collides with existing topic: a.b".to_owned())),
        (
            topic("__cluster_metadata", 1, 1),
            InvalidRequest("Creation of internal topic __cluster_metadata is prohibited.".to_owned()),
        ),
        (config("nope", Some("1")), InvalidConfig("Unknown topic config name: nope".to_owned())),
        (
            config("retention.ms", None),
            InvalidConfig("Null value not supported for topic configs: retention.ms".to_owned()),
        ),
        (
            config("retention.ms", Some("x")),
            InvalidConfig("Invalid value x for configuration retention.ms: Not a number of type LONG".to_owned()),
        ),
    ] {
        assert_eq!(refusal(&cluster, item), error);
    }
}

#[test]
fn assignments_are_refused_in_kafkas_words() {
    let cluster = Cluster::of(&[(1, None), (2, None)]);
    for (item, why) in [
        (manual(&[(0, &[7])]), "The manual partition assignment includes broker 7, but no such broker is registered."),
        (manual(&[(0, &[1, 1])]), "The manual partition assignment includes the broker 1 more than once."),
        (manual(&[(0, &[])]), "The manual partition assignment includes an empty replica list."),
        (
            manual(&[(0, &[1]), (1, &[1, 2])]),
            "The manual partition assignment includes a partition with 2 replica(s), but this is not consistent with \
             previous partitions, which have 1 replica(s).",
        ),
        (manual(&[(0, &[1]), (2, &[1])]), "partitions should be a consecutive 0-based integer sequence"),
        (manual(&[(0, &[1]), (0, &[2])]), "Found multiple manual partition assignments for partition 0"),
    ] {
        assert_eq!(refusal(&cluster, item), CommandError::InvalidReplicaAssignment(why.to_owned()));
    }
    for item in [
        NewTopic { partitions: Some(1), ..manual(&[(0, &[1])]) },
        NewTopic { replication_factor: Some(1), ..manual(&[(0, &[1])]) },
    ] {
        assert!(matches!(refusal(&cluster, item), CommandError::InvalidRequest(_)));
    }
}

#[test]
fn an_assignment_leaves_inactive_brokers_out_of_the_isr() {
    let mut cluster = Cluster::of(&[(1, None), (2, None), (3, None)]);
    let epoch = cluster.epoch(2);
    let fence = BrokerChangedRecord { id: NodeId(2), epoch, fenced: Some(true), shutting_down: None };
    cluster.0.apply(&[Record::BrokerChanged(fence)]).unwrap();
    let decision = cluster.0.create_topics(vec![manual(&[(1, &[3, 1]), (0, &[2, 3])])], moment(1));
    let created = cluster.commit(decision).remove(0).unwrap();
    assert_eq!((created.partitions, created.replication_factor), (2, 2));
    let partition = |index| cluster.0.image().partition(created.id, index).unwrap();
    assert_eq!(partition(0).replicas.to_vec(), nodes(&[2, 3]));
    assert_eq!((partition(0).isr.to_vec(), partition(0).leader), (nodes(&[3]), Some(NodeId(3))));
    assert_eq!((partition(1).isr.to_vec(), partition(1).leader), (nodes(&[3, 1]), Some(NodeId(3))));
    let why = "All brokers specified in the manual partition assignment for partition 0 are fenced or in controlled \
               shutdown.";
    let error = refusal(&cluster, NewTopic { name: "n".to_owned(), ..manual(&[(0, &[2])]) });
    assert_eq!(error, CommandError::InvalidReplicaAssignment(why.to_owned()));
    let error = refusal(&cluster, topic("n", 1, 3));
    assert!(error.message().ends_with("because only 2 of 3 registered broker(s) are active."), "{error}");
}

#[test]
fn topics_of_one_request_see_each_other() {
    let cluster = Cluster::of(&[(1, None)]);
    let names = ["a.b", "twice", "a_b", "twice", "fine"];
    let decision = cluster.0.create_topics(names.map(|name| topic(name, 1, 1)).to_vec(), moment(1));
    let errors: Vec<_> = decision.reply.iter().map(|reply| reply.as_ref().err()).collect();
    let duplicate = CommandError::InvalidRequest("Duplicate topic name.".to_owned());
    let collides = CommandError::InvalidTopic("Topic 'a_b' collides with existing topic: a.b".to_owned());
    assert_eq!(errors, [None, Some(&duplicate), Some(&collides), Some(&duplicate), None]);
    assert_eq!(decision.records.len(), 4);
    let halves = vec![topic("p", 6000, 1), topic("q", 6000, 1)];
    let decision = cluster.0.create_topics(halves, moment(1));
    assert!(decision.reply.iter().all(|reply| matches!(reply, Err(CommandError::PolicyViolation(_)))));
}

#[test]
fn compaction_is_for_the_brokers_own_topics_only() {
    let mut cluster = Cluster::of(&[(1, None)]);
    let compact = |name: &str| {
        let configs = [("cleanup.policy", "compact"), ("compression.type", "producer"), ("segment.bytes", "104857600")];
        let configs = configs.map(|(name, value)| (name.to_owned(), Some(value.to_owned()))).to_vec();
        NewTopic { configs, ..topic(name, 50, 1) }
    };
    let error = refusal(&cluster, compact("orders"));
    assert!(matches!(&error, CommandError::InvalidConfig(why) if why.contains("compaction")), "{error:?}");
    let decision = cluster.0.create_topics(vec![compact("__consumer_offsets")], moment(1));
    let created = cluster.commit(decision).remove(0).unwrap();
    let offsets = cluster.0.image().topic_by_id(created.id).unwrap();
    assert!(offsets.config.cleanup_policy.compact && offsets.is_internal());
    assert_eq!(offsets.config.segment_bytes, 104_857_600);
}
