//! Configs of topics, brokers and other resources: described, replaced, altered bit by bit, listed.

use wire::messages::alter_configs::{AlterConfigsRequest, AlterConfigsResource as Whole, AlterableConfig as Value};
use wire::messages::describe_configs::{DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResponse};
use wire::messages::incremental_alter_configs::{
    AlterConfigsResource as Part, AlterableConfig as Change, IncrementalAlterConfigsRequest,
};
use wire::messages::list_config_resources::{ListConfigResourcesRequest, ListConfigResourcesResponse};

use crate::requests::make;
use crate::side::Side;

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const BROKER_LOGGER: i8 = 8;
const CLIENT_METRICS: i8 = 16;
const GROUP: i8 = 32;
const KINDS: [i8; 8] = [TOPIC, BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP, 0, 1, 99];

const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

fn ask_for(kind: i8, name: &str, keys: Option<&[&str]>) -> DescribeConfigsRequest {
    let keys = keys.map(|keys| keys.iter().map(|key| (*key).into()).collect());
    let resource =
        make!(DescribeConfigsResource { resource_type: kind, resource_name: name.into(), configuration_keys: keys });
    make!(DescribeConfigsRequest { resources: vec![resource] })
}

/// Configs in order, and of the documentation only whether there is any.
fn in_order(answer: &mut DescribeConfigsResponse) {
    for result in &mut answer.results {
        result.configs.sort_by(|a, b| a.name.cmp(&b.name));
        let documented = result.configs.iter_mut().filter_map(|config| config.documentation.as_mut());
        documented.filter(|text| !text.is_empty()).for_each(|text| *text = "some".into());
    }
}

pub fn describe(side: &mut Side) {
    let set = [("retention.ms", "1000"), ("cleanup.policy", "delete"), ("min.insync.replicas", "1")];
    let (name, _) = side.topic("t", 1, &set);
    let mut ask = |step: &str, request: DescribeConfigsRequest| {
        for (synonyms, documentation) in [(false, false), (true, true)] {
            side.every_tidied(
                step,
                |version| {
                    make!(DescribeConfigsRequest {
                        include_synonyms: synonyms,
                        include_documentation: documentation && version >= 3,
                        ..request.clone()
                    })
                },
                in_order,
            );
        }
    };
    ask("all of a topic", ask_for(TOPIC, &name, None));
    ask("some of a topic", ask_for(TOPIC, &name, Some(&["retention.ms", "segment.bytes", "retention.moons", ""])));
    ask("none of a topic", ask_for(TOPIC, &name, Some(&[])));
    for topic in ["missing", "a/b", ""] {
        ask(&format!("of topic {topic:?}"), ask_for(TOPIC, topic, None));
    }
    let keys = &[
        "log.retention.ms",
        "log.retention.hours",
        "log.segment.bytes",
        "message.max.bytes",
        "num.partitions",
        "fetch.max.bytes",
        "compression.type",
        "min.insync.replicas",
        "log.cleanup.policy",
        "node.id",
        "process.roles",
        "no.such.key",
    ];
    for broker in ["1", "", "2", "abc", "-1"] {
        ask(&format!("of broker {broker:?}"), ask_for(BROKER, broker, Some(&keys[..9])));
    }
    ask("of the broker's own", ask_for(BROKER, "1", Some(&keys[9..])));
    for kind in KINDS {
        for resource in ["", "nobody"] {
            ask(&format!("of type {kind}, called {resource:?}"), ask_for(kind, resource, Some(&[])));
        }
    }
    let twice = ask_for(TOPIC, &name, Some(&["retention.ms"])).resources;
    ask("one twice", make!(DescribeConfigsRequest { resources: [twice.clone(), twice].concat() }));
    ask("nothing", make!(DescribeConfigsRequest {}));
}

fn part(kind: i8, name: &str, changes: &[(&str, i8, Option<&str>)]) -> Part {
    let change = |(key, operation, value): &(&str, i8, Option<&str>)| {
        make!(Change { name: (*key).into(), config_operation: *operation, value: value.map(Into::into) })
    };
    make!(Part { resource_type: kind, resource_name: name.into(), configs: changes.iter().map(change).collect() })
}

