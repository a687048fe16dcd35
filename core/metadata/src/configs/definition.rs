//! One config's name, type, default and rule, and how a text becomes a value: trimming, number ranges and the words of
//! a refusal follow Kafka's ConfigDef.

use std::collections::BTreeSet;
use std::fmt;

/// A config's type. Only text ever travels or is stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ConfigType {
    Boolean,
    String,
    Int,
    Short,
    Long,
    Double,
    List,
    Class,
    /// Never shown to anybody.
    Password,
}

impl ConfigType {
    /// The number that DescribeConfigs gives a type; 0 stands for a config nobody defined.
    pub fn wire_code(self) -> i8 {
        match self {
            Self::Boolean => 1,
            Self::String => 2,
            Self::Int => 3,
            Self::Short => 4,
            Self::Long => 5,
            Self::Double => 6,
            Self::List => 7,
            Self::Class => 8,
            Self::Password => 9,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Boolean => "BOOLEAN",
            Self::String => "STRING",
            Self::Int => "INT",
            Self::Short => "SHORT",
            Self::Long => "LONG",
            Self::Double => "DOUBLE",
            Self::List => "LIST",
            Self::Class => "CLASS",
            Self::Password => "PASSWORD",
        }
    }
}

/// What a value has to satisfy beyond its type. Both ends of a range belong to it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Rule {
    Any,
    AtLeast(i64),
    Between(i64, i64),
    DoubleBetween(f64, f64),
    OneOf(&'static [&'static str]),
    OneOfIgnoringCase(&'static [&'static str]),
    /// Every entry of the list is one of these; an empty list is fine, an empty entry is not, and an entry that comes
    /// twice counts once.
    EachOneOf(&'static [&'static str]),
    NonEmpty,
    GzipLevel,
    /// `*`, or `partition:broker` entries.
    ThrottledReplicas,
}

/// A parsed value.
#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    Boolean(bool),
    Integer(i64),
    Double(f64),
    Text(String),
    List(Vec<String>),
}

impl Value {
    pub fn as_bool(&self) -> Option<bool> {
        if let Self::Boolean(value) = self { Some(*value) } else { None }
    }

    pub fn as_integer(&self) -> Option<i64> {
        if let Self::Integer(value) = self { Some(*value) } else { None }
    }
}

/// A value that a config does not take, or a name that no config has.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("Invalid value {value} for configuration {name}: {why}")]
    BadValue { name: String, value: String, why: String },
    #[error("Unknown topic config name: {0}")]
    UnknownTopicConfig(String),
    /// Anything else that is wrong with one config or between two.
    #[error("{0}")]
    Other(String),
}

/// A config without the place it may be set at.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct ConfigDef {
    pub name: &'static str,
    pub kind: ConfigType,
    /// `None` where Kafka's default is null: not set at all.
    pub default: Option<&'static str>,
    pub rule: Rule,
    /// Works, but is not shown.
    pub internal: bool,
}

/// A config of topics.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct TopicConfigDef {
    pub def: ConfigDef,
    /// The broker configs that give the default, highest precedence first, each with the factor that turns its unit into
    /// this config's.
    pub synonyms: &'static [(&'static str, i64)],
    pub doc: &'static str,
}

/// When a broker config may change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UpdateMode {
    /// With the properties file and a restart.
    ReadOnly,
    /// At run time, for one broker.
    PerBroker,
    /// At run time, for one broker or for all.
    ClusterWide,
}

/// A config of brokers.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct BrokerConfig {
    pub def: ConfigDef,
    pub update: UpdateMode,
    /// Has no default and has to be in the properties file.
    pub required: bool,
}

impl ConfigDef {
    pub fn is_sensitive(&self) -> bool {
        self.kind == ConfigType::Password
    }

