//! AlterConfigs and IncrementalAlterConfigs: a resource's next set of overrides is computed, checked as a whole, and
//! what differs from the present one is decided on. KIP-226, KIP-339.

use std::collections::{BTreeMap, BTreeSet};

use super::draft::Draft;
use super::{Controller, Decision};
use crate::configs::{
    ConfigDef, ConfigPolicy, ConfigType, DynamicScope, Layers, Properties, Value, check_dynamic_broker_configs,
    check_topic_configs, dynamic_broker_config, topic_config,
};
use crate::error::CommandError;
use crate::image::Image;
use crate::record::{ConfigRecord, Record};
use crate::resource::ConfigResource;
use crate::topic_name;

/// What happens to one config.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ConfigOp {
    Set,
    /// Back to what is in effect without it.
    Delete,
    /// Adds the entries that the list in effect does not have yet.
    Append,
    /// Takes entries off the list in effect.
    Subtract,
}

/// One step of IncrementalAlterConfigs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigChange {
    pub name: String,
    pub op: ConfigOp,
    /// Ignored by [`ConfigOp::Delete`]; every other needs it.
    pub value: Option<String>,
}

/// All configs that a resource shall have, by name.
pub type NewConfigs = Vec<(String, Option<String>)>;

type Replies = Vec<Result<(), CommandError>>;

impl Controller {
    /// Changes configs one by one; one answer per resource, all of its changes or none. Fails a resource with
    /// `InvalidConfig`, with `InvalidRequest` where a key or the resource comes twice, a value lacks or a broker does
    /// not take it, with `UnknownTopicOrPartition`, `InvalidTopic` or `BrokerIdNotRegistered` where it does not exist.
    pub fn alter_configs(&self, items: Vec<(ConfigResource, Vec<ConfigChange>)>) -> Decision<Replies> {
        each(&self.image, items, |draft, resource, changes| {
            check_keys(changes.iter().map(|change| change.name.as_str()))?;
            let needs_value = changes.iter().filter(|change| change.op != ConfigOp::Delete);
            check_nulls(needs_value.map(|change| (change.name.as_str(), change.value.as_deref())))?;
            check_exists(draft.image(), resource)?;
            let mut next = draft.image().overrides(resource).cloned().unwrap_or_default();
            for change in changes {
                alter(draft.image(), resource, &mut next, change)?;
            }
            settle(draft, resource, next)
        })
    }

    /// Replaces all configs of each resource; one answer per resource. Fails as [`Self::alter_configs`] does.
    pub fn replace_configs(&self, items: Vec<(ConfigResource, NewConfigs)>) -> Decision<Replies> {
        each(&self.image, items, |draft, resource, configs| {
            check_keys(configs.iter().map(|(name, _)| name.as_str()))?;
            check_nulls(configs.iter().map(|(name, value)| (name.as_str(), value.as_deref())))?;
            check_exists(draft.image(), resource)?;
            let set = configs.iter().filter_map(|(name, value)| Some((name.clone(), value.clone()?)));
            settle(draft, resource, set.collect())
        })
    }
}

fn each<T>(
    image: &Image,
    items: Vec<(ConfigResource, T)>,
    decide: impl Fn(&mut Draft, &ConfigResource, &T) -> Result<(), CommandError>,
) -> Decision<Replies> {
    let mut draft = Draft::new(image);
    let mut named: BTreeMap<&ConfigResource, usize> = BTreeMap::new();
    items.iter().for_each(|(resource, _)| *named.entry(resource).or_default() += 1);
    let mut reply = Vec::with_capacity(items.len());
    for (resource, change) in &items {
        reply.push(if named[resource] > 1 {
            Err(CommandError::InvalidRequest("Each resource must appear at most once.".to_owned()))
        } else {
            decide(&mut draft, resource, change)
        });
    }
    draft.decide(reply)
}

fn check_keys<'a>(mut names: impl Iterator<Item = &'a str>) -> Result<(), CommandError> {
    let mut seen = BTreeSet::new();
    if names.all(|name| seen.insert(name)) {
        Ok(())
    } else {
        Err(CommandError::InvalidRequest("Error due to duplicate config keys".to_owned()))
    }
}

fn check_nulls<'a>(values: impl Iterator<Item = (&'a str, Option<&'a str>)>) -> Result<(), CommandError> {
    let nulls: Vec<&str> = values.filter(|(_, value)| value.is_none()).map(|(name, _)| name).collect();
    if nulls.is_empty() {
        Ok(())
    } else {
        Err(CommandError::InvalidRequest(format!("Null value not supported for : {}", nulls.join(", "))))
    }
}

