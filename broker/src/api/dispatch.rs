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
use super::fetch::Fetching;
use super::fetch_session::Sessions;
use super::produce::Pending;
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

/// Emptied produces that a connection keeps: as many as most producers have under way.
const SPARE_PRODUCES_MAX: usize = 5;

/// Answers the requests of one connection.
pub struct Dispatch {
    context: Rc<Context>,
    connection: Connection,
    /// Places of regions in the answer at hand; kept for its memory.
    splices: Vec<Splice>,
    /// Made by the first fetch.
    fetching: Option<Box<Fetching>>,
    spare_produces: Vec<Pending>,
}

/// A produce whose answer is still to come.
pub struct Later {
    head: Head,
    took: Took,
    /// `None` once it is answered.
    produce: Option<Pending>,
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
        $self.respond($reply, $head, &response, &mut Vec::new())
    }};
}

impl Dispatch {
    pub fn new(context: Rc<Context>, peer: Peer) -> Self {
        let sessions = Sessions::default();
        let connection = Connection { peer, client_id: wire::Str::default(), sessions };
        Self { context, connection, splices: Vec::new(), fetching: None, spare_produces: Vec::new() }
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

    /// Reads the header of a request, and notes who sent it.
    fn header(&mut self, frame: Bytes, head: Head) -> Result<Reader, &'static str> {
        let mut reader = Reader::new(frame);
        let header = RequestHeader::decode(&mut reader, head.key.request_header_version(head.version))
            .map_err(|_| "a request's header cannot be decoded")?;
        let client_id = header.client_id.as_deref().unwrap_or_default();
        // Copied, and only when it changes: a share of the frame would keep the whole frame until the next request.
        if *self.connection.client_id != *client_id {
            self.connection.client_id = client_id.into();
        }
        Ok(reader)
    }

    async fn answer(&mut self, frame: Bytes, head: Head, reply: &mut Output) -> Verdict {
        if !head.known {
            let response = api_versions::unsupported();
            return self.respond(reply, Head { version: 0, ..head }, &response, &mut Vec::new());
        }
        let mut reader = match self.header(frame, head) {
            Ok(reader) => reader,
            Err(reason) => return Verdict::Close(reason),
        };
        match head.key {
            ApiKey::Fetch => {
                let mut fetching = self.fetching.take().unwrap_or_default();
                let (context, sessions) = (&self.context, &mut self.connection.sessions);
                let fetched = fetch::handle(context, sessions, &mut reader, head.version, &mut fetching).await;
                let verdict = match fetched {
                    Ok((response, regions)) => self.respond(reply, head, response, regions),
                    Err(_) => Verdict::Close("a request cannot be decoded"),
                };
                fetching.clear();
                self.fetching = Some(fetching);
                verdict
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
    fn respond(
        &mut self,
        reply: &mut Output,
        head: Head,
        response: &impl Message,
        regions: &mut Vec<Region>,
    ) -> Verdict {
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
        let mut regions = regions.drain(..);
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

    /// Counts a request whose answer is written.
    fn count(&self, head: Head, took: &Took, verdict: &Verdict) {
        if *verdict == Verdict::Answered {
            let [total_us, local_us] = [took.ended - took.started, took.worked].map(|time| time.as_micros() as u64);
            self.context.shards.state().counters.apis.request(head.key.code(), head.version, total_us, local_us);
        }
    }
}

impl Service for Dispatch {
    fn cost(&self, frame: &Bytes) -> usize {
        // A produce request is records, which are not decoded; others are structure, of which a decoder makes more.
        let is_produce = frame.first_chunk() == Some(&ApiKey::Produce.code().to_be_bytes());
        if is_produce { frame.len() } else { frame.len() * (1 + AMPLIFICATION) }
    }

    type Later = Later;

    /// Produces run beside each other: their batches are appended in the order of their requests all the same.
    fn overlaps(&self, frame: &Bytes) -> bool {
        matches!(Self::head(frame), Ok(Head { key: ApiKey::Produce, .. }))
    }

    async fn begin(&mut self, frame: Bytes) -> Result<Later, &'static str> {
        let mut took = Took::start();
        let head = Self::head(&frame)?;
        let mut reader = self.header(frame, head)?;
        let mut produce = self.spare_produces.pop().unwrap_or_default();
        let (context, client_id) = (&self.context, &self.connection.client_id);
        let begun = {
            let begin = pin!(produce::begin(context, client_id, &mut reader, head.version, &mut produce));
            took.of(begin).await
        };
        begun.map_err(|_| "a request cannot be decoded")?;
        Ok(Later { head, took, produce: Some(produce) })
    }

    async fn finish(&mut self, later: &mut Later, reply: &mut Output) -> Verdict {
        let Later { head, took, produce } = later;
        let pending = produce.as_mut().expect("an answer is given once");
        let response = {
            let finish = pin!(produce::finish(&self.context, pending));
            took.of(finish).await
        };
        let verdict = match response {
            produce::Answer::Response(response) => self.respond(reply, *head, response, &mut Vec::new()),
            produce::Answer::Silence => Verdict::Answered,
            produce::Answer::End => Verdict::Close("a batch that nobody waits for was refused"),
        };
        if let Some(mut produce) = produce.take()
            && self.spare_produces.len() < SPARE_PRODUCES_MAX
        {
            produce.clear();
            self.spare_produces.push(produce);
        }
        self.count(*head, took, &verdict);
        verdict
    }

    async fn call(&mut self, frame: Bytes, reply: &mut Output) -> Verdict {
        let mut took = Took::start();
        let head = match Self::head(&frame) {
            Ok(head) => head,
            Err(reason) => return Verdict::Close(reason),
        };
        let verdict = {
            let answer = pin!(self.answer(frame, head, reply));
            took.of(answer).await
        };
        self.count(head, &took, &verdict);
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
    fn start() -> Self {
        let started = Instant::now();
        Self { started, worked: Duration::ZERO, ended: started }
    }

    /// Runs `work`, a part of the answer. Borrowed, so that the connection's own future does not hold it twice.
    async fn of<F: Future>(&mut self, mut work: Pin<&mut F>) -> F::Output {
        poll_fn(|cx| self.poll(work.as_mut(), cx)).await
    }

    fn poll<F: Future>(&mut self, work: Pin<&mut F>, cx: &mut task::Context<'_>) -> Poll<F::Output> {
        let at = if self.worked.is_zero() { self.started } else { Instant::now() };
        let polled = work.poll(cx);
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
