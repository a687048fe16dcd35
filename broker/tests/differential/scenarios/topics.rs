//! What clients and administrators learn of topics.

use wire::messages::create_topics::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig, CreateTopicsRequest, CreateTopicsResponse,
};
use wire::messages::describe_log_dirs::{DescribableLogDirTopic, DescribeLogDirsRequest, DescribeLogDirsResponse};
use wire::messages::describe_topic_partitions::{
    DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse, RequestCursor, TopicRequest,
};
use wire::messages::metadata::{MetadataRequest, MetadataRequestTopic, MetadataResponse};

use super::groups::coordinated;
use crate::batches::raw;
use crate::requests::{make, metadata as named, produce};
use crate::side::Side;

/// All topics, topics by name and by id, missing ones, unlawful names, and topics that come into being by being asked for.
pub fn metadata(side: &mut Side) {
    coordinated(side, "the group topic is there");
    let (two, id) = side.topic("two", 2, &[]);
    let missing = side.name("missing");
    let long = "x".repeat(250);
    let ask = |side: &mut Side, step: &str, request: &MetadataRequest| side.every(step, |_| request.clone());

    let run = side.run().to_owned();
    let mine = move |answer: &mut MetadataResponse| {
        answer.topics.retain(|topic| topic.name.as_ref().is_some_and(|name| name.starts_with(&run)));
        answer.topics.sort_by(|a, b| a.name.cmp(&b.name));
    };
    side.every_tidied("all topics", |version| make!(MetadataRequest { topics: (version == 0).then(Vec::new) }), &mine);
    side.every_tidied("no topics", |_| make!(MetadataRequest { topics: Some(Vec::new()) }), &mine);
    ask(side, "one that is there", &named(&[&two], true));
    ask(side, "the same twice", &named(&[&two, &two], true));
    ask(side, "one that is missing", &named(&[&missing], false));
    let both = |answer: &mut MetadataResponse| answer.topics.sort_by(|a, b| a.name.cmp(&b.name));
    side.every_tidied("both", |_| named(&[&missing, &two], false), both);
    for name in ["", ".", "..", "a/b", "a b", "ä", &long] {
        ask(side, "an unlawful name", &named(&[name], false));
        ask(side, "an unlawful name to create", &named(&[name], true));
    }
    ask(side, "an internal one", &named(&["__consumer_offsets"], false));
    for operations in [true, false] {
        side.every("operations", |_| {
            make!(MetadataRequest {
                include_cluster_authorized_operations: operations,
                include_topic_authorized_operations: true,
                ..named(&[&two], true)
            })
        });
    }
    let by_id = |id: [u8; 16], name: Option<&str>| {
        make!(MetadataRequest {
            topics: Some(vec![make!(MetadataRequestTopic { topic_id: id, name: name.map(Into::into) })]),
            allow_auto_topic_creation: false,
        })
    };
    side.every("by id", |_| by_id(id, None));
    side.every("by id and name", |_| by_id(id, Some(&two)));
    side.every("by id and another name", |_| by_id(id, Some(&missing)));
    side.every("by an unknown id", |_| by_id([9; 16], None));
    side.every("by nothing", |_| by_id([0; 16], None));

    for version in side.versions::<MetadataRequest>() {
        let fresh = side.name(&format!("created-{version}"));
        side.ask("created by being asked for", version, &named(&[&fresh], true));
        let is_there = |side: &mut Side| side.prepare(&named(&[&fresh], false)).topics[0].error_code == 0;
        side.until("a topic is created", is_there);
        side.ask("there from then on", version, &named(&[&fresh], false));
    }
    side.topic("t.x", 1, &[]);
    ask(side, "a name that collides", &named(&[&side.name("t_x")], true));
}

