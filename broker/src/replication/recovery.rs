//! Opening every partition that the image places here, at start: on several threads, with a line of progress now and then.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use metadata::{Image, TopicImage};
use model::{NodeId, PartitionId};
use parking_lot::Mutex;
use partition::{Leadership, Partition};
use storage::{OpenHints, RealDisk};

use super::reconciler::{folder, leadership, placed_on};
use super::settings::Settings;
use crate::clock::Clock;
use crate::log_dir::LogDir;
use crate::telemetry::logging::PROGRESS_TARGET;

/// A recovery that takes longer than this says how far it is, this often.
const PROGRESS_EVERY: Duration = Duration::from_secs(2);

/// How far the start has come, for probes.
#[derive(Debug, Default)]
pub struct Progress {
    pub recovered: AtomicU64,
    pub total: AtomicU64,
}

/// A partition that is open and waits for its shard.
pub struct Recovered {
    pub id: PartitionId,
    pub topic: Arc<TopicImage>,
    pub leadership: Leadership,
    pub dir: Arc<LogDir>,
    pub partition: Partition<RealDisk>,
}

/// What became of the partitions placed here.
#[derive(Default)]
pub struct Outcome {
    pub opened: Vec<Recovered>,
    /// Those that are offline, and why.
    pub unopened: Vec<(PartitionId, String)>,
}

struct Job {
    id: PartitionId,
    topic: Arc<TopicImage>,
    leadership: Leadership,
    dir: Arc<LogDir>,
}

/// Opens the logs of `node` in `dirs` on `threads` threads. A log that cannot be opened is told of, with an error in
/// the log, too: its partition is offline. Folders that belong to no partition are left alone, and named.
pub fn recover(
    image: &Image,
    node: NodeId,
    dirs: &[Arc<LogDir>],
    settings: Settings,
    threads: usize,
    progress: &Progress,
    clock: Clock,
) -> anyhow::Result<Outcome> {
    let started = Instant::now();
    let jobs = jobs(image, node, dirs)?;
    progress.total.store(jobs.len() as u64, Ordering::Relaxed);
    let next = AtomicUsize::new(0);
    let outcome = Mutex::new(Outcome::default());
    let scanned_bytes = AtomicU64::new(0);
    let work = || {
        while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
            let opened = open(job, node, settings, &scanned_bytes, clock);
            let mut outcome = outcome.lock();
            match opened {
                Ok(recovered) => outcome.opened.push(recovered),
                Err(why) => outcome.unopened.push((job.id, why)),
            }
            drop(outcome);
            progress.recovered.fetch_add(1, Ordering::Relaxed);
        }
    };
    std::thread::scope(|scope| {
        let (working, ended) = mpsc::channel::<()>();
        for _ in 0..threads.clamp(1, jobs.len().max(1)) {
            let (work, working) = (&work, working.clone());
            scope.spawn(move || {
                work();
                drop(working);
            });
        }
        drop(working);
        // By the clock and not by the log: one log may take long.
        while ended.recv_timeout(PROGRESS_EVERY) == Err(RecvTimeoutError::Timeout) {
            tracing::info!(
                target: PROGRESS_TARGET,
                done = progress.recovered.load(Ordering::Relaxed),
                of = jobs.len(),
                scanned_bytes = scanned_bytes.load(Ordering::Relaxed),
                seconds = started.elapsed().as_secs(),
                "recovering logs"
            );
        }
    });
    let outcome = outcome.into_inner();
    tracing::info!(
        partitions = outcome.opened.len(),
        scanned_bytes = scanned_bytes.into_inner(),
        ms = started.elapsed().as_millis() as u64,
        "logs are open"
    );
    Ok(outcome)
}

fn jobs(image: &Image, node: NodeId, dirs: &[Arc<LogDir>]) -> anyhow::Result<Vec<Job>> {
    let mut found: HashMap<String, Arc<LogDir>> = HashMap::new();
    for dir in dirs {
        for name in folders(&dir.path)? {
            if name.ends_with("-delete") {
                // Removed before the last stop; what was left to do is done now.
                let path = dir.path.join(&name);
                if let Err(error) = std::fs::remove_dir_all(&path) {
                    tracing::warn!(%error, path = %path.display(), "the rest of a removed partition stays");
                }
            } else if let Some(other) = found.insert(name.clone(), dir.clone()) {
                anyhow::bail!(
                    "partition {name} lies in two log directories, {} and {}: move one of them away",
                    other.path.display(),
                    dir.path.display()
                );
            }
        }
    }
    let mut planned = vec![0usize; dirs.len()];
    let mut jobs = Vec::with_capacity(image.partition_count());
    for (topic, index, partition) in placed_on(image, node) {
        let dir = match found.remove(&folder(&topic.name, index)) {
            Some(dir) => dir,
            None => {
                let at = (0..dirs.len()).min_by_key(|at| planned[*at]).context("a broker has a log directory")?;
                planned[at] += 1;
                dirs[at].clone()
            }
        };
        let id = PartitionId { topic: topic.id, index };
        jobs.push(Job { id, topic: topic.clone(), leadership: leadership(partition), dir });
    }
    for (name, dir) in found {
        if name != "__cluster_metadata-0" && is_partition_folder(&dir.path.join(&name)) {
            tracing::warn!(folder = %dir.path.join(&name).display(), "no topic has this partition: it is left alone");
        }
    }
    Ok(jobs)
}

fn folders(dir: &Path) -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(dir).with_context(|| format!("list {}", dir.display()))? {
        let entry = entry.with_context(|| format!("list {}", dir.display()))?;
        if entry.file_type().is_ok_and(|kind| kind.is_dir())
            && let Ok(name) = entry.file_name().into_string()
        {
            names.push(name);
        }
    }
    Ok(names)
}

fn is_partition_folder(path: &Path) -> bool {
    path.join("partition.metadata").exists() || path.join("leader-epoch-checkpoint").exists()
}

fn open(
    job: &Job,
    node: NodeId,
    settings: Settings,
    scanned_bytes: &AtomicU64,
    clock: Clock,
) -> Result<Recovered, String> {
    let path = job.dir.path.join(folder(&job.topic.name, job.id.index));
    let config = settings.partition(job.id, &job.topic.config);
    let hints = OpenHints { clean_shutdown: job.dir.was_clean, topic_id: Some(job.topic.id), ..OpenHints::default() };
    match Partition::open(job.dir.disk.clone(), path, node, config, hints, clock.now()) {
        Ok((partition, report)) => {
            scanned_bytes.fetch_add(report.scanned_bytes, Ordering::Relaxed);
            if report.cut_bytes > 0 {
                tracing::warn!(
                    topic = &*job.topic.name,
                    partition = job.id.index,
                    bytes = report.cut_bytes,
                    whole_batches = report.cut_batches,
                    "an unfinished write was cut off"
                );
            }
            Ok(Recovered {
                id: job.id,
                topic: job.topic.clone(),
                leadership: job.leadership.clone(),
                dir: job.dir.clone(),
                partition,
            })
        }
        Err(error) => {
            tracing::error!(topic = &*job.topic.name, partition = job.id.index, %error, "a partition is offline");
            Err(error.to_string())
        }
    }
}
