//! A log directory before any log is opened: its lock, and whose it is (`meta.properties`, as Kafka writes it).
//!
//! Nothing in a directory is touched until it is known to be ours: another broker's or cluster's directory, one that
//! is locked by a live process, or one that cannot be written to is refused with one line.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use model::{NodeId, TopicId};
use rustix::fs::{FlockOperation, flock};

const META: &str = "meta.properties";
/// What Kafka does not write: its logs of metadata and groups are not ours, whatever else is the same.
const FORMAT: &str = "milena.format";
const LOCK: &str = ".lock";
/// Present where the broker closed every log in order; its absence means that tails must be scanned.
const CLEAN_SHUTDOWN: &str = ".kafka_cleanshutdown";

/// Why a log directory is refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot use log directory {}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("log directory {} is in use by another process (it holds {LOCK})", path.display())]
    Locked { path: PathBuf },
    #[error("log directory {} belongs to node {found}, but node.id is {ours}", path.display())]
    OtherNode { path: PathBuf, found: i32, ours: i32 },
    #[error("log directory {} belongs to cluster {found}, this broker is of cluster {ours}", path.display())]
    OtherCluster { path: PathBuf, found: String, ours: String },
    #[error("log directory {} was written by Apache Kafka: give this broker one of its own", path.display())]
    Kafkas { path: PathBuf },
    #[error(
        "log directory {} holds {found} and no {META}: whose data is it? Put {META} back, or give this broker a directory \
         of its own",
        path.display()
    )]
    Unclaimed { path: PathBuf, found: String },
    #[error("{} is not readable as meta.properties: {why}", path.display())]
    BadMeta { path: PathBuf, why: String },
}

/// What `meta.properties` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meta {
    pub node: NodeId,
    pub cluster_id: String,
    /// Tells this directory from a later, empty one at the same path.
    pub directory_id: TopicId,
}

/// A log directory that this process holds.
pub struct DataDir {
    pub path: PathBuf,
    /// `None` until the directory is claimed for a cluster.
    pub meta: Option<Meta>,
    /// Whether the last process closed its logs in order. Known once, at the lock: the mark is removed then.
    pub was_clean: bool,
    _lock: File,
}

/// Looks whose `paths` are and touches nothing; gives the cluster that they belong to, `None` where they are nobody's.
pub fn look(paths: &[PathBuf], node: NodeId) -> Result<Option<String>, Error> {
    let mut cluster: Option<String> = None;
    for path in paths {
        let Some(meta) = read_meta(path)? else {
            match partition_in(path)? {
                Some(found) => return Err(Error::Unclaimed { path: path.clone(), found }),
                None => continue,
            }
        };
        check_node(path, &meta, node)?;
        match &cluster {
            Some(ours) if *ours != meta.cluster_id => {
                let (found, ours) = (meta.cluster_id, ours.clone());
                return Err(Error::OtherCluster { path: path.clone(), found, ours });
            }
            _ => cluster = Some(meta.cluster_id),
        }
    }
    Ok(cluster)
}

/// The first folder in `path`, by name, that is a partition's in Kafka's naming, `__cluster_metadata-0` and removed ones
/// included.
fn partition_in(path: &Path) -> Result<Option<String>, Error> {
    let failed = |source| Error::Io { path: path.to_owned(), source };
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(failed(source)),
    };
    let mut first: Option<String> = None;
    for entry in entries {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if is_partition(&name)
            && !entry.file_type().map_err(failed)?.is_file()
            && first.as_ref().is_none_or(|first| name < *first)
        {
            first = Some(name);
        }
    }
    Ok(first)
}

fn is_partition(name: &str) -> bool {
    name.rsplit_once('-').is_some_and(|(topic, last)| {
        let is_index = !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit());
        !topic.is_empty() && (is_index || ["delete", "future", "stray"].contains(&last))
    })
}

/// Whether a process has ever used the directory: it may do so now.
pub fn has_lock(path: &Path) -> bool {
    path.join(LOCK).exists()
}

