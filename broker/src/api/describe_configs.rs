//! DescribeConfigs (32): what is in effect, where each value comes from, and what would be in effect without it. KIP-133,
//! KIP-226 (synonyms), KIP-569 (types and documentation).

use metadata::configs::{DescribedConfig, describe_broker, describe_broker_default, describe_topic};
use metadata::{Image, topic_name};
use wire::ErrorCode;
use wire::messages::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResourceResult, DescribeConfigsResponse,
    DescribeConfigsResult, DescribeConfigsSynonym,
};

use super::broker_loggers;
use super::config_resource::{BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP, Refused, TOPIC};
use super::context::Context;
use super::dispatch::Connection;
use super::errors::ToCode as _;

/// Answers for each resource, in their order.
pub async fn handle(
    context: &Context,
    _: &Connection,
    request: DescribeConfigsRequest,
    _: i16,
) -> DescribeConfigsResponse {
    let image = context.image();
    let (synonyms, documentation) = (request.include_synonyms, request.include_documentation);
    let results = request.resources.into_iter().map(|resource| {
        let described = describe(context, &image, &resource, synonyms, documentation);
        let mut result = DescribeConfigsResult {
            resource_type: resource.resource_type,
            resource_name: resource.resource_name,
            error_message: Some("".into()),
            ..Default::default()
        };
        match described {
            Ok(configs) => {
                result.configs = configs;
            }
            Err((code, why)) => {
                result.error_code = code.code();
                result.error_message = Some(why.into());
            }
        }
        result
    });
    DescribeConfigsResponse { results: results.collect(), ..Default::default() }
}

fn describe(
    context: &Context,
    image: &Image,
    resource: &DescribeConfigsResource,
    synonyms: bool,
    documentation: bool,
) -> Result<Vec<DescribeConfigsResourceResult>, Refused> {
    let name = resource.resource_name.as_str();
    let keys = resource.configuration_keys.as_ref();
    let keys: Option<Vec<String>> = keys.map(|keys| keys.iter().map(ToString::to_string).collect());
    if resource.resource_type == BROKER_LOGGER {
        return broker_loggers::describe(context, name, keys.as_deref());
    }
    let configs = configs(image, resource.resource_type, name, keys.as_deref())?;
    Ok(configs.into_iter().map(|config| line(config, synonyms, documentation)).collect())
}

fn configs(image: &Image, kind: i8, name: &str, keys: Option<&[String]>) -> Result<Vec<DescribedConfig>, Refused> {
    let refuse = |why: String| Err((ErrorCode::InvalidRequest, why));
    match kind {
        TOPIC => {
            topic_name::validate(name).map_err(|error| (error.to_code(), error.message().to_owned()))?;
            match image.topic_by_name(name) {
                Some(topic) => Ok(describe_topic(&image.topic_layers(topic), keys)),
                None => Err((ErrorCode::UnknownTopicOrPartition, String::new())),
            }
        }
        BROKER if name.is_empty() => Ok(describe_broker_default(&image.layers(), keys)),
        BROKER => match name.parse::<i32>() {
            Ok(id) if id == image.node().0 => Ok(describe_broker(&image.layers(), keys)),
            Ok(id) => {
                refuse(format!("Unexpected broker id, expected {} or empty string, but received {id}", image.node()))
            }
            Err(_) => refuse(format!("Broker id must be an integer, but it is: {name}")),
        },
        CLIENT_METRICS if name.is_empty() => refuse("Client metrics subscription name must not be empty".to_owned()),
        GROUP if name.is_empty() => refuse("Group name must not be empty".to_owned()),
        // Neither is kept yet, so that none of them has a config.
        CLIENT_METRICS | GROUP => Ok(Vec::new()),
        other => refuse(format!("Unsupported resource type: {other}")),
    }
}

fn line(config: DescribedConfig, synonyms: bool, documentation: bool) -> DescribeConfigsResourceResult {
    DescribeConfigsResourceResult {
        name: config.name.into(),
        value: config.value.map(Into::into),
        read_only: config.read_only,
        config_source: config.source.wire_code(),
        is_sensitive: config.sensitive,
        synonyms: if synonyms { config.synonyms.into_iter().map(synonym).collect() } else { Vec::new() },
        config_type: config.kind.map_or(0, metadata::configs::ConfigType::wire_code),
        documentation: config.doc.filter(|_| documentation).map(Into::into),
        ..Default::default()
    }
}

fn synonym(synonym: metadata::configs::Synonym) -> DescribeConfigsSynonym {
    DescribeConfigsSynonym {
        name: synonym.name.into(),
        value: synonym.value.map(Into::into),
        source: synonym.source.wire_code(),
        ..Default::default()
    }
}
