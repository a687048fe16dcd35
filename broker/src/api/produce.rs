//! Produce (0): batches from socket to log. See `docs/tour.md`.

use bytes::Bytes;
use metadata::TopicImage;
use model::{Batch, BatchError, Codec, PartitionId, TimestampMs, TopicId};
use partition::{Acks, ProduceError, ProduceResult};
use wire::messages::produce::{BatchIndexAndErrorMessage, PartitionProduceResponse, ProduceRequest, ProduceResponse};
use wire::{DecodeError, ErrorCode, Reader, Str, Tags};

use super::by_shard::ByShard;
use super::context::Context;
use super::errors::ToCode as _;
use crate::coordination::router::GROUP_TOPIC;
use crate::shard::{Produce, ProduceErrand};

/// Kafka's own tools may write to internal topics under this client id.
const ADMIN_CLIENT_ID: &str = "__admin_client";

/// The memory that more topics in a request took is given back, and that of more partitions in a topic.
const KEEP_TOPICS_MAX: usize = 64;
const KEEP_PARTITIONS_MAX: usize = 256;

/// A produce under way, with the memory of those before it.
#[derive(Default)]
pub struct Pending {
    request: ProduceRequest,
    response: ProduceResponse,
    /// Where each batch went; places are topic and partition in the response.
    shares: ByShard<ProduceErrand, (usize, usize)>,
}

/// Sends every batch on its way to its partition's log, in order behind those of earlier requests. The answer comes by
/// [`finish`].
pub async fn begin(
    context: &Context,
    client_id: &str,
    reader: &mut Reader,
    version: i16,
    pending: &mut Pending,
) -> Result<(), DecodeError> {
    let Pending { request, response, shares } = pending;
    request.decode_into(reader, version)?;
    let acks = match request.acks {
        0 => Some(Acks::None),
        1 => Some(Acks::Leader),
        -1 => Some(Acks::All),
        _ => None,
    };
    let image = context.image();
    response.responses.resize_with(request.topic_data.len(), Default::default);
    for (at, (topic, answer)) in request.topic_data.iter_mut().zip(&mut response.responses).enumerate() {
        answer.name = std::mem::take(&mut topic.name);
        answer.topic_id = topic.topic_id;
        let known =
            if version >= 13 { image.topic_by_id(TopicId(topic.topic_id)) } else { image.topic_by_name(&answer.name) };
        for data in &mut topic.partition_data {
            let records = data.records.take().and_then(wire::Records::into_bytes).unwrap_or_default();
            let checked = match (acks, known) {
                (None, _) => Err((ErrorCode::InvalidRequiredAcks, None)),
                (_, None) if version >= 13 => Err((ErrorCode::UnknownTopicId, None)),
                (_, None) => Err((ErrorCode::UnknownTopicOrPartition, None)),
                (Some(acks), Some(topic)) => {
                    let id = &request.transactional_id;
                    let checked = check(context, topic, data.index, records, client_id, id, version);
                    let checked = checked.inspect_err(|_| {
                        context.count(topic.id, |counters| {
                            counters.produce_requests += 1;
                            counters.produce_requests_failed += 1;
                        });
                    });
                    checked.map(|batch| (acks, batch))
                }
            };
            let mut partition = PartitionProduceResponse { index: data.index, base_offset: -1, ..Default::default() };
            match checked {
                Ok((acks, produce)) => {
                    let shard = context.shards.owner(produce.partition);
                    let errand = shares.add(shard, (at, answer.partition_responses.len()));
                    (errand.acks, errand.timeout_ms) = (acks, request.timeout_ms.max(0).into());
                    errand.batches.push(produce);
                }
                Err((code, message)) => fail(&mut partition, code, message),
            }
            answer.partition_responses.push(partition);
        }
    }
    for (shard, share) in shares.used(context.shards.index()) {
        let (errand, reply) = share.leave();
        context.shards.produce(shard, errand, reply).await;
    }
    Ok(())
}

/// What the client gets.
pub enum Answer<'p> {
    Response(&'p ProduceResponse),
    /// acks=0 and all went well.
    Silence,
    /// acks=0 and something went wrong: only the connection's end can tell.
    End,
}

/// Waits for the acknowledgements asked for.
pub async fn finish<'p>(context: &Context, pending: &'p mut Pending) -> Answer<'p> {
    let Pending { request, response, shares } = pending;
    for (_, share) in shares.used(context.shards.index()) {
        let back = share.back().await.is_ok();
        let places = share.places.drain(..);
        match share.errand.as_mut().filter(|_| back) {
            Some(errand) => {
                let results = errand.results.drain(..).flatten();
                places.zip(results).for_each(|(place, result)| tell(response, place, result));
            }
            None => places.for_each(|place| tell(response, place, Err(ProduceError::NotLeader))),
        }
    }
    if request.acks != 0 {
        return Answer::Response(response);
    }
    let mut partitions = response.responses.iter().flat_map(|topic| &topic.partition_responses);
    if partitions.all(|partition| partition.error_code == ErrorCode::None.code()) {
        Answer::Silence
    } else {
        Answer::End
    }
}

