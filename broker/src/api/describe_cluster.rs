//! DescribeCluster (60): the cluster's id and brokers. KIP-700, KIP-919 (endpoint types), KIP-1073 (fenced brokers).

use wire::ErrorCode;
use wire::messages::describe_cluster::{DescribeClusterBroker, DescribeClusterRequest, DescribeClusterResponse};

use super::context::Context;
use super::dispatch::Connection;
use super::operations;

/// Endpoint types: what kind of server the asker wants to hear of.
const BROKERS: i8 = 1;
const CONTROLLERS: i8 = 2;

/// Answers with the brokers behind the listener that was asked.
pub async fn handle(
    context: &Context,
    connection: &Connection,
    request: DescribeClusterRequest,
    _: i16,
) -> DescribeClusterResponse {
    if let Err((code, message)) = check_endpoint_type(request.endpoint_type) {
        return DescribeClusterResponse {
            error_code: code.code(),
            error_message: Some(message.into()),
            ..Default::default()
        };
    }
    let image = context.image();
    let shown = image.brokers().filter(|broker| !broker.fenced || request.include_fenced_brokers);
    let brokers = shown.filter_map(|broker| {
        let endpoint = broker.endpoint(&connection.peer.listener)?;
        Some(DescribeClusterBroker {
            broker_id: broker.id.0,
            host: endpoint.host.as_str().into(),
            port: i32::from(endpoint.port),
            rack: broker.rack.as_deref().map(Into::into),
            is_fenced: broker.fenced,
            ..Default::default()
        })
    });
    DescribeClusterResponse {
        cluster_id: context.cluster_id.clone(),
        // Any live broker may be named: admin requests can go anywhere.
        controller_id: context.config.node_id.0,
        brokers: brokers.collect(),
        cluster_authorized_operations: operations::told(
            request.include_cluster_authorized_operations,
            operations::CLUSTER,
        ),
        ..Default::default()
    }
}

fn check_endpoint_type(wanted: i8) -> Result<(), (ErrorCode, String)> {
    match wanted {
        BROKERS => Ok(()),
        CONTROLLERS => Err((
            ErrorCode::MismatchedEndpointType,
            "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER"
                .to_owned(),
        )),
        other => Err((ErrorCode::UnsupportedEndpointType, format!("Unsupported endpoint type {other}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_speaks_for_brokers_only() {
        assert!(check_endpoint_type(BROKERS).is_ok());
        assert_eq!(check_endpoint_type(CONTROLLERS).unwrap_err().0, ErrorCode::MismatchedEndpointType);
        assert_eq!(check_endpoint_type(0).unwrap_err().0, ErrorCode::UnsupportedEndpointType);
        assert_eq!(check_endpoint_type(-1).unwrap_err().0, ErrorCode::UnsupportedEndpointType);
    }
}
