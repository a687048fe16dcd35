//! What is kept of groups and shown of them: committed offsets, descriptions, lists, deletion.

use wire::messages::delete_groups::DeleteGroupsRequest;
use wire::messages::describe_groups::DescribeGroupsRequest;
use wire::messages::list_groups::{ListGroupsRequest, ListGroupsResponse};
use wire::messages::offset_commit::{OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use wire::messages::offset_delete::{OffsetDeleteRequest, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use wire::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
    OffsetFetchResponse, OffsetFetchResponseTopics,
};

use super::groups::{Member, coordinated, members_in_order, stable, subscription};
use crate::requests::{Topic, make};
use crate::side::Side;

/// A commit of (partition, offset, metadata) for one topic, by nobody in particular.
fn commit(group: &str, (name, id): &Topic, parts: &[(i32, i64, Option<&str>)]) -> OffsetCommitRequest {
    let part = |(index, offset, metadata): &(i32, i64, Option<&str>)| {
        make!(OffsetCommitRequestPartition {
            partition_index: *index,
            committed_offset: *offset,
            committed_leader_epoch: -1,
            committed_metadata: metadata.map(Into::into),
        })
    };
    let topic = make!(OffsetCommitRequestTopic {
        name: name.as_str().into(),
        topic_id: *id,
        partitions: parts.iter().map(part).collect(),
    });
    make!(OffsetCommitRequest {
        group_id: group.into(),
        generation_id_or_member_epoch: -1,
        group_instance_id: None,
        retention_time_ms: -1,
        topics: vec![topic],
    })
}

fn by(member: &Member, request: OffsetCommitRequest) -> OffsetCommitRequest {
    make!(OffsetCommitRequest {
        member_id: member.id.as_str().into(),
        generation_id_or_member_epoch: member.generation,
        ..request
    })
}

/// Asks for the offsets of a group's topics, or of all, as the version says it.
fn offsets(group: &str, topics: Option<&[(&Topic, &[i32])]>, stable: bool, version: i16) -> OffsetFetchRequest {
    if version < 8 {
        let of = |((name, _), partitions): &(&Topic, &[i32])| {
            make!(OffsetFetchRequestTopic { name: name.as_str().into(), partition_indexes: partitions.to_vec() })
        };
        let topics = topics.map(|topics| topics.iter().map(of).collect());
        return make!(OffsetFetchRequest { group_id: group.into(), topics: topics, require_stable: stable });
    }
    let of = |((name, id), partitions): &(&Topic, &[i32])| {
        make!(OffsetFetchRequestTopics {
            name: name.as_str().into(),
            topic_id: *id,
            partition_indexes: partitions.to_vec(),
        })
    };
    let topics = topics.map(|topics| topics.iter().map(of).collect());
    let group = make!(OffsetFetchRequestGroup { group_id: group.into(), topics: topics });
    make!(OffsetFetchRequest { groups: vec![group], require_stable: stable })
}

/// Topics and partitions in order: Kafka's stand as its tables have them. Where topics have ids only, their offsets
/// tell them apart.
fn in_order(answer: &mut OffsetFetchResponse) {
    answer.topics.sort_by(|a, b| a.name.cmp(&b.name));
    for topic in &mut answer.topics {
        topic.partitions.sort_by_key(|partition| partition.partition_index);
    }
    for group in &mut answer.groups {
        for topic in &mut group.topics {
            topic.partitions.sort_by_key(|partition| partition.partition_index);
        }
        let first = |topic: &OffsetFetchResponseTopics| topic.partitions.first().map(|one| one.committed_offset);
        group.topics.sort_by_key(|topic| (topic.name.clone(), first(topic)));
    }
}

fn all_of(side: &mut Side, group: &str) {
    let version = 9.min(side.max_version(wire::ApiKey::OffsetFetch));
    side.ask_tidied("all that is committed", version, &offsets(group, None, false, version), in_order);
}

pub fn commits(side: &mut Side) {
    let topic = side.topic("t", 3, &[]);
    let missing: Topic = (side.name("missing"), [9; 16]);
    let group = side.name("g");
    coordinated(side, &group);
    let (long, longer) = ("m".repeat(4096), "m".repeat(4097));
    let simple = |parts: &[(i32, i64, Option<&str>)]| commit(&group, &topic, parts);
    side.every("by a simple consumer", |version| simple(&[(0, i64::from(version), Some("m"))]));
    side.every("without metadata", |_| simple(&[(1, 7, None)]));
    side.every("long metadata", |_| simple(&[(0, 7, Some(&long)), (1, 8, Some(&longer)), (2, 9, Some(""))]));
    side.every("odd offsets", |_| simple(&[(0, -1, None), (1, i64::MAX, None), (2, i64::MIN, None)]));
    side.every("unknown partitions", |_| simple(&[(3, 1, None), (-1, 1, None), (0, 2, None)]));
    side.every("a partition twice", |_| simple(&[(0, 3, Some("a")), (0, 4, Some("b"))]));
    side.every("no partition", |_| simple(&[]));
    side.every("no topic", |_| make!(OffsetCommitRequest { topics: Vec::new(), ..simple(&[]) }));
    side.every("an unknown topic", |_| commit(&group, &missing, &[(0, 1, None)]));
    side.every("a topic of no id", |_| commit(&group, &(topic.0.clone(), [0; 16]), &[(0, 1, None)]));
    side.every("one known and one not", |_| {
        let mut request = commit(&group, &missing, &[(0, 1, None)]);
        request.topics.extend(simple(&[(0, 5, None)]).topics);
        request
    });
    side.every("a leader epoch", |_| {
        let mut request = simple(&[(0, 5, None)]);
        request.topics[0].partitions[0].committed_leader_epoch = 3;
        request
    });
    for retention in [0, 1_000_000, -2] {
        side.every("retention", |_| {
            make!(OffsetCommitRequest { retention_time_ms: retention, ..simple(&[(0, 5, None)]) })
        });
    }
    all_of(side, &group);
    side.every("without a group", |_| commit("", &topic, &[(0, 1, None)]));
    for (generation, id) in [(0, ""), (3, ""), (-1, "nobody"), (1, "nobody"), (0, "nobody")] {
        let as_member = |request: OffsetCommitRequest| {
            make!(OffsetCommitRequest { member_id: id.into(), generation_id_or_member_epoch: generation, ..request })
        };
        side.every(&format!("generation {generation} as {id}, of an empty group"), |_| {
            as_member(simple(&[(0, 1, None)]))
        });
        side.every(&format!("generation {generation} as {id}, of no group"), |_| {
            as_member(commit("never", &topic, &[(0, 1, None)]))
        });
    }
    let active = side.name("active");
    let member = stable(side, &active, "consumer", b"m");
    let in_active = |parts: &[(i32, i64, Option<&str>)]| commit(&active, &topic, parts);
    side.every("by a member", |version| by(&member, in_active(&[(0, i64::from(version), Some("m"))])));
    side.every("by nobody in an active group", |_| in_active(&[(0, 1, None)]));
    for (generation, id) in [(0, &*member.id), (9, &*member.id), (-1, &*member.id), (1, "nobody"), (1, "")] {
        let wrong = Member { group: active.clone(), id: id.to_owned(), generation };
        side.every("by a wrong member", |_| by(&wrong, in_active(&[(0, 1, None)])));
    }
    side.every("by an instance that is none", |_| {
        make!(OffsetCommitRequest { group_instance_id: Some("i".into()), ..by(&member, in_active(&[(0, 1, None)])) })
    });
    all_of(side, &active);
}

pub fn fetches(side: &mut Side) {
    let topic = side.topic("t", 3, &[]);
    let other = side.topic("u", 1, &[]);
    let missing: Topic = (side.name("missing"), [9; 16]);
    let (group, second) = (side.name("g"), side.name("h"));
    coordinated(side, &group);
    coordinated(side, &second);
    side.prepare(&commit(&group, &topic, &[(0, 5, Some("m")), (2, 0, None)]));
    side.prepare(&commit(&group, &other, &[(0, 1, Some(""))]));
    side.prepare(&commit(&second, &topic, &[(1, 6, None)]));
    for stable in [false, true] {
        let mut ask = |step: &str, group: &str, topics: Option<&[(&Topic, &[i32])]>| {
            side.every_tidied(step, |version| offsets(group, topics, stable, version), in_order);
        };
        ask("some", &group, Some(&[(&topic, &[0, 1, 2])]));
        ask("two topics", &group, Some(&[(&topic, &[2]), (&other, &[0])]));
        ask("unknown ones", &group, Some(&[(&topic, &[9, -1]), (&missing, &[0])]));
        ask("a partition twice", &group, Some(&[(&topic, &[0, 0])]));
        ask("a topic of no id", &group, Some(&[(&(topic.0.clone(), [0; 16]), &[0])]));
        ask("a topic twice", &group, Some(&[(&topic, &[0]), (&topic, &[2])]));
        ask("no partition", &group, Some(&[(&topic, &[])]));
        ask("no topic", &group, Some(&[]));
        ask("all", &group, None);
        ask("some of no group", "never", Some(&[(&topic, &[0])]));
        ask("all of no group", "never", None);
        ask("some without a group", "", Some(&[(&topic, &[0])]));
        ask("all without a group", "", None);
    }
    for version in 8..=side.max_version(wire::ApiKey::OffsetFetch) {
        let several = |names: &[&str]| {
            let groups = names.iter().flat_map(|name| offsets(name, None, false, version).groups).collect();
            make!(OffsetFetchRequest { groups: groups })
        };
        for names in [&[][..], &[&*group, &*second], &[&*group, &*group], &["never", &*second, ""]] {
            side.ask_tidied("several groups", version, &several(names), in_order);
        }
        for (id, epoch) in [("nobody", 1), ("nobody", -1), ("", 1), ("", -1)] {
            let mut request = offsets(&group, Some(&[(&topic, &[0])]), false, version);
            request.groups[0].member_id = (version >= 9).then(|| id.into());
            request.groups[0].member_epoch = if version >= 9 { epoch } else { -1 };
            side.ask_tidied("as a member", version, &request, in_order);
        }
    }
}

pub fn offset_delete(side: &mut Side) {
    let topic = side.topic("t", 2, &[]);
    let other = side.topic("u", 1, &[]);
    let delete = |group: &str, parts: &[(&str, &[i32])]| {
        let of = |(name, partitions): &(&str, &[i32])| {
            let partitions = partitions.iter().map(|at| OffsetDeleteRequestPartition { partition_index: *at });
            OffsetDeleteRequestTopic { name: (*name).into(), partitions: partitions.collect() }
        };
        OffsetDeleteRequest { group_id: group.into(), topics: parts.iter().map(of).collect() }
    };
    let (empty, active, foreign) = (side.name("empty"), side.name("active"), side.name("foreign"));
    coordinated(side, &empty);
    side.prepare(&commit(&empty, &topic, &[(0, 5, None), (1, 6, None)]));
    let member = stable(side, &active, "consumer", &subscription(&[&topic.0]));
    side.prepare(&by(&member, commit(&active, &topic, &[(0, 5, None)])));
    side.prepare(&by(&member, commit(&active, &other, &[(0, 5, None)])));
    let foreigner = stable(side, &foreign, "connect", b"opaque");
    side.prepare(&by(&foreigner, commit(&foreign, &topic, &[(0, 5, None)])));
    for group in [&*empty, &*active, &*foreign, "never", ""] {
        let mut ask = |step: &str, parts: &[(&str, &[i32])]| side.every(step, |_| delete(group, parts));
        ask("deletes some", &[(&topic.0, &[0])]);
        ask("deletes of another topic", &[(&other.0, &[0])]);
        ask("deletes unknown ones", &[(&topic.0, &[7, -1, 1]), ("missing", &[0])]);
        ask("deletes none", &[(&topic.0, &[])]);
        ask("deletes nothing", &[]);
        ask("deletes twice", &[(&topic.0, &[1, 1])]);
    }
    for group in [&empty, &active, &foreign] {
        all_of(side, group);
    }
}

pub fn describe_and_list(side: &mut Side) {
    let topic = side.topic("t", 1, &[]);
    let (simple, active, foreign) = (side.name("simple"), side.name("active"), side.name("foreign"));
    coordinated(side, &simple);
    side.prepare(&commit(&simple, &topic, &[(0, 5, None)]));
    stable(side, &active, "consumer", &subscription(&[&topic.0]));
    stable(side, &foreign, "connect", b"opaque");
    for operations in [false, true] {
        side.every_tidied(
            "descriptions",
            |_| {
                let groups = [&*simple, &*active, &*foreign, "never", "", &*simple];
                let groups = groups.iter().map(|group| (*group).into()).collect();
                make!(DescribeGroupsRequest { groups: groups, include_authorized_operations: operations })
            },
            |answer| {
                members_in_order(answer);
                answer.groups.sort_by(|a, b| a.group_id.cmp(&b.group_id));
            },
        );
    }
    side.every("no group", |_| make!(DescribeGroupsRequest {}));
    let run = side.run();
    let mine = |answer: &mut ListGroupsResponse| {
        answer.groups.retain(|group| group.group_id.starts_with(&run));
        answer.groups.sort_by(|a, b| a.group_id.cmp(&b.group_id));
    };
    let states = [
        &[][..],
        &["Stable"],
        &["stable"],
        &["STABLE"],
        &["Empty", "Dead"],
        &["PreparingRebalance"],
        &["nonsense"],
        &[""],
    ];
    for states in states {
        side.every_tidied(
            &format!("in states {states:?}"),
            |_| make!(ListGroupsRequest { states_filter: states.iter().map(|state| (*state).into()).collect() }),
            mine,
        );
    }
    for types in
        [&["classic"][..], &["Classic"], &["consumer"], &["share"], &["nonsense"], &["classic", "consumer"], &[""]]
    {
        side.every_tidied(
            &format!("of types {types:?}"),
            |_| make!(ListGroupsRequest { types_filter: types.iter().map(|kind| (*kind).into()).collect() }),
            mine,
        );
    }
    side.every_tidied(
        "of a type, in a state",
        |_| make!(ListGroupsRequest { states_filter: vec!["Empty".into()], types_filter: vec!["classic".into()] }),
        mine,
    );
}

pub fn deletion(side: &mut Side) {
    let topic = side.topic("t", 1, &[]);
    let active = side.name("active");
    stable(side, &active, "consumer", b"m");
    let delete =
        |names: &[&str]| make!(DeleteGroupsRequest { groups_names: names.iter().map(|name| (*name).into()).collect() });
    for version in side.versions::<DeleteGroupsRequest>() {
        let (one, two) = (side.name(&format!("one{version}")), side.name(&format!("two{version}")));
        for group in [&one, &two] {
            coordinated(side, group);
            side.prepare(&commit(group, &topic, &[(0, 5, None)]));
        }
        let tidy = |answer: &mut wire::messages::delete_groups::DeleteGroupsResponse| {
            answer.results.sort_by(|a, b| a.group_id.cmp(&b.group_id));
        };
        side.ask_tidied("one", version, &delete(&[&one]), tidy);
        side.ask_tidied("one that was deleted", version, &delete(&[&one]), tidy);
        side.ask_tidied("several", version, &delete(&[&two, &active, "never", ""]), tidy);
        side.ask_tidied("one twice", version, &delete(&["never", "never"]), tidy);
        side.ask_tidied("none", version, &delete(&[]), tidy);
        all_of(side, &one);
    }
}
