//! Produce (0): batches from socket to log. See `docs/tour.md`.

use std::time::Duration;

use bytes::Bytes;
use metadata::TopicImage;
use model::{Batch, BatchError, Codec, PartitionId, TimestampMs, TopicId};
use partition::{Acks, ProduceError};
use wire::messages::produce::{
    BatchIndexAndErrorMessage, PartitionProduceResponse, ProduceRequest, ProduceResponse, TopicProduceResponse,
};
use wire::{ErrorCode, Str};

use super::by_shard::{Share, gather};
use super::context::Context;
use super::dispatch::Connection;
use super::errors::ToCode as _;
use crate::coordination::router::GROUP_TOPIC;
use crate::shard::{Produce, ProduceReply};

/// Kafka's own tools may write to internal topics under this client id.
const ADMIN_CLIENT_ID: &str = "__admin_client";

/// A batch on its way: where its answer goes, and the batch.
struct Item {
    place: (usize, usize),
    produce: Produce,
}

/// What the client gets.
pub enum Answer {
    Response(ProduceResponse),
    /// acks=0 and all went well.
    Silence,
    /// acks=0 and something went wrong: only the connection's end can tell.
    End,
}

/// Appends every batch, and answers once the acknowledgements asked for are there.
pub async fn handle(context: &Context, connection: &Connection, mut request: ProduceRequest, version: i16) -> Answer {
    let acks = match request.acks {
        0 => Some(Acks::None),
        1 => Some(Acks::Leader),
        -1 => Some(Acks::All),
        _ => None,
    };
    let mut response =
        ProduceResponse { responses: Vec::with_capacity(request.topic_data.len()), ..Default::default() };
    let mut items = Vec::with_capacity(request.topic_data.len());
    let image = context.image();
    for topic in &mut request.topic_data {
        let mut answer = TopicProduceResponse {
            name: topic.name.clone(),
            topic_id: topic.topic_id,
            partition_responses: Vec::with_capacity(topic.partition_data.len()),
            ..Default::default()
        };
        let known =
            if version >= 13 { image.topic_by_id(TopicId(topic.topic_id)) } else { image.topic_by_name(&topic.name) };
        for data in &mut topic.partition_data {
            let records = data.records.take().and_then(wire::Records::into_bytes).unwrap_or_default();
            let checked = match (acks, known) {
                (None, _) => Err((ErrorCode::InvalidRequiredAcks, None)),
                (_, None) if version >= 13 => Err((ErrorCode::UnknownTopicId, None)),
                (_, None) => Err((ErrorCode::UnknownTopicOrPartition, None)),
                (_, Some(topic)) => {
                    let checked = check(
                        context,
                        topic,
                        data.index,
                        records,
                        &connection.client_id,
                        &request.transactional_id,
                        version,
                    );
                    checked.inspect_err(|_| {
                        context.count(topic.id, |counters| {
                            counters.produce_requests += 1;
                            counters.produce_requests_failed += 1;
                        });
                    })
                }
            };
            let mut partition = PartitionProduceResponse { index: data.index, base_offset: -1, ..Default::default() };
            match checked {
                Ok(produce) => {
                    items.push(Item { place: (response.responses.len(), answer.partition_responses.len()), produce });
                }
                Err((code, message)) => fail(&mut partition, code, message),
            }
            answer.partition_responses.push(partition);
        }
        response.responses.push(answer);
    }

    if let Some(acks) = acks {
        append(context, acks, items, Duration::from_millis(request.timeout_ms.max(0) as u64), &mut response).await;
    }
    if acks != Some(Acks::None) {
        return Answer::Response(response);
    }
    let mut partitions = response.responses.iter().flat_map(|topic| &topic.partition_responses);
    if partitions.all(|partition| partition.error_code == ErrorCode::None.code()) {
        Answer::Silence
    } else {
        Answer::End
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

/// Sends the items to their shards, one message a shard, and fills in the answers.
async fn append(context: &Context, acks: Acks, items: Vec<Item>, timeout: Duration, response: &mut ProduceResponse) {
    let now = context.now();
    let shards = &context.shards;
    let items = items.into_iter().map(|Item { place, produce }| (shards.owner(produce.partition), place, produce));
    let shares = gather(items, shards.index());
    let mut waiting = Vec::with_capacity(shares.len());
    for Share { shard, places, work } in shares {
        let count = work.len();
        let reply = shards.begin(shard, move |state| state.produce(work, acks, now)).await;
        waiting.push((places, count, reply));
    }
    for (places, count, reply) in waiting {
        let results = match reply.result().await {
            Ok(ProduceReply::Now(results)) => results,
            Ok(ProduceReply::Later(later)) => match tokio::time::timeout(timeout, later).await {
                Ok(Ok(results)) => results,
                Ok(Err(_)) => (0..count).map(|_| Err(ProduceError::NotLeader)).collect(),
                Err(_) => {
                    context.shards.state().counters.plain.produces_expired += count as u64;
                    (0..count).map(|_| Err(ProduceError::TimedOut)).collect()
                }
            },
            Err(_) => (0..count).map(|_| Err(ProduceError::NotLeader)).collect(),
        };
        for ((topic, partition), result) in places.into_iter().zip(results) {
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
    }
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
