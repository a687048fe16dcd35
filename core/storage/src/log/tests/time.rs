//! Offsets by time.

use model::{BatchBuilder, Codec, Offset, TimestampMs};

use super::*;
use crate::config::TimestampOffset;

const ALL: Offset = Offset(i64::MAX);

on_both_disks! {
    the_first_record_not_older_is_found_whatever_is_written_out,
    times_that_go_back_are_found_where_they_were_first_reached,
    records_below_the_start_or_above_the_bound_are_not_found,
    the_youngest_record_is_found,
    a_record_inside_a_compressed_batch_is_found,
    records_without_a_time_are_never_found,
}

fn found<D: Disk>(log: &mut Log<D>, at: i64) -> Option<(i64, i64)> {
    let found = log.find_by_timestamp(TimestampMs(at), ALL).unwrap();
    found.map(|found| (found.timestamp.0, found.offset.0))
}

fn timed<D: Disk>(log: &mut Log<D>, timestamps: &[i64]) {
    for timestamp in timestamps {
        append(log, BatchSpec { timestamp: *timestamp, value: 60, ..BatchSpec::default() }.build());
    }
}

fn the_first_record_not_older_is_found_whatever_is_written_out<D: Disk>(rig: Rig<D>) {
    let mut log = rig.open();
    // Record n of a batch of three has time base + n.
    for base in (0..120).step_by(3) {
        append(&mut log, BatchSpec { timestamp: base * 10, value: 30, ..BatchSpec::at(0, 3) }.build());
    }
    assert!(log.segment_count() > 3);
    for written in [false, true] {
        if written {
            log.checkpoint().unwrap();
            log.rest();
        }
        assert_eq!(found(&mut log, -5), Some((0, 0)));
        for base in (0..120).step_by(3) {
            for n in 0..3 {
                assert_eq!(found(&mut log, base * 10 + n), Some((base * 10 + n, base + n)), "written: {written}");
            }
            let next = base + 3;
            let expected = (next < 120).then_some((next * 10, next));
            assert_eq!(found(&mut log, base * 10 + 3), expected, "between two batches");
        }
    }
}

fn times_that_go_back_are_found_where_they_were_first_reached<D: Disk>(rig: Rig<D>) {
    let mut log = rig.open();
    timed(&mut log, &[10, 50, 20, 30, 60, 40, 70, 5, 65, 80, 1, 1, 1, 1, 1, 1, 1, 1]);
    assert!(log.segment_count() > 1);
    for (at, offset) in [(10, 0), (11, 1), (50, 1), (51, 4), (61, 6), (71, 9), (80, 9)] {
        assert_eq!(found(&mut log, at).map(|found| found.1), Some(offset), "{at}");
    }
    assert_eq!(found(&mut log, 81), None);
}

fn records_below_the_start_or_above_the_bound_are_not_found<D: Disk>(rig: Rig<D>) {
    let mut log = rig.open();
    fill(&mut log, 20);
    log.advance_start(Offset(4)).unwrap();
    assert_eq!(found(&mut log, 2), Some((4, 4)));
    assert_eq!(log.find_by_timestamp(TimestampMs(9), Offset(9)).unwrap(), None);
    let below = log.find_by_timestamp(TimestampMs(8), Offset(9)).unwrap();
    assert_eq!(below, Some(TimestampOffset { timestamp: TimestampMs(8), offset: Offset(8) }));
    assert_eq!(log.find_by_timestamp(TimestampMs(0), Offset(4)).unwrap(), None);
}

fn the_youngest_record_is_found<D: Disk>(rig: Rig<D>) {
    let mut log = rig.open();
    assert_eq!(log.max_timestamp_offset(ALL).unwrap(), None);
    timed(&mut log, &[10, 50, 20, 30, 50, 40, 2, 5, 6, 7, 8, 9]);
    let youngest = TimestampOffset { timestamp: TimestampMs(50), offset: Offset(1) };
    assert_eq!(log.max_timestamp_offset(ALL).unwrap(), Some(youngest));
    let (mut log, _) = rig.close_and_open(log);
    assert_eq!(log.max_timestamp_offset(ALL).unwrap(), Some(youngest));
}

fn a_record_inside_a_compressed_batch_is_found<D: Disk>(rig: Rig<D>) {
    let mut log = rig.open();
    timed(&mut log, &[1]);
    let mut batch = BatchBuilder::new().codec(Codec::Lz4, None);
    for time in [100, 300, 200] {
        batch.append(TimestampMs(time), None, Some(b"value"), &[]);
    }
    append(&mut log, batch.finish());
    assert_eq!(found(&mut log, 100), Some((100, 1)));
    assert_eq!(found(&mut log, 101), Some((300, 2)));
    assert_eq!(found(&mut log, 300), Some((300, 2)));
    assert_eq!(log.max_timestamp_offset(ALL).unwrap().map(|found| found.offset), Some(Offset(2)));
}

fn records_without_a_time_are_never_found<D: Disk>(rig: Rig<D>) {
    let mut log = rig.open();
    timed(&mut log, &[-1, -1, -1, -1, -1, -1, -1, -1, -1, -1]);
    assert_eq!((found(&mut log, 0), log.max_timestamp_offset(ALL).unwrap()), (None, None));
    timed(&mut log, &[7]);
    assert_eq!(found(&mut log, 0), Some((7, 10)));
}
