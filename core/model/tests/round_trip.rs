//! What is built is read again, whatever the codec; what is broken is refused without a panic or much memory.

#![allow(clippy::unwrap_used)] // A failed step fails the test.

use bytes::Bytes;
use model::{Batch, BatchBuilder, BatchError, Codec, Header, TimestampMs};
use proptest::prelude::*;

const CODECS: [Codec; 5] = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];
const LIMIT: usize = 1 << 20;

type Row = (i64, Option<Vec<u8>>, Option<Vec<u8>>, Vec<(Vec<u8>, Option<Vec<u8>>)>);

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..200);
    let headers = prop::collection::vec((bytes(), prop::option::of(bytes())), 0..3);
    prop::collection::vec((0i64..1 << 41, prop::option::of(bytes()), prop::option::of(bytes()), headers), 1..20)
}

fn build(rows: &[Row], codec: Codec) -> Batch {
    let mut builder = BatchBuilder::new().codec(codec, None);
    for (timestamp, key, value, headers) in rows {
        let headers: Vec<_> = headers
            .iter()
            .map(|(key, value)| Header { key: key.clone().into(), value: value.clone().map(Bytes::from) })
            .collect();
        builder.append(TimestampMs(*timestamp), key.as_deref(), value.as_deref(), &headers);
    }
    builder.finish().into_inner()
}

fn bytes_of(batch: &Batch) -> Vec<u8> {
    [&batch.header()[..], batch.records_bytes()].concat()
}

proptest! {
    #[test]
    fn records_come_back_as_they_went_in(rows in rows(), codec in prop::sample::select(&CODECS[..])) {
        let mut bytes = Bytes::from(bytes_of(&build(&rows, codec)));
        let batch = Batch::cut(&mut bytes).unwrap().validate().unwrap();
        batch.check_framing().unwrap();
        prop_assert!(bytes.is_empty());
        let records: Vec<_> = batch.records(LIMIT).unwrap().map(Result::unwrap).collect();
        prop_assert_eq!(records.len(), rows.len());
        for (at, (record, row)) in records.iter().zip(&rows).enumerate() {
            prop_assert_eq!(record.offset.0, at as i64);
            prop_assert_eq!(record.timestamp.0, row.0);
            prop_assert_eq!(record.key.as_deref(), row.1.as_deref());
            prop_assert_eq!(record.value.as_deref(), row.2.as_deref());
            let headers = record.headers.iter().map(|h| (h.key.to_vec(), h.value.map(|v| v.to_vec())));
            prop_assert_eq!(headers.collect::<Vec<_>>(), row.3.clone());
            prop_assert_eq!(record.headers.len(), row.3.len());
        }
    }

    #[test]
    fn a_change_of_codec_keeps_every_record(rows in rows(), from in prop::sample::select(&CODECS[..]), to in prop::sample::select(&CODECS[..])) {
        let batch = build(&rows, from).validate().unwrap();
        let other = batch.recompress(to, None, LIMIT).unwrap();
        other.check_crc().unwrap();
        prop_assert_eq!(other.codec(), to as u8);
        let read = |batch: &Batch| batch.records(LIMIT).unwrap().collect::<Result<Vec<_>, _>>().unwrap();
        prop_assert_eq!(read(&batch), read(&other));
    }

    #[test]
    fn broken_batches_are_refused_or_read_but_never_panic(
        rows in rows(),
        codec in prop::sample::select(&CODECS[..]),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = bytes_of(&build(&rows, codec));
        for (at, flip) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
        }
        bytes.truncate(cut.index(bytes.len()) + 1);
        let mut bytes = Bytes::from(bytes);
        if let Ok(batch) = Batch::cut(&mut bytes) {
            let _ = batch.check_framing();
            if let Ok(records) = batch.records(LIMIT) {
                let _ = records.count();
            }
            let _ = batch.validate();
        }
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let mut bytes = Bytes::from(bytes);
        if let Ok(batch) = Batch::cut(&mut bytes) {
            let _ = batch.records(LIMIT).map(Iterator::count);
        }
        for codec in CODECS {
            let _ = model::compression::decompress(codec, &bytes, LIMIT);
        }
    }
}

#[test]
fn a_bomb_is_refused_at_the_limit() {
    let zeros = vec![0; 4 << 20];
    for codec in CODECS {
        let bomb = model::compression::compress(codec, &zeros, None);
        let refused = model::compression::decompress(codec, &bomb, LIMIT);
        assert_eq!(refused, Err(BatchError::TooLarge { limit: LIMIT }), "{codec:?}");
    }
}

#[test]
fn append_time_is_every_records_time_and_keeps_the_crc_right() {
    let mut batch = build(&[(5, None, None, vec![]), (9, None, None, vec![])], Codec::None).validate().unwrap();
    batch.stamp_append_time(TimestampMs(77));
    batch.check_crc().unwrap();
    let times: Vec<_> = batch.records(LIMIT).unwrap().map(|record| record.unwrap().timestamp.0).collect();
    assert_eq!(times, [77, 77]);
}

