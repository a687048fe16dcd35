//! Where logs lie and how they are kept; what a topic gets that says nothing.
//!
//! Topic defaults (`log.retention.ms` and its like) are checked here and kept as text in `Config::statics`: the
//! metadata room resolves them together with dynamic and topic configs.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::error::Error;
use super::reader::Reader;

#[derive(Clone, Debug, PartialEq)]
pub struct Logs {
    /// `log.dirs`, else `log.dir`, else a folder in the system's temporary one, as in Kafka; never empty, none twice.
    pub dirs: Vec<PathBuf>,
    /// `metadata.log.dir`, else the first of `dirs`.
    pub metadata_dir: PathBuf,
    /// `log.retention.check.interval.ms`.
    pub retention_check_interval_ms: i64,
    /// `log.flush.scheduler.interval.ms`: how often flush.ms is looked at; `i64::MAX` when not written.
    pub flush_scheduler_interval_ms: i64,
    /// `log.flush.offset.checkpoint.interval.ms`.
    pub recovery_checkpoint_interval_ms: i64,
    /// `log.flush.start.offset.checkpoint.interval.ms`.
    pub start_checkpoint_interval_ms: i64,
    /// `log.initial.task.delay.ms`: upkeep begins so long after the start.
    pub initial_task_delay_ms: i64,
    /// `milena.disk.free.bytes.min`: produces are refused (retriably) while a directory's disk has less room.
    pub disk_free_bytes_min: u64,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Topics {
    /// `num.partitions`.
    pub partitions: i32,
    /// `default.replication.factor`.
    pub replication_factor: i16,
    /// `auto.create.topics.enable`.
    pub auto_create: bool,
    /// `delete.topic.enable`.
    pub delete: bool,
    /// `message.max.bytes`: the longest batch of a topic that does not say otherwise.
    pub batch_bytes_max: i32,
}

/// What the value of a topic default may be.
enum Kind {
    Int(i32, i32),
    Long(i64, i64),
    /// A time or a size where -1 stands for no limit and 0 is refused, as Kafka does.
    Limit,
    Boolean,
    Ratio,
    OneOf(&'static [&'static str]),
    SeveralOf(&'static [&'static str]),
}

const INT: i32 = i32::MAX;
const LONG: i64 = i64::MAX;

