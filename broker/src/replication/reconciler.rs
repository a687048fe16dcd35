//! From what changed in the image to commands for the shards.

use std::sync::Arc;

use metadata::{Image, PartitionImage, Step, TopicImage};
use model::{NodeId, PartitionId};
use partition::{Leadership, Partition};
use storage::OpenHints;

use super::settings::Settings;
use crate::coordination::router::GROUP_TOPIC;
use crate::log_dir::LogDir;
use crate::shard::{Handle, Slot, State};

/// Partitions that a shard opens, changes or removes before others get their turn.
const WORK_AT_ONCE: usize = 16;

/// Commands shards so that they serve what the image says.
pub struct Reconciler {
    node: NodeId,
    shards: Handle,
    dirs: Arc<[Arc<LogDir>]>,
    settings: Settings,
}

/// A partition to be made on this broker.
struct NewPartition {
    id: PartitionId,
    topic: Arc<TopicImage>,
    leadership: Leadership,
    dir: Arc<LogDir>,
}

impl Reconciler {
    /// `settings` are those that the partitions of this broker obey so far.
    pub fn new(node: NodeId, shards: Handle, dirs: Arc<[Arc<LogDir>]>, settings: Settings) -> Self {
        Self { node, shards, dirs, settings }
    }

    /// Opens what is new and tells partitions who leads them and what they obey.
    pub async fn before_publish(&mut self, step: &Step) {
        let mut work: Vec<Vec<Work>> = (0..self.shards.count()).map(|_| Vec::new()).collect();
        let settings = Settings::of(&step.next);
        let reconfigured: Vec<&Arc<TopicImage>> =
            if settings == self.settings { step.topics_reconfigured().collect() } else { step.next.topics().collect() };
        self.settings = settings;
        for topic in reconfigured {
            for (index, partition) in topic.partitions() {
                let id = PartitionId { topic: topic.id, index };
                if partition.replicas.contains(&self.node) {
                    let config = settings.partition(id, &topic.config);
                    let delay = topic.config.file_delete_delay_ms;
                    work[self.shards.owner(id)].push(Box::new(move |state| state.configure(id, config, delay)));
                }
            }
        }
        let mut placed = vec![0; self.dirs.len()];
        for change in step.partitions() {
            if !change.next.replicas.contains(&self.node) {
                continue;
            }
            let id = PartitionId { topic: change.topic.id, index: change.index };
            let leadership = leadership(change.next);
            let was_here = change.before.is_some_and(|before| before.replicas.contains(&self.node));
            if was_here {
                work[self.shards.owner(id)].push(Box::new(move |state| state.lead_by(id, leadership)));
                continue;
            }
            let Some(dir) = self.choose_dir(&mut placed) else {
                tracing::error!(
                    topic = &*change.topic.name,
                    partition = change.index,
                    "no log directory is left for it"
                );
                let why = "no log directory was left for it".to_owned();
                work[self.shards.owner(id)].push(Box::new(move |state| state.not_opened(id, why)));
                continue;
            };
            let new = NewPartition { id, topic: change.topic.clone(), leadership, dir };
            let node = self.node;
            work[self.shards.owner(id)].push(Box::new(move |state| create(state, node, settings, new)));
        }
        send(&self.shards, work).await;
        self.start_groups(step).await;
    }

    /// Removes what is gone.
    pub async fn after_publish(&mut self, step: &Step) {
        let mut work: Vec<Vec<Work>> = (0..self.shards.count()).map(|_| Vec::new()).collect();
        let mut deleted = Vec::new();
        for topic in step.topics_deleted() {
            deleted.push((topic.name.to_string(), topic.id));
            for (index, partition) in topic.partitions() {
                if !partition.replicas.contains(&self.node) {
                    continue;
                }
                let id = PartitionId { topic: topic.id, index };
                let name = topic.name.clone();
                let unique: u128 = rand::random();
                work[self.shards.owner(id)].push(Box::new(move |state| remove(state, id, &name, unique)));
            }
        }
        if !deleted.is_empty() {
            for shard in &mut work {
                let deleted = deleted.clone();
                shard.push(Box::new(move |state| state.topics_deleted(&deleted)));
            }
        }
        send(&self.shards, work).await;
    }

    /// The directory in service with the fewest partitions, those chosen in this step included.
    fn choose_dir(&self, placed: &mut [usize]) -> Option<Arc<LogDir>> {
        let open = self.dirs.iter().enumerate().filter(|(_, dir)| !dir.is_failed());
        let (at, dir) = open.min_by_key(|(at, dir)| dir.partitions() + placed[*at])?;
        placed[at] += 1;
        Some(dir.clone())
    }