#[test]
fn stamping_offset_and_epoch_leaves_the_crc_alone() {
    let mut batch = build(&[(5, None, None, vec![])], Codec::None).validate().unwrap();
    batch.stamp(model::Offset(42), model::LeaderEpoch(3));
    batch.check_crc().unwrap();
    assert_eq!((batch.base_offset().0, batch.next_offset().0, batch.leader_epoch().0), (42, 43, 3));
}

#[test]
fn a_batch_cut_at_any_byte_says_that_bytes_are_missing() {
    let bytes = bytes_of(&build(&[(5, Some(vec![1]), Some(vec![2; 100]), vec![])], Codec::None));
    for cut in 0..bytes.len() {
        let mut part = Bytes::copy_from_slice(&bytes[..cut]);
        assert!(matches!(Batch::cut(&mut part), Err(BatchError::Truncated { .. })), "{cut}");
        assert_eq!(part.len(), cut);
    }
}

#[test]
fn framing_of_an_uncompressed_batch_is_checked_record_by_record() {
    let good = build(&[(5, None, Some(vec![1; 10]), vec![]), (6, None, None, vec![])], Codec::None);
    good.check_framing().unwrap();
    let mut bytes = bytes_of(&good);
    let length = bytes.len();
    bytes[length - 1] ^= 0x04; // the last record now claims headers
    let broken = Batch::cut(&mut bytes.into()).unwrap();
    assert!(matches!(broken.check_framing(), Err(BatchError::Malformed(_))));
}

#[test]
fn the_newest_time_is_found_on_the_way_and_can_be_corrected() {
    let records: [Row; 3] = [(5, None, None, vec![]), (9, None, None, vec![]), (7, None, None, vec![])];
    let mut batch = build(&records, Codec::None).validate().unwrap();
    assert_eq!(batch.check_framing(), Ok(Some(TimestampMs(9))));
    batch.set_max_timestamp(TimestampMs(6));
    assert_eq!((batch.max_timestamp(), batch.check_crc()), (TimestampMs(6), Ok(())));
    assert_eq!(batch.check_framing(), Ok(Some(TimestampMs(9))));
    assert_eq!(build(&records, Codec::Gzip).check_framing(), Ok(None));
}

/// A batch whose header says otherwise at `at`; the CRC fits.
fn lying(records: usize, codec: Codec, lies: &[(usize, &[u8])]) -> Batch {
    let records = vec![(5, None, Some(vec![1; 9]), vec![]); records];
    let mut bytes = bytes_of(&build(&records, codec)).to_vec();
    for (at, lie) in lies {
        bytes[*at..at + lie.len()].copy_from_slice(lie);
    }
    let crc = crc32c::crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    Batch::cut(&mut bytes.into()).unwrap()
}

#[test]
fn a_fresh_batch_begins_at_zero_and_has_as_many_records_as_offsets() {
    lying(3, Codec::None, &[]).check_fresh().unwrap();
    let offset = lying(3, Codec::None, &[(0, &7i64.to_be_bytes())]);
    assert_eq!(offset.check_fresh(), Err(BatchError::BadBaseOffset(model::Offset(7))));
    for (count, last) in [(2, 2), (4, 2), (0, 2), (0, -1), (-1, -2)] {
        let batch = lying(3, Codec::Gzip, &[(23, &i32::to_be_bytes(last)), (57, &i32::to_be_bytes(count))]);
        assert_eq!(batch.check_fresh(), Err(BatchError::BadCount { count, last_offset_delta: last }));
    }
}

#[test]
fn a_fresh_batch_has_no_more_records_than_its_bytes_can_hold() {
    for codec in [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let skips = [(23, &i32::to_be_bytes(i32::MAX - 1)[..]), (57, &i32::to_be_bytes(i32::MAX))];
        let refused = lying(3, codec, &skips).check_fresh();
        assert!(matches!(refused, Err(BatchError::BadCount { .. })), "{codec:?}: {refused:?}");
        // As alike as records can be.
        let alike = vec![(5, None, None, vec![]); 20_000];
        build(&alike, codec).check_fresh().unwrap();
    }
}

#[test]
fn a_fresh_batch_with_a_producer_has_a_sequence() {
    let producer = |id: i64, sequence: i32| {
        lying(1, Codec::None, &[(43, &id.to_be_bytes()), (53, &sequence.to_be_bytes())]).check_fresh()
    };
    assert_eq!(producer(7, 0), Ok(()));
    assert_eq!(producer(-1, -1), Ok(()), "no producer");
    assert_eq!(producer(-2, -1), Ok(()), "no producer either");
    for sequence in [-1, -2] {
        let refused = BatchError::BadSequence { producer: model::ProducerId(7), sequence };
        assert_eq!(producer(7, sequence), Err(refused));
    }
}
