//! Fetch (1): plans of what to read, a wait where there is too little, and regions of logs in the answer.

use std::sync::Arc;
use std::time::Duration;

use metadata::Image;
use model::{Batch, LeaderEpoch, Offset, PartitionId, TopicId};
use partition::{FetchError, Isolation};
use storage::{ReadPlan, RealDisk};
use wire::messages::fetch::{AbortedTransaction, FetchRequest, FetchResponse, FetchableTopicResponse, PartitionData};
use wire::{DecodeError, ErrorCode, Reader, Records, Str, Tags};

use super::by_shard::ByShard;
use super::context::Context;
use super::errors::ToCode as _;
use super::fetch_session::{Asked, Key, Kind, Refused, Sessions, Told, TopicKey, Wanted};
use crate::net::Region;
use crate::shard::{Fetched, ProgressWait, Read, ReadErrand};

type Plan = ReadPlan<RealDisk>;

/// The memory of a request for more partitions is given back while it waits, and at its end.
const KEEP_PARTITIONS_MAX: usize = 128;

/// One partition of the request at hand.
struct Part {
    key: Key,
    wanted: Wanted,
    id: Result<PartitionId, ErrorCode>,
}

/// What was read of one partition.
type Outcome = Result<Fetched, ErrorCode>;

/// The fetch at hand of one connection, with the memory of those before it.
#[derive(Default)]
pub struct Fetching {
    request: FetchRequest,
    parts: Vec<Part>,
    /// One for each part.
    outcomes: Vec<Outcome>,
    shares: ByShard<ReadErrand, usize>,
    response: FetchResponse,
    /// Emptied topics of earlier responses.
    spare_topics: Vec<FetchableTopicResponse>,
    regions: Vec<Region>,
    wait: Option<Arc<ProgressWait>>,
}

/// Answers a fetch; the regions go where the response's external records are, in their order.
pub async fn handle<'f>(
    context: &Context,
    sessions: &mut Sessions,
    reader: &mut Reader,
    version: i16,
    fetching: &'f mut Fetching,
) -> Result<(&'f FetchResponse, &'f mut Vec<Region>), DecodeError> {
    fetching.request.decode_into(reader, version)?;
    let by_id = version >= 13;
    let Fetching { request, parts, outcomes, shares, response, spare_topics, regions, wait } = fetching;
    let asked = Asked { id: request.session_id, epoch: request.session_epoch, uses_topic_ids: by_id };
    let new_id = || context.next_fetch_session_id();
    let kind = match sessions.begin(asked, named(request, by_id), forgotten(request, by_id), new_id) {
        Ok(kind) => kind,
        Err(refused) => {
            let code = match refused {
                Refused::NotFound => ErrorCode::FetchSessionIdNotFound,
                Refused::BadEpoch => ErrorCode::InvalidFetchSessionEpoch,
                Refused::TopicIdMix => ErrorCode::FetchSessionTopicIdError,
            };
            response.error_code = code.code();
            return Ok((response, regions));
        }
    };
    sessions.settle(&mut context.shards.state().counters.plain);
    let image = context.image();
    match kind {
        Kind::Full { .. } => parts.extend(named(request, by_id).map(|(key, wanted)| part(&image, key, wanted))),
        Kind::Incremental { session_id } => {
            let session = sessions.get(session_id).into_iter();
            let all = session.flat_map(|session| session.partitions());
            parts.extend(all.map(|(key, wanted)| part(&image, key.clone(), wanted.clone())));
        }
    }
    drop(image);
    let reading = Reading {
        isolation: if request.isolation_level == 1 { Isolation::ReadCommitted } else { Isolation::ReadUncommitted },
        limit: usize::try_from(request.max_bytes).unwrap_or(0).min(context.config.fetch_bytes_max),
    };
    let least = i64::from(request.min_bytes).min(reading.limit as i64);
    let patience = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0));
    reading.read(context, parts, outcomes, shares, None, true).await;
    if !enough(outcomes, least) && !patience.is_zero() {
        let watching = Watching(ProgressWait::again(wait, least - bytes(outcomes)));
        // Watched first and read again after, so that nothing slips through between.
        reading.read(context, parts, outcomes, shares, Some(watching.0), false).await;
        if !enough(outcomes, least) {
            outcomes.clear();
            if parts.len() > KEEP_PARTITIONS_MAX {
                // It may wait for long, and others with it: what it does not need any more goes now.
                (*request, *shares, *outcomes) = Default::default();
            }
            let parked = Parked::new(context);
            let woken = tokio::time::timeout(patience, watching.0.done()).await;
            drop((watching, parked));
            context.shards.state().counters.plain.fetches_expired += u64::from(woken.is_err());
            reading.read(context, parts, outcomes, shares, None, false).await;
        }
    }
    let mut answer = Answer { context, response, spare_topics, regions, by_id };
    answer.fill(sessions, kind, parts.drain(..).zip(outcomes.drain(..)), reading.limit);
    Ok((answer.response, answer.regions))
}

