//! Which topic and partition a request means, by name or by id.

use metadata::{Image, TopicImage};
use model::{PartitionId, TopicId};
use wire::ErrorCode;

/// The topic called `name`.
pub fn by_name<'a>(image: &'a Image, name: &str) -> Result<&'a TopicImage, ErrorCode> {
    image.topic_by_name(name).map(|topic| &**topic).ok_or(ErrorCode::UnknownTopicOrPartition)
}

/// The topic with this id, as later versions of many APIs name it. No topic has the id of zeros.
pub fn by_id(image: &Image, id: [u8; 16]) -> Result<&TopicImage, ErrorCode> {
    image.topic_by_id(TopicId(id)).map(|topic| &**topic).ok_or(ErrorCode::UnknownTopicId)
}

/// Partition `index` of the topic called `name`.
pub fn partition(image: &Image, name: &str, index: i32) -> Result<PartitionId, ErrorCode> {
    let topic = by_name(image, name)?;
    of(topic, index)
}

/// Partition `index` of `topic`.
pub fn of(topic: &TopicImage, index: i32) -> Result<PartitionId, ErrorCode> {
    let exists = topic.partition(index).is_some();
    exists.then_some(PartitionId { topic: topic.id, index }).ok_or(ErrorCode::UnknownTopicOrPartition)
}
