//! DescribeLogDirs (35): how large each replica of this broker is, and how much room its directories have. KIP-113,
//! KIP-827 (room).

use std::collections::BTreeMap;
use std::path::Path;

use wire::ErrorCode;
use wire::messages::describe_log_dirs::{
    DescribableLogDirTopic, DescribeLogDirsPartition, DescribeLogDirsRequest, DescribeLogDirsResponse,
    DescribeLogDirsResult, DescribeLogDirsTopic,
};

use super::context::Context;
use super::dispatch::Connection;
use crate::log_dir::LogDir;
use crate::shard::State;

/// Topics of one directory, each with its partitions' sizes in bytes by index.
type Sizes = BTreeMap<String, BTreeMap<i32, u64>>;

/// Answers for every directory; null asks for all partitions.
pub async fn handle(
    context: &Context,
    _: &Connection,
    request: DescribeLogDirsRequest,
    _: i16,
) -> DescribeLogDirsResponse {
    let wanted = request.topics.as_deref().map(wanted);
    let mut by_dir: Vec<Sizes> = context.dirs.iter().map(|_| Sizes::new()).collect();
    for shard in 0..context.shards.handle().count() {
        let (dirs, wanted) = (context.dirs.clone(), wanted.clone());
        let Ok(sizes) = context.shards.on(shard, move |state| sizes(state, &dirs, wanted.as_ref())).await else {
            return refuse(ErrorCode::KafkaStorageError);
        };
        for (dir, topic, index, bytes) in sizes {
            by_dir[dir].entry(topic).or_default().insert(index, bytes);
        }
    }
    let results = context.dirs.iter().zip(by_dir).map(|(dir, sizes)| describe(dir, sizes)).collect();
    DescribeLogDirsResponse { results, ..Default::default() }
}

fn refuse(code: ErrorCode) -> DescribeLogDirsResponse {
    DescribeLogDirsResponse { error_code: code.code(), ..Default::default() }
}

fn wanted(topics: &[DescribableLogDirTopic]) -> BTreeMap<String, Vec<i32>> {
    let mut wanted = BTreeMap::<String, Vec<i32>>::new();
    for topic in topics {
        wanted.entry(topic.topic.to_string()).or_default().extend(&topic.partitions);
    }
    wanted
}

/// The partitions of one shard: directory, topic, index, bytes.
fn sizes(
    state: &State,
    dirs: &[std::sync::Arc<LogDir>],
    wanted: Option<&BTreeMap<String, Vec<i32>>>,
) -> Vec<(usize, String, i32, u64)> {
    let is_wanted = |topic: &str, index: i32| {
        wanted.is_none_or(|wanted| wanted.get(topic).is_some_and(|partitions| partitions.contains(&index)))
    };
    let slots = state.slots().filter(|(id, slot)| is_wanted(&slot.topic, id.index));
    let sized = slots.filter_map(|(id, slot)| {
        let dir = dirs.iter().position(|dir| dir.path == slot.dir.path)?;
        Some((dir, slot.topic.to_string(), id.index, slot.partition.log().size_bytes()))
    });
    sized.collect()
}

fn describe(dir: &LogDir, sizes: Sizes) -> DescribeLogDirsResult {
    let log_dir = shown(&dir.path).into();
    if dir.is_failed() {
        return DescribeLogDirsResult {
            error_code: ErrorCode::KafkaStorageError.code(),
            log_dir,
            ..Default::default()
        };
    }
    let topics = sizes.into_iter().map(|(name, partitions)| DescribeLogDirsTopic {
        name: name.into(),
        partitions: partitions
            .into_iter()
            .map(|(partition_index, bytes)| DescribeLogDirsPartition {
                partition_index,
                partition_size: signed(bytes),
                ..Default::default()
            })
            .collect(),
        ..Default::default()
    });
    let (usable, total) = dir.space().map_or((-1, -1), |(free, total)| (signed(free), signed(total)));
    DescribeLogDirsResult {
        log_dir,
        topics: topics.collect(),
        total_bytes: total,
        usable_bytes: usable,
        ..Default::default()
    }
}

/// Whole, so that people on that machine find it.
fn shown(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).to_string_lossy().into_owned()
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