/// Counts a fetch as waiting for as long as it lives, however the wait ends.
struct Parked<'a> {
    context: &'a Context,
}

impl<'a> Parked<'a> {
    fn new(context: &'a Context) -> Self {
        context.shards.state().counters.plain.fetches_parked += 1;
        Self { context }
    }
}

impl Drop for Parked<'_> {
    fn drop(&mut self) {
        self.context.shards.state().counters.plain.fetches_parked -= 1;
    }
}

/// Tells the partitions that nobody waits any more, also where the connection goes first.
struct Watching<'w>(&'w Arc<ProgressWait>);

impl Drop for Watching<'_> {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

impl Fetching {
    /// Lets go of everything that the last request shared with its frame, and keeps the memory.
    pub fn clear(&mut self) {
        let named: usize = self.request.topics.iter().map(|topic| topic.partitions.capacity()).sum();
        if named.max(self.request.topics.capacity()).max(self.parts.capacity()) > KEEP_PARTITIONS_MAX {
            *self = Self::default();
            return;
        }
        self.request.topics.iter_mut().for_each(|topic| {
            topic.topic = Str::default();
            topic.unknown_tags = Tags::default();
        });
        self.request.forgotten_topics_data.clear();
        self.request.rack_id = Str::default();
        self.request.cluster_id = None;
        self.request.unknown_tags = Tags::default();
        self.parts.clear();
        self.outcomes.clear();
        self.response.error_code = 0;
        self.response.session_id = 0;
        self.spare_topics.extend(self.response.responses.drain(..).map(|mut topic| {
            topic.topic = Str::default();
            topic.partitions.clear();
            topic
        }));
        self.regions.clear();
    }
}

/// Bytes ready to be sent.
fn bytes(outcomes: &[Outcome]) -> i64 {
    outcomes.iter().flatten().map(|fetched| fetched.plan.len() as i64).sum()
}

/// Whether the answer can go: bytes enough, or something to tell that cannot wait.
fn enough(outcomes: &[Outcome], least: i64) -> bool {
    outcomes.is_empty() || outcomes.iter().any(Result::is_err) || bytes(outcomes) >= least
}

fn part(image: &Image, key: Key, wanted: Wanted) -> Part {
    let topic = match &key.topic {
        TopicKey::Name(name) => image.topic_by_name(name),
        TopicKey::Id(id) => image.topic_by_id(*id),
    };
    let unknown = match &key.topic {
        TopicKey::Name(_) => ErrorCode::UnknownTopicOrPartition,
        TopicKey::Id(_) if topic.is_none() => ErrorCode::UnknownTopicId,
        TopicKey::Id(_) => ErrorCode::UnknownTopicOrPartition,
    };
    let id = topic
        .filter(|topic| topic.partition(key.index).is_some())
        .map(|topic| PartitionId { topic: topic.id, index: key.index });
    Part { key, wanted, id: id.ok_or(unknown) }
}

/// What is the same for all partitions of a fetch.
struct Reading {
    isolation: Isolation,
    /// Bytes of the whole answer.
    limit: usize,
}

