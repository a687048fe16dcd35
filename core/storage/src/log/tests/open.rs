//! Opening and closing in order, and after the process was killed.

use model::{LeaderEpoch, Offset, ProducerId, TimestampMs, TopicId};

use super::*;

on_both_disks! {
    a_new_log_is_made_where_there_is_none,
    a_closed_log_opens_as_it_was,
    a_closed_log_is_not_scanned,
    a_killed_log_opens_as_it_was,
    a_killed_log_scans_only_what_came_behind_its_state,
    a_state_file_that_is_damaged_gone_or_old_is_survived,
    a_state_that_claims_more_than_the_file_holds_is_not_believed,
    damaged_indexes_are_made_anew,
    a_log_of_another_topic_is_refused,
    snapshots_do_not_pile_up,
}

/// Four segments, producers, epochs, an aborted and an open transaction.
fn busy<D: Disk>(log: &mut Log<D>) {
    for n in 0..8 {
        append_in(log, n / 3, BatchSpec { value: 100, ..BatchSpec::default() }.producer(7, 0, n).build());
    }
    append_in(log, 2, BatchSpec::default().producer(8, 0, 0).transactional().build());
    append_in(log, 2, BatchSpec::default().producer(8, 0, -1).marker(false, 1).build());
    append_in(log, 2, BatchSpec::default().producer(9, 0, 0).transactional().build());
    for _ in 0..8 {
        append_in(log, 4, BatchSpec { value: 100, ..BatchSpec::default() }.build());
    }
    log.forget_decided(Offset(i64::MAX));
}

/// A producer: id, epoch, coordinator's epoch, last sequence, first offset of the open transaction.
type Known = (ProducerId, i16, i32, Option<i32>, Option<Offset>);

/// Everything that can be asked of a log, to compare two.
#[derive(Debug, PartialEq)]
struct Books {
    offsets: (i64, i64, i64),
    spans: Vec<(i64, i64)>,
    size: u64,
    segments: usize,
    epochs: Vec<Option<(i32, i64)>>,
    producers: Vec<Known>,
    aborted: Vec<crate::txn_index::AbortedTxn>,
    times: Vec<Option<Offset>>,
}

fn books<D: Disk>(log: &mut Log<D>) -> Books {
    let offsets = log.offsets();
    let end_of = |epoch| {
        let end = log.epoch_end(LeaderEpoch(epoch));
        Some((end.epoch?.0, end.end_offset?.0))
    };
    Books {
        offsets: (offsets.start.0, offsets.first_unstable.0, offsets.end.0),
        size: log.size_bytes(),
        segments: log.segment_count(),
        epochs: (0..6).map(end_of).collect(),
        producers: log
            .producers()
            .map(|(id, state)| {
                let last = state.last_batch().map(|batch| batch.last_sequence);
                (*id, state.epoch.0, state.coordinator_epoch, last, state.txn_first_offset)
            })
            .collect(),
        aborted: log.aborted(offsets.start, offsets.end).unwrap(),
        times: (0..8)
            .map(|n| log.find_by_timestamp(TimestampMs(n * 500), offsets.end).unwrap())
            .map(|found| found.map(|found| found.offset))
            .collect(),
        spans: spans(log),
    }
}

fn a_new_log_is_made_where_there_is_none<D: Disk>(rig: Rig<D>) {
    let rig = Rig { hints: OpenHints { log_start: Offset(40), ..rig.hints }, ..rig };
    let (log, report) = rig.try_open(false).unwrap();
    assert!(report.created);
    assert_eq!((log.offsets().start, log.offsets().end), (Offset(40), Offset(40)));
    assert_eq!(rig.names("log"), Vec::<String>::new(), "no file before the first record");
    let (mut log, report) = rig.close_and_open(log);
    assert_eq!((report.created, report.clean), (false, true));
    fill(&mut log, 1);
    assert_eq!(spans(&mut log), singles(40..41));
}

fn a_closed_log_opens_as_it_was<D: Disk>(rig: Rig<D>) {
    let mut log = rig.open();
    for _ in 0..3 {
        busy(&mut log);
        // The second time around its sequences are old, so that only the rest is appended.
        let before = books(&mut log);
        let (opened, report) = rig.close_and_open(log);
        log = opened;
        assert!(report.clean);
        assert_eq!(books(&mut log), before);
    }
}

fn a_closed_log_is_not_scanned<D: Disk>(rig: Rig<D>) {
    let mut log = rig.open();
    busy(&mut log);
    let (log, report) = rig.close_and_open(log);
    assert_eq!(report, RecoveryReport { clean: true, ..RecoveryReport::default() });
    log.close().unwrap();
    let (_, report) = rig.try_open(false).unwrap();
    assert!(!report.clean, "without the mark of a clean shutdown it is looked at");
}

fn a_killed_log_opens_as_it_was<D: Disk>(rig: Rig<D>) {
    let mut log = rig.open();
    busy(&mut log);
    for checkpoint in [false, true] {
        if checkpoint {
            log.checkpoint().unwrap();
        }
        let before = books(&mut log);
        let (opened, report) = rig.kill_and_open(log);
        log = opened;
        log.forget_decided(Offset(i64::MAX));
        assert_eq!(books(&mut log), before);
        assert_eq!((report.torn, report.cut_bytes), (None, 0));
    }
}

