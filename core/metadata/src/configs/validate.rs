//! Whether a set of values may be stored: what ConfigDef checks one by one, what must hold between two of them, and what
//! this broker refuses ([`super::ConfigPolicy`]).

use super::definition::{BrokerConfig, ConfigDef, ConfigError, ConfigType, Rule, UpdateMode};
use super::layers::Layers;
use super::policy::changes_at_run_time;
use super::topic_config::TopicConfig;
use super::{ConfigPolicy, Properties, broker_config, topic_config};

/// Broker configs that exist at run time only.
const DYNAMIC_ONLY: [BrokerConfig; 3] = [
    dynamic_rate("follower.replication.throttled.rate"),
    dynamic_rate("leader.replication.throttled.rate"),
    dynamic_rate("replica.alter.log.dirs.io.max.bytes.per.second"),
];

const fn dynamic_rate(name: &'static str) -> BrokerConfig {
    let def = ConfigDef {
        name,
        kind: ConfigType::Long,
        default: Some("9223372036854775807"),
        rule: Rule::AtLeast(0),
        internal: false,
    };
    BrokerConfig { def, update: UpdateMode::ClusterWide, required: false }
}

pub(crate) fn dynamic_broker_config(name: &str) -> Option<&'static BrokerConfig> {
    static EXTRA: [BrokerConfig; 3] = DYNAMIC_ONLY;
    broker_config(name).or_else(|| EXTRA.iter().find(|row| row.def.name == name))
}

/// Checks what would be all overrides of a topic, against `below` (whose own topic layer is not looked at).
pub fn check_topic_configs(
    overrides: &Properties,
    is_internal: bool,
    below: &Layers<'_>,
    policy: &ConfigPolicy,
) -> Result<(), ConfigError> {
    if let Some(unknown) = overrides.keys().find(|name| topic_config(name).is_none()) {
        return Err(ConfigError::UnknownTopicConfig(unknown.clone()));
    }
    for (name, text) in overrides {
        let row = topic_config(name).expect("unknown names were refused above");
        row.def.parse(text)?;
        if let Some(why) = policy.refusal(name, &row.def.normalize(text)) {
            return Err(ConfigError::Other(why));
        }
    }
    let effective = TopicConfig::resolve(&Layers { topic: Some(overrides), ..*below });
    if overrides.contains_key("cleanup.policy") && !is_internal {
        check_compaction("cleanup.policy", effective.cleanup_policy.compact, policy)?;
    }
    check_compaction_lags(&effective)
}

fn check_compaction_lags(effective: &TopicConfig) -> Result<(), ConfigError> {
    let (min, max) = (effective.min_compaction_lag_ms, effective.max_compaction_lag_ms);
    if min > max {
        return Err(ConfigError::Other(format!(
            "conflict topic config setting min.compaction.lag.ms ({min}) > max.compaction.lag.ms ({max})"
        )));
    }
    Ok(())
}

fn check_compaction(name: &str, compact: bool, policy: &ConfigPolicy) -> Result<(), ConfigError> {
    if compact && !policy.accept_compaction {
        return Err(ConfigError::BadValue {
            name: name.to_owned(),
            value: "compact".to_owned(),
            why: "log compaction is not available in this version of the broker; use delete".to_owned(),
        });
    }
    Ok(())
}

/// Whose dynamic configs are checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DynamicScope {
    OneBroker,
    AllBrokers,
}

/// Keys and their stores, which belong to one listener each.
fn is_security_of_listener(name: &str) -> bool {
    name == "ssl.key.password" || name.starts_with("ssl.keystore.") || name.starts_with("ssl.truststore.")
}

/// Whether `name` is one of a listener: `listener.name.<listener>.<config>`, with a mechanism before the config or not.
fn is_of_listener(name: &str) -> bool {
    let Some(rest) = name.strip_prefix("listener.name.") else { return false };
    rest.match_indices('.').any(|(dot, _)| broker_config(&rest[dot + 1..]).is_some())
}

