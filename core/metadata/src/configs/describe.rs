//! What DescribeConfigs tells: the value in effect, where it comes from, and what would be in effect without it.

use std::collections::BTreeSet;

use super::definition::TopicConfigDef;
use super::layers::Layers;
use super::policy::changes_at_run_time;
use super::validate::dynamic_broker_config;
use super::{BROKER_CONFIGS, ConfigType, TOPIC_CONFIGS};

/// The layer that a value comes from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum ConfigSource {
    Topic,
    DynamicBroker,
    DynamicBrokerDefault,
    StaticBroker,
    Default,
}

impl ConfigSource {
    /// The number that DescribeConfigs and CreateTopics give a source.
    pub fn wire_code(self) -> i8 {
        match self {
            Self::Topic => 1,
            Self::DynamicBroker => 2,
            Self::DynamicBrokerDefault => 3,
            Self::StaticBroker => 4,
            Self::Default => 5,
        }
    }
}

/// A value some layer has, under the name it has there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Synonym {
    pub name: String,
    /// `None` where the config is sensitive.
    pub value: Option<String>,
    pub source: ConfigSource,
}

/// One line of an answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DescribedConfig {
    pub name: String,
    /// `None` where the config is sensitive or not set at all.
    pub value: Option<String>,
    pub source: ConfigSource,
    /// `None` for a name that nobody defined.
    pub kind: Option<ConfigType>,
    pub read_only: bool,
    pub sensitive: bool,
    /// In order of precedence; the first is in effect.
    pub synonyms: Vec<Synonym>,
    pub doc: Option<&'static str>,
}

/// `None` and an empty list both ask for everything.
fn is_asked_for(keys: Option<&[String]>, name: &str) -> bool {
    keys.is_none_or(|keys| keys.is_empty() || keys.iter().any(|key| key == name))
}

/// A topic's configs, by name. `keys` narrows the answer.
///
/// Unlike Kafka, a value that stems from `log.retention.hours` and its like names that source; Kafka calls it a default.
pub fn describe_topic(layers: &Layers<'_>, keys: Option<&[String]>) -> Vec<DescribedConfig> {
    let rows = TOPIC_CONFIGS.iter().filter(|row| !row.def.internal && is_asked_for(keys, row.def.name));
    rows.map(|row| {
        let value = layers.topic_text(row).map(|text| row.def.normalize(&text));
        let names: Vec<&str> = row.synonyms.iter().map(|(name, _)| *name).collect();
        let mut synonyms = layers.synonyms(&names, row.def.is_sensitive());
        if layers.topic.is_some_and(|set| set.contains_key(row.def.name)) {
            let own = Synonym { name: row.def.name.to_owned(), value: value.clone(), source: ConfigSource::Topic };
            synonyms.insert(0, own);
        }
        DescribedConfig {
            name: row.def.name.to_owned(),
            value,
            source: synonyms.first().map_or(ConfigSource::Default, |first| first.source),
            kind: Some(row.def.kind),
            read_only: false,
            sensitive: row.def.is_sensitive(),
            synonyms,
            doc: Some(row.doc),
        }
    })
    .collect()
}

/// Broker configs of which one stands in for the other, by precedence.
const GROUPS: [&[&str]; 4] = [
    &["log.roll.ms", "log.roll.hours"],
    &["log.roll.jitter.ms", "log.roll.jitter.hours"],
    &["log.retention.ms", "log.retention.minutes", "log.retention.hours"],
    &["log.flush.interval.ms", "log.flush.scheduler.interval.ms"],
];

/// A broker's configs, by name: all that are defined, and whatever else its properties file or a client has set.
pub fn describe_broker(layers: &Layers<'_>, keys: Option<&[String]>) -> Vec<DescribedConfig> {
    let mut names: BTreeSet<&str> =
        BROKER_CONFIGS.iter().filter(|row| !row.def.internal).map(|row| row.def.name).collect();
    for layer in [layers.broker, layers.broker_default, layers.node_file].into_iter().flatten() {
        names.extend(layer.keys().map(String::as_str));
    }
    names.retain(|name| is_asked_for(keys, name));
    names.into_iter().map(|name| broker_line(layers, name, |_| true)).collect()
}

/// What is set at run time for all brokers, by name; nothing else is shown.
pub fn describe_broker_default(layers: &Layers<'_>, keys: Option<&[String]>) -> Vec<DescribedConfig> {
    let names = layers.broker_default.into_iter().flat_map(|set| set.keys()).filter(|name| is_asked_for(keys, name));
    let all_brokers = Layers { broker_default: layers.broker_default, ..Layers::default() };
    names.map(|name| broker_line(&all_brokers, name, |source| source == ConfigSource::DynamicBrokerDefault)).collect()
}