/// New topics: every field right and wrong, to see and for real.
pub fn create(side: &mut Side) {
    let (taken, _) = side.topic("taken", 1, &[]);
    side.topic("dotted.name", 1, &[]);
    let run = side.run();
    let longest = format!("{run}{}", "x".repeat(249 - run.len()));
    let topic = |name: &str| make!(CreatableTopic { name: name.into(), num_partitions: 1, replication_factor: 1 });
    let ask = |side: &mut Side, step: &str, of: &dyn Fn(&str) -> Vec<CreatableTopic>| {
        for validate_only in [true, false] {
            let step = if validate_only { format!("{step}, to see") } else { step.to_owned() };
            let request = |version: i16| {
                let name = format!("{run}{}-{version}", step.len());
                make!(CreateTopicsRequest { topics: of(&name), timeout_ms: 10_000, validate_only: validate_only })
            };
            side.every_tidied(&step, request, in_order);
        }
    };
    for (partitions, replicas) in [(1, 1), (-1, -1), (3, -1), (0, 1), (-2, 1), (1, 0), (1, -2), (1, 2), (10_001, 1)] {
        ask(side, &format!("{partitions} partitions, {replicas} replicas"), &|name| {
            let name = format!("{name}-{partitions}-{replicas}");
            vec![make!(CreatableTopic { num_partitions: partitions, replication_factor: replicas, ..topic(&name) })]
        });
    }
    for name in
        ["", ".", "..", "a/b", "a b", "\u{e4}", &longest, &format!("{longest}x"), &taken, &side.name("dotted_name")]
    {
        ask(side, "names", &|_| vec![topic(name)]);
    }
    ask(side, "a name twice", &|name| vec![topic(name), topic("a/b"), topic(name)]);
    ask(side, "nothing", &|_| vec![]);
    let assigned = |partitions: i32, replicas: i16, assignments: &[(i32, &[i32])], name: &str| {
        let one = |(index, brokers): &(i32, &[i32])| {
            make!(CreatableReplicaAssignment { partition_index: *index, broker_ids: brokers.to_vec() })
        };
        let assignments = assignments.iter().map(one).collect();
        vec![make!(CreatableTopic {
            name: format!("{name}-{partitions}-{replicas}-{}", name.len()).into(),
            num_partitions: partitions,
            replication_factor: replicas,
            assignments: assignments,
        })]
    };
    for (step, partitions, replicas, assignments) in [
        ("assigned", -1, -1, &[(0, &[1][..]), (1, &[1])][..]),
        ("assigned and a number of partitions", 2, -1, &[(0, &[1]), (1, &[1])]),
        ("assigned and a number of replicas", -1, 1, &[(0, &[1])]),
        ("assigned with a gap", -1, -1, &[(0, &[1]), (2, &[1])]),
        ("assigned from 1", -1, -1, &[(1, &[1])]),
        ("assigned twice", -1, -1, &[(0, &[1]), (0, &[1])]),
        ("assigned to nobody", -1, -1, &[(0, &[])]),
        ("assigned to a stranger", -1, -1, &[(0, &[7])]),
        ("assigned to one twice", -1, -1, &[(0, &[1, 1])]),
        ("assigned unevenly", -1, -1, &[(0, &[1]), (1, &[1, 7])]),
    ] {
        ask(side, step, &|name| assigned(partitions, replicas, assignments, &format!("{name}{}", step.len())));
    }
    let config = |name: &str, value: Option<&str>| {
        make!(CreatableTopicConfig { name: name.into(), value: value.map(Into::into) })
    };
    for (at, (key, value)) in TOPIC_CONFIGS.iter().enumerate() {
        ask(side, &format!("{key}={value:?}"), &|name| {
            vec![make!(CreatableTopic { configs: vec![config(key, *value)], ..topic(&format!("{name}-{at}")) })]
        });
    }
    ask(side, "a config twice", &|name| {
        let configs = vec![config("retention.ms", Some("1")), config("retention.ms", Some("2"))];
        vec![make!(CreatableTopic { configs: configs, ..topic(&format!("{name}-twice")) })]
    });
}

/// Right and wrong values of the configs that clients set most.
const TOPIC_CONFIGS: &[(&str, Option<&str>)] = &[
    ("retention.ms", Some("1000")),
    ("retention.ms", Some("-2")),
    ("retention.ms", Some("soon")),
    ("retention.ms", Some("")),
    ("retention.ms", None),
    ("retention.moons", Some("1")),
    ("", Some("1")),
    ("cleanup.policy", Some("compact,delete")),
    ("cleanup.policy", Some("")),
    ("cleanup.policy", Some("burn")),
    ("cleanup.policy", Some("delete,delete")),
    ("compression.type", Some("ZSTD")),
    ("compression.type", Some("brotli")),
    ("compression.gzip.level", Some("10")),
    ("compression.zstd.level", Some("-200000")),
    ("min.insync.replicas", Some("0")),
    ("min.insync.replicas", Some(" 2 ")),
    ("segment.bytes", Some("1024")),
    ("segment.bytes", Some("1e6")),
    ("max.message.bytes", Some("-1")),
    ("min.cleanable.dirty.ratio", Some("1.5")),
    ("min.cleanable.dirty.ratio", Some("0.25")),
    ("unclean.leader.election.enable", Some("TRUE")),
    ("unclean.leader.election.enable", Some("yes")),
    ("message.timestamp.type", Some("createtime")),
    ("leader.replication.throttled.replicas", Some("0:1,1:1")),
    ("leader.replication.throttled.replicas", Some("all")),
    ("min.compaction.lag.ms", Some("9223372036854775807")),
    ("max.compaction.lag.ms", Some("9223372036854775808")),
    ("local.retention.ms", Some("99999999999")),
    ("remote.storage.enable", Some("true")),
];