impl Reading {
    /// Reads every known partition anew, one message a shard; with `wait`, its partitions are watched from that moment.
    /// `outcomes` has one for each part then.
    async fn read(
        &self,
        context: &Context,
        parts: &[Part],
        outcomes: &mut Vec<Outcome>,
        shares: &mut ByShard<ReadErrand, usize>,
        wait: Option<&Arc<ProgressWait>>,
        first: bool,
    ) {
        let shards = &context.shards;
        outcomes.clear();
        for (place, part) in parts.iter().enumerate() {
            // A shard that does not answer has ended.
            outcomes.push(Err(part.id.err().unwrap_or(ErrorCode::NotLeaderOrFollower)));
            let Ok(partition) = part.id else { continue };
            shares.add(shards.owner(partition), place).reads.push(Read {
                partition,
                from: part.wanted.fetch_offset,
                bytes_max: usize::try_from(part.wanted.max_bytes).unwrap_or(0).min(self.limit),
                leader_epoch: LeaderEpoch(part.wanted.current_leader_epoch),
                last_fetched_epoch: LeaderEpoch(part.wanted.last_fetched_epoch),
            });
        }
        for (shard, share) in shares.used(shards.index()) {
            let (mut errand, reply) = share.leave();
            errand.isolation = self.isolation;
            errand.first = first;
            errand.wait = wait.cloned();
            shards.read(shard, errand, reply).await;
        }
        for (_, share) in shares.used(shards.index()) {
            if share.back().await.is_ok()
                && let Some(errand) = &mut share.errand
            {
                errand.reads.clear();
                errand.wait = None;
                for (place, outcome) in share.places.iter().zip(errand.outcomes.drain(..)) {
                    outcomes[*place] = outcome.map_err(|error: FetchError| error.to_code());
                }
            }
            share.places.clear();
        }
    }
}

/// The answer being filled.
struct Answer<'c, 'f> {
    context: &'c Context,
    response: &'f mut FetchResponse,
    spare_topics: &'f mut Vec<FetchableTopicResponse>,
    regions: &'f mut Vec<Region>,
    by_id: bool,
}

impl Answer<'_, '_> {
    /// Cuts the plans to the whole answer's limit, and says what the session's client does not know yet.
    fn fill(&mut self, sessions: &mut Sessions, kind: Kind, read: impl Iterator<Item = (Part, Outcome)>, limit: usize) {
        let (session_id, incremental) = match kind {
            Kind::Full { session_id } => (session_id, false),
            Kind::Incremental { session_id } => (session_id, true),
        };
        let mut session = sessions.get(session_id);
        self.response.session_id = session_id;
        let mut left = limit;
        let mut first = true;
        for (part, outcome) in read {
            let mut data = PartitionData { partition_index: part.key.index, ..Default::default() };
            let told = match outcome {
                Ok(fetched) => {
                    data.high_watermark = fetched.high_watermark.0;
                    data.last_stable_offset = fetched.last_stable_offset.0;
                    data.log_start_offset = fetched.log_start.0;
                    if let Some(diverging) = fetched.diverging {
                        data.diverging_epoch.epoch = diverging.epoch.0;
                        data.diverging_epoch.end_offset = diverging.end_offset.0;
                    }
                    data.aborted_transactions = fetched.aborted.map(|aborted| {
                        aborted
                            .into_iter()
                            .map(|txn| AbortedTransaction {
                                producer_id: txn.producer_id.0,
                                first_offset: txn.first_offset.0,
                                ..Default::default()
                            })
                            .collect()
                    });
                    let most = usize::try_from(part.wanted.max_bytes).unwrap_or(0).min(left);
                    let taken = take(fetched.plan, most, first, self.regions);
                    if let Ok(id) = part.id
                        && taken > 0
                    {
                        self.context.count(id.topic, |counters| counters.bytes_out += taken as u64);
                    }
                    first &= taken == 0;
                    left = left.saturating_sub(taken);
                    data.records = Some(Records::External { len: taken as u32, token: 0 });
                    Told { high_watermark: data.high_watermark, log_start_offset: data.log_start_offset, failed: false }
                }
                Err(code) => {
                    data.error_code = code.code();
                    data.high_watermark = Offset::NONE.0;
                    if part.id.is_ok() {
                        data.aborted_transactions = None;
                    }
                    data.records = Some(Records::default());
                    Told { high_watermark: -1, log_start_offset: -1, failed: true }
                }
            };
            let has_records = matches!(data.records, Some(Records::External { len: 1.., .. }));
            let news = session.as_mut().is_none_or(|session| session.tell(&part.key, told, has_records));
            if news || !incremental {
                self.place(&part.key, data);
            }
        }
    }

