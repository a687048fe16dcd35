//! A disk in memory for the simulator and for tests: it loses what was not synced, tears writes, fills up, fails and
//! flips bits, all when told to.
//!
//! ```text
//!  write ──> pending ──sync──> durable          what a reader sees is durable + all of pending
//!               └── crash: a part of pending, cut where the seed says, the rest is gone
//! ```
//!
//! Names (create, rename, remove) likewise become durable with `sync_dir`, and a crash keeps the first few of those
//! that were not: a journalling file system keeps their order.

use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::TimestampMs;

use super::{BootId, Disk, File};

/// A disk in memory; clones share it.
#[derive(Clone, Default)]
pub struct SimDisk(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    names: BTreeMap<PathBuf, Id>,
    dirs: BTreeMap<PathBuf, ()>,
    /// What a crash goes back to, and what happened since.
    durable_names: BTreeMap<PathBuf, Id>,
    pending_names: Vec<NameChange>,
    content: BTreeMap<Id, Content>,
    next_id: Id,
    boots: u64,
    now: i64,
    space: Option<u64>,
    failing_syncs: u32,
    failing_writes: u32,
    calls: u64,
}

type Id = u64;

#[derive(Clone)]
enum NameChange {
    Link(PathBuf, Id),
    Rename(PathBuf, PathBuf),
    Unlink(PathBuf),
}

#[derive(Default)]
struct Content {
    bytes: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<Change>,
    modified: i64,
}

enum Change {
    Write(u64, Vec<u8>),
    Truncate(u64),
}

fn apply(bytes: &mut Vec<u8>, change: &Change, keep: usize) {
    match change {
        Change::Write(at, data) => {
            let (at, data) = (*at as usize, &data[..keep.min(data.len())]);
            if data.is_empty() {
                return;
            }
            if bytes.len() < at + data.len() {
                bytes.resize(at + data.len(), 0);
            }
            bytes[at..at + data.len()].copy_from_slice(data);
        }
        Change::Truncate(len) => bytes.resize(*len as usize, 0),
    }
}

fn rename_in(names: &mut BTreeMap<PathBuf, Id>, change: &NameChange) {
    match change {
        NameChange::Link(path, id) => {
            names.insert(path.clone(), *id);
        }
        NameChange::Rename(from, to) => {
            let below: Vec<PathBuf> = names.keys().filter(|path| path.starts_with(from)).cloned().collect();
            for path in below {
                if let (Some(id), Ok(rest)) = (names.remove(&path), path.strip_prefix(from)) {
                    names.insert(if rest.as_os_str().is_empty() { to.clone() } else { to.join(rest) }, id);
                }
            }
        }
        NameChange::Unlink(path) => {
            names.remove(path);
        }
    }
}

/// A small generator of numbers, enough to choose what a crash keeps.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        // SplitMix64 (Steele, Lea, Flood 2014).
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % (bound as u64).max(1)) as usize
    }
}

