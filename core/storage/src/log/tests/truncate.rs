//! Taking records away.

use model::{LeaderEpoch, Offset, ProducerId, TimestampMs};

use super::*;

on_both_disks! {
    a_log_is_truncated_at_every_offset_and_goes_on,
    truncation_brings_producers_back_to_what_they_were,
    truncation_opens_transactions_again_and_forgets_aborts,
    truncation_forgets_epochs,
    truncation_lowers_what_survives_a_power_loss,
    times_and_indexes_are_those_of_what_is_left,
    a_log_restarts_at_another_offset,
    epochs_end_where_the_next_one_begins,
}

fn mixed<D: Disk>(log: &mut Log<D>) {
    for n in 0..16 {
        let spec = BatchSpec { value: 60, timestamp: n * 10, ..BatchSpec::at(0, 1 + (n % 3) as i32) };
        append(log, spec.build());
    }
}

fn a_log_is_truncated_at_every_offset_and_goes_on<D: Disk>(rig: Rig<D>) {
    for (tail_bytes, written) in [(0, false), (0, true), (1 << 20, false)] {
        let mut log = rig.open();
        log.set_config(Config { tail_bytes, ..rig.config });
        log.restart_at(Offset(0)).unwrap();
        mixed(&mut log);
        let end = log.offsets().end;
        for offset in (0..=end.0 + 1).rev() {
            if written {
                log.checkpoint().unwrap();
            }
            let before = spans(&mut log);
            let expected: Vec<_> = before.iter().copied().filter(|(_, last)| *last < offset).collect();
            let expected_end = expected.last().map_or(0, |(_, last)| last + 1);
            assert_eq!(log.truncate_to(Offset(offset)).unwrap(), Offset(expected_end), "to {offset}");
            assert_eq!((spans(&mut log), log.offsets().end), (expected.clone(), Offset(expected_end)), "to {offset}");
            fill(&mut log, 1);
            let mut longer = expected.clone();
            longer.push((expected_end, expected_end));
            assert_eq!(spans(&mut log), longer, "after {offset}");
            let (opened, report) = if written { rig.close_and_open(log) } else { rig.kill_and_open(log) };
            log = opened;
            log.set_config(Config { tail_bytes, ..rig.config });
            assert_eq!((spans(&mut log), report.torn), (longer, None), "opened after {offset}");
            log.truncate_to(Offset(expected_end)).unwrap();
        }
        log.close().unwrap();
    }
}

fn truncation_brings_producers_back_to_what_they_were<D: Disk>(rig: Rig<D>) {
    let mut log = rig.open();
    for sequence in 0..30 {
        append(&mut log, BatchSpec { value: 60, ..BatchSpec::default() }.producer(7, 0, sequence).build());
    }
    append(&mut log, BatchSpec::default().producer(8, 0, 0).build());
    append(&mut log, BatchSpec::default().producer(7, 1, 0).build());
    assert!(log.segment_count() > 3);
    for end in [31, 30, 17, 4, 1] {
        log.truncate_to(Offset(end)).unwrap();
        let state = log.producer(ProducerId(7)).unwrap();
        let last = state.last_batch().unwrap();
        assert_eq!((state.epoch.0, i64::from(last.last_sequence)), (0, end.min(30) - 1), "truncated to {end}");
        assert_eq!(log.producer(ProducerId(8)).is_some(), end == 31);
        let next = end.min(30) as i32;
        let outcome = append(&mut log, BatchSpec::default().producer(7, 0, next).build());
        assert!(matches!(outcome, Outcome::Appended { .. }), "{outcome:?}");
        log.truncate_to(Offset(end)).unwrap();
    }
    log.truncate_to(Offset(0)).unwrap();
    assert_eq!(log.producers().count(), 0);
}

fn truncation_opens_transactions_again_and_forgets_aborts<D: Disk>(rig: Rig<D>) {
    for written in [false, true] {
        let mut log = rig.open();
        log.restart_at(Offset(0)).unwrap();
        append(&mut log, BatchSpec::default().producer(7, 0, 0).transactional().build());
        append(&mut log, BatchSpec::default().build());
        append(&mut log, BatchSpec::default().producer(7, 0, -1).marker(false, 0).build());
        if written {
            log.checkpoint().unwrap();
        }
        assert_eq!(log.aborted(Offset(0), Offset(3)).unwrap().len(), 1);
        log.truncate_to(Offset(2)).unwrap();
        assert_eq!(log.aborted(Offset(0), Offset(3)).unwrap(), []);
        assert_eq!(log.offsets().first_unstable, Offset(0), "undecided again");
        let outcome = append(&mut log, BatchSpec::default().producer(7, 0, -1).marker(true, 0).build());
        assert!(matches!(outcome, Outcome::Appended { .. }));
        log.forget_decided(Offset(3));
        assert_eq!(log.offsets().first_unstable, Offset(3));
        log.truncate_to(Offset(0)).unwrap();
        assert_eq!(log.offsets().first_unstable, Offset(0));
        log.close().unwrap();
    }
}

