use model::NodeId;

use super::*;
use crate::controller::tests::{Cluster, moment, topic};

/// Broker 1 and topics `t` and `u`.
fn cluster() -> Cluster {
    let mut cluster = Cluster::of(&[(1, None)]);
    let decision = cluster.0.create_topics(vec![topic("t", 1, 1), topic("u", 1, 1)], moment(1));
    cluster.commit(decision);
    cluster
}

fn on(topic: &str) -> ConfigResource {
    ConfigResource::Topic(topic.to_owned())
}

fn change(op: ConfigOp, name: &str, value: &str) -> ConfigChange {
    ConfigChange { name: name.to_owned(), op, value: (op != ConfigOp::Delete).then(|| value.to_owned()) }
}

fn alter(cluster: &mut Cluster, resource: ConfigResource, changes: &[ConfigChange]) -> Result<(), CommandError> {
    let decision = cluster.0.alter_configs(vec![(resource, changes.to_vec())]);
    assert!(decision.reply[0].is_ok() || decision.records.is_empty(), "a refused change leaves no record");
    cluster.commit(decision).remove(0)
}

fn overrides(cluster: &Cluster, resource: &ConfigResource) -> Vec<(String, String)> {
    let set = cluster.0.image().overrides(resource).cloned().unwrap_or_default();
    set.into_iter().collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn a_change_is_one_record_and_no_change_is_none() {
    let mut cluster = cluster();
    let set = [change(ConfigOp::Set, "retention.ms", "5000")];
    let decision = cluster.0.alter_configs(vec![(on("t"), set.to_vec())]);
    let record = ConfigRecord { resource: on("t"), name: "retention.ms".to_owned(), value: Some("5000".to_owned()) };
    assert_eq!(decision.records, [Record::Config(record.clone())]);
    assert_eq!(cluster.commit(decision), [Ok(())]);
    assert_eq!(cluster.0.image().topic_by_name("t").unwrap().config.retention_ms, 5000);
    assert!(cluster.0.alter_configs(vec![(on("t"), set.to_vec())]).records.is_empty());

    let delete = vec![change(ConfigOp::Delete, "retention.ms", ""), change(ConfigOp::Delete, "no.such.config", "")];
    let decision = cluster.0.alter_configs(vec![(on("t"), delete)]);
    assert_eq!(decision.records, [Record::Config(ConfigRecord { value: None, ..record })]);
    assert_eq!(cluster.commit(decision), [Ok(())]);
    assert_eq!(overrides(&cluster, &on("t")), []);
}

/// As Apache Kafka 4.4.0 answers on `cleanup.policy`, which we cannot set freely.
#[test]
fn append_and_subtract_start_from_what_is_in_effect() {
    let mut cluster = cluster();
    let name = "follower.replication.throttled.replicas";
    let mut step = |op, value: &str| {
        alter(&mut cluster, on("t"), &[change(op, name, value)]).unwrap();
        overrides(&cluster, &on("t"))
    };
    assert_eq!(step(ConfigOp::Append, "0:1, 1:1"), pairs(&[(name, "0:1,1:1")]));
    assert_eq!(step(ConfigOp::Append, "1:1,2:1,2:1"), pairs(&[(name, "0:1,1:1,2:1")]));
    assert_eq!(step(ConfigOp::Subtract, "1:1,9:9"), pairs(&[(name, "0:1,2:1")]));
    assert_eq!(step(ConfigOp::Subtract, "0:1,2:1"), pairs(&[(name, "")]));
    alter(&mut cluster, on("u"), &[change(ConfigOp::Append, "cleanup.policy", "delete")]).unwrap();
    assert_eq!(overrides(&cluster, &on("u")), pairs(&[("cleanup.policy", "delete")]));
    alter(&mut cluster, on("u"), &[change(ConfigOp::Subtract, "cleanup.policy", "delete")]).unwrap();
    assert_eq!(overrides(&cluster, &on("u")), pairs(&[("cleanup.policy", "")]));
}

/// Answers of Apache Kafka 4.4.0.
#[test]
fn changes_are_refused_in_kafkas_words() {
    use CommandError::*;
    use ConfigOp::{Append, Set, Subtract};
    let mut cluster = cluster();
    let broker = |id| ConfigResource::Broker(NodeId(id));
    let nulls = ["retention.ms", "segment.ms"].map(|name| ConfigChange { value: None, ..change(Set, name, "") });
    let twice = [change(Set, "retention.ms", "1"), change(Set, "retention.ms", "2")];
    let bad_name = "Topic name is invalid: 'a b' contains one or more characters other than ASCII alphanumerics, '.', \
                    '_' and '-'";
    let one = |op, name, value| vec![change(op, name, value)];
    for (resource, changes, error) in [
        (
            on("nope"),
            one(Set, "retention.ms", "1"),
            UnknownTopicOrPartition("The topic 'nope' does not exist.".to_owned()),
        ),
        (on("a b"), one(Set, "retention.ms", "1"), InvalidTopic(bad_name.to_owned())),
        (on("t"), one(Set, "nope", "1"), InvalidConfig("Unknown topic config name: nope".to_owned())),
        (on("t"), nulls.to_vec(), InvalidRequest("Null value not supported for : retention.ms, segment.ms".to_owned())),
        (on("t"), twice.to_vec(), InvalidRequest("Error due to duplicate config keys".to_owned())),
        (
            on("t"),
            one(Append, "retention.ms", "1"),
            InvalidConfig("Can't APPEND to key retention.ms because its type is not LIST.".to_owned()),
        ),
        (
            on("t"),
            one(Subtract, "nope", "1"),
            InvalidConfig("Can't SUBTRACT to key nope because its type is not LIST.".to_owned()),
        ),
        (
            on("t"),
            one(Append, "cleanup.policy", ""),
            InvalidConfig("Configuration 'cleanup.policy' values must not be empty.".to_owned()),
        ),
        (
            broker(1),
            one(Append, "log.retention.ms", "1"),
            InvalidConfig("Config value append is not allowed for config key: log.retention.ms".to_owned()),
        ),
        (broker(77), one(Set, "log.retention.ms", "1"), BrokerIdNotRegistered("No node with id 77 found.".to_owned())),
        (
            broker(1),
            one(Set, "num.partitions", "5"),
            InvalidRequest("Cannot update these configs dynamically: [num.partitions]".to_owned()),
        ),
    ] {
        assert_eq!(alter(&mut cluster, resource, &changes), Err(error));
    }
    let groups = alter(&mut cluster, ConfigResource::Group("g".to_owned()), &one(Set, "a", "1"));
    assert!(matches!(groups, Err(InvalidRequest(_))));
}

#[test]
fn a_resource_changes_as_a_whole_or_not_at_all() {
    let mut cluster = cluster();
    let good_then_bad = [change(ConfigOp::Set, "retention.ms", "1"), change(ConfigOp::Set, "segment.bytes", "x")];
    assert!(alter(&mut cluster, on("t"), &good_then_bad).is_err());
    assert_eq!(overrides(&cluster, &on("t")), []);

    let set = |value: &str| vec![change(ConfigOp::Set, "retention.ms", value)];
    let decision = cluster.0.alter_configs(vec![(on("t"), set("x")), (on("u"), set("7"))]);
    assert!(decision.reply[0].is_err() && decision.reply[1].is_ok());
    assert_eq!(decision.records.len(), 1);

    let decision = cluster.0.alter_configs(vec![(on("t"), set("6")), (on("u"), set("7")), (on("t"), set("8"))]);
    let refused: Vec<bool> = decision.reply.iter().map(Result::is_err).collect();
    assert_eq!((refused, decision.records.len()), (vec![true, false, true], 1));
}

#[test]
fn compaction_cannot_be_switched_on_by_any_way() {
    let mut cluster = cluster();
    for changes in
        [[change(ConfigOp::Set, "cleanup.policy", "compact")], [change(ConfigOp::Append, "cleanup.policy", "compact")]]
    {
        let error = alter(&mut cluster, on("t"), &changes).unwrap_err();
        assert!(matches!(&error, CommandError::InvalidConfig(why) if why.contains("compaction")), "{error:?}");
    }
    let change = [change(ConfigOp::Append, "log.cleanup.policy", "compact")];
    for resource in [ConfigResource::BrokerDefault, ConfigResource::Broker(NodeId(1))] {
        let error = alter(&mut cluster, resource, &change).unwrap_err();
        assert!(matches!(&error, CommandError::InvalidRequest(why) if why.contains("compaction")), "{error:?}");
    }
}

#[test]
fn broker_configs_reach_topics_without_overrides() {
    let mut cluster = cluster();
    alter(&mut cluster, on("u"), &[change(ConfigOp::Set, "retention.ms", "9")]).unwrap();
    alter(&mut cluster, ConfigResource::BrokerDefault, &[change(ConfigOp::Set, "log.retention.ms", "5")]).unwrap();
    let retention = |cluster: &Cluster, name: &str| cluster.0.image().topic_by_name(name).unwrap().config.retention_ms;
    assert_eq!((retention(&cluster, "t"), retention(&cluster, "u")), (5, 9));
    let own = ConfigResource::Broker(NodeId(1));
    alter(&mut cluster, own, &[change(ConfigOp::Set, "log.retention.ms", "6")]).unwrap();
    assert_eq!((retention(&cluster, "t"), retention(&cluster, "u")), (6, 9));
}

#[test]
fn replacing_unsets_what_is_not_named() {
    let mut cluster = cluster();
    let changes = [change(ConfigOp::Set, "retention.ms", "5"), change(ConfigOp::Set, "segment.ms", "6")];
    alter(&mut cluster, on("t"), &changes).unwrap();
    let value = |name: &str, value: Option<&str>| (name.to_owned(), value.map(str::to_owned));
    let replace = |configs| cluster.0.replace_configs(vec![(on("t"), configs)]);
    let null = replace(vec![value("retention.ms", None)]);
    let refused = CommandError::InvalidRequest("Null value not supported for : retention.ms".to_owned());
    assert_eq!((null.reply, null.records), (vec![Err(refused)], vec![]));
    let decision = replace(vec![value("segment.ms", Some("6")), value("flush.ms", Some("7"))]);
    assert_eq!(decision.records.len(), 2, "segment.ms stays as it is");
    assert_eq!(cluster.commit(decision), [Ok(())]);
    assert_eq!(overrides(&cluster, &on("t")), pairs(&[("flush.ms", "7"), ("segment.ms", "6")]));
}
