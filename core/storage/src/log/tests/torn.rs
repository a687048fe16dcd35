//! A tail that a crash tore, at every byte of it, and one that was damaged.

use model::Codec;

use super::*;
use crate::walk::Torn;

on_both_disks! {
    a_last_batch_torn_at_any_byte_is_cut_off,
    a_last_batch_with_any_byte_damaged_is_cut_off,
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
