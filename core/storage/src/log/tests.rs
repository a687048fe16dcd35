//! What a log promises, on both disks. One file per subject below `tests/`; here is what they share.

mod append;
mod open;
mod read;
mod record_time;
mod retention;
mod time;
mod torn;
mod transactions;
mod truncate;

use std::path::PathBuf;

use bytes::{Bytes, BytesMut};
use model::{Batch, LeaderEpoch, Offset, TimestampMs, ValidBatch};

use super::Log;
use super::append::{Appended, Outcome};
use super::open::{OpenError, RecoveryReport};
use crate::config::{Config, OpenHints};
use crate::disk::real::RealDisk;
use crate::disk::sim::SimDisk;
use crate::disk::{Disk, File as _};
use crate::read_plan::ReadPlan;
use crate::testing::BatchSpec;

pub(super) const NOW: TimestampMs = TimestampMs(1_000_000);

/// Runs functions that take a [`Rig`] as tests, each on both disks.
macro_rules! on_both_disks {
    ($($name:ident),* $(,)?) => {
        mod sim {
            $(#[test] fn $name() { super::$name(super::super::Rig::sim()) })*
        }
        mod real {
            $(#[test] fn $name() { super::$name(super::super::Rig::real()) })*
        }
    };
}
pub(super) use on_both_disks;

/// A disk with room for one log.
pub(super) struct Rig<D: Disk> {
    pub disk: D,
    pub dir: PathBuf,
    pub config: Config,
    pub hints: OpenHints,
    _folder: Option<tempfile::TempDir>,
}

/// Segments of a few batches, an index entry for nearly every batch, nothing kept in memory.
fn small() -> Config {
    Config { segment_bytes: 1_000, index_interval_bytes: 150, tail_bytes: 0, ..Config::default() }
}

impl Rig<SimDisk> {
    pub fn sim() -> Self {
        let dir = PathBuf::from("/logs/orders-0");
        let disk = SimDisk::new();
        disk.create_dir(dir.parent().unwrap()).unwrap();
        Self { disk, dir, config: small(), hints: OpenHints::default(), _folder: None }
    }
}

impl Rig<RealDisk> {
    pub fn real() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("orders-0");
        let disk = RealDisk::new([1; 16]);
        Self { disk, dir, config: small(), hints: OpenHints::default(), _folder: Some(folder) }
    }
}

impl<D: Disk> Rig<D> {
    pub fn with(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(&mut self.config);
        self
    }

    pub fn try_open(&self, clean_shutdown: bool) -> Result<(Log<D>, RecoveryReport), OpenError> {
        let hints = OpenHints { clean_shutdown, ..self.hints };
        Log::open(self.disk.clone(), &self.dir, self.config, hints, NOW)
    }

    /// Opens without a clean shutdown.
    pub fn open(&self) -> Log<D> {
        self.try_open(false).unwrap().0
    }

    pub fn close_and_open(&self, log: Log<D>) -> (Log<D>, RecoveryReport) {
        log.close().unwrap();
        self.try_open(true).unwrap()
    }

    pub fn kill_and_open(&self, log: Log<D>) -> (Log<D>, RecoveryReport) {
        drop(log);
        self.try_open(false).unwrap()
    }

    /// The names of the log's files, in order, without the state file.
    pub fn names(&self, suffix: &str) -> Vec<String> {
        let mut names = self.disk.list(&self.dir).unwrap();
        names.retain(|name| name.ends_with(suffix));
        names.sort();
        names
    }
}

/// One batch as the leader in epoch 0.
pub(super) fn append<D: Disk>(log: &mut Log<D>, batch: ValidBatch) -> Outcome {
    append_in(log, 0, batch)
}

pub(super) fn append_in<D: Disk>(log: &mut Log<D>, epoch: i32, batch: ValidBatch) -> Outcome {
    let mut outcomes = Vec::new();
    log.append_as_leader(&mut [batch], LeaderEpoch(epoch), NOW, &mut outcomes).unwrap();
    outcomes.remove(0)
}

pub(super) fn follow<D: Disk>(log: &mut Log<D>, batches: &[BatchSpec]) -> Appended {
    let batches: Vec<ValidBatch> = batches.iter().map(|batch| batch.clone().build()).collect();
    log.append_as_follower(&batches, NOW).unwrap()
}

/// `count` batches of one record of 100 bytes; the record at offset n has time n.
pub(super) fn fill<D: Disk>(log: &mut Log<D>, count: usize) {
    for _ in 0..count {
        let timestamp = log.offsets().end.0;
        append(log, BatchSpec { timestamp, value: 100, ..BatchSpec::default() }.build());
    }
}

pub(super) fn sync<D: Disk>(log: &mut Log<D>) -> Offset {
    let Some(task) = log.flush_task() else { return log.offsets().recovery_point };
    log.flushed(task.run()).unwrap()
}

/// The bytes that a plan sends.
pub(super) fn bytes_of<D: Disk>(plan: &ReadPlan<D>) -> Bytes {
    match plan {
        ReadPlan::Empty => Bytes::new(),
        ReadPlan::Memory(batches) => batches.clone(),
        ReadPlan::File(region) => {
            let mut bytes = vec![0; region.len];
            assert_eq!(region.file.read_at(&mut bytes, region.position).unwrap(), region.len);
            Bytes::from(bytes)
        }
    }
}

/// The whole batches in what a plan sends, each checked; what is cut at the end is dropped, as readers do.
pub(super) fn batches_of<D: Disk>(plan: &ReadPlan<D>) -> Vec<Batch> {
    let mut bytes = bytes_of(plan);
    let mut batches = Vec::new();
    while bytes.len() >= model::batch::HEADER_BYTES && Batch::peek_size(&bytes).unwrap() <= bytes.len() {
        let batch = Batch::cut(&mut bytes).unwrap();
        batch.check_crc().unwrap();
        batches.push(batch);
    }
    batches
}

/// Everything from `from` to the end, in as many reads as it takes.
pub(super) fn read_from<D: Disk>(log: &mut Log<D>, from: Offset) -> Vec<Batch> {
    let mut batches: Vec<Batch> = Vec::new();
    let mut next = from;
    while next < log.offsets().end {
        let plan = log.read(next, 1 << 20, Offset(i64::MAX), &mut BytesMut::new()).unwrap();
        let some = batches_of(&plan);
        assert!(!some.is_empty(), "nothing at {next}, below the end");
        assert!(some[0].last_offset() >= next);
        batches.extend(some);
        next = batches.last().unwrap().next_offset();
    }
    batches
}

/// First and last offset of each batch from the log's start on.
pub(super) fn spans<D: Disk>(log: &mut Log<D>) -> Vec<(i64, i64)> {
    let start = log.offsets().start;
    read_from(log, start).iter().map(|batch| (batch.base_offset().0, batch.last_offset().0)).collect()
}

/// What [`spans`] gives for batches of one record.
pub(super) fn singles(offsets: std::ops::Range<i64>) -> Vec<(i64, i64)> {
    offsets.map(|offset| (offset, offset)).collect()
}
