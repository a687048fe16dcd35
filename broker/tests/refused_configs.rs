//! A config value that is not allowed gets 40, with the key, the value and what is allowed; for every config of topics.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod support;

use metadata::configs::{Rule, TOPIC_CONFIGS};
use support::in_process::Broker;
use wire::ErrorCode;
use wire::messages::create_topics::{CreatableTopic, CreatableTopicConfig, CreateTopicsRequest};
use wire::messages::incremental_alter_configs::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};

const TOPIC: i8 = 2;

/// Values that `rule` refuses, each with what the answer says of those that it takes.
fn refused(rule: Rule) -> Vec<(String, String)> {
    let among = |names: &[&str]| ("nonsense".to_owned(), names.join(", "));
    let below = |min: i64| ((min - 1).to_string(), format!("at least {min}"));
    match rule {
        Rule::AtLeast(min) if min > i64::MIN => vec![below(min)],
        Rule::Between(min, max) => vec![below(min), ((max + 1).to_string(), format!("no more than {max}"))],
        Rule::DoubleBetween(min, max) => {
            vec![("-0.5".to_owned(), format!("at least {min}")), ("1.5".to_owned(), format!("no more than {max}"))]
        }
        Rule::OneOf(names) | Rule::OneOfIgnoringCase(names) | Rule::EachOneOf(names) => vec![among(names)],
        Rule::GzipLevel => {
            ["0", "10"].map(|level| (level.to_owned(), "between 1 and 9 or equal to -1".to_owned())).into()
        }
        Rule::ThrottledReplicas => vec![("nonsense".to_owned(), "[partitionId]:[brokerId]".to_owned())],
        Rule::Any | Rule::AtLeast(_) | Rule::NonEmpty => Vec::new(),
    }
}

#[test]
fn a_bad_value_gets_40_with_the_key_the_value_and_what_is_allowed_at_creation_and_later() {
    let broker = Broker::start(&[]);
    let mut client = broker.client();
    let mut create = |name: &str, configs: Vec<CreatableTopicConfig>| {
        let topic = CreatableTopic {
            name: name.into(),
            num_partitions: 1,
            replication_factor: 1,
            configs,
            ..Default::default()
        };
        let request = CreateTopicsRequest { topics: vec![topic], timeout_ms: 5_000, ..Default::default() };
        let answer = client.ask(7, &request).topics.remove(0);
        (answer.error_code, answer.error_message.unwrap_or_default().to_string())
    };
    assert_eq!(create("t", Vec::new()).0, 0);
    let mut tried = 0;
    let mut altering = broker.client();
    for def in TOPIC_CONFIGS.iter().map(|row| row.def) {
        for (value, allowed) in refused(def.rule) {
            let config = CreatableTopicConfig {
                name: def.name.into(),
                value: Some(value.as_str().into()),
                ..Default::default()
            };
            let alteration =
                AlterableConfig { name: def.name.into(), value: Some(value.as_str().into()), ..Default::default() };
            let resource = AlterConfigsResource {
                resource_type: TOPIC,
                resource_name: "t".into(),
                configs: vec![alteration],
                ..Default::default()
            };
            let alter = IncrementalAlterConfigsRequest { resources: vec![resource], ..Default::default() };
            let altered = altering.ask(1, &alter).responses.remove(0);
            let altered = (altered.error_code, altered.error_message.unwrap_or_default().to_string());
            for (code, message) in [create("refused", vec![config]), altered] {
                assert_eq!(code, ErrorCode::InvalidConfig.code(), "{}={value}: {message}", def.name);
                assert!([def.name, &value, &allowed].iter().all(|part| message.contains(*part)), "{value}: {message}");
                tried += 1;
            }
        }
    }
    assert!(tried > 60, "{tried} values were tried");
}
