//! DeleteTopics (20): by name, or by id since version 6. KIP-516.

use std::collections::BTreeSet;

use metadata::{CommandError, TopicRef};
use model::TopicId;
use wire::ErrorCode;
use wire::messages::delete_topics::{
    DeletableTopicResult, DeleteTopicState, DeleteTopicsRequest, DeleteTopicsResponse,
};

use super::context::Context;
use super::dispatch::Connection;
use super::errors::ToCode as _;

/// From this version on clients know the error code for a broker where deletion is switched off.
const KNOWS_DISABLED: i16 = 3;

/// Deletes each topic for itself. What is named twice is refused and answered once.
pub async fn handle(
    context: &Context,
    _: &Connection,
    request: DeleteTopicsRequest,
    version: i16,
) -> DeleteTopicsResponse {
    let mut response = DeleteTopicsResponse::default();
    let by_name = request.topic_names.into_iter();
    let named = by_name.map(|name| DeleteTopicState { name: Some(name), ..Default::default() }).chain(request.topics);
    let mut wanted = Vec::new();
    for state in named {
        match (&state.name, TopicId(state.topic_id)) {
            (Some(name), TopicId::ZERO) => wanted.push((TopicRef::Name(name.to_string()), state)),
            (None, id) if id != TopicId::ZERO => wanted.push((TopicRef::Id(id), state)),
            (Some(_), _) => {
                response.responses.push(malformed(state, "You may not specify both topic name and topic id."))
            }
            (None, _) => response.responses.push(malformed(state, "Neither topic name nor id were specified.")),
        }
    }
    let topics: Vec<TopicRef> = wanted.iter().map(|(topic, _)| topic.clone()).collect();
    let deleted = context.controller.submit(false, move |controller, _| controller.delete_topics(topics)).await;
    let results = deleted.unwrap_or_else(|error| vec![Err(error.into()); wanted.len()]);
    let mut answered = BTreeSet::new();
    for ((topic, state), result) in wanted.into_iter().zip(results) {
        if answered.insert(topic) {
            response.responses.push(answer(state, result, version));
        }
    }
    response
}

fn malformed(state: DeleteTopicState, why: &str) -> DeletableTopicResult {
    refused(state, ErrorCode::InvalidRequest, why)
}

fn answer(
    state: DeleteTopicState,
    result: Result<(TopicId, String), CommandError>,
    version: i16,
) -> DeletableTopicResult {
    match result {
        Ok((id, name)) => DeletableTopicResult { name: Some(name.into()), topic_id: id.0, ..Default::default() },
        Err(CommandError::TopicDeletionDisabled(why)) if version < KNOWS_DISABLED => malformed(state, &why),
        Err(error) => refused(state, error.to_code(), error.message()),
    }
}

fn refused(state: DeleteTopicState, code: ErrorCode, why: &str) -> DeletableTopicResult {
    DeletableTopicResult {
        name: state.name,
        topic_id: state.topic_id,
        error_code: code.code(),
        error_message: Some(why.into()),
        ..Default::default()
    }
}
