//! A tail that a crash tore, at every byte of it, and damage that no crash explains.

use model::Codec;

use super::*;
use crate::state_file;
use crate::walk::Torn;

on_both_disks! {
    a_last_batch_torn_at_any_byte_is_cut_off,
    a_last_batch_with_any_byte_damaged_is_cut_off,
    whole_batches_that_are_cut_with_a_torn_one_are_counted,
    a_closed_log_with_damage_before_whole_batches_is_refused,
    a_closed_log_whose_last_batch_a_power_loss_may_have_torn_is_cut,
    a_closed_log_that_is_shorter_in_the_same_boot_is_refused,
    a_log_that_was_refused_stays_refused_until_it_is_mended,
    a_batch_within_a_torn_record_is_no_whole_batch,
}

const CODECS: [Codec; 5] = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];

/// The `at`th batch of a log in which plain and compressed ones take turns.
fn nth(at: usize, records: i32) -> ValidBatch {
    let plain = BatchSpec { value: 20, ..BatchSpec::at(0, records) }.build();
    plain.recompress(CODECS[at % CODECS.len()], None, 1 << 20).unwrap()
}

/// The files of a log that was killed behind its last batch, which has five records.
struct Killed {
    /// The active segment and what it holds.
    path: PathBuf,
    bytes: Vec<u8>,
    /// Where the last batch begins there, and its first offset.
    last_at: usize,
    last: Offset,
    /// `log.state` as a checkpoint wrote it before the last batch.
    state: Vec<u8>,
    /// The batches before the last one.
    before: Vec<Batch>,
}

impl Killed {
    fn new<D: Disk>(rig: &Rig<D>, before: usize) -> Self {
        let mut log = rig.open();
        for at in 0..before {
            append(&mut log, nth(at, 1 + at as i32 % 3));
        }
        log.checkpoint().unwrap();
        let (last, size) = (log.offsets().end, log.size_bytes());
        append(&mut log, nth(before, 5));
        let last_bytes = (log.size_bytes() - size) as usize;
        let mut batches = read_from(&mut log, Offset::ZERO);
        assert_eq!((batches.len(), batches.pop().unwrap().base_offset()), (before + 1, last));
        drop(log);
        let path = rig.dir.join(rig.names(".log").pop().unwrap());
        let bytes = rig.disk.read(&path).unwrap();
        let state = rig.disk.read(&rig.dir.join("log.state")).unwrap();
        Self { path, last_at: bytes.len() - last_bytes, bytes, last, state, before: batches }
    }

    /// Opens the log with `bytes` in its active segment, by the state file and without: it holds the batches before the
    /// last one, goes on behind them, and opens as it was left.
    fn opens_without_the_last<D: Disk>(&self, rig: &Rig<D>, bytes: &[u8], is_torn: impl Fn(Option<Torn>) -> bool) {
        let state_path = rig.dir.join("log.state");
        for has_state in [true, false] {
            let how = format!("{} of {} bytes, state {has_state}", bytes.len(), self.bytes.len());
            if has_state {
                rig.disk.replace(&state_path, &self.state, false).unwrap();
            } else {
                rig.disk.remove(&state_path).unwrap();
            }
            rig.disk.replace(&self.path, bytes, false).unwrap();
            let (mut log, report) = rig.try_open(false).unwrap();
            assert!(is_torn(report.torn), "{how}: {:?}", report.torn);
            assert_eq!(report.cut_bytes, (bytes.len() - self.last_at) as u64, "{how}");
            assert_eq!((report.clean, report.created, report.segments_removed), (false, false, 0), "{how}");
            assert_eq!(rig.disk.len(&self.path).unwrap(), self.last_at as u64, "{how}");
            assert_eq!(log.offsets().end, self.last, "{how}");
            assert!(read_from(&mut log, Offset::ZERO) == self.before, "{how}");

            let next = append(&mut log, BatchSpec::at(0, 2).build());
            assert_eq!(next, Outcome::Appended { first_offset: self.last, last_offset: self.last + 1 }, "{how}");
            let (mut log, report) = rig.kill_and_open(log);
            assert_eq!((report.torn, report.cut_bytes, log.offsets().end), (None, 0, self.last + 2), "{how}");
            let batches = read_from(&mut log, Offset::ZERO);
            assert!(batches[..self.before.len()] == self.before, "{how}");
            assert_eq!(batches[self.before.len()..].iter().map(Batch::base_offset).collect::<Vec<_>>(), [self.last]);
        }
    }
}

/// Logs whose last batch is plain, compressed, and the first in its segment.
fn each_killed<D: Disk>(mut rig: Rig<D>, check: impl Fn(&Rig<D>, &Killed)) {
    for (before, segment_bytes, is_first) in [(5, 1_000, false), (6, 1_000, false), (5, 250, true)] {
        rig.config.segment_bytes = segment_bytes;
        let killed = Killed::new(&rig, before);
        assert_eq!(killed.last_at == 0, is_first, "{} bytes before", killed.last_at);
        check(&rig, &killed);
        rig.disk.remove_dir(&rig.dir).unwrap();
    }
}

