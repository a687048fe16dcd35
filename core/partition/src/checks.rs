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
    let newest = batch.max_timestamp();
    if newest != TimestampMs::NONE && newest.0.saturating_sub(now.0) > bounds.after_max_ms {
        return Err(ProduceError::BadTimestamp { timestamp: newest });
    }
    if bounds.before_max_ms == i64::MAX {
        return Ok(());
    }
    let too_old = |at: TimestampMs| at != TimestampMs::NONE && now.0.saturating_sub(at.0) > bounds.before_max_ms;
    for record in batch.records(INFLATED_BYTES_MAX)? {
        let at = record?.timestamp;
        if too_old(at) {
            return Err(ProduceError::BadTimestamp { timestamp: at });
        }
    }
    Ok(())
}