    /// Partitions of the group topic that this broker leads now get their coordinators.
    async fn start_groups(&self, step: &Step) {
        for change in step.partitions() {
            if *change.topic.name == *GROUP_TOPIC && change.next.leader == Some(self.node) {
                let id = PartitionId { topic: change.topic.id, index: change.index };
                let seed = rand::random();
                let _ = self.shards.spawn(self.shards.owner(id), move |local| local.load_groups(id, seed)).await;
            }
        }
    }
}

type Work = Box<dyn FnOnce(&mut State) + Send>;

/// Has each shard do its work, a little at a time, so that it serves others in between: opening thousands of partitions
/// takes seconds.
async fn send(shards: &Handle, work: Vec<Vec<Work>>) {
    let sent = work.into_iter().enumerate().map(|(shard, work)| async move {
        let mut work = work.into_iter();
        loop {
            let some: Vec<Work> = work.by_ref().take(WORK_AT_ONCE).collect();
            let done =
                async |some: Vec<Work>| shards.on(shard, |state| some.into_iter().for_each(|work| work(state))).await;
            // A shard that has ended needs none of it: so has the broker.
            if some.is_empty() || done(some).await.is_err() {
                return;
            }
        }
    });
    futures_util::future::join_all(sent).await;
}

/// What the image says of a partition's leadership.
pub fn leadership(partition: &PartitionImage) -> Leadership {
    Leadership {
        leader: partition.leader,
        epoch: partition.leader_epoch,
        partition_epoch: partition.partition_epoch,
        replicas: partition.replicas.clone(),
        in_sync: partition.isr.clone(),
    }
}

/// The folder of a partition in its log directory.
pub fn folder(topic: &str, index: i32) -> String {
    format!("{topic}-{index}")
}

/// Every partition that `image` places on `node`.
pub fn placed_on(image: &Image, node: NodeId) -> impl Iterator<Item = (&Arc<TopicImage>, i32, &PartitionImage)> {
    image.topics().flat_map(move |topic| {
        let here = topic.partitions().filter(move |(_, partition)| partition.replicas.contains(&node));
        here.map(move |(index, partition)| (topic, index, partition))
    })
}

fn create(state: &mut State, node: NodeId, settings: Settings, new: NewPartition) {
    let NewPartition { id, topic, leadership, dir } = new;
    let path = dir.path.join(folder(&topic.name, id.index));
    let config = settings.partition(id, &topic.config);
    let hints = OpenHints { topic_id: Some(topic.id), ..OpenHints::default() };
    match Partition::open(dir.disk.clone(), path, node, config, hints, state.now()) {
        Ok((partition, _)) => {
            let counters = state.counters.topics.slot(id.topic, &topic.name);
            let mut slot = Slot::new(topic.name.clone(), partition, dir, counters);
            slot.file_delete_delay_ms = topic.config.file_delete_delay_ms;
            state.install(id, slot);
            state.lead_by(id, leadership);
        }
        Err(error) => {
            tracing::error!(topic = &*topic.name, partition = id.index, %error, "a partition could not be made");
            state.not_opened(id, error.to_string());
        }
    }
}

fn remove(state: &mut State, id: PartitionId, topic: &str, unique: u128) {
    state.forget_unopened(id);
    let Some(slot) = state.slot(id) else { return };
    // Kafka's form, by which a later start knows the folder for removed; long names are cut so that it fits.
    let suffix = format!("-{}.{unique:032x}-delete", id.index);
    let kept = topic.len().min(255 - suffix.len());
    let aside = slot.dir.path.join(format!("{}{suffix}", &topic[..kept]));
    if let Err(error) = state.remove(id, &aside) {
        tracing::error!(topic, partition = id.index, %error, "a partition's folder could not be removed");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::clock::Clock;
    use crate::disk_pool::DiskThreads;
    use crate::shard::{Shards, StateConfig};

    #[test]
    fn a_shard_serves_others_between_the_pieces_of_long_work() {
        let threads = DiskThreads::start(1).unwrap();
        let config = StateConfig {
            clock: Clock,
            disk: threads.pool(),
            groups: coordinator::GroupConfig::default(),
            tail_bytes_max: 0,
            retention_interval_ms: i64::MAX,
            checkpoint_interval_ms: i64::MAX,
        };
        let shards = Shards::start(1, &config).unwrap();
        let handle = shards.handle();
        let done = Arc::new(AtomicUsize::new(0));
        let count = |done: Arc<AtomicUsize>| -> Work {
            Box::new(move |_| {
                done.fetch_add(1, Ordering::Relaxed);
            })
        };
        let work: Vec<Work> = (0..100).map(|_| count(done.clone())).collect();
        let look = done.clone();
        let asked = handle.on(0, move |_| look.load(Ordering::Relaxed));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let ((), seen) = runtime.block_on(async { tokio::join!(send(&handle, vec![work]), asked) });
        assert!((1..=WORK_AT_ONCE).contains(&seen.unwrap()), "another question waits for one piece");
        assert_eq!(done.load(Ordering::Relaxed), 100);
        shards.stop();
        threads.stop();
    }
}