/// The broker keys that stand for a topic config.
const TOPIC_DEFAULTS: &[(&str, Kind)] = &[
    ("compression.gzip.level", Kind::Int(-1, 9)),
    ("compression.lz4.level", Kind::Int(1, 17)),
    ("compression.type", Kind::OneOf(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"])),
    ("compression.zstd.level", Kind::Int(-131_072, 22)),
    ("log.cleaner.delete.retention.ms", Kind::Long(0, LONG)),
    ("log.cleaner.max.compaction.lag.ms", Kind::Long(1, LONG)),
    ("log.cleaner.min.cleanable.ratio", Kind::Ratio),
    ("log.cleaner.min.compaction.lag.ms", Kind::Long(0, LONG)),
    ("log.cleanup.policy", Kind::SeveralOf(&["compact", "delete"])),
    ("log.flush.interval.messages", Kind::Long(1, LONG)),
    ("log.flush.interval.ms", Kind::Long(0, LONG)),
    ("log.index.interval.bytes", Kind::Int(0, INT)),
    ("log.index.size.max.bytes", Kind::Int(4, INT)),
    ("log.local.retention.bytes", Kind::Long(-2, LONG)),
    ("log.local.retention.ms", Kind::Long(-2, LONG)),
    ("log.message.timestamp.after.max.ms", Kind::Long(0, LONG)),
    ("log.message.timestamp.before.max.ms", Kind::Long(0, LONG)),
    ("log.message.timestamp.type", Kind::OneOf(&["CreateTime", "LogAppendTime"])),
    ("log.preallocate", Kind::Boolean),
    ("log.remote.copy.lag.bytes", Kind::Long(-1, LONG)),
    ("log.remote.copy.lag.ms", Kind::Long(-1, LONG)),
    ("log.retention.bytes", Kind::Long(i64::MIN, LONG)),
    ("log.retention.hours", Kind::Limit),
    ("log.retention.minutes", Kind::Limit),
    ("log.retention.ms", Kind::Limit),
    ("log.roll.hours", Kind::Int(1, INT)),
    ("log.roll.jitter.hours", Kind::Int(0, INT)),
    ("log.roll.jitter.ms", Kind::Long(0, LONG)),
    ("log.roll.ms", Kind::Long(1, LONG)),
    ("log.segment.bytes", Kind::Int(1 << 20, INT)),
    ("log.segment.delete.delay.ms", Kind::Long(0, LONG)),
    ("max.decompressed.message.bytes", Kind::Int(1, 2_147_483_639)),
    ("min.insync.replicas", Kind::Int(1, INT)),
    ("unclean.leader.election.enable", Kind::Boolean),
];

impl Logs {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let dirs = read_dirs(reader)?;
        let metadata_dir = match reader.text("metadata.log.dir") {
            Some(dir) => PathBuf::from(dir),
            None => dirs[0].clone(),
        };
        Ok(Self {
            dirs,
            metadata_dir,
            retention_check_interval_ms: reader.number("log.retention.check.interval.ms", 300_000, 1..=LONG)?,
            flush_scheduler_interval_ms: reader.number("log.flush.scheduler.interval.ms", LONG, 1..=LONG)?,
            recovery_checkpoint_interval_ms: reader
                .number("log.flush.offset.checkpoint.interval.ms", 60_000, 0..=INT)?
                .into(),
            start_checkpoint_interval_ms: reader
                .number("log.flush.start.offset.checkpoint.interval.ms", 60_000, 0..=INT)?
                .into(),
            initial_task_delay_ms: reader.number("log.initial.task.delay.ms", 30_000, 0..=LONG)?,
            disk_free_bytes_min: reader.number("milena.disk.free.bytes.min", 64 << 20, 0..=u64::MAX)?,
        })
    }
}

impl Topics {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        check_topic_defaults(reader)?;
        let replication_factor = reader.number("default.replication.factor", 1, 1..=i16::MAX)?;
        Ok(Self {
            partitions: reader.number("num.partitions", 1, 1..=INT)?,
            replication_factor,
            auto_create: reader.boolean("auto.create.topics.enable", true)?,
            delete: reader.boolean("delete.topic.enable", true)?,
            batch_bytes_max: reader.number("message.max.bytes", 1_048_588, 0..=INT)?,
        })
    }
}

fn read_dirs(reader: &mut Reader<'_>) -> Result<Vec<PathBuf>, Error> {
    let (several, single) = (reader.list("log.dirs"), reader.list("log.dir"));
    let (key, dirs) = match (several, single) {
        (Some(dirs), _) => ("log.dirs", dirs),
        (None, Some(dirs)) => ("log.dir", dirs),
        (None, None) => return Ok(vec![std::env::temp_dir().join("kafka-logs")]),
    };
    let distinct: BTreeSet<&str> = dirs.iter().map(|dir| dir.trim_end_matches('/')).collect();
    if dirs.iter().any(|dir| dir.is_empty()) || distinct.len() != dirs.len() {
        return Err(reader.refuse(key, "directories, several with commas, none empty and none twice"));
    }
    Ok(dirs.into_iter().map(PathBuf::from).collect())
}