impl SimDisk {
    pub fn new() -> Self {
        Self::default()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The power fails: names and content not synced are partly or wholly gone, as `seed` has it; the next boot begins.
    pub fn crash(&self, seed: u64) {
        let mut dice = Dice(seed);
        let inner = &mut *self.inner();
        let keep = dice.below(inner.pending_names.len() + 1);
        let changes = std::mem::take(&mut inner.pending_names);
        for change in &changes[..keep] {
            rename_in(&mut inner.durable_names, change);
        }
        inner.names = inner.durable_names.clone();
        for content in inner.content.values_mut() {
            let pending = std::mem::take(&mut content.pending);
            let whole = dice.below(pending.len() + 1);
            for change in &pending[..whole] {
                apply(&mut content.durable, change, usize::MAX);
            }
            if let Some(change @ Change::Write(_, data)) = pending.get(whole) {
                apply(&mut content.durable, change, dice.below(data.len()));
            }
            content.bytes = content.durable.clone();
        }
        inner.boots += 1;
    }

    /// The power fails in the worst way: nothing survives but what was synced.
    pub fn lose_all_unsynced(&self) {
        let inner = &mut *self.inner();
        inner.pending_names.clear();
        inner.names = inner.durable_names.clone();
        for content in inner.content.values_mut() {
            content.pending.clear();
            content.bytes = content.durable.clone();
        }
        inner.boots += 1;
    }

    /// From now on writes may make files grow by `bytes` altogether; `None` for no limit.
    pub fn set_space(&self, bytes: Option<u64>) {
        self.inner().space = bytes;
    }

    /// The next `count` syncs fail.
    pub fn fail_syncs(&self, count: u32) {
        self.inner().failing_syncs = count;
    }

    /// The next `count` writes fail half done, with an I/O error.
    pub fn fail_writes(&self, count: u32) {
        self.inner().failing_writes = count;
    }

    /// Flips the bits of `mask` in the byte at `position`; false where there is no such byte.
    pub fn flip(&self, path: &Path, position: u64, mask: u8) -> bool {
        let inner = &mut *self.inner();
        let Some(content) = inner.names.get(path).and_then(|id| inner.content.get_mut(id)) else { return false };
        let at = position as usize;
        if let Some(byte) = content.durable.get_mut(at) {
            *byte ^= mask;
        }
        content.bytes.get_mut(at).map(|byte| *byte ^= mask).is_some()
    }

    /// The time that written files carry.
    pub fn set_now(&self, now: TimestampMs) {
        self.inner().now = now.0;
    }

    /// How many calls the disk has served: what a start or an append costs.
    pub fn calls(&self) -> u64 {
        self.inner().calls
    }

    fn change_names(&self, change: NameChange) {
        let inner = &mut *self.inner();
        rename_in(&mut inner.names, &change);
        inner.pending_names.push(change);
    }

    fn id(&self, path: &Path) -> io::Result<Id> {
        let mut inner = self.inner();
        inner.calls += 1;
        inner.names.get(path).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

/// An open file of a [`SimDisk`]; it stays readable after its name is gone.
pub struct SimFile {
    disk: SimDisk,
    id: Id,
}

impl SimFile {
    fn with<T>(&self, act: impl FnOnce(&mut Inner, Id) -> io::Result<T>) -> io::Result<T> {
        let mut inner = self.disk.inner();
        inner.calls += 1;
        act(&mut inner, self.id)
    }
}

fn content(inner: &mut Inner, id: Id) -> io::Result<&mut Content> {
    inner.content.get_mut(&id).ok_or_else(|| io::ErrorKind::NotFound.into())
}

impl File for SimFile {
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        self.with(|inner, id| {
            let bytes = &content(inner, id)?.bytes;
            let from = bytes.get(position as usize..).unwrap_or_default();
            let len = from.len().min(buffer.len());
            buffer[..len].copy_from_slice(&from[..len]);
            Ok(len)
        })
    }

    fn write_at(&self, slices: &mut [IoSlice<'_>], position: u64) -> io::Result<()> {
        let mut data: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
        self.with(|inner, id| {
            let mut outcome = Ok(());
            if inner.failing_writes > 0 {
                inner.failing_writes -= 1;
                data.truncate(data.len() / 2);
                outcome = Err(io::Error::from_raw_os_error(rustix::io::Errno::IO.raw_os_error()));
            }
            let len = content(inner, id)?.bytes.len() as u64;
            let growth = (position + data.len() as u64).saturating_sub(len);
            if let Some(space) = &mut inner.space {
                if growth > *space {
                    data.truncate((data.len() as u64).saturating_sub(growth - *space) as usize);
                    outcome = Err(io::ErrorKind::StorageFull.into());
                    *space = 0;
                } else {
                    *space -= growth;
                }
            }
            let now = inner.now;
            let content = content(inner, id)?;
            let change = Change::Write(position, data);
            apply(&mut content.bytes, &change, usize::MAX);
            content.pending.push(change);
            content.modified = now;
            outcome
        })
    }

    fn sync(&self) -> io::Result<()> {
        self.with(|inner, id| {
            if inner.failing_syncs > 0 {
                inner.failing_syncs -= 1;
                // As Linux does: the pages count as clean afterwards, though they never reached the disk.
                content(inner, id)?.pending.clear();
                return Err(io::Error::from_raw_os_error(rustix::io::Errno::IO.raw_os_error()));
            }
            let content = content(inner, id)?;
            content.pending.clear();
            content.durable = content.bytes.clone();
            Ok(())
        })
    }

    /// Looks whether there is room; the room stays everybody's.
    fn reserve(&self, len: u64) -> io::Result<()> {
        self.with(|inner, id| {
            let missing = len.saturating_sub(content(inner, id)?.bytes.len() as u64);
            let has_room = inner.space.is_none_or(|space| missing <= space);
            if has_room { Ok(()) } else { Err(io::ErrorKind::StorageFull.into()) }
        })
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.with(|inner, id| {
            let content = content(inner, id)?;
            let freed = (content.bytes.len() as u64).saturating_sub(len);
            apply(&mut content.bytes, &Change::Truncate(len), usize::MAX);
            content.pending.push(Change::Truncate(len));
            if let Some(space) = &mut inner.space {
                *space += freed;
            }
            Ok(())
        })
    }

    fn len(&self) -> io::Result<u64> {
        self.with(|inner, id| Ok(content(inner, id)?.bytes.len() as u64))
    }
}

impl Disk for SimDisk {
    type File = SimFile;
    type Map = Vec<u8>;

    fn open(&self, path: &Path) -> io::Result<SimFile> {
        Ok(SimFile { disk: self.clone(), id: self.id(path)? })
    }

    fn create(&self, path: &Path) -> io::Result<SimFile> {
        if let Ok(id) = self.id(path) {
            return Ok(SimFile { disk: self.clone(), id });
        }
        let id = {
            let inner = &mut *self.inner();
            if path.parent().is_some_and(|dir| !inner.dirs.contains_key(dir)) {
                return Err(io::ErrorKind::NotFound.into());
            }
            if inner.space == Some(0) {
                return Err(io::ErrorKind::StorageFull.into());
            }
            inner.next_id += 1;
            let now = inner.now;
            inner.content.insert(inner.next_id, Content { modified: now, ..Content::default() });
            inner.next_id
        };
        self.change_names(NameChange::Link(path.to_owned(), id));
        Ok(SimFile { disk: self.clone(), id })
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let id = self.id(path)?;
        Ok(content(&mut self.inner(), id)?.bytes.clone())
    }

    fn map(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.read(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        {
            let inner = &mut *self.inner();
            inner.calls += 1;
            let below: Vec<PathBuf> = inner.dirs.keys().filter(|dir| dir.starts_with(from)).cloned().collect();
            if below.is_empty() && !inner.names.contains_key(from) {
                return Err(io::ErrorKind::NotFound.into());
            }
            for dir in below {
                inner.dirs.remove(&dir);
                if let Ok(rest) = dir.strip_prefix(from) {
                    inner.dirs.insert(if rest.as_os_str().is_empty() { to.to_owned() } else { to.join(rest) }, ());
                }
            }
        }
        self.change_names(NameChange::Rename(from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let id = self.id(path)?;
        {
            let inner = &mut *self.inner();
            let freed = content(inner, id)?.bytes.len() as u64;
            if let Some(space) = &mut inner.space {
                *space += freed;
            }
        }
        self.change_names(NameChange::Unlink(path.to_owned()));
        Ok(())
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        let inner = &mut *self.inner();
        inner.calls += 1;
        for dir in path.ancestors() {
            inner.dirs.insert(dir.to_owned(), ());
        }
        Ok(())
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        let below: Vec<PathBuf> = {
            let inner = &mut *self.inner();
            inner.calls += 1;
            if inner.dirs.remove(path).is_none() {
                return Err(io::ErrorKind::NotFound.into());
            }
            inner.dirs.retain(|dir, ()| !dir.starts_with(path));
            inner.names.keys().filter(|name| name.starts_with(path)).cloned().collect()
        };
        below.iter().try_for_each(|name| self.remove(name))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let inner = &mut *self.inner();
        inner.calls += 1;
        if !inner.dirs.contains_key(dir) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let within = |path: &&PathBuf| path.parent() == Some(dir);
        let names = inner.names.keys().filter(within).chain(inner.dirs.keys().filter(within));
        Ok(names.filter_map(|path| path.file_name()?.to_str().map(str::to_owned)).collect())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let inner = &mut *self.inner();
        inner.calls += 1;
        // A journal is written in order: what came before goes with it, whichever folder it was in.
        let _ = dir;
        inner.pending_names.clear();
        inner.durable_names = inner.names.clone();
        Ok(())
    }

    fn len(&self, path: &Path) -> io::Result<u64> {
        let id = self.id(path)?;
        Ok(content(&mut self.inner(), id)?.bytes.len() as u64)
    }

    fn modified(&self, path: &Path) -> io::Result<TimestampMs> {
        let id = self.id(path)?;
        Ok(TimestampMs(content(&mut self.inner(), id)?.modified))
    }

    fn boot(&self) -> BootId {
        u128::from(self.inner().boots).to_be_bytes()
    }
}