fn a_last_batch_torn_at_any_byte_is_cut_off<D: Disk>(rig: Rig<D>) {
    each_killed(rig, |rig, killed| {
        for len in killed.last_at..killed.bytes.len() {
            let torn = Some(Torn::CutShort).filter(|_| len > killed.last_at);
            killed.opens_without_the_last(rig, &killed.bytes[..len], |found| found == torn);
        }
    });
}

fn a_last_batch_with_any_byte_damaged_is_cut_off<D: Disk>(rig: Rig<D>) {
    const LENGTH: std::ops::Range<usize> = 8..12;
    const LEADER_EPOCH: std::ops::Range<usize> = 12..16;
    const MAGIC: usize = 16;
    each_killed(rig, |rig, killed| {
        let size = killed.bytes.len() - killed.last_at;
        // Offset and epoch are the leader's to set, so that the CRC leaves them out.
        for at in (LENGTH.start..size).filter(|at| !LEADER_EPOCH.contains(at)) {
            let mut bytes = killed.bytes.clone();
            bytes[killed.last_at + at] ^= 0x41;
            killed.opens_without_the_last(rig, &bytes, |found| match at {
                MAGIC => found == Some(Torn::NotABatch),
                _ if LENGTH.contains(&at) => found.is_some(),
                _ => found == Some(Torn::BadCrc),
            });
        }
    });
}

/// Where a batch's records begin: a damage there leaves the header as it was.
const IN_RECORDS: usize = 70;

/// Two segments of batches of one record, five in the first and three in the second; each batch's size.
fn two_segments<D: Disk>(log: &mut Log<D>) -> usize {
    fill(log, 8);
    assert_eq!(log.segment_count(), 2);
    assert_eq!(log.size_bytes() % 8, 0);
    (log.size_bytes() / 8) as usize
}

fn segment_path<D: Disk>(rig: &Rig<D>, nth: usize) -> PathBuf {
    rig.dir.join(&rig.names(".log")[nth])
}

fn damage<D: Disk>(rig: &Rig<D>, path: &std::path::Path, at: usize) -> Vec<u8> {
    let bytes = rig.disk.read(path).unwrap();
    let mut damaged = bytes.clone();
    damaged[at] ^= 0x41;
    rig.disk.replace(path, &damaged, false).unwrap();
    bytes
}

/// Lets the state file be of another boot, as it is when the system started again.
fn start_again<D: Disk>(rig: &Rig<D>) {
    let path = rig.dir.join("log.state");
    let (mut state, producers) = state_file::decode(&rig.disk.read(&path).unwrap()).unwrap();
    state.boot[0] ^= 1;
    let mut bytes = Vec::new();
    state_file::encode(&state, &producers, &mut bytes);
    rig.disk.replace(&path, &bytes, false).unwrap();
}

fn lose_state<D: Disk>(rig: &Rig<D>) {
    rig.disk.remove(&rig.dir.join("log.state")).unwrap();
}

fn whole_batches_that_are_cut_with_a_torn_one_are_counted<D: Disk>(rig: Rig<D>) {
    for (segment, batch, behind, segments_removed) in [(1, 2, 0, 0), (1, 0, 2, 0), (0, 4, 3, 1), (0, 1, 6, 1)] {
        for in_batch in [8, 11, 16, 17, IN_RECORDS] {
            let mut log = rig.open();
            let size = two_segments(&mut log);
            drop(log);
            lose_state(&rig);
            damage(&rig, &segment_path(&rig, segment), batch * size + in_batch);
            let (mut log, report) = rig.try_open(false).unwrap();
            let how = format!("batch {batch} of segment {segment}, byte {in_batch}");
            assert_eq!((report.cut_batches, report.segments_removed), (behind, segments_removed), "{how}");
            assert_eq!(report.cut_bytes, (behind + 1) * size as u64, "{how}");
            assert_eq!(spans(&mut log), singles(0..(segment * 5 + batch) as i64), "{how}");
            drop(log);
            rig.disk.remove_dir(&rig.dir).unwrap();
        }
    }
}

fn a_closed_log_with_damage_before_whole_batches_is_refused<D: Disk>(rig: Rig<D>) {
    let mut log = rig.open();
    let size = two_segments(&mut log);
    log.close().unwrap();
    let state_path = rig.dir.join("log.state");
    let state = rig.disk.read(&state_path).unwrap();
    for lose in [lose_state, start_again] {
        for (segment, batch) in [(0, 0), (0, 3), (0, 4), (1, 0), (1, 1)] {
            for in_batch in [8, 11, 16, 17, IN_RECORDS] {
                // A length too large makes the last batch of a file look as if the file was cut.
                if (segment, batch) == (0, 4) && in_batch < 12 {
                    continue;
                }
                lose(&rig);
                let path = segment_path(&rig, segment);
                let whole = damage(&rig, &path, batch * size + in_batch);
                let how = format!("batch {batch} of segment {segment}, byte {in_batch}");
                match rig.try_open(true).map(|(_, report)| report) {
                    Err(OpenError::Corrupt { file, position }) => {
                        assert_eq!((file, position), (path.display().to_string(), (batch * size) as u64), "{how}");
                    }
                    other => panic!("{how}: {other:?}"),
                }
                assert_eq!(rig.disk.read(&path).unwrap().len(), whole.len(), "{how}");
                rig.disk.replace(&path, &whole, false).unwrap();
                assert_eq!(spans(&mut rig.try_open(true).unwrap().0), singles(0..8), "mended: {how}");
                rig.disk.replace(&state_path, &state, false).unwrap();
            }
        }
    }
}

