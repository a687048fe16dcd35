//! Produce (0): batches from socket to log. See `docs/tour.md`.

use std::time::Duration;

use bytes::Bytes;
use metadata::TopicImage;
use model::{Batch, BatchError, PartitionId, TimestampMs, TopicId, ValidBatch};
use partition::{Acks, ProduceError};
use wire::ErrorCode;
use wire::messages::produce::{PartitionProduceResponse, ProduceRequest, ProduceResponse, TopicProduceResponse};

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

/// Appends every batch, and answers once the acknowledgements asked for are there; `None` where acks=0 asks for none.
pub async fn handle(
    context: &Context,
    connection: &Connection,
    mut request: ProduceRequest,
    version: i16,
) -> Option<ProduceResponse> {
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
                _ if request.transactional_id.is_some() => Err(unserved_transaction()),
                (_, Some(topic)) => {
                    check(context, topic, data.index, records, &connection.client_id).inspect_err(|_| {
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
    (request.acks != 0).then_some(response)
}

/// Cuts and checks the one batch that a partition may be sent.
fn check(
    context: &Context,
    topic: &TopicImage,
    index: i32,
    mut records: Bytes,
    client_id: &str,
) -> Result<Produce, (ErrorCode, Option<String>)> {
    if topic.partition(index).is_none() {
        return Err((ErrorCode::UnknownTopicOrPartition, None));
    }
    if *topic.name == *GROUP_TOPIC && client_id != ADMIN_CLIENT_ID {
        return Err((ErrorCode::InvalidTopicException, None));
    }
    let batch = valid_batch(&mut records).map_err(|error| {
        context.count(topic.id, |counters| match error {
            BatchError::UnsupportedMagic(_) => counters.batches_with_invalid_magic += 1,
            BatchError::BadCrc { .. } => counters.batches_with_invalid_crc += 1,
            BatchError::BadCount { .. } => counters.batches_with_invalid_offset_or_sequence += 1,
            _ => {}
        });
        (error.to_code(), Some(error.to_string()))
    })?;
    if !records.is_empty() {
        let message = "a produce request holds more than one batch for one partition".to_owned();
        return Err((ErrorCode::InvalidRecord, Some(message)));
    }
    if batch.is_transactional() {
        // Also where the request names no transaction: nobody would ever end it, and read_committed would stop before it.
        return Err(unserved_transaction());
    }
    if batch.is_control() {
        let message = "clients do not write control batches".to_owned();
        return Err((ErrorCode::InvalidRecord, Some(message)));
    }
    Ok(Produce { partition: PartitionId { topic: topic.id, index }, batch })
}

fn unserved_transaction() -> (ErrorCode, Option<String>) {
    (ErrorCode::InvalidTxnState, Some("transactions are not served yet".to_owned()))
}

fn valid_batch(records: &mut Bytes) -> Result<ValidBatch, BatchError> {
    let batch = Batch::cut(records)?.validate()?;
    batch.check_framing()?;
    Ok(batch)
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
                Err(error) => fail(answer, error.to_code(), Some(error.to_string())),
            }
        }
    }
}

fn fail(answer: &mut PartitionProduceResponse, code: ErrorCode, message: Option<String>) {
    answer.error_code = code.code();
    answer.base_offset = -1;
    answer.log_append_time_ms = -1;
    answer.log_start_offset = -1;
    answer.error_message = message.map(Into::into);
}