fn whole(kind: i8, name: &str, values: &[(&str, Option<&str>)]) -> Whole {
    let value =
        |(key, value): &(&str, Option<&str>)| make!(Value { name: (*key).into(), value: value.map(Into::into) });
    make!(Whole { resource_type: kind, resource_name: name.into(), configs: values.iter().map(value).collect() })
}

/// What is set on a topic, once everybody has heard of all changes before: they come in order, and a last one is seen.
fn set_on(side: &mut Side, topic: &str, marker: &str, step: &str) {
    let value = (side.kept() + 1).to_string();
    let change = [("file.delete.delay.ms", SET, Some(&*value))];
    side.prepare(&make!(IncrementalAlterConfigsRequest { resources: vec![part(TOPIC, marker, &change)] }));
    let seen = ask_for(TOPIC, marker, Some(&["file.delete.delay.ms"]));
    side.until("a change is seen", |side| {
        let answer = side.prepare(&seen);
        answer.results[0].configs[0].value.as_deref() == Some(&value)
    });
    let version = side.max_version(wire::ApiKey::DescribeConfigs);
    side.ask_tidied(&format!("{step}: what is set"), version, &ask_for(TOPIC, topic, None), |answer| {
        in_order(answer);
        answer.results[0].configs.retain(|config| config.config_source == 1);
    });
}

pub fn alter_some(side: &mut Side) {
    let (marker, _) = side.topic("marker", 1, &[]);
    let (topic, _) = side.topic("t", 1, &[("retention.ms", "1000")]);
    let version = side.max_version(wire::ApiKey::IncrementalAlterConfigs);
    type Changes<'a> = &'a [(&'a str, i8, Option<&'a str>)];
    let cases: &[(&str, Changes)] = &[
        ("set", &[("retention.ms", SET, Some("2000")), ("segment.ms", SET, Some("60000"))]),
        ("set to what it is", &[("retention.ms", SET, Some("2000"))]),
        ("set to the default", &[("max.message.bytes", SET, Some("1048588"))]),
        ("set with blanks", &[("retention.ms", SET, Some(" 3000 ")), ("preallocate", SET, Some("TRUE"))]),
        ("set to nothing", &[("retention.ms", SET, None)]),
        ("set to an empty text", &[("retention.ms", SET, Some(""))]),
        ("set to no number", &[("retention.ms", SET, Some("soon"))]),
        ("set too low", &[("retention.ms", SET, Some("-2"))]),
        ("set too high", &[("segment.bytes", SET, Some("2147483648"))]),
        ("set an unknown key", &[("retention.moons", SET, Some("1"))]),
        ("set an empty key", &[("", SET, Some("1"))]),
        ("set one good and one bad", &[("segment.ms", SET, Some("70000")), ("retention.ms", SET, Some("x"))]),
        ("set twice", &[("retention.ms", SET, Some("1")), ("retention.ms", SET, Some("2"))]),
        ("set and delete", &[("retention.ms", SET, Some("1")), ("retention.ms", DELETE, None)]),
        ("delete", &[("segment.ms", DELETE, None)]),
        ("delete with a value", &[("retention.ms", DELETE, Some("9"))]),
        ("delete what is not set", &[("segment.ms", DELETE, None)]),
        ("delete an unknown key", &[("retention.moons", DELETE, None)]),
        ("append", &[("cleanup.policy", APPEND, Some("delete"))]),
        ("append wrongly", &[("cleanup.policy", APPEND, Some("burn"))]),
        ("append to no list", &[("retention.ms", APPEND, Some("1"))]),
        ("append nothing", &[("cleanup.policy", APPEND, None)]),
        ("append an empty text", &[("cleanup.policy", APPEND, Some(""))]),
        ("append throttled replicas", &[("leader.replication.throttled.replicas", APPEND, Some("0:1,1:1"))]),
        ("append some again", &[("leader.replication.throttled.replicas", APPEND, Some("1:1,2:1"))]),
        ("subtract some", &[("leader.replication.throttled.replicas", SUBTRACT, Some("1:1,9:9"))]),
        ("subtract the rest", &[("leader.replication.throttled.replicas", SUBTRACT, Some("0:1,2:1"))]),
        ("subtract from nothing", &[("follower.replication.throttled.replicas", SUBTRACT, Some("0:1"))]),
        ("subtract the default", &[("cleanup.policy", SUBTRACT, Some("delete"))]),
        ("an unknown operation", &[("retention.ms", 7, Some("1"))]),
        ("a negative operation", &[("retention.ms", -1, Some("1"))]),
        ("none", &[]),
        ("a bad codec", &[("compression.type", SET, Some("brotli"))]),
        ("a codec in capitals", &[("compression.type", SET, Some("LZ4"))]),
        ("a bad level", &[("compression.gzip.level", SET, Some("0"))]),
        ("half a policy", &[("cleanup.policy", SET, Some("delete,"))]),
        ("a bad ratio", &[("min.cleanable.dirty.ratio", SET, Some("1.01"))]),
        ("lags that cross", &[("min.compaction.lag.ms", SET, Some("10")), ("max.compaction.lag.ms", SET, Some("5"))]),
        ("local beyond all", &[("local.retention.ms", SET, Some("999999999999"))]),
        ("remote storage", &[("remote.storage.enable", SET, Some("true"))]),
    ];
    for (case, changes) in cases {
        for only_validate in [true, false] {
            let request = make!(IncrementalAlterConfigsRequest {
                resources: vec![part(TOPIC, &topic, changes)],
                validate_only: only_validate,
            });
            let step = if only_validate { format!("{case}, to see") } else { (*case).to_owned() };
            side.ask(&step, version, &request);
        }
        set_on(side, &topic, &marker, case);
    }
    let change = [("retention.ms", SET, Some("5000"))];
    for name in ["missing", "a/b", ""] {
        side.every(&format!("topic {name:?}"), |_| {
            make!(IncrementalAlterConfigsRequest { resources: vec![part(TOPIC, name, &change)] })
        });
    }
    side.every("one twice", |_| {
        make!(IncrementalAlterConfigsRequest {
            resources: vec![part(TOPIC, &topic, &change), part(TOPIC, &topic, &change)]
        })
    });
    side.every_tidied(
        "one good and one bad",
        |_| {
            make!(IncrementalAlterConfigsRequest {
                resources: vec![part(TOPIC, "missing", &change), part(TOPIC, &topic, &change)],
            })
        },
        |answer| answer.responses.sort_by(|a, b| a.resource_name.cmp(&b.resource_name)),
    );
    side.every("nothing", |_| make!(IncrementalAlterConfigsRequest {}));
    set_on(side, &topic, &marker, "at the end");
}