fn broker_line(layers: &Layers<'_>, name: &str, shown: impl Fn(ConfigSource) -> bool) -> DescribedConfig {
    let row = dynamic_broker_config(name);
    // A value of unknown meaning may be a secret.
    let sensitive = row.is_none_or(|row| row.def.is_sensitive());
    let alone = [name];
    let group = GROUPS.iter().find(|group| group.contains(&name)).map_or(&alone[..], |group| group);
    let mut synonyms = layers.synonyms(group, sensitive);
    let own = synonyms.iter().position(|synonym| synonym.name == name).unwrap_or(synonyms.len());
    synonyms.drain(..own);
    synonyms.retain(|synonym| shown(synonym.source));
    let text = row.and_then(|row| layers.broker_text(row).map(|(text, _)| row.def.normalize(text)));
    DescribedConfig {
        name: name.to_owned(),
        value: text.filter(|_| !sensitive),
        source: synonyms.first().map_or(ConfigSource::Default, |first| first.source),
        kind: row.map(|row| row.def.kind),
        read_only: row.is_none_or(|row| !changes_at_run_time(row)),
        sensitive,
        synonyms,
        doc: doc_of_topics(name),
    }
}

/// A broker config that is the default of a topic config, in the same unit, means what that one does.
fn doc_of_topics(name: &str) -> Option<&'static str> {
    let gives_default = |row: &&TopicConfigDef| row.synonyms.contains(&(name, 1));
    TOPIC_CONFIGS.iter().find(gives_default).map(|row| row.doc)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configs::Properties;

    fn set(pairs: &[(&str, &str)]) -> Properties {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn one(lines: Vec<DescribedConfig>) -> DescribedConfig {
        assert_eq!(lines.len(), 1);
        lines.into_iter().next().unwrap()
    }

    fn synonyms(line: &DescribedConfig) -> Vec<(&str, Option<&str>, i8)> {
        line.synonyms.iter().map(|s| (s.name.as_str(), s.value.as_deref(), s.source.wire_code())).collect()
    }

    #[test]
    fn a_topic_config_shows_every_layer_in_order_of_precedence() {
        let (topic, file) = (set(&[("retention.ms", " 5000 ")]), set(&[("log.retention.hours", "168")]));
        let (one_broker, all) = (set(&[("log.retention.ms", "200000")]), set(&[("log.retention.ms", "100000")]));
        let layers = Layers {
            topic: Some(&topic),
            broker: Some(&one_broker),
            broker_default: Some(&all),
            node_file: Some(&file),
        };
        let line = one(describe_topic(&layers, Some(&["retention.ms".to_owned()])));
        assert_eq!(
            (line.value.as_deref(), line.source, line.kind),
            (Some("5000"), ConfigSource::Topic, Some(ConfigType::Long))
        );
        assert_eq!(
            synonyms(&line),
            [
                ("retention.ms", Some("5000"), 1),
                ("log.retention.ms", Some("200000"), 2),
                ("log.retention.ms", Some("100000"), 3),
                ("log.retention.hours", Some("168"), 4),
                ("log.retention.hours", Some("168"), 5),
            ]
        );
    }

    #[test]
    fn a_topic_shows_the_37_configs_that_kafka_shows() {
        assert_eq!(describe_topic(&Layers::default(), None).len(), 37);
        assert_eq!(describe_topic(&Layers::default(), Some(&[])).len(), 37);
        assert!(describe_topic(&Layers::default(), None).iter().all(|line| line.doc.is_some_and(|doc| doc.len() > 20)));
    }

    #[test]
    fn secrets_and_unknown_names_are_never_shown() {
        let file = set(&[("ssl.key.password", "hunter2"), ("my.plugin.token", "hunter2"), ("num.partitions", "7")]);
        let layers = Layers { node_file: Some(&file), ..Layers::default() };
        let lines = describe_broker(&layers, None);
        assert!(!format!("{lines:?}").contains("hunter2"));
        let line = |name: &str| lines.iter().find(|line| line.name == name).unwrap();
        assert!(line("ssl.key.password").sensitive && line("ssl.key.password").read_only, "this broker has no TLS yet");
        assert_eq!(line("ssl.key.password").source, ConfigSource::StaticBroker);
        assert!(line("my.plugin.token").sensitive && line("my.plugin.token").kind.is_none());
        assert_eq!(line("num.partitions").value.as_deref(), Some("7"));
        assert!(line("log.retention.ms").doc.is_some_and(|doc| doc.contains("kept")));
        assert_eq!(
            (line("log.retention.hours").doc, line("num.partitions").doc),
            (None, None),
            "hours are not its unit"
        );
        assert!(line("num.partitions").read_only);
    }

    #[test]
    fn the_broker_default_shows_only_what_was_set_for_all() {
        let all = set(&[("log.segment.bytes", "3000000")]);
        let file = set(&[("log.segment.bytes", "2000000"), ("num.partitions", "7")]);
        let layers = Layers { broker_default: Some(&all), node_file: Some(&file), ..Layers::default() };
        let line = one(describe_broker_default(&layers, None));
        assert_eq!(synonyms(&line), [("log.segment.bytes", Some("3000000"), 3)]);
        assert_eq!((line.value.as_deref(), line.source.wire_code(), line.read_only), (Some("3000000"), 3, false));
    }
}
