//! `log.state`: everything about a log that would otherwise have to be read out of its other files, as of one moment. Ours,
//! not Kafka's, which ignores it. With it, opening a log that was closed in order reads this one small file, and a
//! recovery after kill -9 scans only what was appended behind it. Replaced every few seconds, at each roll, at close.
//!
//! It speaks of the page cache, which a power loss empties. So it names the boot of the system that it was written in:
//! in another boot only what lies below its recovery point is believed.

use model::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, TimestampMs, TopicId};

use crate::codec::{Put, Reader};
use crate::config::TimestampOffset;
use crate::disk::BootId;
use crate::producer_state::{BATCHES_KEPT, ProducerState, ProducerStates, WrittenBatch};

const MAGIC: [u8; 4] = *b"MLNs";
const VERSION: u8 = 1;
const COVERED_FROM: usize = 9;

/// A log as of one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct State {
    pub boot: BootId,
    /// Written by close: there is nothing behind it.
    pub clean: bool,
    pub topic_id: Option<TopicId>,
    pub start: Offset,
    pub end: Offset,
    pub recovery_point: Offset,
    /// Where the last batch of the last segment begins.
    pub last_batch_position: u64,
    /// At least one; the last is active.
    pub segments: Vec<SegmentState>,
    pub epochs: Vec<(LeaderEpoch, Offset)>,
}

/// A segment as of one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentState {
    pub base: Offset,
    pub size: u64,
    pub largest: TimestampOffset,
    pub first_timestamp: TimestampMs,
    pub created: TimestampMs,
    pub since_index: u32,
    pub on_disk: bool,
    /// Entries in the files of the indexes.
    pub offset_entries: u32,
    pub time_entries: u32,
    pub last_time_entry: TimestampMs,
    pub aborted_entries: u32,
}

const SEGMENT_BYTES: usize = 69;
const PRODUCER_BYTES_MIN: usize = 31;

pub(crate) fn encode(state: &State, producers: &ProducerStates, out: &mut Vec<u8>) {
    out.clear();
    out.put(&MAGIC);
    out.put_u8(VERSION);
    out.put_u32(0);
    out.put(&state.boot);
    out.put_u8(u8::from(state.clean));
    out.put(&state.topic_id.unwrap_or(TopicId::ZERO).0);
    out.put_i64(state.start.0);
    out.put_i64(state.end.0);
    out.put_i64(state.recovery_point.0);
    out.put_i64(state.last_batch_position as i64);
    out.put_i32(state.segments.len() as i32);
    for segment in &state.segments {
        out.put_i64(segment.base.0);
        out.put_i64(segment.size as i64);
        out.put_i64(segment.largest.timestamp.0);
        out.put_i64(segment.largest.offset.0);
        out.put_i64(segment.first_timestamp.0);
        out.put_i64(segment.created.0);
        out.put_u32(segment.since_index);
        out.put_u8(u8::from(segment.on_disk));
        out.put_u32(segment.offset_entries);
        out.put_u32(segment.time_entries);
        out.put_i64(segment.last_time_entry.0);
        out.put_u32(segment.aborted_entries);
    }
    out.put_i32(state.epochs.len() as i32);
    for (epoch, start) in &state.epochs {
        out.put_i32(epoch.0);
        out.put_i64(start.0);
    }
    out.put_i32(producers.len() as i32);
    for (producer, state) in producers.iter() {
        out.put_i64(producer.0);
        out.put_i16(state.epoch.0);
        out.put_i32(state.coordinator_epoch);
        out.put_i64(state.last_timestamp.0);
        out.put_i64(state.txn_first_offset.unwrap_or(Offset::NONE).0);
        out.put_u8(state.batches().count() as u8);
        for batch in state.batches() {
            out.put_i32(batch.last_sequence);
            out.put_i64(batch.last_offset.0);
            out.put_i32(batch.offset_delta);
            out.put_i64(batch.timestamp.0);
        }
    }
    let crc = crc32c::crc32c(&out[COVERED_FROM..]);
    out[COVERED_FROM - 4..COVERED_FROM].copy_from_slice(&crc.to_be_bytes());
}

