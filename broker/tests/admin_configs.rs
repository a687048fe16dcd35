//! Configs described and changed, asked over a socket of a broker in this process. Codes and messages are those that
//! Apache Kafka 4.4.0 answers with.

mod support;

use support::Client;
use support::admin::{APPEND, BROKER, BROKER_LOGGER, CLIENT_METRICS, DELETE, GROUP, SET, SUBTRACT, TOPIC, Told};
use support::in_process::Broker;
use support::process::Process;
use wire::ErrorCode;
use wire::messages::alter_configs::{AlterConfigsRequest, AlterConfigsResource, AlterableConfig};
use wire::messages::describe_configs::{DescribeConfigsRequest, DescribeConfigsResource};
use wire::messages::incremental_alter_configs as incremental;
use wire::messages::list_config_resources::ListConfigResourcesRequest;

fn told(code: ErrorCode, why: &str) -> Told {
    (code.code(), Some(why.to_owned()))
}

#[test]
fn a_config_is_described_with_what_the_version_can_carry() {
    let broker = Broker::start(&[("log.retention.ms", "9000")]);
    let mut client = broker.client();
    client.create(&["t"], 1);
    client.set(TOPIC, "t", "retention.ms", "5000");
    for version in 1..=4 {
        for ask in [true, false] {
            let request = DescribeConfigsRequest {
                resources: vec![DescribeConfigsResource {
                    resource_type: TOPIC,
                    resource_name: "t".into(),
                    configuration_keys: Some(vec!["retention.ms".into(), "nope".into()]),
                    ..Default::default()
                }],
                include_synonyms: ask,
                include_documentation: ask && version >= 3,
                ..Default::default()
            };
            let mut answer = client.ask(version, &request).results.remove(0);
            assert_eq!((answer.error_code, answer.error_message.as_deref(), answer.configs.len()), (0, Some(""), 1));
            let config = answer.configs.remove(0);
            assert_eq!((config.name.as_str(), config.value.as_deref()), ("retention.ms", Some("5000")));
            assert_eq!((config.config_source, config.read_only, config.is_sensitive), (1, false, false));
            let synonyms: Vec<_> = config.synonyms.iter().map(|s| (s.name.as_str(), s.value.as_deref())).collect();
            let all = [
                ("retention.ms", Some("5000")),
                ("log.retention.ms", Some("9000")),
                ("log.retention.hours", Some("168")),
            ];
            assert_eq!(synonyms, if ask { &all[..] } else { &[] });
            assert_eq!(config.config_type, if version >= 3 { 5 } else { 0 });
            if version >= 3 {
                assert_eq!(config.documentation.is_some_and(|text| text.contains("milliseconds")), ask);
            }
        }
    }
}

#[test]
fn every_kind_of_resource_is_described_or_refused() {
    let broker = Broker::start(&[]);
    let mut client = broker.client();
    client.create(&["t"], 1);
    client.set(BROKER, "", "message.max.bytes", "2000000");
    assert_eq!(client.describe(TOPIC, "t", &[]).configs.len(), 37);
    assert!(client.describe(BROKER, "1", &[]).configs.len() > 250);
    let node_id = client.config(BROKER, "1", "node.id");
    assert_eq!((node_id.value.as_deref(), node_id.config_source, node_id.read_only), (Some("1"), 4, true));
    let default = client.describe(BROKER, "", &[]).configs;
    assert_eq!((default.len(), default[0].name.as_str(), default[0].config_source), (1, "message.max.bytes", 3));
    assert_eq!(client.value(TOPIC, "t", "max.message.bytes").as_deref(), Some("2000000"));
    for (kind, name) in [(GROUP, "g"), (CLIENT_METRICS, "m")] {
        let answer = client.describe(kind, name, &[]);
        assert_eq!((answer.error_code, answer.configs.len()), (0, 0));
    }
    let bad_name = "Topic name is invalid: 'a b' contains one or more characters other than ASCII alphanumerics, '.', \
                    '_' and '-'";
    let invalid = ErrorCode::InvalidRequest;
    for (kind, name, error) in [
        (TOPIC, "nope", told(ErrorCode::UnknownTopicOrPartition, "")),
        (TOPIC, "a b", told(ErrorCode::InvalidTopicException, bad_name)),
        (TOPIC, "", told(ErrorCode::InvalidTopicException, "Topic name is invalid: the empty string is not allowed")),
        (BROKER, "2", told(invalid, "Unexpected broker id, expected 1 or empty string, but received 2")),
        (BROKER, "x", told(invalid, "Broker id must be an integer, but it is: x")),
        (GROUP, "", told(invalid, "Group name must not be empty")),
        (CLIENT_METRICS, "", told(invalid, "Client metrics subscription name must not be empty")),
        (BROKER_LOGGER, "", told(invalid, "Broker id must not be empty")),
        (BROKER_LOGGER, "x", told(invalid, "Broker id must be an integer, but it is: x")),
        (BROKER_LOGGER, "2", told(invalid, "Unexpected broker id, expected 1 but received 2")),
        (3, "x", told(invalid, "Unsupported resource type: 3")),
    ] {
        let answer = client.describe(kind, name, &[]);
        assert_eq!((answer.error_code, answer.error_message.map(|why| why.to_string())), error);
        assert_eq!((answer.resource_type, answer.resource_name.as_str(), answer.configs.len()), (kind, name, 0));
    }
}