fn a_killed_log_scans_only_what_came_behind_its_state<D: Disk>(rig: Rig<D>) {
    let mut log = rig.open();
    busy(&mut log);
    log.checkpoint().unwrap();
    let last = batches_of(&log.read(log.offsets().end + -1, 1, Offset(i64::MAX), &mut BytesMut::new()).unwrap())[0]
        .size_bytes() as u64;
    let before = log.size_bytes();
    fill(&mut log, 2);
    let behind = log.size_bytes() - before;
    let (_, report) = rig.kill_and_open(log);
    assert_eq!(report.scanned_bytes, last + behind, "the state's last batch, and what came behind it");
}

fn a_state_file_that_is_damaged_gone_or_old_is_survived<D: Disk>(rig: Rig<D>) {
    let path = rig.dir.join("log.state");
    let mut log = rig.open();
    fill(&mut log, 3);
    log.checkpoint().unwrap();
    let old = rig.disk.read(&path).unwrap();
    busy(&mut log);
    let before = books(&mut log);
    drop(log);
    let current = rig.disk.read(&path).unwrap();
    for damaged in [None, Some(&old[..]), Some(&current[..20]), Some(b""), Some(&[0xff; 300])] {
        match damaged {
            None => rig.disk.remove(&path).unwrap(),
            Some(bytes) => rig.disk.replace(&path, bytes, false).unwrap(),
        }
        let (mut log, report) = rig.try_open(true).unwrap();
        log.forget_decided(Offset(i64::MAX));
        assert_eq!((report.clean, report.torn), (false, None));
        assert_eq!(books(&mut log), before);
    }
}

fn a_state_that_claims_more_than_the_file_holds_is_not_believed<D: Disk>(rig: Rig<D>) {
    let mut log = rig.open();
    fill(&mut log, 3);
    let path = rig.dir.join(&rig.names("0.log")[0]);
    let size = log.size_bytes();
    log.close().unwrap();
    for cut in [1, size / 3, size / 3 + 1] {
        rig.disk.open(&path).unwrap().truncate(size - cut).unwrap();
        let (mut log, report) = rig.try_open(false).unwrap();
        let left = (size - cut) / (size / 3);
        assert!(!report.clean);
        assert_eq!(spans(&mut log), singles(0..left as i64), "{cut}");
        fill(&mut log, 3 - left as usize);
        log.close().unwrap();
    }
}

fn damaged_indexes_are_made_anew<D: Disk>(rig: Rig<D>) {
    let mut log = rig.open();
    busy(&mut log);
    let before = books(&mut log);
    log.close().unwrap();
    for clean in [true, false] {
        for suffix in [".index", ".timeindex", ".txnindex"] {
            for damage in 0..3 {
                let names = rig.names(suffix);
                assert!(!names.is_empty(), "{suffix}");
                for name in names {
                    let path = rig.dir.join(name);
                    let len = rig.disk.len(&path).unwrap();
                    match damage {
                        0 => rig.disk.remove(&path).unwrap(),
                        1 => rig.disk.open(&path).unwrap().truncate(len - 3).unwrap(),
                        _ => rig.disk.replace(&path, &vec![0; len as usize], false).unwrap(),
                    }
                }
                if !clean {
                    rig.disk.remove(&rig.dir.join("log.state")).unwrap();
                }
                let (mut log, _) = rig.try_open(clean).unwrap();
                log.forget_decided(Offset(i64::MAX));
                assert_eq!(books(&mut log), before, "{suffix}, damage {damage}, clean {clean}");
                log.close().unwrap();
            }
        }
    }
}

fn a_log_of_another_topic_is_refused<D: Disk>(rig: Rig<D>) {
    let of = |topic| OpenHints { topic_id: Some(TopicId([topic; 16])), ..OpenHints::default() };
    let open = |hints| Log::open(rig.disk.clone(), &rig.dir, rig.config, hints, NOW).map(|(log, _)| log);
    let log = open(of(1)).unwrap();
    assert_eq!(log.topic_id(), Some(TopicId([1; 16])));
    let text = String::from_utf8(rig.disk.read(&rig.dir.join("partition.metadata")).unwrap()).unwrap();
    assert_eq!(text, "version: 0\ntopic_id: AQEBAQEBAQEBAQEBAQEBAQ\n");
    assert!(matches!(open(of(2)), Err(OpenError::OtherTopic { .. })));
    log.close().unwrap();
    assert!(matches!(open(of(2)), Err(OpenError::OtherTopic { .. })));
    assert!(open(of(1)).is_ok());
    rig.disk.remove(&rig.dir.join("log.state")).unwrap();
    rig.disk.replace(&rig.dir.join("partition.metadata"), b"version: 9\n", false).unwrap();
    assert!(matches!(open(of(1)), Err(OpenError::BadMetadata { .. })));
}

fn snapshots_do_not_pile_up<D: Disk>(rig: Rig<D>) {
    let mut log = rig.open();
    for sequence in 0..40 {
        append(&mut log, BatchSpec { value: 100, ..BatchSpec::default() }.producer(7, 0, sequence).build());
        let (opened, _) = if sequence % 3 == 0 { rig.kill_and_open(log) } else { rig.close_and_open(log) };
        log = opened;
        let (snapshots, logs) = (rig.names(".snapshot").len(), rig.names(".log").len());
        assert!(snapshots <= logs, "{snapshots} snapshots of {logs} segments");
    }
}
