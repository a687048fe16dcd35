//! From a frame to the handler named after its API, and back to a frame.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{self, Poll};
use std::time::{Duration, Instant};

use bytes::{BufMut as _, Bytes};
use wire::header::{RequestHeader, ResponseHeader};
use wire::reader::AMPLIFICATION;
use wire::{ApiKey, Message, Reader, Splice, Writer};

use super::context::Context;
use super::fetch_session::Sessions;
use super::{versions, *};
use crate::net::{Output, Peer, Region, Service, Verdict};

/// What the requests of one connection share.
pub struct Connection {
    pub peer: Peer,
    /// The client's id in the request at hand.
    pub client_id: wire::Str,
    /// Fetch sessions: state of the connection, see [`super::fetch_session`].
    pub sessions: Sessions,
}

/// Answers the requests of one connection.
pub struct Dispatch {
    context: Rc<Context>,
    connection: Connection,
    /// Places of regions in the answer at hand; kept for its memory.
    splices: Vec<Splice>,
}

/// The head of a request, as far as needed to know what it is.
#[derive(Clone, Copy)]
struct Head {
    key: ApiKey,
    version: i16,
    correlation_id: i32,
    /// Whether the version is served; only ApiVersions answers one that is not.
    known: bool,
}

/// Decodes a request, runs its handler, and encodes what it answers. Bytes behind the last field are ignored, as Kafka
/// does: librdkafka 2.12 sends some behind a Metadata request for all topics.
macro_rules! answer {
    ($self:ident, $head:ident, $reader:ident, $reply:ident, $handler:path) => {{
        let request = match Message::decode(&mut $reader, $head.version) {
            Ok(request) => request,
            Err(_) => return Verdict::Close("a request cannot be decoded"),
        };
        // Boxed, so that the rare and large ones do not widen every connection.
        let response = Box::pin($handler(&$self.context, &$self.connection, request, $head.version)).await;
        $self.respond($reply, $head, &response, Vec::new())
    }};
}

impl Dispatch {
    pub fn new(context: Rc<Context>, peer: Peer) -> Self {
        let sessions = Sessions::default();
        let connection = Connection { peer, client_id: wire::Str::default(), sessions };
        Self { context, connection, splices: Vec::new() }
    }

