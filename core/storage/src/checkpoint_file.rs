//! Kafka's checkpoint files of a whole log directory: `recovery-point-offset-checkpoint`, `log-start-offset-checkpoint`,
//! `replication-offset-checkpoint`. One offset for each partition, as text.
//!
//! ```text
//!  0
//!  2
//!  orders 0 1234
//!  orders 1 0
//! ```

use std::path::Path;

use model::Offset;

use crate::disk::{Disk, DiskError, Trying as _};

pub const RECOVERY_POINTS: &str = "recovery-point-offset-checkpoint";
pub const LOG_STARTS: &str = "log-start-offset-checkpoint";
pub const HIGH_WATERMARKS: &str = "replication-offset-checkpoint";

/// One line: topic, partition, offset.
pub type Entry = (String, i32, Offset);

/// Why a checkpoint file is not used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error("line {line} of {file} is not '{expected}'")]
    Malformed { file: String, line: usize, expected: &'static str },
}

/// Replaces the file at `path` durably.
pub fn write<D: Disk>(
    disk: &D,
    path: &Path,
    entries: impl ExactSizeIterator<Item = (impl AsRef<str>, i32, Offset)>,
) -> Result<(), DiskError> {
    let mut text = format!("0\n{}\n", entries.len());
    for (topic, partition, offset) in entries {
        text.push_str(&format!("{} {partition} {offset}\n", topic.as_ref()));
    }
    disk.replace(path, text.as_bytes(), true).trying("replace", path)
}

/// Reads the file at `path`; no file, no entries.
pub fn read<D: Disk>(disk: &D, path: &Path) -> Result<Vec<Entry>, Error> {
    let bytes = match disk.read(path).trying("read", path) {
        Err(error) if error.is_not_found() => return Ok(Vec::new()),
        other => other?,
    };
    parse(&String::from_utf8_lossy(&bytes)).map_err(|(line, expected)| Error::Malformed {
        file: path.display().to_string(),
        line,
        expected,
    })
}

fn parse(text: &str) -> Result<Vec<Entry>, (usize, &'static str)> {
    let mut lines = text.lines();
    if lines.next().map(str::trim) != Some("0") {
        return Err((1, "0"));
    }
    let count: usize = lines.next().and_then(|line| line.trim().parse().ok()).ok_or((2, "a count"))?;
    let mut entries = Vec::new();
    for (at, line) in lines.take(count).enumerate() {
        let mut words = line.split_whitespace();
        let entry =
            (|| Some((words.next()?.to_owned(), words.next()?.parse().ok()?, Offset(words.next()?.parse().ok()?))))();
        entries.push(entry.filter(|_| words.next().is_none()).ok_or((at + 3, "topic partition offset"))?);
    }
    if entries.len() == count { Ok(entries) } else { Err((entries.len() + 3, "topic partition offset")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::sim::SimDisk;

    #[test]
    fn a_checkpoint_survives_a_power_loss() {
        let disk = SimDisk::new();
        disk.create_dir(Path::new("/d")).unwrap();
        let path = Path::new("/d").join(RECOVERY_POINTS);
        assert_eq!(read(&disk, &path).unwrap(), []);
        let entries: Vec<Entry> = vec![("orders".to_owned(), 0, Offset(1234)), ("orders".to_owned(), 1, Offset(0))];
        write(&disk, &path, entries.iter().map(|(topic, partition, offset)| (topic, *partition, *offset))).unwrap();
        disk.lose_all_unsynced();
        assert_eq!(disk.read(&path).unwrap(), b"0\n2\norders 0 1234\norders 1 0\n");
        assert_eq!(read(&disk, &path).unwrap(), entries);
    }

    #[test]
    fn malformed_lines_are_named() {
        assert_eq!(parse("1\n0\n"), Err((1, "0")));
        assert_eq!(parse("0\nmany\n"), Err((2, "a count")));
        assert_eq!(parse("0\n2\norders 0 1\n"), Err((4, "topic partition offset")));
        assert_eq!(parse("0\n1\norders 0 1 2\n"), Err((3, "topic partition offset")));
        assert_eq!(parse("0\n0\n"), Ok(vec![]));
    }
}