#[test]
fn configs_are_set_deleted_appended_to_and_subtracted_from() {
    let broker = Broker::start(&[]);
    let mut client = broker.client();
    client.create(&["t"], 1);
    let list = "leader.replication.throttled.replicas";
    for (change, value) in [
        ((list, APPEND, "0:1"), "0:1"),
        ((list, APPEND, "1:1,0:1"), "0:1,1:1"),
        ((list, SUBTRACT, "0:1"), "1:1"),
        ((list, SET, "*"), "*"),
        ((list, DELETE, ""), ""),
    ] {
        assert_eq!(client.alter(TOPIC, "t", &[change]), (0, None));
        assert_eq!(client.value(TOPIC, "t", list).as_deref(), Some(value));
    }
    assert_eq!(client.config(TOPIC, "t", list).config_source, 5);
}

#[test]
fn alterations_are_refused_in_kafkas_words() {
    let broker = Broker::start(&[]);
    let mut client = broker.client();
    client.create(&["t"], 1);
    let (invalid, config) = (ErrorCode::InvalidRequest, ErrorCode::InvalidConfig);
    let retention = [("retention.ms", SET, "5")];
    for (kind, name, changes, error) in [
        (TOPIC, "nope", &retention[..], told(ErrorCode::UnknownTopicOrPartition, "The topic 'nope' does not exist.")),
        (TOPIC, "", &retention, told(invalid, "Default topic resources are not allowed.")),
        (BROKER, "2", &retention, told(invalid, "Unexpected broker id, expected 1, but received 2")),
        (BROKER, "x", &retention, told(invalid, "Node id must be an integer, but it is: x")),
        (GROUP, "", &retention, told(invalid, "Default group resources are not allowed.")),
        (CLIENT_METRICS, "", &retention, told(invalid, "Subscription name can't be empty")),
        (3, "x", &retention, told(invalid, "Unknown resource type 3")),
        (TOPIC, "t", &[("", SET, "x")], told(config, "Unknown topic config name: ")),
        (
            TOPIC,
            "t",
            &[("retention.ms", SET, "x")],
            told(config, "Invalid value x for configuration retention.ms: Not a number of type LONG"),
        ),
        (
            TOPIC,
            "t",
            &[("retention.ms", SET, "5"), ("retention.ms", SET, "6")],
            told(invalid, "Error due to duplicate config keys"),
        ),
        (
            BROKER,
            "1",
            &[("log.dirs", SET, "/elsewhere")],
            told(invalid, "Cannot update these configs dynamically: [log.dirs]"),
        ),
    ] {
        assert_eq!(client.alter(kind, name, changes), error, "{kind} {name} {changes:?}");
    }
    let unknown = client.alter(TOPIC, "t", &[("retention.ms", 7, "5")]);
    assert_eq!(unknown.0, ErrorCode::UnknownServerError.code());
    for (kind, name) in [(GROUP, "g"), (CLIENT_METRICS, "m")] {
        assert_eq!(client.alter(kind, name, &retention).0, invalid.code());
    }
    assert_eq!(client.config(TOPIC, "t", "retention.ms").config_source, 5, "nothing was changed");
}

