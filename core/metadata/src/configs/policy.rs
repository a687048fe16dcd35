//! What this broker refuses although Kafka would take it, because it cannot keep the promise. One place to look at, and
//! to shorten as features arrive.

use super::TOPIC_CONFIGS;
use super::definition::{BrokerConfig, UpdateMode};

/// A config that only takes one value for now.
#[derive(Clone, Debug)]
pub struct Refusal {
    pub config: &'static str,
    /// The only value taken, as text after normalisation.
    pub allowed: &'static str,
    /// What the client is told of any other.
    pub message: fn(value: &str) -> String,
}

/// The switches.
#[derive(Clone, Debug)]
pub struct ConfigPolicy {
    /// Whether `cleanup.policy` may name `compact` on a topic that is not internal.
    pub accept_compaction: bool,
    /// Whether a broker config that nobody defined may be set at run time, as Kafka allows for its plugins. There are no
    /// plugins here, so such a name is a typing error.
    pub accept_unknown_broker_configs: bool,
    pub refusals: Vec<Refusal>,
}

impl Default for ConfigPolicy {
    fn default() -> Self {
        Self {
            accept_compaction: false,
            accept_unknown_broker_configs: false,
            refusals: vec![
                Refusal {
                    config: "remote.storage.enable",
                    allowed: "false",
                    // Kafka's words where tiered storage is not set up.
                    message: |_| {
                        "Tiered Storage functionality is disabled in the broker. \
                         Topic cannot be configured with remote log storage."
                            .to_owned()
                    },
                },
                Refusal {
                    config: "errors.deadletterqueue.group.enable",
                    allowed: "false",
                    message: |value| {
                        format!(
                            "Invalid value {value} for configuration errors.deadletterqueue.group.enable: \
                             this broker does not serve share groups yet"
                        )
                    },
                },
                Refusal {
                    config: "compression.lz4.level",
                    allowed: "9",
                    message: |value| {
                        format!(
                            "Invalid value {value} for configuration compression.lz4.level: \
                             this broker compresses with lz4 at the default level, 9, only"
                        )
                    },
                },
            ],
        }
    }
}

impl ConfigPolicy {
    /// Why `value`, normalised, is not taken for `config`; `None` where it is.
    pub(crate) fn refusal(&self, config: &str, value: &str) -> Option<String> {
        let refusal = self.refusals.iter().find(|refusal| refusal.config == config)?;
        (refusal.allowed != value).then(|| (refusal.message)(value))
    }
}

/// Broker configs that this broker obeys as they change, beside those that are defaults of topics.
const AT_RUN_TIME: [&str; 6] = [
    // Nothing is replicated yet, so that any limit of it holds.
    "follower.replication.throttled.rate",
    "leader.replication.throttled.rate",
    "max.connections",
    // Recovery happens at a start: the next one is the next time that it counts.
    "num.recovery.threads.per.data.dir",
    "producer.id.expiration.ms",
    "replica.alter.log.dirs.io.max.bytes.per.second",
];

/// Whether a changed value is obeyed without a restart. What Kafka could change and this broker reads only as it starts,
/// or has no use for, counts as read-only.
pub fn changes_at_run_time(row: &BrokerConfig) -> bool {
    let name = row.def.name;
    let is_topic_default =
        || TOPIC_CONFIGS.iter().any(|topic| topic.synonyms.iter().any(|(synonym, _)| *synonym == name));
    row.update != UpdateMode::ReadOnly && (AT_RUN_TIME.contains(&name) || is_topic_default())
}
