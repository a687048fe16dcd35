//! AlterConfigs (33): all configs of a resource at once; what is not named goes back to its default. KIP-133. Clients of
//! today send [`super::incremental_alter_configs`] instead.

use metadata::{ConfigResource, Controller, NewConfigs};
use wire::messages::alter_configs::{
    AlterConfigsRequest, AlterConfigsResource, AlterConfigsResourceResponse, AlterConfigsResponse,
};

use super::config_resource::{self, Refused};
use super::context::Context;
use super::dispatch::Connection;

/// Changes each resource for itself: all of it or nothing.
pub async fn handle(context: &Context, _: &Connection, request: AlterConfigsRequest, _: i16) -> AlterConfigsResponse {
    let items = request.resources.iter().map(|resource| item(context, resource).into()).collect();
    let outcomes = config_resource::alter(context, request.validate_only, items, Controller::replace_configs).await;
    let responses = request.resources.iter().zip(outcomes).map(|(resource, outcome)| answer(resource, outcome));
    AlterConfigsResponse { responses: responses.collect(), ..Default::default() }
}

fn item(context: &Context, resource: &AlterConfigsResource) -> Result<(ConfigResource, NewConfigs), Refused> {
    let meant = config_resource::to_alter(resource.resource_type, &resource.resource_name, context.config.node_id)?;
    let configs = resource.configs.iter();
    let configs = configs.map(|config| (config.name.to_string(), config.value.as_ref().map(ToString::to_string)));
    Ok((meant, configs.collect()))
}

fn answer(resource: &AlterConfigsResource, outcome: Result<(), Refused>) -> AlterConfigsResourceResponse {
    let (code, why) = outcome.err().unzip();
    AlterConfigsResourceResponse {
        error_code: code.map_or(0, wire::ErrorCode::code),
        error_message: why.map(Into::into),
        resource_type: resource.resource_type,
        resource_name: resource.resource_name.clone(),
        ..Default::default()
    }
}
