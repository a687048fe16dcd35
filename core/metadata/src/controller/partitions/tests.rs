use super::*;
use crate::controller::tests::{Cluster, moment, topic};

fn more(topic: &str, count: i32, assignments: Option<&[&[i32]]>) -> MorePartitions {
    let nodes = |ids: &&[i32]| ids.iter().copied().map(NodeId).collect();
    let assignments = assignments.map(|lists| lists.iter().map(nodes).collect());
    MorePartitions { topic: topic.to_owned(), count, assignments }
}

/// Three brokers and a topic `t` of three partitions with two replicas each.
fn cluster() -> Cluster {
    let mut cluster = Cluster::of(&[(1, None), (2, None), (3, None)]);
    let decision = cluster.0.create_topics(vec![topic("t", 3, 2)], moment(1));
    cluster.commit(decision).remove(0).unwrap();
    cluster
}

#[test]
fn added_partitions_follow_those_there_and_keep_the_topic_even() {
    let mut cluster = cluster();
    let decision = cluster.0.create_partitions(vec![more("t", 6, None)], moment(2));
    let index = |record: &Record| if let Record::Partition(record) = record { record.index } else { -1 };
    let indexes: Vec<i32> = decision.records.iter().map(index).collect();
    assert_eq!(indexes, [3, 4, 5]);
    assert_eq!(cluster.commit(decision), [Ok(())]);
    let topic = cluster.0.image().topic_by_name("t").unwrap();
    for id in 1..=3 {
        assert_eq!(topic.partitions.iter().filter(|partition| partition.leader == Some(NodeId(id))).count(), 2);
        assert_eq!(topic.partitions.iter().filter(|partition| partition.replicas.contains(&NodeId(id))).count(), 4);
    }
}

#[test]
fn assigned_partitions_go_where_the_client_said() {
    let mut cluster = cluster();
    let decision = cluster.0.create_partitions(vec![more("t", 5, Some(&[&[3, 1], &[2, 3]]))], moment(2));
    assert_eq!(cluster.commit(decision), [Ok(())]);
    let topic = cluster.0.image().topic_by_name("t").unwrap();
    assert_eq!(topic.partition(3).unwrap().replicas.to_vec(), [NodeId(3), NodeId(1)]);
    assert_eq!(topic.partition(4).unwrap().leader, Some(NodeId(2)));
}

/// Answers of Apache Kafka 4.4.0.
#[test]
fn partitions_are_refused_in_kafkas_words() {
    use CommandError::*;
    let cluster = cluster();
    for (item, error) in [
        (more("t", 3, None), InvalidPartitions("Topic already has 3 partition(s).".to_owned())),
        (
            more("t", 0, None),
            InvalidPartitions("The topic t currently has 3 partition(s); 0 would not be an increase.".to_owned()),
        ),
        (more("nope", 2, None), UnknownTopicOrPartition("This server does not host this topic-partition.".to_owned())),
        (
            more("t", 5, Some(&[&[1, 2]])),
            InvalidReplicaAssignment(
                "Attempted to add 2 additional partition(s), but only 1 assignment(s) were specified.".to_owned(),
            ),
        ),
        (
            more("t", 4, Some(&[&[1]])),
            InvalidReplicaAssignment(
                "The manual partition assignment includes a partition with 1 replica(s), but this is not consistent \
                 with previous partitions, which have 2 replica(s)."
                    .to_owned(),
            ),
        ),
        (
            more("t", 20_000, None),
            PolicyViolation("Excessively large number of additional partitions per request.".to_owned()),
        ),
    ] {
        let decision = cluster.0.create_partitions(vec![item], moment(2));
        assert_eq!((decision.reply, decision.records), (vec![Err(error)], vec![]));
    }
}

#[test]
fn a_topic_named_twice_is_not_changed() {
    let decision = cluster().0.create_partitions(vec![more("t", 4, None), more("t", 5, None)], moment(2));
    let duplicate = CommandError::InvalidRequest("Duplicate topic name.".to_owned());
    assert_eq!((decision.reply, decision.records), (vec![Err(duplicate.clone()), Err(duplicate)], vec![]));
}