fn truncation_forgets_epochs<D: Disk>(rig: Rig<D>) {
    let mut log = rig.open();
    for (epoch, count) in [(1, 4), (2, 4), (5, 8)] {
        for _ in 0..count {
            append_in(&mut log, epoch, BatchSpec { value: 60, ..BatchSpec::default() }.build());
        }
    }
    assert_eq!(log.truncate_to(Offset(9)).unwrap(), Offset(9));
    assert_eq!(log.latest_epoch(), Some(LeaderEpoch(5)));
    log.truncate_to(Offset(8)).unwrap();
    assert_eq!(log.latest_epoch(), Some(LeaderEpoch(2)));
    let (log, _) = rig.kill_and_open(log);
    assert_eq!(log.latest_epoch(), Some(LeaderEpoch(2)));
    assert_eq!(log.epoch_end(LeaderEpoch(1)).end_offset, Some(Offset(4)));
}

fn truncation_lowers_what_survives_a_power_loss<D: Disk>(rig: Rig<D>) {
    let mut log = rig.open();
    fill(&mut log, 20);
    let task = log.flush_task().unwrap();
    assert_eq!(log.offsets().recovery_point, Offset(0));
    assert_eq!(sync(&mut log), Offset(20));
    assert!(log.flush_task().is_none(), "all is synced");
    log.truncate_to(Offset(12)).unwrap();
    assert_eq!(log.offsets().recovery_point, Offset(12));
    fill(&mut log, 5);
    assert_eq!(log.flushed(task.run()).unwrap(), Offset(12), "a task from before says nothing");
    assert_eq!(sync(&mut log), Offset(17));
}

fn times_and_indexes_are_those_of_what_is_left<D: Disk>(rig: Rig<D>) {
    let mut log = rig.open();
    fill(&mut log, 20);
    log.truncate_to(Offset(13)).unwrap();
    assert_eq!(log.max_timestamp_offset(Offset(99)).unwrap().map(|found| found.offset), Some(Offset(12)));
    assert_eq!(log.find_by_timestamp(TimestampMs(13), Offset(99)).unwrap(), None);
    for _ in 13..20 {
        append(&mut log, BatchSpec { timestamp: 5, value: 100, ..BatchSpec::default() }.build());
    }
    for at in 0..13 {
        let found = log.find_by_timestamp(TimestampMs(at), Offset(99)).unwrap().map(|found| found.offset);
        assert_eq!(found, Some(Offset(at)), "{at}");
    }
}

fn a_log_restarts_at_another_offset<D: Disk>(rig: Rig<D>) {
    let mut log = rig.open();
    append(&mut log, BatchSpec::default().producer(7, 0, 0).build());
    fill(&mut log, 20);
    for start in [100, 3] {
        log.restart_at(Offset(start)).unwrap();
        let offsets = log.offsets();
        assert_eq!((offsets.start, offsets.end, offsets.recovery_point), (Offset(start), Offset(start), Offset(start)));
        assert_eq!((log.producers().count(), log.latest_epoch(), log.size_bytes()), (0, None, 0));
        assert_eq!(rig.names("log"), Vec::<String>::new());
        let (opened, _) = rig.kill_and_open(log);
        log = opened;
        assert_eq!((log.offsets().start, log.offsets().end), (Offset(start), Offset(start)));
        fill(&mut log, 20);
        assert_eq!(spans(&mut log), singles(start..start + 20));
    }
}

fn epochs_end_where_the_next_one_begins<D: Disk>(rig: Rig<D>) {
    let mut log = rig.open();
    log.assign_epoch(LeaderEpoch(0));
    append_in(&mut log, 0, BatchSpec::at(0, 4).build());
    log.assign_epoch(LeaderEpoch(3));
    let end = |log: &Log<D>, epoch| {
        let end = log.epoch_end(LeaderEpoch(epoch));
        Some((end.epoch?.0, end.end_offset?.0))
    };
    assert_eq!(
        (end(&log, 0), end(&log, 2), end(&log, 3), end(&log, 4)),
        (Some((0, 4)), Some((0, 4)), Some((3, 4)), None)
    );
    append_in(&mut log, 3, BatchSpec::at(0, 2).build());
    assert_eq!(log.epoch_at(Offset(3)), Some(LeaderEpoch(0)));
    assert_eq!(log.epoch_at(Offset(4)), Some(LeaderEpoch(3)));
    let (log, _) = rig.close_and_open(log);
    assert_eq!((end(&log, 0), end(&log, 3)), (Some((0, 4)), Some((3, 6))));
    assert_eq!(rig.disk.read(&rig.dir.join("leader-epoch-checkpoint")).unwrap(), b"0\n2\n0 0\n3 4\n");
}
