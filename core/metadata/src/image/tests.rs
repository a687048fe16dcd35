use model::LeaderEpoch;

use super::*;
use crate::delta::{Delta, Step};
use crate::record::*;

fn id(n: u32) -> TopicId {
    // Spread like random ids, so that topics land all over the map.
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&n.wrapping_mul(0x9e37_79b9).to_be_bytes());
    TopicId(bytes)
}

fn empty() -> Image {
    Image::empty(NodeId(1), Arc::default())
}

fn topic(n: u32, name: &str) -> Record {
    Record::Topic(TopicRecord { id: id(n), name: name.to_owned() })
}

fn removed(n: u32) -> Record {
    Record::TopicRemoved(TopicRemovedRecord { id: id(n) })
}

fn partition_record(n: u32, index: i32, replicas: &[i32]) -> PartitionRecord {
    let replicas: Vec<NodeId> = replicas.iter().copied().map(NodeId).collect();
    PartitionRecord {
        topic: id(n),
        index,
        leader: replicas.first().copied(),
        replicas,
        isr: vec![],
        elr: vec![],
        directories: vec![],
        leader_epoch: LeaderEpoch(0),
        partition_epoch: 0,
    }
}

fn partition(n: u32, index: i32) -> Record {
    Record::Partition(partition_record(n, index, &[1, 2, 3]))
}

fn isr(n: u32, index: i32, isr: &[i32]) -> Record {
    let isr = Some(isr.iter().copied().map(NodeId).collect());
    Record::PartitionChange(PartitionChangeRecord { isr, ..PartitionChangeRecord::of(id(n), index) })
}

fn step(image: &Image, records: impl IntoIterator<Item = Record>) -> Step {
    let mut delta = Delta::new(image);
    records.into_iter().for_each(|record| delta.replay(&record).unwrap());
    delta.finish()
}

fn refused(image: &Image, record: Record) -> ReplayError {
    let mut delta = Delta::new(image);
    let error = delta.replay(&record).unwrap_err();
    let step = delta.finish();
    assert_eq!(step.next, *image, "a refused record changes nothing");
    assert_eq!(step.partitions().count(), 0);
    error
}

#[test]
fn topics_are_found_by_id_and_by_name_in_order() {
    let names = ["b", "a", "c.d", "ab"];
    let records = (0..).zip(names).flat_map(|(n, name)| [topic(n, name), partition(n, 0), partition(n, 1)]);
    let image = step(&empty(), records).next;
    let shown: Vec<&str> = image.topics().map(|topic| &*topic.name).collect();
    assert_eq!(shown, ["a", "ab", "b", "c.d"]);
    let from: Vec<&str> = image.topics_from("aa").map(|topic| &*topic.name).collect();
    assert_eq!(from, ["ab", "b", "c.d"]);
    assert_eq!((image.topic_count(), image.partition_count()), (4, 8));
    assert_eq!(image.topic_id("c.d"), Some(id(2)));
    assert_eq!(&*image.topic_by_id(id(0)).unwrap().name, "b");
    assert_eq!(image.partition(id(0), 1).unwrap().leader, Some(NodeId(1)));
    for missing in [-1, 2, i32::MIN] {
        assert!(image.partition(id(0), missing).is_none());
    }
}

#[test]
fn a_name_collides_until_its_topic_is_gone() {
    let image = step(&empty(), [topic(1, "a.b")]).next;
    assert_eq!(image.colliding_topic("a_b"), Some("a.b"));
    assert_eq!((image.colliding_topic("a.b"), image.colliding_topic("a-b")), (None, None));
    let image = step(&image, [removed(1)]).next;
    assert_eq!(image.colliding_topic("a_b"), None);
    assert_eq!(image, empty());
}

#[test]
fn records_that_do_not_follow_are_refused() {
    let image = step(&empty(), [topic(1, "a"), partition(1, 0)]).next;
    let bad = |change: PartitionRecord| refused(&image, Record::Partition(change));
    assert_eq!(refused(&image, topic(2, "a")), ReplayError::TopicExists("a".to_owned()));
    assert_eq!(refused(&image, topic(1, "b")), ReplayError::TopicExists("b".to_owned()));
    assert_eq!(refused(&image, removed(2)), ReplayError::UnknownTopic(id(2)));
    assert_eq!(refused(&image, partition(2, 0)), ReplayError::UnknownTopic(id(2)));
    for index in [-1, 0, 2] {
        let expected = ReplayError::PartitionOutOfOrder { topic: id(1), index, expected: 1 };
        assert_eq!(refused(&image, partition(1, index)), expected);
    }
    for index in [-1, 1] {
        let expected = ReplayError::UnknownPartition { topic: id(1), index };
        assert_eq!(refused(&image, isr(1, index, &[1])), expected);
    }
    let good = || partition_record(1, 1, &[1, 2]);
    for broken in [
        partition_record(1, 1, &[]),
        partition_record(1, 1, &[1, 1]),
        PartitionRecord { isr: vec![NodeId(1), NodeId(1)], ..good() },
        PartitionRecord { isr: vec![NodeId(1), NodeId(3)], ..good() },
        PartitionRecord { elr: vec![NodeId(3)], ..good() },
        PartitionRecord { isr: vec![NodeId(2)], ..good() },
        PartitionRecord { leader: Some(NodeId(3)), ..good() },
        PartitionRecord { directories: vec![crate::DirectoryId([1; 16])], ..good() },
    ] {
        assert!(matches!(bad(broken), ReplayError::BadPartition { index: 1, .. }));
    }
    assert!(matches!(refused(&image, isr(1, 0, &[])), ReplayError::BadPartition { .. }), "nobody in sync");
    assert!(matches!(refused(&image, isr(1, 0, &[2])), ReplayError::BadPartition { .. }), "leader out of sync");
    let name = "nope".to_owned();
    let resource = ConfigResource::Topic(name.clone());
    let config = ConfigRecord { resource, name: "retention.ms".to_owned(), value: None };
    assert_eq!(refused(&image, Record::Config(config)), ReplayError::UnknownTopicName(name));
    let (id, epoch) = (NodeId(9), 0);
    let changed = BrokerChangedRecord { id, epoch, fenced: None, shutting_down: None };
    assert_eq!(refused(&image, Record::BrokerChanged(changed)), ReplayError::UnknownBroker(id));
    let left = BrokerUnregisteredRecord { id, epoch };
    assert_eq!(refused(&image, Record::BrokerUnregistered(left)), ReplayError::UnknownBroker(id));
    let cluster = |name: &str| Record::Cluster(ClusterRecord { cluster_id: name.to_owned() });
    let image = step(&image, [cluster("c")]).next;
    assert_eq!(step(&image, [cluster("c")]).next, image);
    assert_eq!(refused(&image, cluster("d")), ReplayError::ClusterIdChanged("c".to_owned()));
}