#[test]
fn a_refused_resource_leaves_the_others_of_its_request_alone() {
    let broker = Broker::start(&[]);
    let mut client = broker.client();
    client.create(&["t", "u", "v"], 1);
    let change = |name: &str, value: &str| incremental::AlterableConfig {
        name: name.into(),
        value: Some(value.into()),
        ..Default::default()
    };
    let on = |kind, name: &str, config, value| incremental::AlterConfigsResource {
        resource_type: kind,
        resource_name: name.into(),
        configs: vec![change(config, value)],
        ..Default::default()
    };
    let resources = vec![
        on(TOPIC, "t", "retention.ms", "x"),
        on(3, "t", "retention.ms", "5"),
        on(TOPIC, "u", "retention.ms", "6"),
        on(TOPIC, "v", "retention.ms", "7"),
        on(TOPIC, "v", "retention.ms", "8"),
    ];
    for (version, validate_only) in [(0, true), (1, true), (0, false), (1, false)] {
        let request = incremental::IncrementalAlterConfigsRequest {
            resources: resources.clone(),
            validate_only,
            ..Default::default()
        };
        let answer = client.ask(version, &request);
        let codes: Vec<_> = answer.responses.iter().map(|one| one.error_code).collect();
        assert_eq!(codes, [40, 42, 0, 42, 42]);
        assert_eq!(answer.responses[3].error_message.as_deref(), Some("Each resource must appear at most once."));
        let value = client.value(TOPIC, "u", "retention.ms");
        assert_eq!(value.as_deref(), Some(if validate_only { "604800000" } else { "6" }));
        for unchanged in ["t", "v"] {
            assert_eq!(client.config(TOPIC, unchanged, "retention.ms").config_source, 5);
        }
    }
}

#[test]
fn replacing_configs_unsets_what_is_not_named() {
    let broker = Broker::start(&[]);
    let mut client = broker.client();
    client.create(&["t"], 1);
    let replace = |kind, name: &str, configs: &[(&str, Option<&str>)], validate_only| AlterConfigsRequest {
        resources: vec![AlterConfigsResource {
            resource_type: kind,
            resource_name: name.into(),
            configs: configs
                .iter()
                .map(|(name, value)| AlterableConfig {
                    name: (*name).into(),
                    value: value.map(Into::into),
                    ..Default::default()
                })
                .collect(),
            ..Default::default()
        }],
        validate_only,
        ..Default::default()
    };
    for version in 0..=2 {
        client.set(TOPIC, "t", "segment.ms", "6000");
        let configs = [("retention.ms", Some("5000"))];
        for validate_only in [true, false] {
            let answer = client.ask(version, &replace(TOPIC, "t", &configs, validate_only));
            assert_eq!((answer.responses[0].error_code, answer.responses[0].error_message.is_none()), (0, true));
            assert_eq!(client.config(TOPIC, "t", "segment.ms").config_source, if validate_only { 1 } else { 5 });
        }
        assert_eq!(client.value(TOPIC, "t", "retention.ms").as_deref(), Some("5000"));
    }
    let invalid = ErrorCode::InvalidRequest;
    for (request, error) in [
        (
            replace(TOPIC, "t", &[("retention.ms", None)], false),
            told(invalid, "Null value not supported for : retention.ms"),
        ),
        (
            replace(TOPIC, "t", &[("nope", Some("1"))], false),
            told(ErrorCode::InvalidConfig, "Unknown topic config name: nope"),
        ),
        (
            replace(BROKER, "1", &[("node.id", Some("1"))], false),
            told(invalid, "Cannot update these configs dynamically: [node.id]"),
        ),
        (replace(BROKER_LOGGER, "1", &[("root", Some("INFO"))], false), told(invalid, "Unknown resource type 8")),
    ] {
        let answer = client.ask(2, &request).responses.remove(0);
        assert_eq!((answer.error_code, answer.error_message.map(|why| why.to_string())), error);
    }
}