/// Checks what would be all dynamic configs of one broker or of all, while `current` is in effect. Kafka's checks in
/// Kafka's order and words.
pub fn check_dynamic_broker_configs(
    scope: DynamicScope,
    configs: &Properties,
    current: &Layers<'_>,
    policy: &ConfigPolicy,
) -> Result<(), ConfigError> {
    let rows: Vec<_> = configs.iter().map(|(name, text)| (name.as_str(), text, dynamic_broker_config(name))).collect();
    let refuse = |why: &str, is_bad: &dyn Fn(&str, Option<&BrokerConfig>) -> bool| {
        let bad: Vec<&str> = rows.iter().filter(|(name, _, row)| is_bad(name, *row)).map(|(name, ..)| *name).collect();
        if bad.is_empty() { Ok(()) } else { Err(ConfigError::Other(format!("{why}: [{}]", bad.join(", ")))) }
    };
    refuse(READ_ONLY, &|_, row| row.is_some_and(|row| row.update == UpdateMode::ReadOnly))?;
    refuse(
        "These security configs can be dynamically updated only per-listener using the listener prefix",
        &|name, _| is_security_of_listener(name),
    )?;
    if !policy.accept_unknown_broker_configs {
        refuse("Unknown broker config names", &|name, row| row.is_none() && !is_of_listener(name))?;
    }
    for (name, text, row) in &rows {
        let Some(row) = row else { continue };
        row.def.parse(text)?;
        if let Some(why) = policy.refusal(name, &row.def.normalize(text)) {
            return Err(ConfigError::Other(why));
        }
    }
    if scope == DynamicScope::AllBrokers {
        refuse("Cannot update these configs at default cluster level, broker id must be specified", &|name, row| {
            is_of_listener(name) || row.is_some_and(|row| row.update == UpdateMode::PerBroker)
        })?;
    }
    refuse(READ_ONLY, &|name, row| is_of_listener(name) || row.is_some_and(|row| !changes_at_run_time(row)))?;
    check_thread_count("num.recovery.threads.per.data.dir", configs, current)?;
    let next = match scope {
        DynamicScope::OneBroker => Layers { topic: None, broker: Some(configs), ..*current },
        DynamicScope::AllBrokers => Layers { topic: None, broker_default: Some(configs), ..*current },
    };
    check_numbers(configs)?;
    let topics = TopicConfig::resolve(&next);
    if configs.contains_key("log.cleanup.policy") {
        check_compaction("log.cleanup.policy", topics.cleanup_policy.compact, policy)?;
    }
    check_compaction_lags(&topics)?;
    for (name, kept, whole_name, whole) in [
        ("log.local.retention.ms", topics.local_retention_ms, "log.retention.ms", topics.retention_ms),
        ("log.local.retention.bytes", topics.local_retention_bytes, "log.retention.bytes", topics.retention_bytes),
    ] {
        check_local_retention(name, kept, whole_name, whole)?;
    }
    Ok(())
}

const READ_ONLY: &str = "Cannot update these configs dynamically";

/// Numbers that their definitions take and the whole does not.
fn check_numbers(configs: &Properties) -> Result<(), ConfigError> {
    let number = |name: &str| {
        let row = broker_config(name)?;
        row.def.parse(configs.get(name)?).ok()?.as_integer()
    };
    let refuse = |why: &str| Err(ConfigError::Other(why.to_owned()));
    if number("log.retention.ms") == Some(0) {
        return refuse("requirement failed: log.retention.ms must be unlimited (-1) or, greater than or equal to 1");
    }
    if number("log.roll.ms").is_some_and(|ms| ms < 1) {
        return refuse("requirement failed: log.roll.ms must be greater than or equal to 1");
    }
    if number("max.connections") == Some(0) {
        return refuse("Invalid max.connections 0");
    }
    Ok(())
}

