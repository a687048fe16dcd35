//! What a config belongs to.

use std::fmt;

use model::NodeId;
use serde::{Deserialize, Serialize};

use crate::error::CommandError;

/// The owner of a set of configs, as clients name it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum ConfigResource {
    Topic(String),
    Broker(NodeId),
    /// The default of every broker: the broker resource with an empty name.
    BrokerDefault,
    BrokerLogger(String),
    ClientMetrics(String),
    Group(String),
}

impl ConfigResource {
    /// The resource of Kafka's type number and name: topic 2, broker 4, broker logger 8, client metrics 16, group 32.
    /// Fails with `InvalidRequest` for another number, and for a broker name that is neither empty nor a broker id.
    pub fn parse(kind: i8, name: &str) -> Result<Self, CommandError> {
        Ok(match kind {
            2 if name.is_empty() => {
                return Err(CommandError::InvalidRequest("Default topic resources are not allowed.".to_owned()));
            }
            2 => Self::Topic(name.to_owned()),
            4 if name.is_empty() => Self::BrokerDefault,
            4 => match name.parse() {
                Ok(id) if id >= 0 => Self::Broker(NodeId(id)),
                Ok(_) => return Err(CommandError::InvalidRequest("Invalid negative broker ID.".to_owned())),
                Err(_) => {
                    let why = "Unable to parse broker name as a base 10 number.";
                    return Err(CommandError::InvalidRequest(why.to_owned()));
                }
            },
            8 => Self::BrokerLogger(name.to_owned()),
            16 => Self::ClientMetrics(name.to_owned()),
            32 => Self::Group(name.to_owned()),
            other => return Err(CommandError::InvalidRequest(format!("Unknown resource type {other}"))),
        })
    }
}

impl fmt::Display for ConfigResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Topic(name) => write!(f, "topic {name}"),
            Self::Broker(id) => write!(f, "broker {id}"),
            Self::BrokerDefault => f.write_str("broker default"),
            Self::BrokerLogger(name) => write!(f, "broker logger {name}"),
            Self::ClientMetrics(name) => write!(f, "client metrics {name}"),
            Self::Group(name) => write!(f, "group {name}"),
        }
    }
}