    /// Turns `text` into a value that satisfies the rule, or says why not.
    pub fn parse(&self, text: &str) -> Result<Value, ConfigError> {
        let trimmed = java_trim(text);
        let value = match self.kind {
            ConfigType::Boolean if trimmed.eq_ignore_ascii_case("true") => Value::Boolean(true),
            ConfigType::Boolean if trimmed.eq_ignore_ascii_case("false") => Value::Boolean(false),
            ConfigType::Boolean => return Err(self.refuse(text, "Expected value to be either true or false")),
            ConfigType::Int => Value::Integer(self.number::<i32>(text, trimmed)?.into()),
            ConfigType::Short => Value::Integer(self.number::<i16>(text, trimmed)?.into()),
            ConfigType::Long => Value::Integer(self.number::<i64>(text, trimmed)?),
            ConfigType::Double => match trimmed.parse::<f64>() {
                Ok(value) if value.is_finite() => Value::Double(value),
                _ => return Err(self.not_a_number(text)),
            },
            ConfigType::List if trimmed.is_empty() => Value::List(Vec::new()),
            ConfigType::List => {
                let mut entries: Vec<String> = trimmed.split(',').map(|entry| java_trim(entry).to_owned()).collect();
                if matches!(self.rule, Rule::EachOneOf(_)) {
                    let mut seen = BTreeSet::new();
                    entries.retain(|entry| seen.insert(entry.clone()));
                }
                Value::List(entries)
            }
            ConfigType::Password => Value::Text(text.to_owned()),
            ConfigType::String | ConfigType::Class => Value::Text(trimmed.to_owned()),
        };
        self.check(&value)?;
        Ok(value)
    }

    /// How a value that parsed is shown: numbers without spaces, lists without spaces around commas.
    pub fn normalize(&self, text: &str) -> String {
        match self.parse(text) {
            Ok(Value::Boolean(value)) => value.to_string(),
            Ok(Value::Integer(value)) => value.to_string(),
            Ok(Value::List(entries)) => entries.join(","),
            Ok(Value::Text(value)) => value,
            Ok(Value::Double(_)) => java_trim(text).to_owned(),
            Err(_) => text.to_owned(),
        }
    }

    fn number<N: std::str::FromStr>(&self, text: &str, trimmed: &str) -> Result<N, ConfigError> {
        trimmed.parse().map_err(|_| self.not_a_number(text))
    }

    fn not_a_number(&self, text: &str) -> ConfigError {
        self.refuse(text, &format!("Not a number of type {}", self.kind.name()))
    }

    fn refuse(&self, value: impl fmt::Display, why: &str) -> ConfigError {
        let value = if self.is_sensitive() { "[hidden]".to_owned() } else { value.to_string() };
        ConfigError::BadValue { name: self.name.to_owned(), value, why: why.to_owned() }
    }

    fn check(&self, value: &Value) -> Result<(), ConfigError> {
        let below = |min: &dyn fmt::Display| format!("Value must be at least {min}");
        let above = |max: &dyn fmt::Display| format!("Value must be no more than {max}");
        let not_among = |names: &[&str]| format!("String must be one of: {}", names.join(", "));
        match (self.rule, value) {
            (Rule::AtLeast(min) | Rule::Between(min, _), Value::Integer(n)) if *n < min => {
                Err(self.refuse(n, &below(&min)))
            }
            (Rule::Between(_, max), Value::Integer(n)) if *n > max => Err(self.refuse(n, &above(&max))),
            (Rule::DoubleBetween(min, _), Value::Double(n)) if *n < min => Err(self.refuse(n, &below(&min))),
            (Rule::DoubleBetween(_, max), Value::Double(n)) if *n > max => Err(self.refuse(n, &above(&max))),
            (Rule::GzipLevel, Value::Integer(n)) if *n != -1 && !(1..=9).contains(n) => {
                Err(self.refuse(n, "Value must be between 1 and 9 or equal to -1"))
            }
            (Rule::OneOf(names), Value::Text(text)) if !names.contains(&text.as_str()) => {
                Err(self.refuse(text, &not_among(names)))
            }
            (Rule::OneOfIgnoringCase(names), Value::Text(text))
                if !names.iter().any(|name| name.eq_ignore_ascii_case(text)) =>
            {
                Err(self.refuse(text, &not_among(names)))
            }
            (Rule::EachOneOf(names), Value::List(entries)) => {
                if entries.iter().any(String::is_empty) {
                    return Err(ConfigError::Other(format!("Configuration '{}' values must not be empty.", self.name)));
                }
                match entries.iter().find(|entry| !names.contains(&entry.as_str())) {
                    Some(entry) => Err(self.refuse(entry, &not_among(names))),
                    None => Ok(()),
                }
            }
            (Rule::ThrottledReplicas, Value::List(entries)) if !are_throttled_replicas(entries) => {
                let why = format!(
                    "{} must be the literal '*' or a list of replicas in the following format: \
                     [partitionId]:[brokerId],[partitionId]:[brokerId],...",
                    self.name
                );
                Err(self.refuse(format_args!("[{}]", entries.join(", ")), &why))
            }
            (Rule::NonEmpty, Value::Text(text)) if text.is_empty() => {
                Err(self.refuse(text, "String must be non-empty"))
            }
            _ => Ok(()),
        }
    }
}

