//! ApiVersions (18): what this broker serves. KIP-35, KIP-511, KIP-584, KIP-1242.

use wire::ErrorCode;
use wire::messages::api_versions::{ApiVersion, ApiVersionsRequest, ApiVersionsResponse, FinalizedFeatureKey, SupportedFeatureKey};

use super::context::Context;
use super::versions::{SERVED, served};

/// Answers with ranges and features. `version` is the request's; one that is not served gets 35 and the ranges,
/// which the dispatcher encodes as version 0.
pub fn handle(context: &Context, request: Option<&ApiVersionsRequest>, version: i16) -> ApiVersionsResponse {
    let mut response = ApiVersionsResponse {
        api_keys: SERVED
            .iter()
            .filter_map(|key| {
                let range = served(*key)?;
                Some(ApiVersion { api_key: key.code(), min_version: range.min, max_version: range.max, ..Default::default() })
            })
            .collect(),
        ..Default::default()
    };
    let Some(request) = request else {
        response.error_code = ErrorCode::UnsupportedVersion.code();
        return response;
    };
    if version >= 3 && !(is_software_name(&request.client_software_name) && is_software_name(&request.client_software_version)) {
        return ApiVersionsResponse { error_code: ErrorCode::InvalidRequest.code(), ..Default::default() };
    }
    if version >= 5
        && let Some(cluster) = &request.cluster_id
        && (cluster != context.cluster_id.as_str() || request.node_id != context.config.node_id.0)
    {
        return ApiVersionsResponse { error_code: ErrorCode::RebootstrapRequired.code(), ..Default::default() };
    }
    if version >= 3 {
        let image = context.image();
        for feature in image.features() {
            // Up to version 3 a feature whose least level is 0 cannot be told.
            if feature.min > 0 || version >= 4 {
                response.supported_features.push(SupportedFeatureKey {
                    name: feature.name.into(),
                    min_version: feature.min,
                    max_version: feature.max,
                    ..Default::default()
                });
            }
            if feature.finalized > 0 {
                response.finalized_features.push(FinalizedFeatureKey {
                    name: feature.name.into(),
                    max_version_level: feature.finalized,
                    min_version_level: feature.finalized,
                    ..Default::default()
                });
            }
        }
        response.finalized_features_epoch = image.offset().0;
    }
    response
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
