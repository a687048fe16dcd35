//! Fetch (1): plans of what to read, a wait where there is too little, and regions of logs in the answer.

use std::sync::Arc;
use std::time::Duration;

use model::{LeaderEpoch, Offset, PartitionId, TopicId};
use partition::{FetchError, Isolation};
use storage::{ReadPlan, RealDisk};
use wire::messages::fetch::{AbortedTransaction, FetchRequest, FetchResponse, FetchableTopicResponse, PartitionData};
use wire::{ErrorCode, Records};

use super::by_shard::{Share, gather};
use super::context::Context;
use super::dispatch::Connection;
use super::errors::ToCode as _;
use super::fetch_session::{Key, Kind, Refused, Told, TopicKey, Wanted};
use crate::net::Region;
use crate::shard::{Fetched, ProgressWait, Read};

type Plan = ReadPlan<RealDisk>;

/// One partition of the request at hand. All that a waiting request keeps of it.
struct Part {
    key: Key,
    wanted: Wanted,
    id: Result<PartitionId, ErrorCode>,
}

/// What was read of one partition.
type Outcome = Result<Fetched, ErrorCode>;

/// Answers a fetch; the regions go where the response's external records are, in their order.
pub async fn handle(
    context: &Context,
    connection: &mut Connection,
    request: FetchRequest,
    version: i16,
) -> (FetchResponse, Vec<Region>) {
    let by_id = version >= 13;
    let wanted = named(&request, by_id);
    let forgotten = forgotten(&request, by_id);
    let opened =
        connection.sessions.begin(request.session_id, request.session_epoch, by_id, &wanted, &forgotten, || {
            context.next_fetch_session_id()
        });
    connection.sessions.settle(&mut context.shards.state().counters.plain);
    let kind = match opened {
        Ok(kind) => kind,
        Err(refused) => {
            let code = match refused {
                Refused::NotFound => ErrorCode::FetchSessionIdNotFound,
                Refused::BadEpoch => ErrorCode::InvalidFetchSessionEpoch,
                Refused::TopicIdMix => ErrorCode::FetchSessionTopicIdError,
            };
            return (FetchResponse { error_code: code.code(), ..Default::default() }, Vec::new());
        }
    };
    let parts: Vec<Part> = match kind {
        Kind::Full { .. } => wanted.into_iter().map(|(key, wanted)| part(context, key, wanted)).collect(),
        Kind::Incremental { session_id } => match connection.sessions.get(session_id) {
            Some(session) => {
                session.partitions().map(|(key, wanted)| part(context, key.clone(), wanted.clone())).collect()
            }
            None => Vec::new(),
        },
    };

    let isolation = if request.isolation_level == 1 { Isolation::ReadCommitted } else { Isolation::ReadUncommitted };
    let limit = usize::try_from(request.max_bytes).unwrap_or(0).min(context.config.fetch_bytes_max);
    let least = i64::from(request.min_bytes).min(limit as i64);
    let patience = Duration::from_millis(request.max_wait_ms.max(0) as u64);
    // It may wait for long, and others with it: what it does not need any more goes now.
    drop(request);
    let mut outcomes = read(context, &parts, isolation, limit, None, true).await;
    if !enough(&outcomes, least) && !patience.is_zero() {
        let wait = ProgressWait::new(least - bytes(&outcomes));
        // Watched first and read again after, so that nothing slips through between.
        outcomes = read(context, &parts, isolation, limit, Some(&wait), false).await;
        if !enough(&outcomes, least) {
            outcomes = Vec::new();
            let parked = Parked::new(context);
            let woken = tokio::time::timeout(patience, wait.done()).await;
            wait.cancel();
            drop(parked);
            context.shards.state().counters.plain.fetches_expired += u64::from(woken.is_err());
            outcomes.extend(read(context, &parts, isolation, limit, None, false).await);
        } else {
            wait.cancel();
        }
    }
    respond(context, connection, kind, parts, outcomes, limit, by_id)
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

/// Bytes ready to be sent.
fn bytes(outcomes: &[Outcome]) -> i64 {
    outcomes.iter().flatten().map(|fetched| fetched.plan.len() as i64).sum()
}

/// Whether the answer can go: bytes enough, or something to tell that cannot wait.
fn enough(outcomes: &[Outcome], least: i64) -> bool {
    outcomes.is_empty() || outcomes.iter().any(Result::is_err) || bytes(outcomes) >= least
}

fn part(context: &Context, key: Key, wanted: Wanted) -> Part {
    let image = context.image();
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

/// Reads every known partition anew, one message a shard; with `wait`, its partitions are watched from that moment. Gives
/// an outcome for each part, in their order.
async fn read(
    context: &Context,
    parts: &[Part],
    isolation: Isolation,
    limit: usize,
    wait: Option<&Arc<ProgressWait>>,
    first: bool,
) -> Vec<Outcome> {
    let shards = &context.shards;
    let reads = parts.iter().enumerate().filter_map(|(place, part)| {
        let partition = part.id.ok()?;
        let read = Read {
            partition,
            from: part.wanted.fetch_offset,
            bytes_max: usize::try_from(part.wanted.max_bytes).unwrap_or(0).min(limit),
            leader_epoch: LeaderEpoch(part.wanted.current_leader_epoch),
            last_fetched_epoch: LeaderEpoch(part.wanted.last_fetched_epoch),
        };
        Some((shards.owner(partition), place, read))
    });
    let shares = gather(reads, shards.index());
    let mut waiting = Vec::with_capacity(shares.len());
    for Share { shard, places, work } in shares {
        let wait = wait.cloned();
        let reply = shards.begin(shard, move |state| state.read(&work, isolation, wait.as_ref(), first)).await;
        waiting.push((places, reply));
    }
    // A shard that does not answer has ended.
    let unread = |part: &Part| Err(part.id.err().unwrap_or(ErrorCode::NotLeaderOrFollower));
    let mut outcomes: Vec<Outcome> = parts.iter().map(unread).collect();
    for (places, reply) in waiting {
        for (place, outcome) in places.into_iter().zip(reply.result().await.into_iter().flatten()) {
            outcomes[place] = outcome.map_err(|error: FetchError| error.to_code());
        }
    }
    outcomes
}

/// Cuts the plans to the whole answer's limit, and says what the session's client does not know yet.
fn respond(
    context: &Context,
    connection: &mut Connection,
    kind: Kind,
    parts: Vec<Part>,
    outcomes: Vec<Outcome>,
    limit: usize,
    by_id: bool,
) -> (FetchResponse, Vec<Region>) {
    let (session_id, incremental) = match kind {
        Kind::Full { session_id } => (session_id, false),
        Kind::Incremental { session_id } => (session_id, true),
    };
    let mut session = connection.sessions.get(session_id);
    let mut response = FetchResponse { session_id, ..Default::default() };
    let mut regions = Vec::new();
    let mut left = limit;
    let mut first = true;
    for (part, outcome) in parts.into_iter().zip(outcomes) {
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
                let taken = take(fetched.plan, most, first, &mut regions);
                if let Ok(id) = part.id
                    && taken > 0
                {
                    context.count(id.topic, |counters| counters.bytes_out += taken as u64);
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
            place(&mut response, &part.key, data, by_id);
        }
    }
    (response, regions)
}

/// Takes as much of `plan` as fits into `left`; the answer's first records always hold one whole batch.
fn take(plan: Plan, left: usize, first: bool, regions: &mut Vec<Region>) -> usize {
    match plan {
        ReadPlan::Empty => 0,
        ReadPlan::Memory(batches) => {
            let mut taken = 0;
            for batch in batches {
                let size = batch.size_bytes();
                if taken + size > left && !(first && taken == 0) {
                    break;
                }
                taken += size;
                regions.push(Region::Batch(batch));
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

/// Puts a partition's data behind its topic's, which is the last one in most cases.
fn place(response: &mut FetchResponse, key: &Key, data: PartitionData, by_id: bool) {
    let same = |topic: &FetchableTopicResponse| match &key.topic {
        TopicKey::Name(name) => !by_id && topic.topic == *name,
        TopicKey::Id(id) => by_id && topic.topic_id == id.0,
    };
    match response.responses.last_mut().filter(|topic| same(topic)) {
        Some(topic) => topic.partitions.push(data),
        None => {
            let mut topic = FetchableTopicResponse::default();
            match &key.topic {
                TopicKey::Name(name) => topic.topic = name.clone(),
                TopicKey::Id(id) => topic.topic_id = id.0,
            }
            topic.partitions.push(data);
            response.responses.push(topic);
        }
    }
}

fn named(request: &FetchRequest, by_id: bool) -> Vec<(Key, Wanted)> {
    let mut named = Vec::with_capacity(request.topics.iter().map(|topic| topic.partitions.len()).sum());
    for topic in &request.topics {
        for partition in &topic.partitions {
            named.push((
                key(&topic.topic, topic.topic_id, partition.partition, by_id),
                Wanted {
                    fetch_offset: Offset(partition.fetch_offset),
                    max_bytes: partition.partition_max_bytes,
                    // All that is negative means "none".
                    current_leader_epoch: partition.current_leader_epoch.max(LeaderEpoch::NONE.0),
                    last_fetched_epoch: partition.last_fetched_epoch.max(LeaderEpoch::NONE.0),
                    log_start_offset: partition.log_start_offset,
                },
            ));
        }
    }
    named
}

fn forgotten(request: &FetchRequest, by_id: bool) -> Vec<Key> {
    request
        .forgotten_topics_data
        .iter()
        .flat_map(|topic| topic.partitions.iter().map(|index| key(&topic.topic, topic.topic_id, *index, by_id)))
        .collect()
}

fn key(name: &wire::Str, id: [u8; 16], index: i32, by_id: bool) -> Key {
    let topic = if by_id { TopicKey::Id(TopicId(id)) } else { TopicKey::Name(name.clone()) };
    Key { topic, index }
}
