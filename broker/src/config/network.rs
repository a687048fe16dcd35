//! Sockets, threads, and the budgets that bound memory.

use super::error::Error;
use super::reader::Reader;

/// What all connections together may hold in requests and parked answers when `queued.max.request.bytes` says nothing.
const REQUEST_BUDGET_BYTES: usize = 128 << 20;

#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    /// `socket.request.max.bytes`: the longest frame a client may send.
    pub request_bytes_max: usize,
    /// `queued.max.request.bytes`: what all requests in hand may hold together, half-received frames included. -1 and
    /// absence mean 128 MiB, or one longest frame where that is more; Kafka's default is no limit.
    pub request_budget_bytes: usize,
    /// `connections.max.idle.ms`; `None` (written as a negative number) never closes an idle connection.
    pub idle_ms_max: Option<i64>,
    /// `max.connections.per.ip`.
    pub connections_per_ip_max: usize,
    /// `socket.send.buffer.bytes`; `None` (-1) leaves it to the kernel, as does absence: Kafka's 100 KiB would only
    /// switch the kernel's own tuning off.
    pub send_buffer_bytes: Option<usize>,
    /// `socket.receive.buffer.bytes`, in the same way.
    pub receive_buffer_bytes: Option<usize>,
    /// `socket.listen.backlog.size`; `None` when not written.
    pub backlog: Option<i32>,
    /// `request.timeout.ms`: how long the node waits for another node.
    pub request_timeout_ms: i32,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Threads {
    /// `num.io.threads`: the shards, by default one for each core but one, which is left to the kernel and the disks.
    pub shards: usize,
    /// `background.threads`: the disk pool.
    pub disk: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Fetch {
    /// `fetch.max.bytes`: no answer to a fetch is longer, its first batch excepted.
    pub bytes_max: i32,
    /// `max.incremental.fetch.session.cache.slots`.
    pub session_slots: usize,
    /// `max.request.partition.size.limit`.
    pub request_partitions_max: i32,
}

impl Network {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let request_bytes_max = size(reader, "socket.request.max.bytes", 104_857_600, 1)?;
        let budget = reader.number("queued.max.request.bytes", -1, i64::MIN..=i64::MAX)?;
        let request_budget_bytes = match usize::try_from(budget) {
            Ok(0) | Err(_) => REQUEST_BUDGET_BYTES.max(request_bytes_max),
            Ok(bytes) if bytes < request_bytes_max => {
                let allowed = format!("-1 or at least socket.request.max.bytes, which is {request_bytes_max}");
                return Err(reader.refuse("queued.max.request.bytes", allowed));
            }
            Ok(bytes) => bytes,
        };
        // These two may change at run time: what is in effect, the image says.
        size(reader, "max.connections", i32::MAX, 0)?;
        reader.number("num.recovery.threads.per.data.dir", 2, 1..=1024)?;
        let idle = reader.number("connections.max.idle.ms", 600_000, i64::MIN..=i64::MAX)?;
        Ok(Self {
            request_bytes_max,
            request_budget_bytes,
            idle_ms_max: (idle >= 0).then_some(idle),
            connections_per_ip_max: size(reader, "max.connections.per.ip", i32::MAX, 0)?,
            send_buffer_bytes: buffer(reader, "socket.send.buffer.bytes")?,
            receive_buffer_bytes: buffer(reader, "socket.receive.buffer.bytes")?,
            backlog: reader.optional_number("socket.listen.backlog.size", 1..=i32::MAX)?,
            request_timeout_ms: reader.number("request.timeout.ms", 30_000, 1..=i32::MAX)?,
        })
    }
}

impl Threads {
    /// `cores` is what the machine lets this process use.
    pub(super) fn read(reader: &mut Reader<'_>, cores: usize) -> Result<Self, Error> {
        Ok(Self {
            shards: reader.number("num.io.threads", cores.saturating_sub(1).max(1), 1..=1024)?,
            disk: reader.number("background.threads", 10, 1..=1024)?,
        })
    }
}

impl Fetch {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        Ok(Self {
            bytes_max: reader.number("fetch.max.bytes", 57_671_680, 1024..=i32::MAX)?,
            session_slots: size(reader, "max.incremental.fetch.session.cache.slots", 1000, 0)?,
            request_partitions_max: reader.number("max.request.partition.size.limit", 2000, 1..=i32::MAX)?,
        })
    }
}

/// An int of Kafka's, here a size.
fn size(reader: &mut Reader<'_>, key: &'static str, default: i32, least: i32) -> Result<usize, Error> {
    let number = reader.number(key, default, least..=i32::MAX)?;
    Ok(usize::try_from(number).unwrap_or(0))
}

fn buffer(reader: &mut Reader<'_>, key: &'static str) -> Result<Option<usize>, Error> {
    let bytes = reader.optional_number(key, -1..=i32::MAX)?;
    Ok(bytes.and_then(|bytes| usize::try_from(bytes).ok()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::properties::Properties;

    fn network(text: &str) -> Result<Network, String> {
        let properties = Properties::parse(text).unwrap();
        Network::read(&mut Reader::new(&properties)).map_err(|error| error.to_string())
    }

    #[test]
    fn the_request_budget_is_bounded_and_fits_one_longest_frame() {
        assert_eq!(network("").unwrap().request_budget_bytes, 128 << 20);
        assert_eq!(network("queued.max.request.bytes=-1").unwrap().request_budget_bytes, 128 << 20);
        assert_eq!(network("socket.request.max.bytes=200000000").unwrap().request_budget_bytes, 200_000_000);
        let small = "socket.request.max.bytes=1000\nqueued.max.request.bytes=";
        assert_eq!(network(&format!("{small}1000")).unwrap().request_budget_bytes, 1000);
        let told = network(&format!("{small}999")).unwrap_err();
        assert!(told.ends_with("must be -1 or at least socket.request.max.bytes, which is 1000"), "{told}");
    }

    #[test]
    fn a_negative_idle_time_means_never() {
        assert_eq!(network("").unwrap().idle_ms_max, Some(600_000));
        assert_eq!(network("connections.max.idle.ms=-1").unwrap().idle_ms_max, None);
    }

    #[test]
    fn socket_buffers_are_the_kernels_unless_written() {
        let written = network("socket.send.buffer.bytes=102400\nsocket.receive.buffer.bytes=-1").unwrap();
        assert_eq!((written.send_buffer_bytes, written.receive_buffer_bytes), (Some(102_400), None));
        assert_eq!(network("").unwrap().send_buffer_bytes, None);
    }

    #[test]
    fn there_is_a_shard_for_each_core_but_one_unless_written() {
        let threads = |text: &str, cores| {
            let properties = Properties::parse(text).unwrap();
            Threads::read(&mut Reader::new(&properties), cores).map(|threads| threads.shards).map_err(|e| e.to_string())
        };
        assert_eq!([threads("", 6), threads("", 2), threads("", 1)], [Ok(5), Ok(1), Ok(1)]);
        assert_eq!(threads("num.io.threads=3", 2), Ok(3));
        assert_eq!(
            threads("num.io.threads=0", 6).unwrap_err(),
            "num.io.threads=0 (line 1): must be a number from 1 to 1024"
        );
    }
}
