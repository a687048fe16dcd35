//! Where a value comes from when nobody set it here: the layers, from the nearest to the built-in default.

use std::borrow::Cow;

use super::Properties;
use super::definition::{BrokerConfig, TopicConfigDef, Value};
use super::describe::{ConfigSource, Synonym};
use super::{broker_config, topic_config};

/// Everything that has a say in one topic's or one broker's configs.
///
/// A stored value that its own definition refuses (a value of another version, a hand-edited file) counts as not set, so
/// that what is in effect always exists; what clients and files may set is checked before it is stored.
#[derive(Clone, Copy, Debug, Default)]
pub struct Layers<'a> {
    pub topic: Option<&'a Properties>,
    /// Dynamic configs of this node.
    pub broker: Option<&'a Properties>,
    /// Dynamic configs of all brokers.
    pub broker_default: Option<&'a Properties>,
    /// The node's properties file.
    pub node_file: Option<&'a Properties>,
}

impl<'a> Layers<'a> {
    /// The layers below a topic, nearest first.
    fn broker_layers(&self) -> [(Option<&'a Properties>, ConfigSource); 3] {
        [
            (self.broker, ConfigSource::DynamicBroker),
            (self.broker_default, ConfigSource::DynamicBrokerDefault),
            (self.node_file, ConfigSource::StaticBroker),
        ]
    }

    /// The text in effect for a topic config, in the topic config's unit; `None` where even the default is null.
    pub fn topic_text(&self, row: &TopicConfigDef) -> Option<Cow<'a, str>> {
        if let Some(text) = self.topic.and_then(|set| set.get(row.def.name)).filter(|text| row.def.parse(text).is_ok())
        {
            return Some(Cow::Borrowed(text));
        }
        for &(name, factor) in row.synonyms {
            for (layer, _) in self.broker_layers() {
                let Some(text) = layer.and_then(|set| set.get(name)) else { continue };
                if let Some(text) = convert(row, name, factor, text) {
                    return Some(text);
                }
            }
        }
        row.def.default.map(Cow::Borrowed)
    }

    /// The value in effect for the topic config called `name`, which must be in the table.
    pub(crate) fn topic_value(&self, name: &str) -> Option<Value> {
        let row = topic_config(name).expect("only names of the table are asked for");
        let text = self.topic_text(row)?;
        Some(row.def.parse(&text).expect("a layer's value was parsed before it was taken, and defaults parse"))
    }

    /// The text in effect for a broker config and its source; `None` where even the default is null.
    pub fn broker_text(&self, row: &BrokerConfig) -> Option<(&'a str, ConfigSource)> {
        for (layer, source) in self.broker_layers() {
            let text = layer.and_then(|set| set.get(row.def.name)).filter(|text| row.def.parse(text).is_ok());
            if let Some(text) = text {
                return Some((text, source));
            }
        }
        row.def.default.map(|text| (text, ConfigSource::Default))
    }

    /// The value in effect for the broker config called `name`; `None` for an unknown name or a null.
    pub fn broker_value(&self, name: &str) -> Option<Value> {
        let row = broker_config(name)?;
        row.def.parse(self.broker_text(row)?.0).ok()
    }

    /// Every value that any of `names` has in the layers below a topic, in order of precedence.
    pub(crate) fn synonyms(&self, names: &[&str], hide: bool) -> Vec<Synonym> {
        let mut found = Vec::new();
        let mut add = |name: &str, value: &str, source| {
            found.push(Synonym { name: name.to_owned(), value: (!hide).then(|| value.to_owned()), source });
        };
        for (layer, source) in self.broker_layers() {
            for name in names {
                if let Some(value) = layer.and_then(|set| set.get(*name)) {
                    add(name, value, source);
                }
            }
        }
        for name in names {
            if let Some(default) = broker_config(name).and_then(|row| row.def.default) {
                add(name, default, ConfigSource::Default);
            }
        }
        found
    }
}

/// A broker config's text in the unit of the topic config it stands for, if both take it.
fn convert<'a>(row: &TopicConfigDef, synonym: &str, factor: i64, text: &'a str) -> Option<Cow<'a, str>> {
    let parsed = broker_config(synonym)?.def.parse(text).ok()?;
    let converted = match parsed {
        // A negative time at the broker means "no limit", whatever the number.
        Value::Integer(n) if row.def.name == "retention.ms" && n < 0 => Cow::Borrowed("-1"),
        Value::Integer(n) if factor != 1 => Cow::Owned(n.saturating_mul(factor).to_string()),
        _ => Cow::Borrowed(text),
    };
    row.def.parse(&converted).ok().map(|_| converted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(pairs: &[(&str, &str)]) -> Properties {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn text(layers: Layers<'_>, name: &str) -> String {
        layers.topic_text(topic_config(name).unwrap()).unwrap().into_owned()
    }

    #[test]
    fn the_nearest_layer_wins() {
        let (file, all) = (set(&[("log.segment.bytes", "2000000")]), set(&[("log.segment.bytes", "3000000")]));
        let (one, topic) = (set(&[("log.segment.bytes", "4000000")]), set(&[("segment.bytes", "5000000")]));
        let mut layers = Layers::default();
        assert_eq!(text(layers, "segment.bytes"), "1073741824");
        layers.node_file = Some(&file);
        assert_eq!(text(layers, "segment.bytes"), "2000000");
        layers.broker_default = Some(&all);
        assert_eq!(text(layers, "segment.bytes"), "3000000");
        layers.broker = Some(&one);
        assert_eq!(text(layers, "segment.bytes"), "4000000");
        layers.topic = Some(&topic);
        assert_eq!(text(layers, "segment.bytes"), "5000000");
    }

    #[test]
    fn minutes_and_hours_become_milliseconds() {
        let mut file = set(&[("log.retention.hours", "2"), ("log.roll.hours", "3"), ("log.roll.jitter.hours", "1")]);
        let retention = |file: &Properties| text(Layers { node_file: Some(file), ..Layers::default() }, "retention.ms");
        assert_eq!(retention(&file), "7200000");
        assert_eq!(text(Layers { node_file: Some(&file), ..Layers::default() }, "segment.ms"), "10800000");
        assert_eq!(text(Layers { node_file: Some(&file), ..Layers::default() }, "segment.jitter.ms"), "3600000");
        file.insert("log.retention.minutes".to_owned(), "5".to_owned());
        assert_eq!(retention(&file), "300000");
        file.insert("log.retention.ms".to_owned(), "7".to_owned());
        assert_eq!(retention(&file), "7");
        file.insert("log.retention.ms".to_owned(), "-9".to_owned());
        assert_eq!(retention(&file), "-1");
    }

    #[test]
    fn a_stored_value_that_is_not_valid_counts_as_not_set() {
        let (topic, file) = (set(&[("segment.bytes", "lots")]), set(&[("log.segment.bytes", "2000000")]));
        let layers = Layers { topic: Some(&topic), node_file: Some(&file), ..Layers::default() };
        assert_eq!(text(layers, "segment.bytes"), "2000000");
    }
}