impl Pending {
    /// Lets go of everything that the last request shared with its frame, and keeps the memory.
    pub fn clear(&mut self) {
        if self.request.topic_data.capacity() > KEEP_TOPICS_MAX {
            *self = Self::default();
            return;
        }
        self.request.transactional_id = None;
        self.request.unknown_tags = Tags::default();
        for topic in &mut self.request.topic_data {
            topic.unknown_tags = Tags::default();
            empty(&mut topic.partition_data);
        }
        for answer in &mut self.response.responses {
            answer.name = Str::default();
            empty(&mut answer.partition_responses);
        }
    }
}

/// Empties `partitions`, and gives back the memory of more than a topic mostly has.
fn empty<T>(partitions: &mut Vec<T>) {
    partitions.clear();
    partitions.shrink_to(KEEP_PARTITIONS_MAX);
}

fn tell(response: &mut ProduceResponse, (topic, partition): (usize, usize), result: ProduceResult) {
    let answer = &mut response.responses[topic].partition_responses[partition];
    match result {
        Ok(produced) => {
            answer.base_offset = produced.base_offset.0;
            answer.log_append_time_ms = produced.log_append_time.unwrap_or(TimestampMs::NONE).0;
            answer.log_start_offset = produced.log_start.0;
        }
        Err(error) => {
            fail(answer, error.to_code(), Some(error.to_string()));
            if let ProduceError::BadTimestamp { records, .. } = error {
                answer.record_errors = records.into_iter().map(record_error).collect();
            }
        }
    }
}

/// Cuts and checks the one batch that a partition may be sent. Bytes behind it that are no whole batch are ignored.
fn check(
    context: &Context,
    topic: &TopicImage,
    index: i32,
    mut records: Bytes,
    client_id: &str,
    transactional_id: &Option<Str>,
    version: i16,
) -> Result<Produce, (ErrorCode, Option<String>)> {
    if topic.partition(index).is_none() {
        return Err((ErrorCode::UnknownTopicOrPartition, None));
    }
    if *topic.name == *GROUP_TOPIC && client_id != ADMIN_CLIENT_ID {
        return Err((ErrorCode::InvalidTopicException, None));
    }
    let invalid = |error: BatchError| {
        context.count(topic.id, |counters| match error {
            BatchError::UnsupportedMagic(_) => counters.batches_with_invalid_magic += 1,
            BatchError::BadCrc { .. } => counters.batches_with_invalid_crc += 1,
            BatchError::BadCount { .. } | BatchError::BadBaseOffset(_) | BatchError::BadSequence { .. } => {
                counters.batches_with_invalid_offset_or_sequence += 1;
            }
            _ => {}
        });
        (error.to_code(), Some(error.to_string()))
    };
    let refused = |code: ErrorCode, message: &str| Err((code, Some(message.to_owned())));
    let batch = Batch::cut(&mut records).map_err(invalid)?;
    if batch.is_transactional() {
        // Nobody would end a transaction, and read_committed would stop before it.
        return match transactional_id {
            None => refused(ErrorCode::TransactionalIdAuthorizationFailed, "the batch's transaction has no id"),
            Some(_) => refused(ErrorCode::InvalidTxnState, "transactions are not served yet"),
        };
    }
    if version < 7 && batch.codec() == Codec::Zstd as u8 {
        return refused(ErrorCode::UnsupportedCompressionType, "zstd needs version 7 of Produce");
    }
    match Batch::peek_size(&records) {
        Ok(size) if size > records.len() => {}
        Err(BatchError::Truncated { .. }) => {}
        Ok(_) => return refused(ErrorCode::InvalidRecord, "a partition is sent more than one batch"),
        Err(error) => return Err(invalid(error)),
    }
    let mut batch = batch.validate().map_err(invalid)?;
    batch.check_fresh().map_err(invalid)?;
    if let Some(newest) = batch.check_framing().map_err(invalid)?
        && newest != batch.max_timestamp()
    {
        batch.set_max_timestamp(newest);
    }
    if batch.is_control() {
        return refused(ErrorCode::InvalidRecord, "clients do not write control batches");
    }
    Ok(Produce { partition: PartitionId { topic: topic.id, index }, batch })
}

/// Names a record that is at fault; why stands in the partition's message.
fn record_error(index: i32) -> BatchIndexAndErrorMessage {
    BatchIndexAndErrorMessage { batch_index: index, batch_index_error_message: None, ..Default::default() }
}

fn fail(answer: &mut PartitionProduceResponse, code: ErrorCode, message: Option<String>) {
    answer.error_code = code.code();
    answer.base_offset = -1;
    answer.log_append_time_ms = -1;
    answer.log_start_offset = -1;
    answer.error_message = message.map(Into::into);
}
