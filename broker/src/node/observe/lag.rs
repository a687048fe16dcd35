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
        let led = |partition: &&PartitionScrape| partition.is_leader;
        let ends: HashMap<(TopicId, i32), &PartitionScrape> =
            partitions.iter().filter(led).map(|one| ((one.topic_id, one.index), one)).collect();
        let mut behind: Vec<(Place, &mut GroupOffset)> = Vec::new();
        {
            let image = parts.images.current();
            for offset in groups.iter_mut().flat_map(|group| &mut group.offsets) {
                let Some(topic) = image.topic_by_name(&offset.topic).map(|topic| topic.id) else { continue };
                if offset.topic_id != TopicId::ZERO && offset.topic_id != topic {
                    // Committed for an earlier topic of the same name.
                    continue;
                }
                let Some(partition) = ends.get(&(topic, offset.partition)) else { continue };
                let lag = (partition.high_watermark - offset.committed).max(0);
                offset.lag = Some(lag);
                let unread = offset.committed.max(partition.log_start_offset);
                if unread >= partition.high_watermark {
                    offset.lag_seconds = LagSeconds::Known(0.0);
                } else {
                    behind.push(((PartitionId { topic, index: offset.partition }, Offset(unread)), offset));
                }
            }
        }
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
    use super::*;

    fn place(index: i32) -> Place {
        (PartitionId { topic: TopicId([1; 16]), index }, Offset(5))
    }

    #[test]
    fn the_next_scrape_goes_on_behind_the_last_place_looked_up() {
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
