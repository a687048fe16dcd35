//! Who this node is, who its controllers are, and how it keeps up with other nodes.

use model::NodeId;

use super::error::{Error, Warning};
use super::listeners::{Endpoint, Listeners};
use super::reader::Reader;

#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// `node.id`, or its older name `broker.id`.
    pub id: NodeId,
    /// `broker.rack`.
    pub rack: Option<String>,
}

/// The metadata quorum's timing. With one voter only the heartbeat and session times are looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct Controller {
    /// `controller.quorum.election.timeout.ms`.
    pub election_timeout_ms: i32,
    /// `controller.quorum.fetch.timeout.ms`.
    pub fetch_timeout_ms: i32,
    /// `controller.quorum.request.timeout.ms`.
    pub request_timeout_ms: i32,
    /// `broker.heartbeat.interval.ms`.
    pub heartbeat_interval_ms: i32,
    /// `broker.session.timeout.ms`.
    pub session_timeout_ms: i32,
    /// `metadata.log.max.record.bytes.between.snapshots`.
    pub snapshot_after_bytes: i64,
    /// `metadata.log.max.snapshot.interval.ms`; 0 takes no snapshot for age alone.
    pub snapshot_after_ms: i64,
}

/// `replica.*`: kept for the issue that replicates.
#[derive(Clone, Debug, PartialEq)]
pub struct Replication {
    /// `replica.lag.time.max.ms`.
    pub lag_ms_max: i64,
    /// `num.replica.fetchers`.
    pub fetchers: i32,
    /// `replica.fetch.max.bytes`, of one partition.
    pub fetch_partition_bytes_max: i32,
    /// `replica.fetch.response.max.bytes`.
    pub fetch_bytes_max: i32,
    /// `replica.fetch.min.bytes`.
    pub fetch_bytes_min: i32,
    /// `replica.fetch.wait.max.ms`.
    pub fetch_wait_ms_max: i32,
    /// `replica.fetch.backoff.ms`.
    pub fetch_backoff_ms: i32,
    /// `replica.high.watermark.checkpoint.interval.ms`.
    pub high_watermark_checkpoint_interval_ms: i64,
    /// `replica.socket.timeout.ms`.
    pub socket_timeout_ms: i32,
}

const INT: i32 = i32::MAX;
const LONG: i64 = i64::MAX;

impl Node {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let id = reader.optional_number("node.id", 0..=INT)?;
        let older = reader.optional_number("broker.id", 0..=INT)?;
        let id = match (id, older) {
            (Some(id), Some(older)) if id != older => {
                return Err(Error::Conflict(format!(
                    "node.id is {id} and broker.id is {older}: they name the same thing"
                )));
            }
            (Some(id), _) | (None, Some(id)) => id,
            (None, None) => {
                return Err(Error::Missing { key: "node.id", allowed: "a number of at least 0, this node's own" });
            }
        };
        check_roles(reader)?;
        Ok(Self { id: NodeId(id), rack: reader.text("broker.rack").map(str::to_owned) })
    }
}

/// Every node of Milena serves clients and may hold metadata; an absent key means both, as it must say.
fn check_roles(reader: &mut Reader<'_>) -> Result<(), Error> {
    const KEY: &str = "process.roles";
    let Some(roles) = reader.list(KEY) else { return Ok(()) };
    if roles.iter().any(|role| !["broker", "controller"].contains(role)) {
        return Err(reader.refuse(KEY, "broker,controller"));
    }
    if !(roles.contains(&"broker") && roles.contains(&"controller")) {
        return Err(Error::Unsupported(format!(
            "{KEY}={}: only broker,controller together are served so far, several nodes come in a later issue",
            roles.join(",")
        )));
    }
    Ok(())
}

impl Controller {
    pub(super) fn read(
        reader: &mut Reader<'_>,
        node: &Node,
        listeners: &Listeners,
        warnings: &mut Vec<Warning>,
    ) -> Result<Self, Error> {
        check_voters(reader, node)?;
        check_bootstrap(reader, listeners, warnings)?;
        let controller = Self {
            election_timeout_ms: reader.number("controller.quorum.election.timeout.ms", 1000, 0..=INT)?,
            fetch_timeout_ms: reader.number("controller.quorum.fetch.timeout.ms", 2000, 0..=INT)?,
            request_timeout_ms: reader.number("controller.quorum.request.timeout.ms", 2000, 0..=INT)?,
            heartbeat_interval_ms: reader.number("broker.heartbeat.interval.ms", 2000, 1..=INT)?,
            session_timeout_ms: reader.number("broker.session.timeout.ms", 9000, 1..=INT)?,
            snapshot_after_bytes: reader.number(
                "metadata.log.max.record.bytes.between.snapshots",
                20_971_520,
                1..=LONG,
            )?,
            snapshot_after_ms: reader.number("metadata.log.max.snapshot.interval.ms", 3_600_000, 0..=LONG)?,
        };
        if controller.heartbeat_interval_ms.saturating_mul(2) > controller.session_timeout_ms {
            return Err(Error::Conflict(format!(
                "broker.heartbeat.interval.ms is {}: must be at most half of broker.session.timeout.ms, which is {}",
                controller.heartbeat_interval_ms, controller.session_timeout_ms
            )));
        }
        Ok(controller)
    }
}

