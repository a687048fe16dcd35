//! Kafka's `.snapshot` files: what was known of producers just before an offset. A snapshot keeps only the last batch
//! of each; our own [`crate::state_file`] keeps all five.
//!
//! ```text
//!  version i16 = 1 | CRC-32C of the rest u32 | count i32 | per producer: id i64, epoch i16, last sequence i32,
//!  last offset i64, offset delta i32, timestamp i64, coordinator epoch i32, first offset of open transaction i64
//! ```

use model::batch::NO_SEQUENCE;
use model::{Offset, ProducerEpoch, ProducerId, TimestampMs};

use crate::codec::{Put, Reader};
use crate::producer_state::{ProducerState, ProducerStates, WrittenBatch};

const VERSION: i16 = 1;
const ENTRY_BYTES: usize = 46;
const CRC_AT: usize = 2;
const COVERED_FROM: usize = 6;

pub(crate) fn encode(states: &ProducerStates) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(COVERED_FROM + 4 + states.len() * ENTRY_BYTES);
    bytes.put_i16(VERSION);
    bytes.put_u32(0);
    bytes.put_i32(states.len() as i32);
    for (producer, state) in states.iter() {
        let last = state.last_batch();
        bytes.put_i64(producer.0);
        bytes.put_i16(state.epoch.0);
        bytes.put_i32(last.map_or(NO_SEQUENCE, |batch| batch.last_sequence));
        bytes.put_i64(last.map_or(Offset::NONE.0, |batch| batch.last_offset.0));
        bytes.put_i32(last.map_or(0, |batch| batch.offset_delta));
        bytes.put_i64(state.last_timestamp.0);
        bytes.put_i32(state.coordinator_epoch);
        bytes.put_i64(state.txn_first_offset.unwrap_or(Offset::NONE).0);
    }
    let crc = crc32c::crc32c(&bytes[COVERED_FROM..]);
    bytes[CRC_AT..COVERED_FROM].copy_from_slice(&crc.to_be_bytes());
    bytes
}

/// `None` where the bytes are not a whole snapshot; the caller goes back to an older one.
pub(crate) fn decode(bytes: &[u8]) -> Option<ProducerStates> {
    let mut reader = Reader(bytes);
    if reader.i16()? != VERSION || reader.u32()? != crc32c::crc32c(bytes.get(COVERED_FROM..)?) {
        return None;
    }
    let mut states = ProducerStates::default();
    for _ in 0..reader.count(ENTRY_BYTES)? {
        let producer = ProducerId(reader.i64()?);
        let mut state = ProducerState::new(ProducerEpoch(reader.i16()?));
        let last_sequence = reader.i32()?;
        let last_offset = Offset(reader.i64()?);
        let offset_delta = reader.i32()?;
        state.last_timestamp = TimestampMs(reader.i64()?);
        state.coordinator_epoch = reader.i32()?;
        state.txn_first_offset = Some(Offset(reader.i64()?)).filter(|offset| offset.0 >= 0);
        if last_offset.0 >= 0 {
            state.push(WrittenBatch { last_sequence, last_offset, offset_delta, timestamp: state.last_timestamp });
        }
        states.insert(producer, state);
    }
    Some(states)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn states() -> ProducerStates {
        let mut states = ProducerStates::default();
        for id in 1..=3 {
            let mut state = ProducerState::new(ProducerEpoch(2));
            state.last_timestamp = TimestampMs(99);
            state.txn_first_offset = (id == 2).then_some(Offset(5));
            state.push(WrittenBatch {
                last_sequence: 9,
                last_offset: Offset(10),
                offset_delta: 4,
                timestamp: TimestampMs(99),
            });
            states.insert(ProducerId(id), state);
        }
        states
    }

    #[test]
    fn a_snapshot_reads_back() {
        let bytes = encode(&states());
        assert_eq!(bytes.len(), 10 + 3 * 46);
        assert_eq!(decode(&bytes), Some(states()));
    }

    #[test]
    fn a_damaged_snapshot_is_refused_wherever_the_damage() {
        let bytes = encode(&states());
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            assert_eq!(decode(&damaged), None, "flipped {at}");
            assert_eq!(decode(&bytes[..at]), None, "cut at {at}");
        }
    }
}
