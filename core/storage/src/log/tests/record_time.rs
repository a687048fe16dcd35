//! When a record was written.

use model::{BatchBuilder, Codec, Offset, TimestampMs};

use super::*;

on_both_disks! {
    every_record_tells_its_own_time_wherever_it_lies,
    a_record_inside_a_compressed_batch_tells_its_own_time,
    a_record_that_got_its_time_from_the_log_tells_that,
    below_the_start_the_first_record_that_is_left_is_told_and_at_the_end_none,
    a_record_without_a_time_tells_none,
    a_segment_that_is_removed_or_damaged_meanwhile_tells_none,
}

fn time_of<D: Disk>(log: &Log<D>, offset: i64) -> Option<i64> {
    log.record_time_task(Offset(offset))?.run().map(|time| time.0)
}

fn every_record_tells_its_own_time_wherever_it_lies<D: Disk>(rig: Rig<D>) {
    for tail_bytes in [0, 600] {
        let rig = Rig {
            config: Config { tail_bytes, ..rig.config },
            dir: rig.dir.join(tail_bytes.to_string()),
            ..rig_of(&rig)
        };
        let mut log = rig.open();
        // Record n of a batch of three has time 10 * base + n.
        for base in (0..120).step_by(3) {
            append(&mut log, BatchSpec { timestamp: base * 10, value: 30, ..BatchSpec::at(0, 3) }.build());
        }
        assert!(log.segment_count() > 3);
        for written in [false, true] {
            if written {
                log.checkpoint().unwrap();
                log.rest();
            }
            for offset in 0..120 {
                let expected = offset / 3 * 30 + offset % 3;
                assert_eq!(time_of(&log, offset), Some(expected), "{offset}, written: {written}, tail: {tail_bytes}");
            }
        }
        let (log, _) = rig.close_and_open(log);
        assert_eq!(time_of(&log, 61), Some(601));
    }
}

/// Another rig on the same disk.
fn rig_of<D: Disk>(rig: &Rig<D>) -> Rig<D> {
    Rig { disk: rig.disk.clone(), dir: rig.dir.clone(), config: rig.config, hints: rig.hints, _folder: None }
}

fn a_record_inside_a_compressed_batch_tells_its_own_time<D: Disk>(rig: Rig<D>) {
    let mut log = rig.open();
    let mut batch = BatchBuilder::new().codec(Codec::Zstd, None);
    for time in [100, 300, 200] {
        batch.append(TimestampMs(time), None, Some(b"value"), &[]);
    }
    append(&mut log, batch.finish());
    assert_eq!([0, 1, 2].map(|offset| time_of(&log, offset)), [Some(100), Some(300), Some(200)]);
}

fn a_record_that_got_its_time_from_the_log_tells_that<D: Disk>(rig: Rig<D>) {
    let rig = rig.with(|config| config.log_append_time = true);
    let mut log = rig.open();
    append(&mut log, BatchSpec { timestamp: 5, ..BatchSpec::at(0, 3) }.build());
    assert_eq!([0, 1, 2].map(|offset| time_of(&log, offset)), [Some(NOW.0); 3]);
}

fn below_the_start_the_first_record_that_is_left_is_told_and_at_the_end_none<D: Disk>(rig: Rig<D>) {
    let mut log = rig.open();
    assert_eq!(time_of(&log, 0), None);
    fill(&mut log, 20);
    log.advance_start(Offset(13)).unwrap();
    assert_eq!((time_of(&log, 2), time_of(&log, 13), time_of(&log, 19)), (Some(13), Some(13), Some(19)));
    assert!(log.record_time_task(Offset(20)).is_none() && log.record_time_task(Offset(99)).is_none());
}

fn a_record_without_a_time_tells_none<D: Disk>(rig: Rig<D>) {
    let mut log = rig.open();
    append(&mut log, BatchSpec { timestamp: -1, ..BatchSpec::default() }.build());
    assert_eq!(time_of(&log, 0), None);
}

fn a_segment_that_is_removed_or_damaged_meanwhile_tells_none<D: Disk>(rig: Rig<D>) {
    let mut log = rig.open();
    fill(&mut log, 30);
    log.checkpoint().unwrap();
    log.rest();
    let paths: Vec<PathBuf> = rig.names(".log").iter().map(|name| rig.dir.join(name)).collect();
    let (removed, damaged) = (log.record_time_task(Offset(1)).unwrap(), log.record_time_task(Offset(29)).unwrap());
    rig.disk.remove(&paths[0]).unwrap();
    rig.disk.open(paths.last().unwrap()).unwrap().truncate(70).unwrap();
    assert_eq!((removed.run(), damaged.run()), (None, None));
}

#[test]
fn asking_where_to_look_touches_no_disk() {
    let rig = Rig::sim();
    let mut log = rig.open();
    fill(&mut log, 30);
    log.checkpoint().unwrap();
    log.rest();
    let before = rig.disk.calls();
    let tasks: Vec<_> = (0..30).filter_map(|offset| log.record_time_task(Offset(offset))).collect();
    assert_eq!((tasks.len(), rig.disk.calls()), (30, before));
    let times: Vec<_> = tasks.into_iter().filter_map(|task| task.run()).map(|time| time.0).collect();
    assert_eq!(times, (0..30).collect::<Vec<_>>());
    assert!(rig.disk.calls() > before);
}
