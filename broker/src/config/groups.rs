//! Consumer groups, their committed offsets, transactions, and idempotent producers.

use super::error::Error;
use super::reader::Reader;

/// Classic consumer groups. The keys of the newer group protocols stay without meaning until those are served.
#[derive(Clone, Debug, PartialEq)]
pub struct Groups {
    /// `group.min.session.timeout.ms`.
    pub session_timeout_ms_min: i32,
    /// `group.max.session.timeout.ms`.
    pub session_timeout_ms_max: i32,
    /// `group.initial.rebalance.delay.ms`: an empty group waits so long for more members than the first.
    pub initial_rebalance_delay_ms: i32,
    /// `group.max.size`: members of one group.
    pub members_max: i32,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Offsets {
    /// `offsets.topic.num.partitions`.
    pub partitions: i32,
    /// `offsets.topic.replication.factor`.
    pub replication_factor: i16,
    /// `offsets.topic.segment.bytes`.
    pub segment_bytes: i32,
    /// `offsets.topic.compression.codec`: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd.
    pub compression_codec: i32,
    /// `offsets.retention.minutes`.
    pub retention_minutes: i32,
    /// `offsets.retention.check.interval.ms`.
    pub retention_check_interval_ms: i64,
    /// `offsets.commit.timeout.ms`.
    pub commit_timeout_ms: i32,
    /// `offset.metadata.max.bytes`: the longest note beside one committed offset.
    pub metadata_bytes_max: i32,
}

/// Kept for the issue that serves transactions.
#[derive(Clone, Debug, PartialEq)]
pub struct Transactions {
    /// `transaction.max.timeout.ms`.
    pub timeout_ms_max: i32,
    /// `transactional.id.expiration.ms`.
    pub id_expiration_ms: i32,
    /// `transaction.state.log.num.partitions`.
    pub partitions: i32,
    /// `transaction.state.log.replication.factor`.
    pub replication_factor: i16,
    /// `transaction.state.log.min.isr`.
    pub in_sync_replicas_min: i32,
    /// `transaction.state.log.segment.bytes`.
    pub segment_bytes: i32,
    /// `transaction.abort.timed.out.transaction.cleanup.interval.ms`.
    pub abort_check_interval_ms: i32,
    /// `transaction.remove.expired.transaction.cleanup.interval.ms`.
    pub expiration_check_interval_ms: i32,
    /// `transaction.partition.verification.enable`.
    pub verify_partitions: bool,
    /// `transaction.two.phase.commit.enable`.
    pub two_phase_commit: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Producers {
    /// `producer.id.expiration.check.interval.ms`.
    pub id_expiration_check_interval_ms: i32,
}

const INT: i32 = i32::MAX;

impl Groups {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        const MAX: &str = "group.max.session.timeout.ms";
        let groups = Self {
            session_timeout_ms_min: reader.number("group.min.session.timeout.ms", 6000, 0..=INT)?,
            session_timeout_ms_max: reader.number(MAX, 1_800_000, 0..=INT)?,
            initial_rebalance_delay_ms: reader.number("group.initial.rebalance.delay.ms", 3000, 0..=INT)?,
            members_max: reader.number("group.max.size", INT, 1..=INT)?,
        };
        if groups.session_timeout_ms_min > groups.session_timeout_ms_max {
            return Err(Error::Conflict(format!(
                "group.min.session.timeout.ms is {} and {MAX} is {}: no session could have an allowed timeout",
                groups.session_timeout_ms_min, groups.session_timeout_ms_max
            )));
        }
        Ok(groups)
    }
}

impl Offsets {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        Ok(Self {
            partitions: reader.number("offsets.topic.num.partitions", 50, 1..=INT)?,
            replication_factor: reader.number("offsets.topic.replication.factor", 3, 1..=i16::MAX)?,
            segment_bytes: reader.number("offsets.topic.segment.bytes", 104_857_600, 1..=INT)?,
            compression_codec: reader.number("offsets.topic.compression.codec", 0, 0..=4)?,
            retention_minutes: reader.number("offsets.retention.minutes", 10_080, 1..=INT)?,
            retention_check_interval_ms: reader.number("offsets.retention.check.interval.ms", 600_000, 1..=i64::MAX)?,
            commit_timeout_ms: reader.number("offsets.commit.timeout.ms", 5000, 1..=INT)?,
            metadata_bytes_max: reader.number("offset.metadata.max.bytes", 4096, 0..=INT)?,
        })
    }
}

impl Transactions {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        Ok(Self {
            timeout_ms_max: reader.number("transaction.max.timeout.ms", 900_000, 1..=INT)?,
            id_expiration_ms: reader.number("transactional.id.expiration.ms", 604_800_000, 1..=INT)?,
            partitions: reader.number("transaction.state.log.num.partitions", 50, 1..=INT)?,
            replication_factor: reader.number("transaction.state.log.replication.factor", 3, 1..=i16::MAX)?,
            in_sync_replicas_min: reader.number("transaction.state.log.min.isr", 2, 1..=INT)?,
            segment_bytes: reader.number("transaction.state.log.segment.bytes", 104_857_600, 1..=INT)?,
            abort_check_interval_ms: reader.number(
                "transaction.abort.timed.out.transaction.cleanup.interval.ms",
                10_000,
                1..=INT,
            )?,
            expiration_check_interval_ms: reader.number(
                "transaction.remove.expired.transaction.cleanup.interval.ms",
                3_600_000,
                1..=INT,
            )?,
            verify_partitions: reader.boolean("transaction.partition.verification.enable", true)?,
            two_phase_commit: reader.boolean("transaction.two.phase.commit.enable", false)?,
        })
    }
}

impl Producers {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        // May change at run time: what is in effect, the image says.
        reader.number("producer.id.expiration.ms", 86_400_000, 1..=INT)?;
        Ok(Self {
            id_expiration_check_interval_ms: reader.number(
                "producer.id.expiration.check.interval.ms",
                600_000,
                1..=INT,
            )?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::properties::Properties;

    #[test]
    fn session_timeouts_must_leave_a_range() {
        let properties = Properties::parse("group.min.session.timeout.ms=10\ngroup.max.session.timeout.ms=9").unwrap();
        let told = Groups::read(&mut Reader::new(&properties)).unwrap_err().to_string();
        assert!(told.contains("group.min.session.timeout.ms is 10"), "{told}");
    }

    #[test]
    fn defaults_are_kafkas() {
        let properties = Properties::default();
        let mut reader = Reader::new(&properties);
        let offsets = Offsets::read(&mut reader).unwrap();
        assert_eq!((offsets.partitions, offsets.replication_factor, offsets.retention_minutes), (50, 3, 10_080));
        assert_eq!(Groups::read(&mut reader).unwrap().session_timeout_ms_max, 1_800_000);
        assert_eq!(Transactions::read(&mut reader).unwrap().timeout_ms_max, 900_000);
        assert_eq!(Producers::read(&mut reader).unwrap().id_expiration_check_interval_ms, 600_000);
    }
}