/// That the resource is there and has configs that this controller keeps.
fn check_exists(image: &Image, resource: &ConfigResource) -> Result<(), CommandError> {
    match resource {
        ConfigResource::Topic(name) => {
            topic_name::validate(name)?;
            let missing = || CommandError::UnknownTopicOrPartition(format!("The topic '{name}' does not exist."));
            image.topic_id(name).map(|_| ()).ok_or_else(missing)
        }
        ConfigResource::Broker(id) => {
            let missing = || CommandError::BrokerIdNotRegistered(format!("No node with id {id} found."));
            image.broker(*id).map(|_| ()).ok_or_else(missing)
        }
        ConfigResource::BrokerDefault => Ok(()),
        ConfigResource::BrokerLogger(_) => {
            Err(CommandError::InvalidRequest("Unexpected resource type BROKER_LOGGER.".to_owned()))
        }
        ConfigResource::ClientMetrics(_) | ConfigResource::Group(_) => {
            let why = format!("This broker does not keep configs of {resource} yet.");
            Err(CommandError::InvalidRequest(why))
        }
    }
}

fn alter(
    image: &Image,
    resource: &ConfigResource,
    next: &mut Properties,
    change: &ConfigChange,
) -> Result<(), CommandError> {
    let name = &change.name;
    let value = change.value.clone().unwrap_or_default();
    match change.op {
        ConfigOp::Set => {
            next.insert(name.clone(), value);
        }
        ConfigOp::Delete => {
            next.remove(name);
        }
        ConfigOp::Append | ConfigOp::Subtract => {
            let Some((def, in_effect)) = list_in_effect(image, resource, next, name) else {
                return Err(not_a_list(resource, change.op, name));
            };
            let mut list = match def.parse(&in_effect) {
                Ok(Value::List(entries)) => entries,
                _ => Vec::new(),
            };
            // An empty entry stays one: the check of the whole refuses it, as Kafka does.
            let given: Vec<String> = value.split(',').map(|entry| entry.trim().to_owned()).collect();
            if change.op == ConfigOp::Subtract {
                list.retain(|entry| !given.contains(entry));
            } else {
                for entry in given {
                    if !list.contains(&entry) {
                        list.push(entry);
                    }
                }
            }
            next.insert(name.clone(), list.join(","));
        }
    }
    Ok(())
}

fn not_a_list(resource: &ConfigResource, op: ConfigOp, name: &str) -> CommandError {
    let (upper, lower) = if op == ConfigOp::Append { ("APPEND", "append") } else { ("SUBTRACT", "subtract") };
    CommandError::InvalidConfig(match resource {
        ConfigResource::Topic(_) => format!("Can't {upper} to key {name} because its type is not LIST."),
        _ => format!("Config value {lower} is not allowed for config key: {name}"),
    })
}

/// The definition of a config that is a list, and its text in effect; `None` where it is not a list.
fn list_in_effect(
    image: &Image,
    resource: &ConfigResource,
    own: &Properties,
    name: &str,
) -> Option<(&'static ConfigDef, String)> {
    let is_list = |def: &ConfigDef| def.kind == ConfigType::List;
    if let ConfigResource::Topic(_) = resource {
        let row = topic_config(name).filter(|row| is_list(&row.def))?;
        let layers = Layers { topic: Some(own), ..image.layers() };
        return Some((&row.def, layers.topic_text(row).unwrap_or_default().into_owned()));
    }
    let row = dynamic_broker_config(name).filter(|row| is_list(&row.def))?;
    let layers = match resource {
        ConfigResource::Broker(id) => Layers { broker: Some(own), ..image.layers_of(*id) },
        _ => Layers { broker: None, broker_default: Some(own), ..image.layers() },
    };
    Some((&row.def, layers.broker_text(row).map_or_else(String::new, |(text, _)| text.to_owned())))
}

/// Checks what would be all configs of the resource, and decides on what differs.
fn settle(draft: &mut Draft, resource: &ConfigResource, next: Properties) -> Result<(), CommandError> {
    let (image, policy) = (draft.image(), ConfigPolicy::default());
    let brokers = |scope, layers| {
        // Kafka answers with this code for brokers and with the other for topics.
        check_dynamic_broker_configs(scope, &next, layers, &policy)
            .map_err(|error| CommandError::InvalidRequest(error.to_string()))
    };
    match resource {
        ConfigResource::Topic(name) => {
            check_topic_configs(&next, topic_name::is_internal(name), &image.layers(), &policy)
                .map_err(|error| CommandError::InvalidConfig(error.to_string()))?;
        }
        ConfigResource::Broker(id) => brokers(DynamicScope::OneBroker, &image.layers_of(*id))?,
        _ => brokers(DynamicScope::AllBrokers, &image.layers())?,
    }
    let before = image.overrides(resource).cloned().unwrap_or_default();
    let gone = before.keys().filter(|name| !next.contains_key(*name)).map(|name| (name.clone(), None));
    let set = next.iter().filter(|(name, value)| before.get(*name) != Some(value));
    let differs: BTreeMap<String, Option<String>> =
        gone.chain(set.map(|(name, value)| (name.clone(), Some(value.clone())))).collect();
    for (name, value) in differs {
        draft.push(Record::Config(ConfigRecord { resource: resource.clone(), name, value }));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
