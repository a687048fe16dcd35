//! How far groups are behind, in records and in seconds.
//!
//! Lag in seconds is the age of the oldest record that the group has not read: of the one at the committed offset, or
//! of the log's first where that one is gone. The times are read on the disk pool, a few at a time and for a bounded
//! time, and kept while the group stands where it is: a group that stands still costs one lookup in all.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use model::{Offset, PartitionId, TimestampMs, TopicId};
use parking_lot::Mutex;
use storage::{RealDisk, RecordTimeTask};
use tokio::time::Instant;

use super::Parts;
use crate::telemetry::{GroupOffset, GroupScrape, LagSeconds, PartitionScrape};

/// What one scrape may spend on looking up times; what is left is looked up in the next ones.
const BUDGET: Duration = Duration::from_millis(500);
/// A disk thread works so long on lookups before syncs that wait get their turn.
const TURN: Duration = Duration::from_millis(10);
/// Lookups handed to a disk thread at a time.
const LOOKUPS_MAX: usize = 128;

/// The oldest record that a group has not read.
type Place = (PartitionId, Offset);

/// Where to read a place's time; `None` where its partition is gone meanwhile.
type Lookup = (Place, Option<RecordTimeTask<RealDisk>>);

/// The times of the records that groups stand at.
#[derive(Default)]
pub struct Lag {
    known: Mutex<Known>,
    /// Held while lookups are under way, by the disk thread too: a disk that hangs is asked once.
    turn: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Default)]
struct Known {
    /// `None` for a record that has no time.
    times: BTreeMap<Place, Option<TimestampMs>>,
    /// The last place that was looked up: the next scrape goes on behind it.
    last: Option<Place>,
}

impl Lag {
    /// Holds the offsets that `groups` have committed against the `partitions` of this node.
    pub async fn fill(&self, groups: &mut [GroupScrape], partitions: &[PartitionScrape], parts: &Parts) {
        let behind = {
            let image = parts.images.current();
            compare(groups, partitions, |name| Some(image.topic_by_name(name)?.id))
        };
        let places: BTreeSet<Place> = behind.iter().map(|(place, _)| *place).collect();
        self.known.lock().times.retain(|place, _| places.contains(place));
        // A disk that hangs costs the scrape its budget, and no more.
        let _ = tokio::time::timeout(2 * BUDGET, self.look_up(&places, parts)).await;
        let known = self.known.lock();
        let now = parts.clock.now();
        for (place, offset) in behind {
            offset.lag_seconds = match known.times.get(&place) {
                Some(Some(written)) => LagSeconds::Known((now - *written).max(0) as f64 / 1e3),
                Some(None) => LagSeconds::Untold,
                None => LagSeconds::Pending,
            };
        }
    }

    /// Looks up times that are not known, as many as the budget allows.
    async fn look_up(&self, places: &BTreeSet<Place>, parts: &Parts) {
        let deadline = Instant::now() + BUDGET;
        if self.known.lock().unknown(places).is_empty() {
            return;
        }
        let mut turn = self.turn.clone().lock_owned().await;
        let unknown = self.known.lock().unknown(places);
        for some in unknown.chunks(LOOKUPS_MAX) {
            let mut lookups = ask(parts, some).await;
            while !lookups.is_empty() {
                if Instant::now() >= deadline {
                    return;
                }
                let done = parts.disk.run(move || {
                    let (times, left) = take_turn(lookups);
                    (times, left, turn)
                });
                let Some((times, left, back)) = done.await else { return };
                (lookups, turn) = (left, back);
                self.known.lock().note(times);
            }
        }
    }
}

/// Fills in lag in records, and in seconds where a group has nothing left to read; gives the others with the oldest record
/// that each has not read. Nothing is told of partitions that this node does not lead, nor of a topic that is gone: its name
/// may be taken by another one since.
fn compare<'g>(
    groups: &'g mut [GroupScrape],
    partitions: &[PartitionScrape],
    topic_id: impl Fn(&str) -> Option<TopicId>,
) -> Vec<(Place, &'g mut GroupOffset)> {
    let led = partitions.iter().filter(|partition| partition.is_leader);
    let ends: HashMap<(TopicId, i32), &PartitionScrape> = led.map(|one| ((one.topic_id, one.index), one)).collect();
    let mut behind = Vec::new();
    for offset in groups.iter_mut().flat_map(|group| &mut group.offsets) {
        let Some(topic) = topic_id(&offset.topic) else { continue };
        if offset.topic_id != TopicId::ZERO && offset.topic_id != topic {
            continue;
        }
        let Some(partition) = ends.get(&(topic, offset.partition)) else { continue };
        // As Kafka's tools count: records below the log's start are among them, though nobody can read them any more.
        offset.lag = Some((partition.high_watermark - offset.committed).max(0));
        let unread = offset.committed.max(partition.log_start_offset);
        if unread >= partition.high_watermark {
            offset.lag_seconds = LagSeconds::Known(0.0);
        } else {
            behind.push(((PartitionId { topic, index: offset.partition }, Offset(unread)), offset));
        }
    }
    behind
}

impl Known {
    /// The places without a time, beginning behind the last one looked up so that all get their turn.
    fn unknown(&self, places: &BTreeSet<Place>) -> Vec<Place> {
        let from = self.last.map_or(Bound::Unbounded, Bound::Excluded);
        let upto = self.last.map_or(Bound::Unbounded, Bound::Included);
        let behind = places.range((from, Bound::Unbounded));
        let before = self.last.is_some().then(|| places.range((Bound::Unbounded, upto)));
        let all = behind.chain(before.into_iter().flatten());
        all.filter(|place| !self.times.contains_key(*place)).copied().collect()
    }

