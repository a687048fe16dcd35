//! Opening a log: by its state file alone where it was closed in order, else with a look at what is there
//! ([`super::recovery`]).
//!
//! ```text
//!  closed in order       read log.state, stat the active segment                 nothing is scanned or opened
//!  killed                read log.state, list the folder, scan behind the state  what the last checkpoint missed
//!  power lost            list the folder, scan from the recovery point's segment what was never synced
//! ```

use std::path::PathBuf;

use model::{Offset, TimestampMs, TopicId};

use super::Log;
use crate::config::{Config, OpenHints};
use crate::disk::{Disk, DiskError, Trying as _};
use crate::epoch_cache::EpochCache;
use crate::names;
use crate::producer_state::ProducerStates;
use crate::read_plan::ReadError;
use crate::segment::{Segment, SegmentError};
use crate::state_file::{self, State};
use crate::walk::Torn;

/// What opening a log found and did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecoveryReport {
    /// There was no such log; now there is.
    pub created: bool,
    /// Everything was as the last close left it; nothing was read.
    pub clean: bool,
    /// Bytes whose CRC was checked.
    pub scanned_bytes: u64,
    /// What ended the scan, where it ended before the end of a file.
    pub torn: Option<Torn>,
    /// Bytes cut off behind the last whole batch, whole segments included.
    pub cut_bytes: u64,
    /// Whole batches among them: none where a write was torn, but some where a power loss took what stood before them.
    pub cut_batches: u64,
    pub segments_removed: usize,
}

/// Why a log is not opened. Its files are untouched.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// Below the recovery point, or in a log that was closed in order: no crash explains it, and to cut it off would take
    /// records along that are whole. Fetch the log anew from another replica.
    #[error("{file} is corrupt at {position}, which no crash explains")]
    Corrupt { file: String, position: u64 },
    /// Records are gone that were synced, or there when the log was closed in this boot: fetch the log anew from another
    /// replica.
    #[error("{} ends at {end}, but no crash takes what is below {kept}", dir.display())]
    Lost { dir: PathBuf, end: Offset, kept: Offset },
    /// The folder is of another incarnation of the topic.
    #[error("{} belongs to topic {found}, not to {wanted}", dir.display())]
    OtherTopic { dir: PathBuf, found: TopicId, wanted: TopicId },
    #[error("{file} is not readable as partition.metadata")]
    BadMetadata { file: String },
}

impl From<SegmentError> for OpenError {
    fn from(error: SegmentError) -> Self {
        ReadError::from(error).into()
    }
}

impl From<ReadError> for OpenError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Disk(error) => Self::Disk(error),
            ReadError::Corrupt { file, position } => Self::Corrupt { file, position },
            ReadError::OutOfRange { .. } | ReadError::Failed => {
                unreachable!("a log that is being opened has not failed")
            }
        }
    }
}

impl<D: Disk> Log<D> {
    /// Opens the log in the folder `dir`; makes an empty one, at `hints.log_start`, where there is none. Afterwards the
    /// log holds whole, valid batches only, up to its end.
    pub fn open(
        disk: D,
        dir: impl Into<PathBuf>,
        config: Config,
        hints: OpenHints,
        now: TimestampMs,
    ) -> Result<(Self, RecoveryReport), OpenError> {
        let dir = dir.into();
        let path = dir.join(names::STATE);
        let state = match disk.read(&path).trying("read", &path) {
            Ok(bytes) => state_file::decode(&bytes),
            Err(error) if error.is_not_found() => None,
            Err(error) => return Err(error.into()),
        };
        let (mut log, report) = match state {
            Some((state, producers)) if hints.clean_shutdown && is_whole(&disk, &dir, &state)? => {
                let report = RecoveryReport { clean: true, ..RecoveryReport::default() };
                (Self::from_state(disk, dir, config, state, producers), report)
            }
            state => Self::recover(disk, dir, config, &hints, now, state)?,
        };
        log.identify(hints.topic_id)?;
        Ok((log, report))
    }

    pub(super) fn from_state(disk: D, dir: PathBuf, config: Config, state: State, producers: ProducerStates) -> Self {
        let mut log = Self::empty(disk, dir, config, state.start, TimestampMs::NONE);
        log.segments = state.segments.iter().map(Segment::from_state).collect();
        log.topic_id = state.topic_id;
        log.end = state.end;
        log.recovery_point = state.recovery_point;
        log.last_batch_position = state.last_batch_position;
        log.epochs = EpochCache::from_entries(state.epochs);
        log.closed = state.clean;
        log.stray_snapshot = Some(state.end).filter(|_| state.clean && !producers.is_empty());
        log.producers = producers;
        log.dirty = false;
        log
    }

    /// Checks that the log is the topic's, or says so in its folder if it is nobody's yet.
    fn identify(&mut self, wanted: Option<TopicId>) -> Result<(), OpenError> {
        let path = self.dir.join(names::METADATA);
        if self.topic_id.is_none() {
            self.topic_id = match self.disk.read(&path).trying("read", &path) {
                Ok(bytes) if bytes.is_empty() => None,
                Ok(bytes) => {
                    let id = parse_metadata(&String::from_utf8_lossy(&bytes));
                    Some(id.ok_or_else(|| OpenError::BadMetadata { file: path.display().to_string() })?)
                }
                Err(error) if error.is_not_found() => None,
                Err(error) => return Err(error.into()),
            };
        }
        match (self.topic_id, wanted) {
            (Some(found), Some(wanted)) if found != wanted => {
                Err(OpenError::OtherTopic { dir: self.dir.clone(), found, wanted })
            }
            (None, Some(wanted)) => {
                let text = format!("version: 0\ntopic_id: {wanted}\n");
                self.disk.replace(&path, text.as_bytes(), false).trying("replace", &path)?;
                self.topic_id = Some(wanted);
                self.dirty = true;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// Whether a state that was written by a close tells all: nothing was appended since, and nothing was lost.
fn is_whole<D: Disk>(disk: &D, dir: &std::path::Path, state: &State) -> Result<bool, DiskError> {
    let survived = state.boot == disk.boot() || state.recovery_point >= state.end;
    let Some(active) = state.segments.last().filter(|_| state.clean && survived) else { return Ok(false) };
    if !active.on_disk {
        return Ok(true);
    }
    let path = names::path(dir, active.base, names::LOG);
    match disk.len(&path).trying("look at", &path) {
        Ok(len) => Ok(len == active.size),
        Err(error) if error.is_not_found() => Ok(false),
        Err(error) => Err(error),
    }
}

fn parse_metadata(text: &str) -> Option<TopicId> {
    let value =
        |key: &str| text.lines().find_map(|line| line.strip_prefix(key)?.trim_start().strip_prefix(':')).map(str::trim);
    value("version").filter(|version| *version == "0")?;
    value("topic_id")?.parse().ok()
}
