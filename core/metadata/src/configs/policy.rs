//! What this broker refuses although Kafka would take it, because it cannot keep the promise. One place to look at, and
//! to shorten as features arrive.

/// A topic config that only takes one value for now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    pub config: &'static str,
    /// The only value taken, as text after normalisation.
    pub allowed: &'static str,
    /// What the client is told.
    pub message: &'static str,
}

/// The switches.
#[derive(Clone, PartialEq, Eq, Debug)]
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
                    message: "Tiered Storage functionality is disabled in the broker. \
                              Topic cannot be configured with remote log storage.",
                },
                Refusal {
                    config: "errors.deadletterqueue.group.enable",
                    allowed: "false",
                    message: "Invalid value true for configuration errors.deadletterqueue.group.enable: \
                              this broker does not serve share groups yet",
                },
            ],
        }
    }
}