    fn note(&mut self, times: Vec<(Place, Option<TimestampMs>)>) {
        self.last = times.last().map(|(place, _)| *place).or(self.last);
        self.times.extend(times);
    }
}

/// Asks the shards where the times of `places` are; in the order of `places`.
async fn ask(parts: &Parts, places: &[Place]) -> Vec<Lookup> {
    let shards = &parts.shards;
    let mut found: HashMap<Place, Option<RecordTimeTask<RealDisk>>> = HashMap::with_capacity(places.len());
    for shard in 0..shards.count() {
        let mine: Vec<Place> = places.iter().filter(|(id, _)| shards.owner(*id) == shard).copied().collect();
        if mine.is_empty() {
            continue;
        }
        let asked = shards.on(shard, move |state| -> Vec<Lookup> {
            let task = |(id, offset): &Place| state.slot(*id)?.partition.log().record_time_task(*offset);
            mine.iter().map(|place| (*place, task(place))).collect()
        });
        found.extend(asked.await.unwrap_or_default());
    }
    places.iter().filter_map(|place| found.remove_entry(place)).collect()
}

/// Reads for a while; gives what was read, and what is left to do.
fn take_turn(lookups: Vec<Lookup>) -> (Vec<(Place, Option<TimestampMs>)>, Vec<Lookup>) {
    let began = std::time::Instant::now();
    let mut times = Vec::with_capacity(lookups.len());
    let mut lookups = lookups.into_iter();
    while began.elapsed() < TURN
        && let Some((place, task)) = lookups.next()
    {
        times.push((place, task.and_then(RecordTimeTask::run)));
    }
    (times, lookups.collect())
}

#[cfg(test)]
mod tests {
    use model::NodeId;

    use super::*;

    const TOPIC: TopicId = TopicId([1; 16]);

    fn place(index: i32, offset: i64) -> Place {
        (PartitionId { topic: TOPIC, index }, Offset(offset))
    }

    /// Offsets 10 to 20 of topic `t`; this node leads partition 0.
    fn partition(index: i32) -> PartitionScrape {
        PartitionScrape {
            topic: "t".into(),
            topic_id: TOPIC,
            index,
            is_leader: index == 0,
            leader: NodeId(1),
            preferred_leader: NodeId(1),
            replicas: 1,
            in_sync_replicas: 1,
            in_sync_replicas_min: 1,
            offline: false,
            log_start_offset: 10,
            last_stable_offset: 20,
            high_watermark: 20,
            log_end_offset: 20,
            bytes: 0,
            bytes_max: None,
            segments: 1,
            producer_ids: 0,
        }
    }

    fn offset(topic: &str, topic_id: TopicId, partition: i32, committed: i64) -> GroupOffset {
        GroupOffset { topic: topic.into(), topic_id, partition, committed, lag: None, lag_seconds: LagSeconds::Untold }
    }

    /// Lag in records and in seconds of one offset, and where its time is to be looked up.
    fn compared(offset: GroupOffset) -> (Option<i64>, LagSeconds, Option<Place>) {
        let offsets = vec![offset];
        let mut groups = [GroupScrape { group: "g".into(), state: "Empty", members: 0, offsets }];
        let partitions = [partition(0), partition(1)];
        let behind = compare(&mut groups, &partitions, |name| (name == "t").then_some(TOPIC));
        let place = behind.first().map(|(place, _)| *place);
        let offset = &groups[0].offsets[0];
        (offset.lag, offset.lag_seconds, place)
    }

    #[test]
    fn a_group_within_the_log_is_behind_by_the_records_up_to_the_high_watermark() {
        for topic_id in [TopicId::ZERO, TOPIC] {
            let told = compared(offset("t", topic_id, 0, 13));
            assert_eq!(told, (Some(7), LagSeconds::Untold, Some(place(0, 13))));
        }
    }

    #[test]
    fn below_the_log_start_the_oldest_record_left_counts_for_seconds_and_all_count_for_records() {
        assert_eq!(compared(offset("t", TOPIC, 0, 4)), (Some(16), LagSeconds::Untold, Some(place(0, 10))));
    }

    #[test]
    fn at_the_end_and_above_it_nothing_is_left_to_read() {
        for committed in [20, 21, i64::MAX] {
            assert_eq!(compared(offset("t", TOPIC, 0, committed)), (Some(0), LagSeconds::Known(0.0), None));
        }
    }

    #[test]
    fn of_a_deleted_topic_an_earlier_one_of_that_name_or_a_partition_led_elsewhere_nothing_is_told() {
        let earlier = TopicId([9; 16]);
        for other in [offset("gone", TOPIC, 0, 1), offset("t", earlier, 0, 1), offset("t", TOPIC, 1, 1)] {
            assert_eq!(compared(other), (None, LagSeconds::Untold, None));
        }
        assert_eq!(compared(offset("t", TOPIC, 7, 1)), (None, LagSeconds::Untold, None), "no such partition");
    }

    #[test]
    fn the_next_scrape_goes_on_behind_the_last_place_looked_up() {
        let place = |index| place(index, 5);
        let places: BTreeSet<Place> = (0..4).map(place).collect();
        let mut known = Known::default();
        let indexes = |known: &Known| known.unknown(&places).iter().map(|(id, _)| id.index).collect::<Vec<_>>();
        assert_eq!(indexes(&known), [0, 1, 2, 3]);
        known.note(vec![(place(0), Some(TimestampMs(1))), (place(1), None)]);
        assert_eq!(indexes(&known), [2, 3], "a record without a time is not looked up again");
        known.times.clear();
        assert_eq!(indexes(&known), [2, 3, 0, 1]);
    }
}