    /// Puts a partition's data behind its topic's, which is the last one in most cases.
    fn place(&mut self, key: &Key, data: PartitionData) {
        let same = |topic: &FetchableTopicResponse| match &key.topic {
            TopicKey::Name(name) => !self.by_id && topic.topic == *name,
            TopicKey::Id(id) => self.by_id && topic.topic_id == id.0,
        };
        match self.response.responses.last_mut().filter(|topic| same(topic)) {
            Some(topic) => topic.partitions.push(data),
            None => {
                let mut topic = self.spare_topics.pop().unwrap_or_default();
                match &key.topic {
                    TopicKey::Name(name) => topic.topic = name.clone(),
                    TopicKey::Id(id) => topic.topic_id = id.0,
                }
                topic.partitions.push(data);
                self.response.responses.push(topic);
            }
        }
    }
}

/// Takes as much of `plan` as fits into `left`; the answer's first records always hold one whole batch.
fn take(plan: Plan, left: usize, first: bool, regions: &mut Vec<Region>) -> usize {
    match plan {
        ReadPlan::Empty => 0,
        ReadPlan::Memory(mut batches) => {
            if batches.len() > left {
                batches.truncate(whole(&batches, left, first));
            }
            let taken = batches.len();
            if taken > 0 {
                regions.push(Region::Memory(batches));
            }
            taken
        }
        ReadPlan::File(region) => {
            let len = match (region.len <= left, first) {
                (true, _) => region.len,
                (false, true) => left.max(region.first_batch_bytes).min(region.len),
                (false, false) if region.first_batch_bytes <= left => left,
                (false, false) => 0,
            };
            if len > 0 {
                regions.push(Region::File { file: region.file, at: region.position, len });
            }
            len
        }
    }
}

/// How many bytes of `batches` are whole batches within `most`; the first one in any case where it is `first`.
fn whole(batches: &[u8], most: usize, first: bool) -> usize {
    let mut taken = 0;
    while let Ok(size) = Batch::peek_size(&batches[taken..])
        && (taken + size <= most || (first && taken == 0))
    {
        taken += size;
    }
    taken
}

/// The partitions that a request names.
fn named(request: &FetchRequest, by_id: bool) -> impl Iterator<Item = (Key, Wanted)> + Clone {
    let partitions =
        request.topics.iter().flat_map(|topic| topic.partitions.iter().map(move |partition| (topic, partition)));
    partitions.map(move |(topic, partition)| {
        let wanted = Wanted {
            fetch_offset: Offset(partition.fetch_offset),
            max_bytes: partition.partition_max_bytes,
            // All that is negative means "none".
            current_leader_epoch: partition.current_leader_epoch.max(LeaderEpoch::NONE.0),
            last_fetched_epoch: partition.last_fetched_epoch.max(LeaderEpoch::NONE.0),
            log_start_offset: partition.log_start_offset,
        };
        (key(&topic.topic, topic.topic_id, partition.partition, by_id), wanted)
    })
}

/// The partitions that a request takes out of its session.
fn forgotten(request: &FetchRequest, by_id: bool) -> impl Iterator<Item = Key> + Clone {
    let topics = request.forgotten_topics_data.iter();
    topics.flat_map(move |topic| {
        topic.partitions.iter().map(move |index| key(&topic.topic, topic.topic_id, *index, by_id))
    })
}

fn key(name: &Str, id: [u8; 16], index: i32, by_id: bool) -> Key {
    let topic = if by_id { TopicKey::Id(TopicId(id)) } else { TopicKey::Name(name.clone()) };
    Key { topic, index }
}
