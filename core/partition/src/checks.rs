//! What a topic asks of a client's batch before it is appended: size, times, codec.

use model::{Codec, TimestampMs, ValidBatch};

use crate::config::Config;
use crate::produce::ProduceError;

/// What one batch may inflate to where it must be inflated: larger ones are refused.
const INFLATED_BYTES_MAX: usize = 256 << 20;

/// Checks `batch` against the topic's settings and repacks it where the topic has a codec of its own.
///
/// Times are judged by the batch's header, as its producer filled it in; only where the topic bounds how old a record may
/// be, every record is looked at.
pub(crate) fn admit(config: &Config, batch: &mut ValidBatch, now: TimestampMs) -> Result<(), ProduceError> {
    check_size(config, batch)?;
    if let Some(limit) = config.compressed_record_bytes_max
        && batch.codec() != Codec::None as u8
    {
        batch.check_record_sizes(limit, INFLATED_BYTES_MAX)?;
    }
    if !config.log.log_append_time {
        if batch.is_log_append_time() {
            // Only a leader gives such times, and this topic's does not.
            batch.drop_append_time();
        }
        check_times(config, batch, now)?;
    }
    if let Some(wanted) = config.compression
        && batch.codec() != wanted.codec as u8
    {
        *batch = batch.recompress(wanted.codec, wanted.level, INFLATED_BYTES_MAX)?;
        check_size(config, batch)?;
    }
    Ok(())
}

fn check_size(config: &Config, batch: &ValidBatch) -> Result<(), ProduceError> {
    let (bytes, limit) = (batch.size_bytes(), config.message_bytes_max);
    if bytes > limit { Err(ProduceError::TooLarge { bytes, limit }) } else { Ok(()) }
}

fn check_times(config: &Config, batch: &ValidBatch, now: TimestampMs) -> Result<(), ProduceError> {
    let bounds = config.timestamps;
    let too_new = |at: TimestampMs| at != TimestampMs::NONE && at - now > bounds.after_max_ms;
    let too_old = |at: TimestampMs| at != TimestampMs::NONE && now - at > bounds.before_max_ms;
    let newest = batch.max_timestamp();
    // Nothing is inflated but to find records that are too old.
    let unbounded_past = bounds.before_max_ms == i64::MAX;
    match too_new(newest) {
        false if unbounded_past => return Ok(()),
        true if unbounded_past && batch.codec() != 0 => {
            return Err(ProduceError::BadTimestamp { timestamp: newest, records: Vec::new() });
        }
        _ => {}
    }
    let (mut first, mut records) = (None, Vec::new());
    for (place, record) in (0..).zip(batch.records(INFLATED_BYTES_MAX)?) {
        let at = record?.timestamp;
        if too_new(at) || too_old(at) {
            first.get_or_insert(at);
            records.push(place);
        }
    }
    match first.or(too_new(newest).then_some(newest)) {
        Some(timestamp) => Err(ProduceError::BadTimestamp { timestamp, records }),
        None => Ok(()),
    }
}
