//! Which configs exist, which values they take, and what is in effect: definitions, tables, typed topic configs, and the
//! answers to DescribeConfigs. Nothing here changes anything; the controller does.
//!
//! A value is looked up in layers, the first that has one wins:
//!
//! ```text
//!  topic override > dynamic, this broker > dynamic, all brokers > the node's properties file > built-in default
//! ```

mod broker_table;
mod definition;
mod describe;
mod layers;
mod policy;
mod topic_config;
mod topic_table;
mod validate;

use std::collections::BTreeMap;

pub use broker_table::BROKER_CONFIGS;
pub use definition::{BrokerConfig, ConfigDef, ConfigError, ConfigType, Rule, TopicConfigDef, UpdateMode, Value};
pub use describe::{ConfigSource, DescribedConfig, Synonym, describe_broker, describe_broker_default, describe_topic};
pub use layers::Layers;
pub use policy::{ConfigPolicy, Refusal, changes_at_run_time};
pub use topic_config::{CleanupPolicy, CompressionType, ThrottledReplicas, TimestampType, TopicConfig};
pub use topic_table::TOPIC_CONFIGS;
pub(crate) use validate::dynamic_broker_config;
pub use validate::{DynamicScope, check_dynamic_broker_configs, check_topic_configs};

/// Values by config name: the overrides of one resource, or a node's properties file.
pub type Properties = BTreeMap<String, String>;

/// The definition of a topic config, if there is one of that name.
pub fn topic_config(name: &str) -> Option<&'static TopicConfigDef> {
    TOPIC_CONFIGS.binary_search_by(|row| row.def.name.cmp(name)).ok().map(|at| &TOPIC_CONFIGS[at])
}

/// The definition of a broker config, if there is one of that name (a listener's prefix is not taken off).
pub fn broker_config(name: &str) -> Option<&'static BrokerConfig> {
    BROKER_CONFIGS.binary_search_by(|row| row.def.name.cmp(name)).ok().map(|at| &BROKER_CONFIGS[at])
}
