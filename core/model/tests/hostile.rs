//! Batches from nobody's friend: whatever comes, reading neither panics nor takes more memory than the limit given.
//!
//! Mutations of Kafka's golden batches and of our own, with the CRC made right again, so that the inner layers are
//! reached; and bytes that lie inside each codec. The seeds are fixed, so a failure repeats; `fuzz/` searches without end.

#![allow(clippy::unwrap_used)] // A failed step fails the test.

#[path = "../../wire/tests/hostile/counting.rs"]
mod counting;
#[path = "../../wire/tests/hostile/mutate.rs"]
mod mutate;

use std::io::Read as _;
use std::path::PathBuf;

use bytes::Bytes;
use counting::{Usage, measured};
use model::batch::HEADER_BYTES;
use model::{Batch, BatchBuilder, Codec, LeaderEpoch, Offset, TimestampMs, ValidBatch, compression};
use mutate::Rng;

/// What records may inflate to here.
const LIMIT: usize = 64 << 10;
/// What a codec takes for itself: two blocks of an lz4 frame that says it has the largest ones, of 4 MiB, or gzip's
/// window and tables. Zstd's own memory is C's and not counted; its window is only touched as output fills it.
const CODEC_BYTES: usize = 9 << 20;
const GZIP_BYTES: usize = 128 << 10;
const CODECS: [Codec; 5] = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];

/// Output of `limit` bytes in a vector that doubles: the last two sizes of it.
const INFLATED_BYTES: usize = 4 * LIMIT;

const LENGTH: std::ops::Range<usize> = 8..12;
const CRC: std::ops::Range<usize> = 17..21;
const ATTRIBUTES: usize = 21;

fn bytes_of(batch: &Batch) -> Vec<u8> {
    [&batch.header()[..], batch.records_bytes()].concat()
}

fn golden() -> Vec<Vec<u8>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/kafka-protocol/golden/batches.tsv.gz");
    let Ok(packed) = std::fs::read(path) else {
        println!("skipped: shared folder absent");
        return Vec::new();
    };
    let mut text = String::new();
    flate2::read::GzDecoder::new(&packed[..]).read_to_string(&mut text).unwrap();
    let digit = |c: u8| (c as char).to_digit(16).unwrap() as u8;
    let unhex = |hex: &str| hex.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect();
    let lines = text.lines().filter(|line| !line.starts_with('#')).skip(1);
    lines.map(|line| unhex(line.split('\t').nth(1).unwrap())).collect()
}

/// A batch of ours under each codec.
fn ours() -> impl Iterator<Item = Vec<u8>> {
    CODECS.into_iter().map(|codec| {
        let mut builder = BatchBuilder::new().codec(codec, None);
        for at in 0..20i64 {
            let header = model::Header { key: Bytes::from_static(b"trace"), value: (at % 2 == 0).then(Bytes::new) };
            let value = vec![at as u8; 40 * at as usize];
            builder.append(TimestampMs(1_000 + at), Some(b"key"), (at != 3).then_some(&value[..]), &[header]);
        }
        bytes_of(&builder.finish())
    })
}

/// Makes length and CRC say what the bytes are, where there is a whole header.
fn mend(bytes: &mut [u8]) {
    if bytes.len() >= HEADER_BYTES {
        let length = bytes.len() as i32 - 12;
        bytes[LENGTH].copy_from_slice(&length.to_be_bytes());
        bytes[16] = 2;
        let crc = crc32c::crc32c(&bytes[ATTRIBUTES..]);
        bytes[CRC].copy_from_slice(&crc.to_be_bytes());
    }
}

fn held_to(bound: usize, usage: Usage, what: &str, bytes: &[u8]) {
    assert!(usage.peak <= bound, "{what} held {} of {bound} bytes for {} bytes: {bytes:02x?}", usage.peak, bytes.len());
}

/// Cuts every batch off `bytes` and does with it whatever the broker does; the number of records read.
fn read_all(bytes: Vec<u8>) -> usize {
    let mut rest = Bytes::from(bytes);
    let mut records = 0;
    while let Ok(batch) = Batch::cut(&mut rest) {
        let _ = format!("{batch:?} {:?} {}", batch.next_offset(), batch.last_sequence());
        records += read(&batch);
        if let Ok(valid) = batch.validate() {
            repack(valid);
        }
    }
    records
}