fn check_node(path: &Path, meta: &Meta, node: NodeId) -> Result<(), Error> {
    if meta.node == node {
        return Ok(());
    }
    Err(Error::OtherNode { path: path.to_owned(), found: meta.node.0, ours: node.0 })
}

impl DataDir {
    /// Creates `path` if it is missing, locks it, and reads whose it is. Changes nothing that belongs to another node.
    pub fn open(path: &Path, node: NodeId) -> Result<Self, Error> {
        let failed = |source| Error::Io { path: path.to_owned(), source };
        fs::create_dir_all(path).map_err(failed)?;
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(path.join(LOCK)).map_err(failed)?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(|errno| match errno {
            rustix::io::Errno::WOULDBLOCK => Error::Locked { path: path.to_owned() },
            other => failed(other.into()),
        })?;
        let meta = read_meta(path)?;
        if let Some(meta) = &meta {
            check_node(path, meta, node)?;
        }
        let was_clean = path.join(CLEAN_SHUTDOWN).exists();
        Ok(Self { path: path.to_owned(), meta, was_clean, _lock: lock })
    }

    /// Makes the directory part of `cluster_id`, or checks that it is already.
    pub fn claim(&mut self, node: NodeId, cluster_id: &str, random: [u8; 16]) -> Result<(), Error> {
        match &self.meta {
            Some(meta) if meta.cluster_id == cluster_id => Ok(()),
            Some(meta) => Err(Error::OtherCluster {
                path: self.path.clone(),
                found: meta.cluster_id.clone(),
                ours: cluster_id.to_owned(),
            }),
            None => {
                let meta = Meta { node, cluster_id: cluster_id.to_owned(), directory_id: TopicId::from_random(random) };
                self.write_meta(&meta).map_err(|source| Error::Io { path: self.path.clone(), source })?;
                self.meta = Some(meta);
                Ok(())
            }
        }
    }

    fn write_meta(&self, meta: &Meta) -> io::Result<()> {
        let text = format!(
            "version=1\ncluster.id={}\nnode.id={}\ndirectory.id={}\n{FORMAT}=1\n",
            meta.cluster_id, meta.node, meta.directory_id
        );
        let temporary = self.path.join("meta.properties.tmp");
        let mut file = File::create(&temporary)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&temporary, self.path.join(META))?;
        self.sync()
    }

    /// Forgets the clean-shutdown mark: from here on a crash leaves tails to scan.
    pub fn mark_dirty(&self) -> io::Result<()> {
        match fs::remove_file(self.path.join(CLEAN_SHUTDOWN)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
            Ok(()) => self.sync(),
        }
    }

    /// Says that every log was closed in order.
    pub fn mark_clean(&self) -> io::Result<()> {
        let mut file = File::create(self.path.join(CLEAN_SHUTDOWN))?;
        file.write_all(b"{\"version\":0,\"brokerEpoch\":-1}")?;
        file.sync_all()?;
        self.sync()
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }
}