pub fn alter_all(side: &mut Side) {
    let (marker, _) = side.topic("marker", 1, &[]);
    let (topic, _) = side.topic("t", 1, &[("retention.ms", "1000"), ("segment.ms", "60000")]);
    type Values<'a> = &'a [(&'a str, Option<&'a str>)];
    let cases: &[(&str, Values)] = &[
        ("another", &[("retention.bytes", Some("5000000"))]),
        ("two", &[("retention.ms", Some("2000")), ("flush.ms", Some("9"))]),
        ("a bad one", &[("retention.ms", Some("-2"))]),
        ("an unknown one", &[("retention.moons", Some("1"))]),
        ("one without a value", &[("retention.ms", None)]),
        ("one twice", &[("retention.ms", Some("1")), ("retention.ms", Some("2"))]),
        ("none", &[]),
    ];
    for (case, values) in cases {
        for only_validate in [true, false] {
            let step = if only_validate { format!("{case}, to see") } else { (*case).to_owned() };
            side.every(&step, |_| {
                make!(AlterConfigsRequest {
                    resources: vec![whole(TOPIC, &topic, values)],
                    validate_only: only_validate,
                })
            });
        }
        set_on(side, &topic, &marker, case);
    }
    let values = [("retention.ms", Some("5000"))];
    for name in ["missing", "a/b", ""] {
        side.every(&format!("topic {name:?}"), |_| {
            make!(AlterConfigsRequest { resources: vec![whole(TOPIC, name, &values)] })
        });
    }
    // One resource twice is not asked: Kafka then never answers.
    side.every("nothing", |_| make!(AlterConfigsRequest {}));
    set_on(side, &topic, &marker, "at the end");
}