/// `controller.quorum.voters`: `id@host:port`, which can only be this node while it is alone.
fn check_voters(reader: &mut Reader<'_>, node: &Node) -> Result<(), Error> {
    const KEY: &str = "controller.quorum.voters";
    let Some(voters) = reader.list(KEY) else { return Ok(()) };
    let ids: Option<Vec<i32>> = voters
        .iter()
        .map(|voter| {
            let (id, endpoint) = voter.split_once('@')?;
            Endpoint::parse(endpoint).filter(|endpoint| !endpoint.host.is_empty())?;
            id.parse().ok().filter(|id| *id >= 0)
        })
        .collect();
    match ids.ok_or_else(|| reader.refuse(KEY, "id@host:port, several with commas"))?.as_slice() {
        [id] if *id == node.id.0 => Ok(()),
        [id] => {
            Err(Error::Conflict(format!("{KEY} names node {id} and this is node {}: it must vote for itself", node.id)))
        }
        _ => Err(Error::Unsupported(format!("{KEY} names several nodes: clusters come in a later issue"))),
    }
}

/// `controller.quorum.bootstrap.servers`: says where a node finds its quorum, which is itself so far.
fn check_bootstrap(reader: &mut Reader<'_>, listeners: &Listeners, warnings: &mut Vec<Warning>) -> Result<(), Error> {
    const KEY: &str = "controller.quorum.bootstrap.servers";
    let Some(servers) = reader.list(KEY) else { return Ok(()) };
    let parse = |server: &&str| Endpoint::parse(server).filter(|endpoint| !endpoint.host.is_empty());
    let servers: Option<Vec<Endpoint>> = servers.iter().map(parse).collect();
    match servers.ok_or_else(|| reader.refuse(KEY, "host:port, several with commas"))?.as_slice() {
        [server] => {
            let own = listeners.controller.iter().any(|listener| {
                let advertised = listener.advertised.as_ref().map(|advertised| advertised.port);
                listener.bind.port == server.port || advertised == Some(server.port)
            });
            if !own {
                warnings.push(Warning::Note(format!(
                    "{KEY} names {server}, which is no controller listener of this node: it forms a cluster of its own"
                )));
            }
            Ok(())
        }
        _ => Err(Error::Unsupported(format!("{KEY} names several nodes: clusters come in a later issue"))),
    }
}

impl Replication {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let replication = Self {
            lag_ms_max: reader.number("replica.lag.time.max.ms", 30_000, 1..=LONG)?,
            fetchers: reader.number("num.replica.fetchers", 1, 1..=INT)?,
            fetch_partition_bytes_max: reader.number("replica.fetch.max.bytes", 1_048_576, 0..=INT)?,
            fetch_bytes_max: reader.number("replica.fetch.response.max.bytes", 10_485_760, 0..=INT)?,
            fetch_bytes_min: reader.number("replica.fetch.min.bytes", 1, 0..=INT)?,
            fetch_wait_ms_max: reader.number("replica.fetch.wait.max.ms", 500, 0..=INT)?,
            fetch_backoff_ms: reader.number("replica.fetch.backoff.ms", 1000, 0..=INT)?,
            high_watermark_checkpoint_interval_ms: reader.number(
                "replica.high.watermark.checkpoint.interval.ms",
                5000,
                1..=LONG,
            )?,
            socket_timeout_ms: reader.number("replica.socket.timeout.ms", 30_000, 1..=INT)?,
        };
        let wait = replication.fetch_wait_ms_max;
        for (key, bound) in [
            ("replica.socket.timeout.ms", replication.socket_timeout_ms.into()),
            ("replica.lag.time.max.ms", replication.lag_ms_max),
        ] {
            if i64::from(wait) > bound {
                return Err(Error::Conflict(format!(
                    "replica.fetch.wait.max.ms is {wait}: must be at most {key}, which is {bound}"
                )));
            }
        }
        Ok(replication)
    }
}