fn in_order(answer: &mut CreateTopicsResponse) {
    answer.topics.sort_by(|a, b| a.name.cmp(&b.name));
    for topic in &mut answer.topics {
        topic.configs.iter_mut().for_each(|configs| configs.sort_by(|a, b| a.name.cmp(&b.name)));
    }
}

/// Topics page by page.
pub fn pages(side: &mut Side) {
    let (two, _) = side.topic("b", 2, &[]);
    let (three, _) = side.topic("c", 3, &[]);
    let first = side.name("a-missing");
    let names = [&*two, &*three, &*first, &*two];
    let ask = |names: &[&str], limit: i32, cursor: Option<(&str, i32)>| {
        let cursor = cursor.map(|(topic, at)| make!(RequestCursor { topic_name: topic.into(), partition_index: at }));
        make!(DescribeTopicPartitionsRequest {
            topics: names.iter().map(|name| make!(TopicRequest { name: (*name).into() })).collect(),
            response_partition_limit: limit,
            cursor: cursor,
        })
    };
    for limit in [2000, 1, 2, 3, 4, 5, 0, -1, i32::MAX] {
        side.every(&format!("a page of {limit}"), |_| ask(&names, limit, None));
        for (topic, at) in
            [(&*two, 0), (&*two, 1), (&*two, 2), (&*three, 2), (&*first, 0), ("zzz", 0), ("", 0), (&*two, -1)]
        {
            side.every(&format!("a page of {limit} from {at}"), |_| ask(&names, limit, Some((topic, at))));
        }
    }
    for name in ["a/b", "", ".", "a b"] {
        side.every(&format!("an unlawful name, {name:?}"), |_| ask(&[name], 10, None));
        side.every(&format!("an unlawful name, {name:?}, and a lawful one"), |_| ask(&[name, &two], 10, None));
    }
    side.every("an internal topic", |_| ask(&["__consumer_offsets"], 10, None));
    let run = side.run();
    let mine = move |answer: &mut DescribeTopicPartitionsResponse| {
        answer.topics.retain(|topic| topic.name.as_ref().is_some_and(|name| name.starts_with(&run)));
        answer.next_cursor.take_if(|cursor| !cursor.topic_name.starts_with(&run));
    };
    side.every_tidied("all", |_| ask(&[], 2000, None), &mine);
    side.every_tidied("all from a cursor", |_| ask(&[], 2, Some((&three, 1))), &mine);
}

pub fn log_dirs(side: &mut Side) {
    let topic = side.topic("t", 2, &[]);
    side.topic("u", 1, &[]);
    side.prepare(&produce(&topic, &raw(5).bytes()));
    let run = side.run();
    let mine = move |answer: &mut DescribeLogDirsResponse| {
        for dir in &mut answer.results {
            dir.topics.retain(|topic| topic.name.starts_with(&run));
            dir.topics.sort_by(|a, b| a.name.cmp(&b.name));
            dir.topics.iter_mut().for_each(|topic| topic.partitions.sort_by_key(|one| one.partition_index));
        }
    };
    let of = |name: &str, partitions: &[i32]| {
        let topic = make!(DescribableLogDirTopic { topic: name.into(), partitions: partitions.to_vec() });
        make!(DescribeLogDirsRequest { topics: Some(vec![topic]) })
    };
    side.every_tidied("all", |_| make!(DescribeLogDirsRequest { topics: None }), &mine);
    side.every("none", |_| make!(DescribeLogDirsRequest { topics: Some(Vec::new()) }));
    side.every_tidied("some", |_| of(&topic.0, &[0]), &mine);
    side.every_tidied("unknown ones", |_| of(&topic.0, &[7, -1]), &mine);
    side.every_tidied("no partition", |_| of(&topic.0, &[]), &mine);
    side.every_tidied("an unknown topic", |_| of("missing", &[0]), &mine);
}