fn a_closed_log_whose_last_batch_a_power_loss_may_have_torn_is_cut<D: Disk>(rig: Rig<D>) {
    for lose in [lose_state, start_again] {
        for in_batch in [8, 16, IN_RECORDS] {
            let mut log = rig.open();
            let size = two_segments(&mut log);
            log.close().unwrap();
            lose(&rig);
            damage(&rig, &segment_path(&rig, 1), 2 * size + in_batch);
            let (mut log, report) = rig.try_open(true).unwrap();
            assert_eq!((report.cut_bytes, report.cut_batches), (size as u64, 0));
            assert_eq!(spans(&mut log), singles(0..7));
            drop(log);
            rig.disk.remove_dir(&rig.dir).unwrap();
        }
    }
}

fn a_closed_log_that_is_shorter_in_the_same_boot_is_refused<D: Disk>(rig: Rig<D>) {
    let mut log = rig.open();
    let size = two_segments(&mut log);
    log.close().unwrap();
    let path = segment_path(&rig, 1);
    let whole = rig.disk.read(&path).unwrap();
    for cut in [1, size, size + 1, 3 * size] {
        rig.disk.replace(&path, &whole[..whole.len() - cut], false).unwrap();
        match rig.try_open(true).map(|(_, report)| report) {
            Err(OpenError::Corrupt { position, .. }) if cut % size != 0 => {
                assert_eq!(position, ((whole.len() - cut) / size * size) as u64, "{cut}");
            }
            Err(OpenError::Lost { end, kept, .. }) if cut % size == 0 => {
                assert_eq!((end, kept), (Offset(8 - (cut / size) as i64), Offset(8)));
            }
            other => panic!("{cut}: {other:?}"),
        }
        assert_eq!(rig.disk.len(&path).unwrap(), (whole.len() - cut) as u64, "nothing is cut");
        rig.disk.replace(&path, &whole, false).unwrap();
        assert_eq!(spans(&mut rig.try_open(true).unwrap().0), singles(0..8), "{cut}");
    }
}

fn a_log_that_was_refused_stays_refused_until_it_is_mended<D: Disk>(rig: Rig<D>) {
    let mut log = rig.open();
    let size = two_segments(&mut log);
    log.close().unwrap();
    lose_state(&rig);
    let path = segment_path(&rig, 1);
    let whole = damage(&rig, &path, IN_RECORDS);
    for clean_shutdown in [true, false, false] {
        assert!(matches!(rig.try_open(clean_shutdown), Err(OpenError::Corrupt { .. })), "{clean_shutdown}");
    }
    rig.disk.replace(&path, &whole, false).unwrap();
    let (log, report) = rig.try_open(false).unwrap();
    assert_eq!((report.torn, rig.names(".refused").len()), (None, 0));
    drop(log);

    damage(&rig, &path, IN_RECORDS);
    assert!(rig.try_open(true).is_err());
    rig.disk.remove(&rig.dir.join("log.refused")).unwrap();
    let (mut log, report) = rig.try_open(false).unwrap();
    assert_eq!((report.cut_bytes, report.cut_batches), (3 * size as u64, 2), "given up by whoever removed the file");
    assert_eq!(spans(&mut log), singles(0..5));
}

/// As in a topic that holds copies of segments.
fn a_batch_within_a_torn_record_is_no_whole_batch<D: Disk>(rig: Rig<D>) {
    let mut log = rig.open();
    fill(&mut log, 2);
    drop(log);
    let path = segment_path(&rig, 0);
    let whole = rig.disk.read(&path).unwrap();
    let outer = BatchSpec { value: 400, ..BatchSpec::at(2, 1) }.build();
    let inner = BatchSpec::at(9, 1).build();
    let mut bytes = [&whole[..], outer.header(), outer.records_bytes()].concat();
    let at = whole.len() + 100;
    bytes[at..at + model::batch::HEADER_BYTES].copy_from_slice(inner.header());
    bytes[at + model::batch::HEADER_BYTES..at + inner.size_bytes()].copy_from_slice(inner.records_bytes());
    bytes.truncate(at + inner.size_bytes() + 1);
    rig.disk.replace(&path, &bytes, false).unwrap();
    let (mut log, report) = rig.try_open(true).unwrap();
    assert_eq!((report.torn, report.cut_batches), (Some(Torn::CutShort), 0));
    assert_eq!(spans(&mut log), singles(0..2));
}