/// Resources that are no topics. What is set for all brokers is unset again.
pub fn alter_others(side: &mut Side) {
    let mut ask = |step: &str, kind: i8, name: &str, changes: &[(&str, i8, Option<&str>)], only_validate: bool| {
        side.every(step, |_| {
            make!(IncrementalAlterConfigsRequest {
                resources: vec![part(kind, name, changes)],
                validate_only: only_validate,
            })
        });
    };
    for kind in KINDS.into_iter().filter(|kind| *kind != TOPIC) {
        for name in ["", "nobody"] {
            ask(&format!("type {kind}, called {name:?}"), kind, name, &[("no.such.key", SET, Some("1"))], true);
        }
    }
    for name in ["1", "", "2", "abc"] {
        for (key, value) in [
            ("message.max.bytes", "2000000"),
            ("message.max.bytes", "-1"),
            ("log.retention.ms", "soon"),
            ("log.cleaner.threads", "0"),
            ("node.id", "7"),
            ("log.dirs", "elsewhere"),
            ("num.partitions", "3"),
            ("no.such.key", "1"),
        ] {
            ask(&format!("broker {name:?}, {key}={value}"), BROKER, name, &[(key, SET, Some(value))], true);
        }
    }
    ask("all brokers", BROKER, "", &[("message.max.bytes", SET, Some("2000000"))], false);
    ask("one broker", BROKER, "1", &[("message.max.bytes", SET, Some("3000000"))], false);
    let keys = ask_for(BROKER, "1", Some(&["message.max.bytes"]));
    side.until("the change is seen", |side| {
        side.prepare(&keys).results[0].configs[0].value.as_deref() == Some("3000000")
    });
    let synonyms = |kind: i8, name: &str, key: &str| {
        make!(DescribeConfigsRequest { include_synonyms: true, ..ask_for(kind, name, Some(&[key])) })
    };
    let (topic, _) = side.topic("t", 1, &[]);
    side.every_tidied("of the broker", |_| synonyms(BROKER, "1", "message.max.bytes"), in_order);
    side.every_tidied("of all brokers", |_| synonyms(BROKER, "", "message.max.bytes"), in_order);
    side.every_tidied("of a topic", |_| synonyms(TOPIC, &topic, "max.message.bytes"), in_order);
    for name in ["1", ""] {
        let unset = part(BROKER, name, &[("message.max.bytes", DELETE, None)]);
        side.every("unset", |_| make!(IncrementalAlterConfigsRequest { resources: vec![unset.clone()] }));
    }
    side.until("the change is gone", |side| {
        side.prepare(&keys).results[0].configs[0].value.as_deref() == Some("1048588")
    });
}

pub fn list(side: &mut Side) {
    let (topic, _) = side.topic("t", 1, &[]);
    side.topic("set", 1, &[("retention.ms", "1000")]);
    let run = side.run();
    let mine = |answer: &mut ListConfigResourcesResponse| {
        answer.config_resources.retain(|one| one.resource_type != TOPIC || one.resource_name.starts_with(&run));
        answer
            .config_resources
            .sort_by(|a, b| (a.resource_type, &a.resource_name).cmp(&(b.resource_type, &b.resource_name)));
    };
    side.until("the topic is listed", |side| {
        let listed = side.prepare(&make!(ListConfigResourcesRequest { resource_types: vec![TOPIC] }));
        listed.config_resources.iter().any(|one| one.resource_name == *topic.as_str())
    });
    side.every_tidied("all", |_| make!(ListConfigResourcesRequest {}), mine);
    for kind in KINDS {
        side.every_tidied(
            &format!("type {kind}"),
            |_| make!(ListConfigResourcesRequest { resource_types: vec![kind] }),
            mine,
        );
    }
    side.every_tidied(
        "two types",
        |_| make!(ListConfigResourcesRequest { resource_types: vec![BROKER, TOPIC, BROKER] }),
        mine,
    );
}