#[test]
fn levels_of_loggers_are_described_set_and_taken_back() {
    let broker = Broker::start(&[]);
    let mut client = broker.client();
    let (root, shard) = ("root", "broker::shard");
    let loggers = client.describe(BROKER_LOGGER, "1", &[]).configs;
    assert!(loggers.len() > 10 && loggers.iter().all(|one| (one.config_source, one.read_only) == (6, false)));
    let mut levels = |changes: &[(&str, i8, &str)]| {
        assert_eq!(client.alter(BROKER_LOGGER, "1", changes), (0, None));
        [root, shard].map(|name| client.value(BROKER_LOGGER, "1", name).unwrap_or_default())
    };
    assert_eq!(levels(&[]), ["INFO", "INFO"]);
    assert_eq!(levels(&[(root, SET, "WARN"), (shard, SET, "DEBUG")]), ["WARN", "DEBUG"]);
    assert_eq!(levels(&[(shard, DELETE, "")]), ["WARN", "WARN"]);
    let (invalid, config) = (ErrorCode::InvalidRequest, ErrorCode::InvalidConfig);
    let loud = "Cannot set the log level of root to LOUD as it is not a supported log level. \
                Valid log levels are DEBUG, ERROR, FATAL, INFO, TRACE, WARN";
    for (id, change, error) in [
        ("1", (root, SET, "LOUD"), told(config, loud)),
        ("1", (root, DELETE, ""), told(invalid, "Removing the log level of the root logger is not allowed")),
        ("1", (root, APPEND, "INFO"), told(invalid, "APPEND operation is not allowed for the BROKER_LOGGER resource")),
        ("1", ("nope", SET, "INFO"), told(config, "Logger nope does not exist!")),
        ("x", (root, SET, "INFO"), told(invalid, "Node id must be an integer, but it is: x")),
        ("2", (root, SET, "INFO"), told(invalid, "Unexpected node id. Expected 1, but received 2")),
    ] {
        assert_eq!(client.alter(BROKER_LOGGER, id, &[(shard, SET, "TRACE"), change]), error);
    }
    assert_eq!(client.value(BROKER_LOGGER, "1", shard).as_deref(), Some("WARN"), "all or nothing");
}

#[test]
fn a_level_that_a_client_sets_decides_what_the_process_writes() {
    let folder = tempfile::tempdir().unwrap();
    let mut broker = Process::new(folder.path(), "");
    for level in ["INFO", "ERROR"] {
        broker.start();
        let mut client = Client::connect(broker.address()).unwrap();
        client.set(BROKER_LOGGER, "1", "root", level);
        drop(client);
        assert_eq!(broker.stop(), Some(0));
        let log = broker.log();
        let stopped = log.lines().filter(|line| line.contains("stopped")).count();
        assert_eq!(stopped, 1, "the first life says so and the second does not: {log}");
    }
}

#[test]
fn resources_are_listed_by_their_kinds() {
    let broker = Broker::start(&[]);
    let mut client = broker.client();
    client.create(&["b", "a"], 1);
    let mut list = |version, kinds: &[i8]| {
        let request = ListConfigResourcesRequest { resource_types: kinds.to_vec(), ..Default::default() };
        let answer = client.ask(version, &request);
        let resources = answer.config_resources.into_iter();
        (answer.error_code, resources.map(|one| (one.resource_type, one.resource_name.to_string())).collect::<Vec<_>>())
    };
    let named = |kind: i8, name: &str| (kind, name.to_owned());
    let (broker, logger) = (named(BROKER, "1"), named(BROKER_LOGGER, "1"));
    let topics = [named(TOPIC, "a"), named(TOPIC, "b")];
    assert_eq!(list(1, &[]), (0, [vec![logger.clone(), broker.clone()], topics.to_vec()].concat()));
    assert_eq!(list(1, &[TOPIC]), (0, topics.to_vec()));
    assert_eq!(list(1, &[BROKER, BROKER_LOGGER, BROKER]), (0, vec![logger, broker]));
    assert_eq!(list(1, &[GROUP, CLIENT_METRICS]), (0, vec![]));
    assert_eq!(list(0, &[]), (0, vec![]), "version 0 asks for client metrics");
    for unknown in [0, 3, -1] {
        assert_eq!(list(1, &[TOPIC, unknown]), (ErrorCode::UnsupportedVersion.code(), vec![]));
    }
}