/// `None` where the bytes are not a whole state: torn, damaged or of another version.
pub(crate) fn decode(bytes: &[u8]) -> Option<(State, ProducerStates)> {
    let mut reader = Reader(bytes);
    if reader.array()? != MAGIC || reader.u8()? != VERSION || reader.u32()? != crc32c::crc32c(reader.0) {
        return None;
    }
    let boot = reader.array()?;
    let clean = reader.u8()? == 1;
    let topic_id = Some(TopicId(reader.array()?)).filter(|id| *id != TopicId::ZERO);
    let start = Offset(reader.i64()?);
    let end = Offset(reader.i64()?);
    let recovery_point = Offset(reader.i64()?);
    let last_batch_position = u64::try_from(reader.i64()?).ok()?;
    let mut segments = Vec::new();
    for _ in 0..reader.count(SEGMENT_BYTES)? {
        segments.push(SegmentState {
            base: Offset(reader.i64()?),
            size: u64::try_from(reader.i64()?).ok()?,
            largest: TimestampOffset { timestamp: TimestampMs(reader.i64()?), offset: Offset(reader.i64()?) },
            first_timestamp: TimestampMs(reader.i64()?),
            created: TimestampMs(reader.i64()?),
            since_index: reader.u32()?,
            on_disk: reader.u8()? == 1,
            offset_entries: reader.u32()?,
            time_entries: reader.u32()?,
            last_time_entry: TimestampMs(reader.i64()?),
            aborted_entries: reader.u32()?,
        });
    }
    let mut epochs = Vec::new();
    for _ in 0..reader.count(12)? {
        epochs.push((LeaderEpoch(reader.i32()?), Offset(reader.i64()?)));
    }
    let mut producers = ProducerStates::default();
    for _ in 0..reader.count(PRODUCER_BYTES_MIN)? {
        let producer = ProducerId(reader.i64()?);
        let mut state = ProducerState::new(ProducerEpoch(reader.i16()?));
        state.coordinator_epoch = reader.i32()?;
        state.last_timestamp = TimestampMs(reader.i64()?);
        state.txn_first_offset = Some(Offset(reader.i64()?)).filter(|offset| offset.0 >= 0);
        for _ in 0..usize::from(reader.u8()?).min(BATCHES_KEPT) {
            state.push(WrittenBatch {
                last_sequence: reader.i32()?,
                last_offset: Offset(reader.i64()?),
                offset_delta: reader.i32()?,
                timestamp: TimestampMs(reader.i64()?),
            });
        }
        producers.insert(producer, state);
    }
    let ascending = segments.is_sorted_by(|a, b| a.base < b.base);
    let well = !segments.is_empty() && ascending && start <= end && reader.0.is_empty();
    let state = State { boot, clean, topic_id, start, end, recovery_point, last_batch_position, segments, epochs };
    well.then_some((state, producers))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> (State, ProducerStates) {
        let segment = SegmentState {
            base: Offset(0),
            size: 10_000,
            largest: TimestampOffset { timestamp: TimestampMs(5), offset: Offset(6) },
            first_timestamp: TimestampMs(1),
            created: TimestampMs(2),
            since_index: 77,
            on_disk: true,
            offset_entries: 3,
            time_entries: 2,
            last_time_entry: TimestampMs(4),
            aborted_entries: 1,
        };
        let mut producers = ProducerStates::default();
        let mut producer = ProducerState::new(ProducerEpoch(1));
        producer.txn_first_offset = Some(Offset(80));
        for n in 0..5 {
            producer.push(WrittenBatch {
                last_sequence: n,
                last_offset: Offset(80 + i64::from(n)),
                offset_delta: 0,
                timestamp: TimestampMs(9),
            });
        }
        producers.insert(ProducerId(9), producer);
        let state = State {
            boot: [7; 16],
            clean: true,
            topic_id: Some(TopicId([3; 16])),
            start: Offset(4),
            end: Offset(100),
            recovery_point: Offset(50),
            last_batch_position: 321,
            segments: vec![segment, SegmentState { base: Offset(60), ..segment }],
            epochs: vec![(LeaderEpoch(0), Offset(0)), (LeaderEpoch(4), Offset(60))],
        };
        (state, producers)
    }

    #[test]
    fn a_state_reads_back() {
        let (state, producers) = state();
        let mut bytes = Vec::new();
        encode(&state, &producers, &mut bytes);
        assert_eq!(decode(&bytes), Some((state, producers)));
    }

    #[test]
    fn a_damaged_state_is_refused_wherever_the_damage() {
        let (state, producers) = state();
        let mut bytes = Vec::new();
        encode(&state, &producers, &mut bytes);
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x10;
            assert!(decode(&damaged).is_none(), "flipped {at}");
            assert!(decode(&bytes[..at]).is_none(), "cut at {at}");
        }
    }
}