fn read(batch: &Batch) -> usize {
    let bytes = bytes_of(batch);
    let (framed, usage) = measured(|| batch.check_framing());
    held_to(0, usage, "check_framing", &bytes);
    let (count, usage) = measured(|| {
        let mut count = 0;
        for record in batch.records(LIMIT).into_iter().flatten() {
            let Ok(record) = record else { break };
            count += 1;
            assert_eq!(record.headers.iter().count(), record.headers.len());
            assert!(record.key.is_none_or(|key| key.len() <= bytes.len().max(LIMIT)));
        }
        count
    });
    held_to(codec_bound(batch.codec()), usage, "records", &bytes);
    if framed.is_ok() && batch.codec() == 0 {
        assert_eq!(count, batch.record_count() as usize, "what is framed can be read: {bytes:02x?}");
    }
    count
}

fn codec_bound(codec: u8) -> usize {
    match Codec::from_id(codec) {
        // One small count of those who share the bytes.
        None | Some(Codec::None) => 64,
        Some(Codec::Snappy | Codec::Zstd) => INFLATED_BYTES,
        Some(Codec::Gzip) => INFLATED_BYTES + GZIP_BYTES,
        Some(Codec::Lz4) => INFLATED_BYTES + CODEC_BYTES,
    }
}

fn repack(mut valid: ValidBatch) {
    valid.stamp(Offset(7), LeaderEpoch(3));
    valid.check_crc().unwrap();
    valid.stamp_append_time(TimestampMs(99));
    valid.check_crc().unwrap();
    let bytes = bytes_of(&valid);
    for codec in CODECS {
        let (packed, usage) = measured(|| valid.recompress(codec, None, LIMIT));
        // The encoders hold what was inflated, what they make of it, and tables of their own.
        let bound = codec_bound(valid.codec()) + 2 * INFLATED_BYTES + 4 * bytes.len() + (1 << 20);
        held_to(bound, usage, "recompress", &bytes);
        if let Ok(packed) = packed {
            packed.check_crc().unwrap();
            assert_eq!((packed.record_count(), packed.codec()), (valid.record_count(), codec as u8));
        }
    }
}

#[test]
fn mutated_batches_are_refused_or_read_within_the_limit() {
    let seeds: Vec<Vec<u8>> = golden().into_iter().chain(ours()).collect();
    let mut rng = Rng::new(0x6261_7463_6865);
    let (mut records, mut tried) = (0, 0);
    for (index, seed) in seeds.iter().enumerate() {
        assert!(seed.len() < LIMIT);
        records += read_all(seed.clone());
        let other = &seeds[(index + 1) % seeds.len()];
        for round in 0..60 {
            let mut bytes = mutate::mutated(seed, other, &mut rng);
            if round % 4 != 0 {
                mend(&mut bytes);
            }
            records += read_all(bytes);
            tried += 1;
        }
    }
    println!("{records} records in {tried} mutations");
    assert!(records > tried / 4, "only {records} records were reached in {tried} mutations");
}

#[test]
fn records_that_lie_inside_a_whole_batch_are_refused_or_read_within_the_limit() {
    let plain = ours().next().unwrap();
    let (header, records) = plain.split_at(HEADER_BYTES);
    let mut rng = Rng::new(0x7265_636f);
    let mut read = 0;
    for round in 0..600 {
        let mut inner = mutate::mutated(records, records, &mut rng);
        inner.truncate(LIMIT);
        let codec = CODECS[round % CODECS.len()];
        let mut bytes = [header, &compression::compress(codec, &inner, None)].concat();
        bytes[ATTRIBUTES + 1] = codec as u8;
        mend(&mut bytes);
        read += read_all(bytes);
    }
    println!("{read} records");
    assert!(read > 1_000, "only {read} records were reached");
}

#[test]
fn header_fields_at_their_ends_are_refused_or_read() {
    let ends: [&[u8]; 4] = [&[0x7f, 0xff, 0xff, 0xff], &[0x80, 0, 0, 0], &[0xff; 4], &[0; 4]];
    let seed = ours().next().unwrap();
    for at in (0..HEADER_BYTES - 8).filter(|at| !LENGTH.contains(at)) {
        for end in ends {
            let mut bytes = seed.clone();
            bytes[at..at + 4].copy_from_slice(end);
            bytes[at + 4..at + 8].fill(end[3]);
            mend(&mut bytes);
            read_all(bytes);
        }
    }
}

#[test]
fn a_record_of_a_million_empty_headers_costs_nothing_until_they_are_asked_for() {
    let headers = vec![model::Header { key: Bytes::new(), value: None }; 1_000_000];
    let mut builder = BatchBuilder::new();
    builder.append(TimestampMs(1), None, None, &headers);
    let batch = builder.finish();
    let (count, usage) = measured(|| batch.records(LIMIT).unwrap().map(|record| record.unwrap().headers.len()).sum());
    assert_eq!(1_000_000usize, count);
    held_to(64, usage, "records", &[]);
}
