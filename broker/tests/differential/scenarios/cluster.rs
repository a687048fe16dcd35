//! What a client asks before anything else: versions, brokers, ids; and frames that are no requests.

use wire::ApiKey;
use wire::messages::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use wire::messages::describe_cluster::DescribeClusterRequest;
use wire::messages::init_producer_id::InitProducerIdRequest;

use crate::requests::make;
use crate::side::Side;

/// Ranges of the APIs that Milena serves, features, and requests that break the rules.
pub fn api_versions(side: &mut Side) {
    let named = |name: &str, version: &str| {
        make!(ApiVersionsRequest { client_software_name: name.into(), client_software_version: version.into() })
    };
    let served = side.served();
    let tidy = |answer: &mut ApiVersionsResponse| {
        answer.api_keys.retain(|key| served.contains_key(&key.api_key));
        answer.api_keys.sort_by_key(|key| key.api_key);
        answer.supported_features.sort_by(|a, b| a.name.cmp(&b.name));
        answer.finalized_features.sort_by(|a, b| a.name.cmp(&b.name));
    };
    side.every_tidied("ranges and features", |_| named("a-client", "1.0"), tidy);
    for (name, version) in [("", ""), ("-a", "1"), ("a", "1-"), ("a b", "1"), ("a", "1/2"), ("a.b-c", "1.2-3")] {
        side.every_tidied("software names", |_| named(name, version), tidy);
    }
    side.frame("a version from the future", &[0, 18, 0, 99, 0, 0, 0, 1, 0, 1, b'x', 0]);
    let asked = |cluster: Option<&str>, node_id: i32| {
        let cluster_id = cluster.map(Into::into);
        make!(ApiVersionsRequest {
            client_software_name: "a".into(),
            client_software_version: "1".into(),
            cluster_id: cluster_id,
            node_id: node_id,
        })
    };
    let cluster = side.prepare(&make!(DescribeClusterRequest { endpoint_type: 1 })).cluster_id;
    for (cluster, node) in
        [(Some(&*cluster), 1), (Some(&*cluster), 2), (Some(&*cluster), -1), (Some("another"), 1), (None, 2)]
    {
        side.ask_tidied("the broker that was meant", 5, &asked(cluster, node), tidy);
    }
}

/// DescribeCluster of each kind of endpoint.
pub fn describe(side: &mut Side) {
    for kind in [1, 2, 0, -1, 3] {
        let operations = kind == 1;
        side.every("endpoints", |version| {
            make!(DescribeClusterRequest {
                endpoint_type: kind,
                include_cluster_authorized_operations: operations,
                include_fenced_brokers: version >= 2,
            })
        });
    }
    side.every("brokers", |_| make!(DescribeClusterRequest { endpoint_type: 1 }));
}

/// What ends a connection.
pub fn frames(side: &mut Side) {
    side.frame("an unknown key", &[3, 0, 0, 0, 0, 0, 0, 1, 0, 1, b'x']);
    side.frame("a key of another listener", &[0, 52, 0, 0, 0, 0, 0, 1, 0, 1, b'x']);
    side.frame("a version below all", &[0, 1, 0, 3, 0, 0, 0, 1, 0, 1, b'x']);
    side.frame("a version above all", &[0, 3, 0, 99, 0, 0, 0, 1, 0, 1, b'x']);
    side.frame("a negative version", &[0, 3, 255, 255, 0, 0, 0, 1, 0, 1, b'x']);
    side.frame("less than a header", &[0, 3, 0]);
    side.frame("a header without its body", &[0, 3, 0, 1, 0, 0, 0, 1, 0, 1, b'x']);
    side.frame("an array longer than the frame", &[0, 3, 0, 1, 0, 0, 0, 1, 255, 255, 127, 0, 0, 0]);
    side.frame("a string longer than the frame", &[0, 3, 0, 1, 0, 0, 0, 1, 255, 255, 0, 0, 0, 1, 127, 0]);
    side.frame("a string that is not UTF-8", &[0, 3, 0, 1, 0, 0, 0, 1, 255, 255, 0, 0, 0, 1, 0, 1, 255]);
    side.frame("bytes behind the body", &[0, 18, 0, 0, 0, 0, 0, 1, 255, 255, 9, 9]);
    side.frame("nothing", &[]);
    for key in ApiKey::ALL {
        let (version, code) = (key.versions().min, key.code().to_be_bytes());
        if side.served().contains_key(&key.code()) && version > 0 {
            let below = (version - 1).to_be_bytes();
            side.frame("a version that Kafka 4 dropped", &[code[0], code[1], below[0], below[1], 0, 0, 0, 1, 255, 255]);
        }
    }
}

/// Ids for producers.
pub fn producer_ids(side: &mut Side) {
    let asked = |txn: Option<&str>, timeout: i32, id: i64, epoch: i16| {
        make!(InitProducerIdRequest {
            transactional_id: txn.map(Into::into),
            transaction_timeout_ms: timeout,
            producer_id: id,
            producer_epoch: epoch,
        })
    };
    side.until("ids are given", |side| side.prepare(&asked(None, 60_000, -1, -1)).error_code == 0);
    side.every("a new one", |_| asked(None, 60_000, -1, -1));
    side.every("a timeout means nothing to it", |_| asked(None, -1, -1, -1));
    side.every("one who has one already", |_| asked(None, 60_000, 5, 3));
    side.every("one who has half of one", |_| asked(None, 60_000, 5, -1));
    side.every("one who has the other half", |_| asked(None, 60_000, -1, 3));
    side.every("an empty transactional id", |_| asked(Some(""), 60_000, -1, -1));
    side.every("a transactional id", |_| asked(Some("txn"), 60_000, -1, -1));
}
