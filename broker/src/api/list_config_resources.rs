//! ListConfigResources (74): which resources have, or could have, configs. KIP-714 (client metrics), KIP-1142 (the others).

use metadata::Image;
use wire::ErrorCode;
use wire::messages::list_config_resources::{ConfigResource, ListConfigResourcesRequest, ListConfigResourcesResponse};

use super::config_resource::{BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP, TOPIC};
use super::context::Context;
use super::dispatch::Connection;

/// Every kind there is, in the order in which they are told.
const KINDS: [i8; 5] = [GROUP, CLIENT_METRICS, BROKER_LOGGER, BROKER, TOPIC];

/// Answers for the kinds asked for, for all where none is named; version 0 asks for client metrics.
pub async fn handle(
    context: &Context,
    _: &Connection,
    request: ListConfigResourcesRequest,
    version: i16,
) -> ListConfigResourcesResponse {
    let asked = match version {
        0 => vec![CLIENT_METRICS],
        _ => request.resource_types,
    };
    if asked.iter().any(|kind| !KINDS.contains(kind)) {
        return ListConfigResourcesResponse { error_code: ErrorCode::UnsupportedVersion.code(), ..Default::default() };
    }
    let image = context.image();
    let kinds = KINDS.into_iter().filter(|kind| asked.is_empty() || asked.contains(kind));
    let config_resources = kinds.flat_map(|kind| named(&image, kind)).collect();
    ListConfigResourcesResponse { config_resources, ..Default::default() }
}

fn named(image: &Image, kind: i8) -> Vec<ConfigResource> {
    let names: Vec<String> = match kind {
        TOPIC => image.topics().map(|topic| topic.name.to_string()).collect(),
        BROKER | BROKER_LOGGER => image.brokers().map(|broker| broker.id.to_string()).collect(),
        // Neither is kept yet.
        _ => Vec::new(),
    };
    let resource =
        |name: String| ConfigResource { resource_name: name.into(), resource_type: kind, ..Default::default() };
    names.into_iter().map(resource).collect()
}