fn check_topic_defaults(reader: &mut Reader<'_>) -> Result<(), Error> {
    for (key, kind) in TOPIC_DEFAULTS {
        match kind {
            Kind::Int(from, to) => drop(reader.optional_number(key, *from..=*to)?),
            Kind::Long(from, to) => drop(reader.optional_number(key, *from..=*to)?),
            Kind::Limit => {
                if reader.optional_number(key, -1..=LONG)? == Some(0) {
                    return Err(reader.refuse(key, "-1 for no limit, or a number of at least 1"));
                }
            }
            Kind::Boolean => drop(reader.boolean(key, false)?),
            Kind::Ratio => drop(reader.optional_number(key, 0.0..=1.0)?),
            Kind::OneOf(words) => {
                if reader.entry(key).is_some_and(|entry| !words.contains(&entry.value.as_str())) {
                    return Err(reader.refuse(key, format!("one of {}", words.join(", "))));
                }
            }
            Kind::SeveralOf(words) => {
                if reader.list(key).is_some_and(|items| items.iter().any(|item| !words.contains(item))) {
                    return Err(reader.refuse(key, format!("some of {}, with commas", words.join(", "))));
                }
            }
        }
    }
    if reader.list("log.cleanup.policy").is_some_and(|items| items.contains(&"compact")) {
        let why =
            "log.cleanup.policy=compact: log compaction comes in a later issue, for now it must be delete or empty";
        return Err(Error::Unsupported(why.to_owned()));
    }
    // Zero is a level for every codec but this one, which counts from 1 or takes -1 for its own choice.
    if reader.optional_number("compression.gzip.level", -1..=9)? == Some(0) {
        return Err(reader.refuse("compression.gzip.level", "-1, or a number from 1 to 9"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::properties::Properties;

    fn logs(text: &str) -> Result<Logs, String> {
        Logs::read(&mut Reader::new(&Properties::parse(text).unwrap())).map_err(|error| error.to_string())
    }

    fn topics(text: &str) -> Result<Topics, String> {
        Topics::read(&mut Reader::new(&Properties::parse(text).unwrap())).map_err(|error| error.to_string())
    }

    #[test]
    fn log_dirs_goes_before_log_dir() {
        let both = logs("log.dirs=/a, /b\nlog.dir=/c").unwrap();
        assert_eq!(both.dirs, [PathBuf::from("/a"), PathBuf::from("/b")]);
        assert_eq!(both.metadata_dir, PathBuf::from("/a"));
        let one = logs("log.dir=/c\nmetadata.log.dir=/m").unwrap();
        assert_eq!((one.dirs, one.metadata_dir), (vec![PathBuf::from("/c")], PathBuf::from("/m")));
        assert!(logs("").unwrap().dirs[0].ends_with("kafka-logs"));
        for bad in ["log.dirs=/a,,/b", "log.dirs=/a,/a", "log.dir=/a,/a/"] {
            assert!(logs(bad).unwrap_err().contains("none twice"), "{bad}");
        }
    }

    #[test]
    fn topic_defaults_are_checked_as_kafka_checks_them() {
        let good = "log.retention.ms=-1\nlog.retention.hours=168\nlog.segment.bytes=1048576\nlog.cleanup.policy=delete\n\
                    log.cleaner.min.cleanable.ratio=0.5\ncompression.type=zstd\nlog.preallocate=TRUE\ncompression.gzip.level=-1";
        assert!(topics(good).is_ok());
        assert!(topics("log.cleanup.policy=").is_ok(), "an empty policy keeps everything");
        assert!(topics("log.cleanup.policy=delete,compact").unwrap_err().contains("compaction comes in a later issue"));
        for (bad, allowed) in [
            ("log.retention.ms=0", "-1 for no limit, or a number of at least 1"),
            ("log.retention.minutes=-2", "a number of at least -1"),
            ("log.segment.bytes=1000", "a number of at least 1048576"),
            ("log.cleanup.policy=compact,keep", "some of compact, delete, with commas"),
            ("compression.type=brotli", "one of uncompressed, zstd, lz4, snappy, gzip, producer"),
            ("compression.gzip.level=0", "-1, or a number from 1 to 9"),
            ("log.preallocate=1", "true or false"),
            ("log.cleaner.min.cleanable.ratio=1.1", "a number from 0 to 1"),
            ("num.partitions=0", "a number of at least 1"),
            ("default.replication.factor=40000", "a number from 1 to 32767"),
        ] {
            assert_eq!(topics(bad).unwrap_err(), format!("{bad} (line 1): must be {allowed}"));
        }
    }
}
