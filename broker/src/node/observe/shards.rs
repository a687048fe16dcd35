//! What the shards know, asked for in small pieces: between two of them a shard serves its clients.

use std::sync::Arc;

use model::{NodeId, PartitionId};

use crate::shard::groups::add_tallies;
use crate::shard::{Handle, Slot, State, Stopped};
use crate::telemetry::{GroupOffset, GroupScrape, LagSeconds, PartitionScrape, ShardScrape};

/// Partitions that one message to a shard looks at.
const SLOTS_MAX: usize = 256;
/// Committed offsets that one message collects; a group is not cut.
const OFFSETS_MAX: usize = 1024;
/// Groups that one message looks at.
const GROUPS_MAX: usize = 256;

/// All shards together.
#[derive(Default)]
pub struct Observed {
    pub shards: Vec<ShardScrape>,
    pub partitions: Vec<PartitionScrape>,
    /// Partitions that belong here and could not be opened.
    pub unopened: u64,
    pub groups: Vec<GroupScrape>,
}

/// Asks every shard; one that has ended tells nothing.
pub async fn observe(shards: &Handle, node: NodeId) -> Observed {
    let asked = (0..shards.count()).map(|shard| observe_one(shards, shard, node));
    let mut observed = Observed::default();
    for one in futures_util::future::join_all(asked).await {
        let one = one.unwrap_or_default();
        observed.shards.extend(one.shards);
        observed.partitions.extend(one.partitions);
        observed.unopened += one.unopened;
        observed.groups.extend(one.groups);
    }
    observed
}

async fn observe_one(shards: &Handle, shard: usize, node: NodeId) -> Result<Observed, Stopped> {
    let Head { scrape, slots, unopened, groups: with_groups } = shards.on(shard, |state| head(state)).await?;
    let mut partitions = Vec::with_capacity(slots.len());
    for some in slots.chunks(SLOTS_MAX) {
        let some = some.to_vec();
        let look = move |state: &mut State| -> Vec<PartitionScrape> {
            some.iter().filter_map(|id| Some(partition(state.slot(*id)?, *id, node))).collect()
        };
        partitions.extend(shards.on(shard, look).await?);
    }
    let mut groups = Vec::new();
    for id in with_groups {
        let mut after = None;
        loop {
            let (some, more) = shards.on(shard, move |state| groups_of(state, id, after.as_deref())).await?;
            after = some.last().map(|group: &GroupScrape| group.group.clone());
            groups.extend(some);
            if !more {
                break;
            }
        }
    }
    Ok(Observed { shards: vec![scrape], partitions, unopened, groups })
}

/// What is asked first.
struct Head {
    scrape: ShardScrape,
    slots: Vec<PartitionId>,
    unopened: u64,
    groups: Vec<PartitionId>,
}

fn head(state: &State) -> Head {
    let mut counters = state.counters.counted();
    let mut group_partitions = [0; 3];
    let mut groups = Vec::new();
    for (id, slot) in state.slots() {
        match slot.groups.as_deref() {
            Some(coordinated) => match coordinated.loaded() {
                Some(coordinator) => {
                    add_tallies(&mut counters.plain, coordinator.tallies());
                    groups.push(*id);
                    group_partitions[0] += 1;
                }
                None => group_partitions[1] += 1,
            },
            None => group_partitions[2] += u64::from(slot.groups_failed),
        }
    }
    let scrape = ShardScrape {
        counters,
        // A shard's runtime has one worker, its thread.
        busy: tokio::runtime::Handle::current().metrics().worker_total_busy_duration(0),
        produces_parked: state.produces_parked() as u64,
        group_partitions,
    };
    let slots = state.slots().map(|(id, _)| *id).collect();
    Head { scrape, slots, unopened: state.unopened_count() as u64, groups }
}

fn partition(slot: &Slot, id: PartitionId, node: NodeId) -> PartitionScrape {
    let leadership = slot.partition.leadership();
    let offsets = slot.partition.offsets();
    let log = slot.partition.log();
    let offline = slot.dir.is_failed() || log.is_failed();
    PartitionScrape {
        topic: slot.topic.clone(),
        topic_id: id.topic,
        index: id.index,
        is_leader: leadership.leader == Some(node) && !offline,
        leader: leadership.leader.unwrap_or(NodeId(-1)),
        preferred_leader: leadership.replicas.first().copied().unwrap_or(NodeId(-1)),
        replicas: leadership.replicas.len() as u32,
        in_sync_replicas: leadership.in_sync.len() as u32,
        // No more than there are replicas, as when a produce is acknowledged.
        in_sync_replicas_min: slot.partition.config().min_insync_replicas.min(leadership.replicas.len()) as u32,
        offline,
        log_start_offset: offsets.start.0,
        last_stable_offset: slot.partition.last_stable_offset().0,
        high_watermark: slot.partition.high_watermark().0,
        log_end_offset: offsets.end.0,
        bytes: log.size_bytes(),
        bytes_max: log.config().retention_bytes,
        segments: log.segment_count() as u64,
        producer_ids: log.producer_count() as u64,
    }
}

/// Some groups behind `after`, and whether there are more.
fn groups_of(state: &State, id: PartitionId, after: Option<&str>) -> (Vec<GroupScrape>, bool) {
    let coordinator = state.slot(id).and_then(|slot| slot.groups.as_deref()?.loaded());
    let Some(coordinator) = coordinator else { return (Vec::new(), false) };
    let mut groups: Vec<GroupScrape> = Vec::new();
    let mut offsets_seen = 0;
    for group in coordinator.groups_after(after) {
        if groups.len() >= GROUPS_MAX || offsets_seen >= OFFSETS_MAX {
            return (groups, true);
        }
        let mut offsets = Vec::new();
        for (topic, partitions) in group.offsets.into_iter().flatten() {
            let topic: Arc<str> = topic.as_str().into();
            offsets.extend(partitions.iter().map(|(partition, committed)| GroupOffset {
                topic: topic.clone(),
                topic_id: committed.topic_id,
                partition: *partition,
                committed: committed.offset.0,
                lag: None,
                lag_seconds: LagSeconds::Untold,
            }));
        }
        offsets_seen += offsets.len();
        groups.push(GroupScrape {
            group: group.id.into(),
            state: group.state.name(),
            members: group.members as u64,
            offsets,
        });
    }
    (groups, false)
}