/// That what stays on local disks is no more than what is kept at all: -2 stands for all of it, a whole of -1 has no limit.
fn check_local_retention(name: &str, kept: i64, whole_name: &str, whole: i64) -> Result<(), ConfigError> {
    let refuse = |why: String| Err(ConfigError::BadValue { name: name.to_owned(), value: kept.to_string(), why });
    if whole < 0 || kept == -2 {
        return Ok(());
    }
    if kept == -1 {
        return refuse(format!("Value must not be -1 as {whole_name} value is set as {whole}."));
    }
    if kept > whole {
        return refuse(format!("Value must not be more than {whole_name} property value: {whole}"));
    }
    Ok(())
}

/// Configs that count threads change by steps: at most double or half.
fn check_thread_count(name: &str, configs: &Properties, current: &Layers<'_>) -> Result<(), ConfigError> {
    let Some(row) = broker_config(name) else { return Ok(()) };
    let Some(next) = configs.get(name).and_then(|text| row.def.parse(text).ok()?.as_integer()) else { return Ok(()) };
    let Some(now) = current.broker_value(name).and_then(|value| value.as_integer()) else { return Ok(()) };
    let refuse = |why: String| {
        let message = format!("Dynamic thread count update validation failed for {name}={next}, {why}");
        Err(ConfigError::Other(message))
    };
    if next < now / 2 {
        refuse(format!("value should be at least half the current value {now}"))
    } else if next > now.saturating_mul(2) {
        refuse(format!("value should not be greater than double the current value {now}"))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configs::{BROKER_CONFIGS, TOPIC_CONFIGS};

    fn set(pairs: &[(&str, &str)]) -> Properties {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn topic(pairs: &[(&str, &str)]) -> Result<(), String> {
        check_topic_configs(&set(pairs), false, &Layers::default(), &ConfigPolicy::default()).map_err(|e| e.to_string())
    }

    fn broker(scope: DynamicScope, name: &str, value: &str) -> Result<(), String> {
        check_dynamic_broker_configs(scope, &set(&[(name, value)]), &Layers::default(), &ConfigPolicy::default())
            .map_err(|e| e.to_string())
    }

    #[test]
    fn the_tables_are_sorted_and_their_defaults_parse() {
        assert!(BROKER_CONFIGS.is_sorted_by(|a, b| a.def.name < b.def.name));
        assert!(TOPIC_CONFIGS.is_sorted_by(|a, b| a.def.name < b.def.name));
        let defs = BROKER_CONFIGS.iter().map(|row| row.def).chain(TOPIC_CONFIGS.iter().map(|row| row.def));
        for def in defs {
            if let Some(default) = def.default {
                def.parse(default).unwrap_or_else(|e| panic!("{e}"));
            }
        }
        for row in TOPIC_CONFIGS {
            assert!(row.synonyms.iter().all(|(name, _)| broker_config(name).is_some()), "{}", row.def.name);
        }
    }

    #[test]
    fn a_conflict_between_compaction_lags_is_refused() {
        assert_eq!(
            topic(&[("min.compaction.lag.ms", "100"), ("max.compaction.lag.ms", "50")]).unwrap_err(),
            "conflict topic config setting min.compaction.lag.ms (100) > max.compaction.lag.ms (50)"
        );
        let file = set(&[("log.cleaner.min.compaction.lag.ms", "100")]);
        let below = Layers { node_file: Some(&file), ..Layers::default() };
        let overrides = set(&[("max.compaction.lag.ms", "50")]);
        assert!(check_topic_configs(&overrides, false, &below, &ConfigPolicy::default()).is_err());
    }

    #[test]
    fn an_unknown_name_is_refused_before_any_value() {
        assert_eq!(topic(&[("a.bad", "1"), ("retention.ms", "abc")]).unwrap_err(), "Unknown topic config name: a.bad");
        assert_eq!(topic(&[("zz", "1"), ("retention.ms", "abc")]).unwrap_err(), "Unknown topic config name: zz");
    }

    #[test]
    fn what_does_not_work_yet_is_refused_and_named() {
        assert_eq!(
            topic(&[("remote.storage.enable", "TRUE")]).unwrap_err(),
            "Tiered Storage functionality is disabled in the broker. \
             Topic cannot be configured with remote log storage."
        );
        assert!(topic(&[("remote.storage.enable", " False ")]).is_ok());
        assert_eq!(
            topic(&[("compression.lz4.level", "12")]).unwrap_err(),
            "Invalid value 12 for configuration compression.lz4.level: \
             this broker compresses with lz4 at the default level, 9, only"
        );
        assert!(broker(DynamicScope::OneBroker, "compression.lz4.level", "1").is_err());
        assert!(topic(&[("compression.lz4.level", " 9 ")]).is_ok());
        assert!(topic(&[("cleanup.policy", "delete,compact")]).unwrap_err().contains("compaction is not available"));
        let accepting = ConfigPolicy { accept_compaction: true, ..ConfigPolicy::default() };
        let compact = set(&[("cleanup.policy", "compact")]);
        assert!(check_topic_configs(&compact, false, &Layers::default(), &accepting).is_ok());
        assert!(check_topic_configs(&compact, true, &Layers::default(), &ConfigPolicy::default()).is_ok());
    }

    /// Answers of Apache Kafka 4.4.0 to IncrementalAlterConfigs, but for the name that it takes and we do not.
    #[test]
    fn dynamic_broker_configs_are_refused_in_kafkas_words() {
        use DynamicScope::{AllBrokers, OneBroker};
        for (scope, name, value, message) in [
            (OneBroker, "num.partitions", "5", "Cannot update these configs dynamically: [num.partitions]"),
            (AllBrokers, "log.retention.hours", "5", "Cannot update these configs dynamically: [log.retention.hours]"),
            (
                AllBrokers,
                "listeners",
                "PLAINTEXT://:1",
                "Cannot update these configs at default cluster level, broker id must be specified: [listeners]",
            ),
            (
                AllBrokers,
                "ssl.keystore.location",
                "/x",
                "These security configs can be dynamically updated only per-listener using the listener prefix: \
                 [ssl.keystore.location]",
            ),
            (
                OneBroker,
                "log.retention.ms",
                "abc",
                "Invalid value abc for configuration log.retention.ms: Not a number of type LONG",
            ),
            (
                AllBrokers,
                "log.cleanup.policy",
                "x",
                "Invalid value x for configuration log.cleanup.policy: String must be one of: compact, delete",
            ),
            (
                AllBrokers,
                "num.recovery.threads.per.data.dir",
                "5",
                "Dynamic thread count update validation failed for num.recovery.threads.per.data.dir=5, \
                 value should not be greater than double the current value 2",
            ),
            (
                OneBroker,
                "log.retention.ms",
                "0",
                "requirement failed: log.retention.ms must be unlimited (-1) or, greater than or equal to 1",
            ),
            (OneBroker, "log.roll.ms", "0", "requirement failed: log.roll.ms must be greater than or equal to 1"),
            (AllBrokers, "max.connections", "0", "Invalid max.connections 0"),
            (
                AllBrokers,
                "log.local.retention.ms",
                "99999999999",
                "Invalid value 99999999999 for configuration log.local.retention.ms: \
                 Value must not be more than log.retention.ms property value: 604800000",
            ),
            (
                AllBrokers,
                "listener.name.plaintext.ssl.keystore.location",
                "/x",
                "Cannot update these configs at default cluster level, broker id must be specified: \
                 [listener.name.plaintext.ssl.keystore.location]",
            ),
            (OneBroker, "no.such.key", "5", "Unknown broker config names: [no.such.key]"),
        ] {
            assert_eq!(broker(scope, name, value).unwrap_err(), message);
        }
        for (name, value) in [
            ("log.retention.ms", "-5"),
            ("log.segment.bytes", "3000000"),
            ("num.recovery.threads.per.data.dir", "4"),
            ("num.recovery.threads.per.data.dir", "1"),
            ("leader.replication.throttled.rate", "1000"),
            ("max.connections", "1000"),
        ] {
            assert_eq!(broker(AllBrokers, name, value), Ok(()));
        }
    }

    #[test]
    fn what_kafka_can_change_and_this_broker_cannot_is_read_only() {
        use DynamicScope::{AllBrokers, OneBroker};
        for name in ["num.io.threads", "background.threads", "num.replica.fetchers", "max.connections.per.ip"] {
            for scope in [OneBroker, AllBrokers] {
                assert_eq!(broker(scope, name, "9").unwrap_err(), format!("{READ_ONLY}: [{name}]"));
            }
        }
        for name in ["listeners", "ssl.cipher.suites", "listener.name.plaintext.max.connections"] {
            assert_eq!(broker(OneBroker, name, "9").unwrap_err(), format!("{READ_ONLY}: [{name}]"));
        }
        let at_run_time = BROKER_CONFIGS.iter().filter(|row| changes_at_run_time(row));
        assert!(at_run_time.clone().all(|row| row.update == UpdateMode::ClusterWide));
        assert!(at_run_time.count() > 30);
    }

    /// Compares the tables with Kafka's, which lie beside the project; not in it.
    #[test]
    fn the_tables_agree_with_kafkas() {
        let shared = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/kafka-protocol");
        let read = |file: &str| std::fs::read_to_string(shared.join(file)).ok();
        let (Some(brokers), Some(topics)) = (read("configs-broker.tsv"), read("configs-topic.tsv")) else {
            println!("skipped: shared folder absent");
            return;
        };
        let rows = |text: &str| -> Vec<Vec<String>> {
            text.lines().skip(2).map(|line| line.split('\t').map(str::to_owned).collect()).collect()
        };
        let same = |def: &ConfigDef, row: &[String]| {
            assert_eq!(format!("{:?}", def.kind).to_lowercase(), row[1], "{}", row[0]);
            let default = (row[2] != "null" && row[2] != "(required)").then_some(row[2].as_str());
            assert_eq!(def.default, default, "{}", row[0]);
            let rule = match row[3].as_str() {
                // What "non-null" and "non-empty" ask for is said by the default being there.
                "non-null string" | "non-empty list" => "",
                rule => rule.trim_start_matches("(case insensitive) "),
            };
            assert_eq!(shown(def.rule), rule, "{}", row[0]);
            assert_eq!(def.internal.to_string(), row[6], "{}", row[0]);
        };
        let brokers = rows(&brokers);
        assert_eq!(brokers.len(), BROKER_CONFIGS.len());
        for row in &brokers {
            let ours = broker_config(&row[0]).unwrap_or_else(|| panic!("{} is missing", row[0]));
            same(&ours.def, row);
            let mode = match ours.update {
                UpdateMode::ReadOnly => "read-only",
                UpdateMode::PerBroker => "per-broker",
                UpdateMode::ClusterWide => "cluster-wide",
            };
            assert_eq!((mode, ours.required), (row[5].as_str(), row[2] == "(required)"), "{}", row[0]);
        }
        let topics = rows(&topics);
        assert_eq!(topics.len(), TOPIC_CONFIGS.len());
        for row in &topics {
            let ours = topic_config(&row[0]).unwrap_or_else(|| panic!("{} is missing", row[0]));
            same(&ours.def, row);
            let synonyms: Vec<_> = ours.synonyms.iter().map(|(name, _)| *name).collect();
            assert_eq!(synonyms.join(","), row[5], "{}", row[0]);
        }

        fn shown(rule: Rule) -> String {
            match rule {
                Rule::Any => String::new(),
                Rule::AtLeast(min) => format!("[{min},...]"),
                Rule::Between(min, max) => format!("[{min},...,{max}]"),
                Rule::DoubleBetween(min, max) => format!("[{min},...,{max}]"),
                Rule::OneOf(names) | Rule::OneOfIgnoringCase(names) | Rule::EachOneOf(names) => {
                    format!("[{}]", names.join(", "))
                }
                Rule::NonEmpty => "non-empty string".to_owned(),
                Rule::GzipLevel => "[1,...,9] or -1".to_owned(),
                Rule::ThrottledReplicas => "[partitionId]:[brokerId],[partitionId]:[brokerId],...".to_owned(),
            }
        }
    }
}
