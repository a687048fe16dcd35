//! Which topic and partition a request means, by name or by id.

use metadata::{Image, TopicImage};
use model::{PartitionId, TopicId};
use wire::ErrorCode;

/// The topic that a request names: by `id` where that is not zero (later versions of many APIs), else by `name`.
pub fn find<'a>(image: &'a Image, name: &str, id: [u8; 16]) -> Result<&'a TopicImage, ErrorCode> {
    let id = TopicId(id);
    if id == TopicId::ZERO {
        image.topic_by_name(name).map(|topic| &**topic).ok_or(ErrorCode::UnknownTopicOrPartition)
    } else {
        image.topic_by_id(id).map(|topic| &**topic).ok_or(ErrorCode::UnknownTopicId)
    }
}

/// Partition `index` of the topic called `name`.
pub fn partition(image: &Image, name: &str, index: i32) -> Result<PartitionId, ErrorCode> {
    let topic = find(image, name, TopicId::ZERO.0)?;
    of(topic, index)
}

/// Partition `index` of `topic`.
pub fn of(topic: &TopicImage, index: i32) -> Result<PartitionId, ErrorCode> {
    let exists = topic.partition(index).is_some();
    exists.then_some(PartitionId { topic: topic.id, index }).ok_or(ErrorCode::UnknownTopicOrPartition)
}
