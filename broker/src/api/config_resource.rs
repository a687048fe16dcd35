//! Whose configs a request means: the numbers that the protocol gives to kinds of resources, and the checks of names that
//! the broker asked makes before it asks the controller.

use metadata::{CommandError, ConfigResource, Controller, Decision};
use model::NodeId;
use wire::ErrorCode;

use super::context::Context;
use super::errors::ToCode as _;

pub const TOPIC: i8 = 2;
pub const BROKER: i8 = 4;
pub const BROKER_LOGGER: i8 = 8;
pub const CLIENT_METRICS: i8 = 16;
pub const GROUP: i8 = 32;

/// A refusal as a client is told.
pub type Refused = (ErrorCode, String);

/// The resource whose configs shall change. `node` is this broker, the only one whose own configs it may be asked to
/// change: a client sends those to the broker that they are for.
pub fn to_alter(kind: i8, name: &str, node: NodeId) -> Result<ConfigResource, Refused> {
    let refuse = |why: &str| Err((ErrorCode::InvalidRequest, why.to_owned()));
    match kind {
        TOPIC if name.is_empty() => refuse("Default topic resources are not allowed."),
        TOPIC => Ok(ConfigResource::Topic(name.to_owned())),
        BROKER if name.is_empty() => Ok(ConfigResource::BrokerDefault),
        BROKER => match name.parse::<i32>() {
            Ok(id) if id == node.0 => Ok(ConfigResource::Broker(node)),
            Ok(id) => refuse(&format!("Unexpected broker id, expected {node}, but received {id}")),
            Err(_) => refuse(&format!("Node id must be an integer, but it is: {name}")),
        },
        CLIENT_METRICS if name.is_empty() => refuse("Subscription name can't be empty"),
        CLIENT_METRICS => Ok(ConfigResource::ClientMetrics(name.to_owned())),
        GROUP if name.is_empty() => refuse("Default group resources are not allowed."),
        GROUP => Ok(ConfigResource::Group(name.to_owned())),
        other => refuse(&format!("Unknown resource type {other}")),
    }
}

/// One resource of a request.
pub enum Item<T> {
    /// The controller is to decide on it.
    Ask(ConfigResource, T),
    /// It is done, or refused, without the controller.
    Settled(Result<(), Refused>),
}

impl<T> From<Result<(ConfigResource, T), Refused>> for Item<T> {
    fn from(item: Result<(ConfigResource, T), Refused>) -> Self {
        match item {
            Ok((resource, change)) => Self::Ask(resource, change),
            Err(refused) => Self::Settled(Err(refused)),
        }
    }
}

/// Lets the controller decide on those of `items` that it is to be asked about; one outcome per item.
pub async fn alter<T: Send + 'static>(
    context: &Context,
    validate_only: bool,
    items: Vec<Item<T>>,
    decide: impl FnOnce(&Controller, Vec<(ConfigResource, T)>) -> Decision<Vec<Result<(), CommandError>>> + Send + 'static,
) -> Vec<Result<(), Refused>> {
    let mut asked = Vec::with_capacity(items.len());
    let settled = items.into_iter().map(|item| match item {
        Item::Settled(outcome) => Some(outcome),
        Item::Ask(resource, change) => {
            asked.push((resource, change));
            None
        }
    });
    let settled: Vec<Option<Result<(), Refused>>> = settled.collect();
    let count = asked.len();
    let altered = context.controller.submit(validate_only, move |controller, _| decide(controller, asked)).await;
    let altered = altered.unwrap_or_else(|error| vec![Err(error.into()); count]);
    let mut altered = altered.into_iter().map(|one| one.map_err(|error| (error.to_code(), error.message().to_owned())));
    settled.into_iter().map(|one| one.or_else(|| altered.next()).expect("each item asked has its answer")).collect()
}
