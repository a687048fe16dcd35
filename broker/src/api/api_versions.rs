//! ApiVersions (18): what this broker serves. KIP-35, KIP-511, KIP-584, KIP-1242.

use wire::messages::api_versions::{
    ApiVersion, ApiVersionsRequest, ApiVersionsResponse, FinalizedFeatureKey, SupportedFeatureKey,
};
use wire::{ApiKey, ErrorCode};

use super::context::Context;
use super::dispatch::Connection;
use super::versions::{SERVED, served};

/// The features that this broker can run, with the lowest and highest level, as Kafka 4.4 names them.
const FEATURES: &[(&str, i16, i16)] =
    &[("group.version", 0, 0), ("metadata.version", 7, 33), ("transaction.version", 0, 0)];

/// Answers with ranges and features.
pub async fn handle(
    context: &Context,
    _: &Connection,
    request: ApiVersionsRequest,
    version: i16,
) -> ApiVersionsResponse {
    if version >= 3
        && !(is_software_name(&request.client_software_name) && is_software_name(&request.client_software_version))
    {
        return ApiVersionsResponse { error_code: ErrorCode::InvalidRequest.code(), ..Default::default() };
    }
    if version >= 5 && request.cluster_id.is_none() != (request.node_id == -1) {
        return ApiVersionsResponse { error_code: ErrorCode::InvalidRequest.code(), ..Default::default() };
    }
    if version >= 5
        && let Some(cluster) = &request.cluster_id
        && (*cluster != context.cluster_id || request.node_id != context.config.node_id.0)
    {
        return ApiVersionsResponse { error_code: ErrorCode::RebootstrapRequired.code(), ..Default::default() };
    }
    let mut response = ranges();
    if version >= 3 {
        let image = context.image();
        for &(name, min, max) in FEATURES {
            // Up to version 3 a feature whose least level is 0 cannot be told.
            if min > 0 || version >= 4 {
                response.supported_features.push(SupportedFeatureKey {
                    name: name.into(),
                    min_version: min,
                    max_version: max,
                    ..Default::default()
                });
            }
        }
        for &(name, _, max) in FEATURES {
            let level = image.features().get(name).map_or(0, |level| *level.min(&max));
            // At level 0 a feature is off.
            if level > 0 {
                response.finalized_features.push(FinalizedFeatureKey {
                    name: name.into(),
                    max_version_level: level,
                    min_version_level: level,
                    ..Default::default()
                });
            }
        }
        response.finalized_features_epoch = image.offset.0;
    }
    response
}

/// The answer to a version that is not served: 35 with the ranges, which the dispatcher encodes as version 0.
pub fn unsupported() -> ApiVersionsResponse {
    ApiVersionsResponse { error_code: ErrorCode::UnsupportedVersion.code(), ..ranges() }
}

fn ranges() -> ApiVersionsResponse {
    let key = |key: &ApiKey| {
        let range = served(*key)?;
        Some(ApiVersion { api_key: key.code(), min_version: range.min, max_version: range.max, ..Default::default() })
    };
    ApiVersionsResponse { api_keys: SERVED.iter().filter_map(key).collect(), ..Default::default() }
}

/// `[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?`
fn is_software_name(name: &str) -> bool {
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    edge(name.as_bytes().first())
        && edge(name.as_bytes().last())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.')
}

#[cfg(test)]
mod tests {
    use super::is_software_name;

    #[test]
    fn software_names_follow_kip_511() {
        for good in ["librdkafka", "1.2.3", "a", "apache-kafka-java"] {
            assert!(is_software_name(good), "{good}");
        }
        for bad in ["", "-a", "a-", "a b", ".", "a/b"] {
            assert!(!is_software_name(bad), "{bad}");
        }
    }
}