fn are_throttled_replicas(entries: &[String]) -> bool {
    let is_pair = |entry: &String| {
        let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        entry.split_once(':').is_some_and(|(partition, broker)| number(partition) && number(broker))
    };
    matches!(entries, [one] if one == "*") || entries.iter().all(is_pair)
}

/// What Java's `String.trim` takes off: everything up to and including the space.
fn java_trim(text: &str) -> &str {
    text.trim_matches(|c| c <= ' ')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configs::topic_config;

    /// Answers of Apache Kafka 4.4.0 to CreateTopics with one config.
    #[test]
    fn values_are_refused_in_kafkas_words() {
        for (name, value, why) in [
            ("retention.ms", "abc", "Not a number of type LONG"),
            ("retention.ms", "-5", "Value must be at least -1"),
            ("retention.ms", "", "Not a number of type LONG"),
            ("segment.bytes", "10", "Value must be at least 1048576"),
            ("segment.bytes", "99999999999", "Not a number of type INT"),
            ("compression.type", "brotli", "String must be one of: uncompressed, zstd, lz4, snappy, gzip, producer"),
            ("cleanup.policy", "foo", "String must be one of: compact, delete"),
            ("preallocate", "maybe", "Expected value to be either true or false"),
            ("min.cleanable.dirty.ratio", "1.5", "Value must be no more than 1"),
            ("min.cleanable.dirty.ratio", "-0.5", "Value must be at least 0"),
            ("min.cleanable.dirty.ratio", "x", "Not a number of type DOUBLE"),
            ("compression.gzip.level", "0", "Value must be between 1 and 9 or equal to -1"),
            ("compression.lz4.level", "0", "Value must be at least 1"),
            ("compression.zstd.level", "99", "Value must be no more than 22"),
            ("max.compaction.lag.ms", "0", "Value must be at least 1"),
            ("message.timestamp.type", "Foo", "String must be one of: CreateTime, LogAppendTime"),
            ("max.decompressed.message.bytes", "2147483647", "Value must be no more than 2147483639"),
            ("local.retention.ms", "-3", "Value must be at least -2"),
            ("remote.copy.lag.ms", "-2", "Value must be at least -1"),
            ("min.insync.replicas", "0", "Value must be at least 1"),
        ] {
            let error = topic_config(name).unwrap().def.parse(value).unwrap_err();
            assert_eq!(error.to_string(), format!("Invalid value {value} for configuration {name}: {why}"));
        }
    }

    #[test]
    fn throttled_replicas_are_a_star_or_pairs() {
        let def = topic_config("leader.replication.throttled.replicas").unwrap().def;
        for good in ["", "*", "0:1", "0:1,1:2"] {
            assert!(def.parse(good).is_ok(), "{good}");
        }
        for bad in ["x", "0", "0:", ":1", "*,0:1", "0:1,"] {
            assert!(def.parse(bad).is_err(), "{bad}");
        }
        assert_eq!(
            def.parse("x").unwrap_err().to_string(),
            "Invalid value [x] for configuration leader.replication.throttled.replicas: \
             leader.replication.throttled.replicas must be the literal '*' or a list of replicas in the following \
             format: [partitionId]:[brokerId],[partitionId]:[brokerId],..."
        );
    }

    #[test]
    fn spaces_around_values_do_not_matter() {
        let def = |name| topic_config(name).unwrap().def;
        assert_eq!(def("preallocate").parse(" TRUE ").unwrap(), Value::Boolean(true));
        assert_eq!(def("retention.ms").normalize(" 5000 "), "5000");
        assert_eq!(def("cleanup.policy").normalize(" compact , delete "), "compact,delete");
        assert_eq!(def("cleanup.policy").normalize("delete,delete"), "delete");
        assert_eq!(def("cleanup.policy").parse("").unwrap(), Value::List(vec![]));
        assert_eq!(
            def("cleanup.policy").parse("delete,").unwrap_err().to_string(),
            "Configuration 'cleanup.policy' values must not be empty."
        );
    }
}
