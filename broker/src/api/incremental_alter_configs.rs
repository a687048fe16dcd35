//! IncrementalAlterConfigs (44): configs of a resource one by one: set, deleted, or their lists made longer or shorter.
//! KIP-339.

use metadata::{ConfigChange, ConfigOp, Controller};
use wire::ErrorCode;
use wire::messages::incremental_alter_configs::{
    AlterConfigsResource, AlterConfigsResourceResponse, AlterableConfig, IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
};

use super::broker_loggers;
use super::config_resource::{self, BROKER_LOGGER, Item, Refused};
use super::context::Context;
use super::dispatch::Connection;

/// Changes each resource for itself: all of it or nothing.
pub async fn handle(
    context: &Context,
    _: &Connection,
    request: IncrementalAlterConfigsRequest,
    _: i16,
) -> IncrementalAlterConfigsResponse {
    let items = request.resources.iter().map(|resource| item(context, resource, request.validate_only)).collect();
    let outcomes = config_resource::alter(context, request.validate_only, items, Controller::alter_configs).await;
    let responses = request.resources.iter().zip(outcomes).map(|(resource, outcome)| answer(resource, outcome));
    IncrementalAlterConfigsResponse { responses: responses.collect(), ..Default::default() }
}

fn item(context: &Context, resource: &AlterConfigsResource, validate_only: bool) -> Item<Vec<ConfigChange>> {
    let changes: Result<Vec<ConfigChange>, Refused> = resource.configs.iter().map(change).collect();
    let name = &resource.resource_name;
    if resource.resource_type == BROKER_LOGGER {
        let outcome = changes.and_then(|changes| broker_loggers::alter(context, name, &changes, validate_only));
        return Item::Settled(outcome);
    }
    let meant = config_resource::to_alter(resource.resource_type, name, context.config.node_id);
    meant.and_then(|meant| Ok((meant, changes?))).into()
}

fn change(config: &AlterableConfig) -> Result<ConfigChange, Refused> {
    let op = match config.config_operation {
        0 => ConfigOp::Set,
        1 => ConfigOp::Delete,
        2 => ConfigOp::Append,
        3 => ConfigOp::Subtract,
        // Kafka stumbles over such a number; the code is what its clients see of that.
        other => return Err((ErrorCode::UnknownServerError, format!("Unknown config operation {other}"))),
    };
    let value = config.value.as_ref().map(ToString::to_string);
    Ok(ConfigChange { name: config.name.to_string(), op, value })
}

fn answer(resource: &AlterConfigsResource, outcome: Result<(), Refused>) -> AlterConfigsResourceResponse {
    let (code, why) = outcome.err().unzip();
    AlterConfigsResourceResponse {
        error_code: code.map_or(0, ErrorCode::code),
        error_message: why.map(Into::into),
        resource_type: resource.resource_type,
        resource_name: resource.resource_name.clone(),
        ..Default::default()
    }
}