fn read_meta(path: &Path) -> Result<Option<Meta>, Error> {
    let file = path.join(META);
    let text = match fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(Error::Io { path: file, source }),
    };
    let bad = |why: String| Error::BadMeta { path: file.clone(), why };
    let value = |key: &str| {
        text.lines()
            .find_map(|line| line.trim().strip_prefix(key)?.trim_start().strip_prefix('=').map(|v| v.trim().to_owned()))
    };
    let need = |key: &str| value(key).ok_or_else(|| bad(format!("{key} is missing")));
    let node: i32 = need("node.id")?.parse().map_err(|_| bad("node.id is not a number".to_owned()))?;
    let directory_id = need("directory.id")?.parse().map_err(|error| bad(format!("{error}")))?;
    let meta = Meta { node: NodeId(node), cluster_id: need("cluster.id")?, directory_id };
    if value(FORMAT).is_none() {
        return Err(Error::Kafkas { path: path.to_owned() });
    }
    Ok(Some(meta))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_claimed_once_and_then_known_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut dir = DataDir::open(folder.path(), NodeId(1)).unwrap();
        assert_eq!(dir.meta, None);
        dir.claim(NodeId(1), "here", [1; 16]).unwrap();
        let meta = dir.meta.clone();
        drop(dir);
        assert_eq!(DataDir::open(folder.path(), NodeId(1)).unwrap().meta, meta);
    }

    #[test]
    fn another_nodes_or_clusters_directory_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        DataDir::open(folder.path(), NodeId(1)).unwrap().claim(NodeId(1), "here", [1; 16]).unwrap();
        assert!(matches!(DataDir::open(folder.path(), NodeId(2)), Err(Error::OtherNode { found: 1, ours: 2, .. })));
        let mut dir = DataDir::open(folder.path(), NodeId(1)).unwrap();
        assert!(matches!(dir.claim(NodeId(1), "there", [2; 16]), Err(Error::OtherCluster { .. })));
    }

    #[test]
    fn directories_are_looked_at_without_a_trace_and_kafkas_is_none_of_ours() {
        let folder = tempfile::tempdir().unwrap();
        let paths = ["a", "b", "none"].map(|name| folder.path().join(name)).to_vec();
        for (path, cluster) in paths.iter().zip(["here", "there"]) {
            DataDir::open(path, NodeId(1)).unwrap().claim(NodeId(1), cluster, [1; 16]).unwrap();
        }
        assert!(matches!(look(&paths, NodeId(1)), Err(Error::OtherCluster { .. })));
        assert!(matches!(look(&paths, NodeId(2)), Err(Error::OtherNode { .. })));
        assert_eq!(look(&paths[1..], NodeId(1)).unwrap().as_deref(), Some("there"));
        assert!(!paths[2].exists());
        let meta = paths[0].join(META);
        let ours = fs::read_to_string(&meta).unwrap();
        fs::write(&meta, ours.lines().filter(|line| !line.starts_with(FORMAT)).collect::<Vec<_>>().join("\n")).unwrap();
        assert!(matches!(look(&paths, NodeId(1)), Err(Error::Kafkas { .. })));
    }

    #[test]
    fn partitions_without_an_owner_are_refused_and_other_things_are_no_partitions() {
        let folder = tempfile::tempdir().unwrap();
        let paths = [folder.path().to_owned()];
        for harmless in ["lost+found", "-1", "a-", "a-1x"] {
            fs::create_dir(paths[0].join(harmless)).unwrap();
        }
        fs::write(paths[0].join("file-1"), "").unwrap();
        assert_eq!(look(&paths, NodeId(1)).unwrap(), None);
        for data in ["t-12", "t-1.00ff-delete", "__cluster_metadata-0"] {
            fs::create_dir(paths[0].join(data)).unwrap();
            let refused = look(&paths, NodeId(1));
            assert!(matches!(&refused, Err(Error::Unclaimed { found, .. }) if found == data), "{data}: {refused:?}");
        }
    }

    #[test]
    fn a_second_process_is_refused_while_the_first_lives() {
        let folder = tempfile::tempdir().unwrap();
        let first = DataDir::open(folder.path(), NodeId(1)).unwrap();
        assert!(matches!(DataDir::open(folder.path(), NodeId(1)), Err(Error::Locked { .. })));
        drop(first);
        assert!(DataDir::open(folder.path(), NodeId(1)).is_ok());
    }

    #[test]
    fn the_clean_mark_holds_for_one_start() {
        let folder = tempfile::tempdir().unwrap();
        let dir = DataDir::open(folder.path(), NodeId(1)).unwrap();
        assert!(!dir.was_clean);
        dir.mark_clean().unwrap();
        drop(dir);
        let dir = DataDir::open(folder.path(), NodeId(1)).unwrap();
        assert!(dir.was_clean);
        dir.mark_dirty().unwrap();
        drop(dir);
        assert!(!DataDir::open(folder.path(), NodeId(1)).unwrap().was_clean);
    }
}