#[test]
fn epochs_grow_with_every_change_and_every_election() {
    let image = step(&empty(), [topic(1, "a"), partition(1, 0)]).next;
    let epochs = |image: &Image| {
        let partition = image.partition(id(1), 0).unwrap();
        (partition.leader_epoch.0, partition.partition_epoch)
    };
    let image = step(&image, [isr(1, 0, &[1, 2])]).next;
    assert_eq!(epochs(&image), (0, 1));
    let again =
        PartitionChangeRecord { leader: Some(LeaderChange::To(NodeId(1))), ..PartitionChangeRecord::of(id(1), 0) };
    let image = step(&image, [Record::PartitionChange(again)]).next;
    assert_eq!(epochs(&image), (1, 2), "even where the leader is the same");
    let image = step(&image, [Record::LeadersRestarted(LeadersRestartedRecord { broker: NodeId(2) })]).next;
    assert_eq!(epochs(&image), (1, 2), "broker 2 leads nothing");
    let image = step(&image, [Record::LeadersRestarted(LeadersRestartedRecord { broker: NodeId(1) })]).next;
    assert_eq!(epochs(&image), (2, 3));
    assert_eq!(image.partition(id(1), 0).unwrap().isr.to_vec(), [NodeId(1), NodeId(2)]);
}

#[test]
fn neighbours_share_their_lists() {
    let records = [topic(1, "a"), partition(1, 0), partition(1, 1), isr(1, 1, &[1]), isr(1, 1, &[1, 2, 3])];
    let image = step(&empty(), records).next;
    let (first, second) = (image.partition(id(1), 0).unwrap(), image.partition(id(1), 1).unwrap());
    assert!(Arc::ptr_eq(&first.replicas, &first.isr));
    assert!(Arc::ptr_eq(&first.replicas, &second.replicas));
    assert!(Arc::ptr_eq(&second.replicas, &second.isr), "also once the ISR is whole again");
}

/// What the step from one image to the next had to copy, all told.
fn copied(before: &Image, next: &Image) -> usize {
    let topics = next.topics().map(|topic| {
        let old = before.topic_by_id(topic.id);
        old.filter(|old| !Arc::ptr_eq(old, topic)).map_or(0, |old| topic.partitions.copied_since(&old.partitions))
    });
    next.topics.copied_since(&before.topics)
        + next.topic_ids.copied_since(&before.topic_ids)
        + next.collision_keys.copied_since(&before.collision_keys)
        + topics.sum::<usize>()
}

/// 100,000 partitions, in the shapes that clusters have them in: in few topics and in many.
fn shapes() -> [(u32, i32); 3] {
    [(1, 100_000), (1000, 100), (100_000, 1)]
}

fn of_shape(topics: u32, partitions: i32) -> Image {
    let of_topic = |n: u32| {
        let partitions = (0..partitions).map(move |index| partition(n, index));
        std::iter::once(topic(n, &format!("topic.{n}"))).chain(partitions)
    };
    step(&empty(), (0..topics).flat_map(of_topic)).next
}

/// Most of it is the lists of chunks: 1,000 to 1,500 places each, of three maps where a topic comes. Without sharing it
/// would be 100,000 and more.
#[test]
fn one_change_among_100_000_partitions_copies_next_to_nothing() {
    const BOUND: usize = 6000;
    for (topics, partitions) in shapes() {
        let image = of_shape(topics, partitions);
        assert_eq!(image.partition_count(), 100_000);
        let some = topics / 2;
        for change in [
            vec![isr(some, partitions - 1, &[1, 2])],
            vec![partition(some, partitions)],
            vec![topic(topics, "another.one"), partition(topics, 0)],
            vec![removed(some)],
        ] {
            let next = step(&image, change.clone()).next;
            let copied = copied(&image, &next);
            assert!(copied < BOUND, "{topics} topics: {copied} copied by {change:?}");
        }
        let broker = BrokerRegisteredRecord {
            id: NodeId(1),
            epoch: 0,
            incarnation: crate::IncarnationId([1; 16]),
            endpoints: vec![],
            rack: None,
            directories: vec![],
            fenced: true,
            shutting_down: false,
        };
        assert_eq!(copied(&image, &step(&image, [Record::BrokerRegistered(broker)]).next), 0);
    }
}

#[test]
fn a_snapshot_of_100_000_partitions_gives_the_same_image() {
    let image = of_shape(1000, 100);
    assert!(step(&empty(), image.to_records()).next == image);
}