    /// Reads key, version and correlation id: the same eight bytes in every header version.
    fn head(frame: &Bytes) -> Result<Head, &'static str> {
        let Some(&[k0, k1, v0, v1, c0, c1, c2, c3]) = frame.first_chunk::<8>() else {
            return Err("a request is shorter than its header");
        };
        let version = i16::from_be_bytes([v0, v1]);
        let key = ApiKey::from_code(i16::from_be_bytes([k0, k1])).filter(|key| versions::served(*key).is_some());
        let Some(key) = key else { return Err("a request has an API key that is not served") };
        let known = versions::served(key).is_some_and(|served| served.accepts(version));
        if !known && key != ApiKey::ApiVersions {
            return Err("a request has a version that its API does not serve");
        }
        Ok(Head { key, version, correlation_id: i32::from_be_bytes([c0, c1, c2, c3]), known })
    }

    async fn answer(&mut self, frame: Bytes, head: Head, reply: &mut Output) -> Verdict {
        if !head.known {
            let response = api_versions::unsupported();
            return self.respond(reply, Head { version: 0, ..head }, &response, Vec::new());
        }
        let mut reader = Reader::new(frame);
        match RequestHeader::decode(&mut reader, head.key.request_header_version(head.version)) {
            Ok(header) => self.connection.client_id = header.client_id.unwrap_or_default(),
            Err(_) => return Verdict::Close("a request's header cannot be decoded"),
        }
        match head.key {
            ApiKey::Produce => {
                let Ok(request) = Message::decode(&mut reader, head.version) else {
                    return Verdict::Close("a request cannot be decoded");
                };
                match produce::handle(&self.context, &self.connection, request, head.version).await {
                    produce::Answer::Response(response) => self.respond(reply, head, &response, Vec::new()),
                    produce::Answer::Silence => Verdict::Answered,
                    produce::Answer::End => Verdict::Close("a batch that nobody waits for was refused"),
                }
            }
            ApiKey::Fetch => {
                let Ok(request) = Message::decode(&mut reader, head.version) else {
                    return Verdict::Close("a request cannot be decoded");
                };
                let (response, regions) =
                    fetch::handle(&self.context, &mut self.connection, request, head.version).await;
                self.respond(reply, head, &response, regions)
            }
            ApiKey::ListOffsets => answer!(self, head, reader, reply, list_offsets::handle),
            ApiKey::Metadata => answer!(self, head, reader, reply, metadata::handle),
            ApiKey::OffsetCommit => answer!(self, head, reader, reply, offset_commit::handle),
            ApiKey::OffsetFetch => answer!(self, head, reader, reply, offset_fetch::handle),
            ApiKey::FindCoordinator => answer!(self, head, reader, reply, find_coordinator::handle),
            ApiKey::JoinGroup => answer!(self, head, reader, reply, join_group::handle),
            ApiKey::Heartbeat => answer!(self, head, reader, reply, heartbeat::handle),
            ApiKey::LeaveGroup => answer!(self, head, reader, reply, leave_group::handle),
            ApiKey::SyncGroup => answer!(self, head, reader, reply, sync_group::handle),
            ApiKey::DescribeGroups => answer!(self, head, reader, reply, describe_groups::handle),
            ApiKey::ListGroups => answer!(self, head, reader, reply, list_groups::handle),
            ApiKey::ApiVersions => answer!(self, head, reader, reply, api_versions::handle),
            ApiKey::CreateTopics => answer!(self, head, reader, reply, create_topics::handle),
            ApiKey::DeleteTopics => answer!(self, head, reader, reply, delete_topics::handle),
            ApiKey::DeleteRecords => answer!(self, head, reader, reply, delete_records::handle),
            ApiKey::InitProducerId => answer!(self, head, reader, reply, init_producer_id::handle),
            ApiKey::OffsetForLeaderEpoch => answer!(self, head, reader, reply, offset_for_leader_epoch::handle),
            ApiKey::DescribeConfigs => answer!(self, head, reader, reply, describe_configs::handle),
            ApiKey::AlterConfigs => answer!(self, head, reader, reply, alter_configs::handle),
            ApiKey::CreatePartitions => answer!(self, head, reader, reply, create_partitions::handle),
            ApiKey::DeleteGroups => answer!(self, head, reader, reply, delete_groups::handle),
            ApiKey::IncrementalAlterConfigs => answer!(self, head, reader, reply, incremental_alter_configs::handle),
            ApiKey::OffsetDelete => answer!(self, head, reader, reply, offset_delete::handle),
            ApiKey::DescribeLogDirs => answer!(self, head, reader, reply, describe_log_dirs::handle),
            ApiKey::DescribeProducers => answer!(self, head, reader, reply, describe_producers::handle),
            ApiKey::ListConfigResources => answer!(self, head, reader, reply, list_config_resources::handle),
            ApiKey::DescribeCluster => answer!(self, head, reader, reply, describe_cluster::handle),
            ApiKey::DescribeTopicPartitions => answer!(self, head, reader, reply, describe_topic_partitions::handle),
            _ => Verdict::Close("a request has an API key that is not served"),
        }
    }

    /// Writes a whole response frame; `regions` go where the response has external records.
    fn respond(&mut self, reply: &mut Output, head: Head, response: &impl Message, regions: Vec<Region>) -> Verdict {
        let start = reply.buf().len();
        self.splices.clear();
        let buf = reply.buf();
        buf.put_i32(0);
        let mut writer = Writer::new(buf, &mut self.splices);
        let header = ResponseHeader { correlation_id: head.correlation_id, ..ResponseHeader::default() };
        header.encode(&mut writer, head.key.response_header_version(head.version));
        if let Err(error) = response.encode(&mut writer, head.version) {
            tracing::error!(api = head.key.name(), version = head.version, %error, "an answer cannot be encoded");
            return Verdict::Close("an answer cannot be encoded");
        }
        {
            let mut state = self.context.shards.state();
            let apis = &mut state.counters.apis;
            response.errors(head.version, &mut |code| apis.error(head.key.code(), code));
        }
        let external: usize = self.splices.iter().map(|splice| splice.len as usize).sum();
        let length = reply.buf().len() - start - 4 + external;
        let Ok(length) = i32::try_from(length) else { return Verdict::Close("an answer is too long") };
        reply.buf()[start..start + 4].copy_from_slice(&length.to_be_bytes());
        let mut regions = regions.into_iter();
        for splice in &self.splices {
            let mut left = splice.len as usize;
            while left > 0 {
                let region = regions.next().expect("every external record has its regions");
                left = left.checked_sub(region.size_bytes()).expect("regions end where their records do");
                reply.insert(splice.at, region);
            }
        }
        Verdict::Answered
    }
}

impl Service for Dispatch {
    fn cost(&self, frame: &Bytes) -> usize {
        // A produce request is records, which are not decoded; others are structure, of which a decoder makes more.
        let is_produce = frame.first_chunk() == Some(&ApiKey::Produce.code().to_be_bytes());
        if is_produce { frame.len() } else { frame.len() * (1 + AMPLIFICATION) }
    }

    async fn call(&mut self, frame: Bytes, reply: &mut Output) -> Verdict {
        let started = Instant::now();
        let head = match Self::head(&frame) {
            Ok(head) => head,
            Err(reason) => return Verdict::Close(reason),
        };
        let (verdict, took) = {
            let mut took = Took { started, worked: Duration::ZERO, ended: started };
            let mut answer = pin!(self.answer(frame, head, reply));
            let verdict = poll_fn(|cx| took.poll(answer.as_mut(), cx)).await;
            (verdict, took)
        };
        if verdict == Verdict::Answered {
            let [total_us, local_us] = [took.ended - started, took.worked].map(|time| time.as_micros() as u64);
            self.context.shards.state().counters.apis.request(head.key.code(), head.version, total_us, local_us);
        }
        verdict
    }
}

/// How long an answer took, and how much of that was work: the rest it waited.
struct Took {
    started: Instant,
    worked: Duration,
    ended: Instant,
}

impl Took {
    fn poll<F: Future>(&mut self, answer: Pin<&mut F>, cx: &mut task::Context<'_>) -> Poll<F::Output> {
        let at = if self.worked.is_zero() { self.started } else { Instant::now() };
        let polled = answer.poll(cx);
        self.ended = Instant::now();
        self.worked += self.ended - at;
        polled
    }
}

impl Drop for Dispatch {
    fn drop(&mut self) {
        self.connection.sessions.close(&mut self.context.shards.state().counters.plain);
    }
}
