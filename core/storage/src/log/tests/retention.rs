//! Removing old segments.

use model::{LeaderEpoch, Offset, TimestampMs};

use super::*;
use crate::log::retention::RemovalReason;

const ALL: Offset = Offset(i64::MAX);

on_both_disks! {
    old_segments_go_by_age,
    an_expired_active_segment_is_closed_and_goes_too,
    segments_go_while_the_others_hold_enough,
    segments_below_the_start_go,
    nothing_goes_from_above_the_bound_or_without_the_policy,
    files_stay_until_they_are_purged_and_are_not_found_by_a_start,
    segments_without_times_age_by_their_file,
    silent_producers_are_forgotten,
    a_whole_log_is_set_aside_and_purged,
}

fn bases<D: Disk>(removed: &[crate::log::retention::RemovedSegment<D>]) -> Vec<(i64, RemovalReason)> {
    removed.iter().map(|segment| (segment.base.0, segment.reason)).collect()
}

/// Twenty batches in segments that begin at 0, 5, 10 and 15; the record at offset n has time n.
fn four_segments<D: Disk>(rig: &Rig<D>) -> Log<D> {
    let mut log = rig.open();
    fill(&mut log, 20);
    let names = rig.names(".log");
    assert_eq!((names.len(), &names[1][..20]), (4, "00000000000000000005"));
    log
}

fn old_segments_go_by_age<D: Disk>(rig: Rig<D>) {
    let rig = rig.with(|config| config.retention_ms = Some(100));
    let mut log = four_segments(&rig);
    assert!(log.retain(TimestampMs(104), ALL).unwrap().is_empty(), "the first is not older than 100");
    let removed = log.retain(TimestampMs(110), ALL).unwrap();
    assert_eq!(bases(&removed), [(0, RemovalReason::Age), (5, RemovalReason::Age)]);
    assert_eq!(log.offsets().start, Offset(10));
    assert_eq!(spans(&mut log), singles(10..20));
    assert_eq!(log.epoch_end(LeaderEpoch(0)).end_offset, Some(Offset(20)));
}

fn an_expired_active_segment_is_closed_and_goes_too<D: Disk>(rig: Rig<D>) {
    let rig = rig.with(|config| config.retention_ms = Some(100));
    let mut log = four_segments(&rig);
    let removed = log.retain(TimestampMs(1_000), ALL).unwrap();
    assert_eq!(removed.len(), 4);
    assert_eq!((log.offsets().start, log.offsets().end, log.size_bytes()), (Offset(20), Offset(20), 0));
    fill(&mut log, 1);
    assert_eq!(spans(&mut log), singles(20..21));
    let (mut log, _) = rig.kill_and_open(log);
    assert_eq!(spans(&mut log), singles(20..21));
}

fn segments_go_while_the_others_hold_enough<D: Disk>(rig: Rig<D>) {
    let mut log = four_segments(&rig);
    let segment = log.size_bytes() / 4;
    log.set_config(Config { retention_bytes: Some(2 * segment + 1), ..rig.config });
    assert_eq!(bases(&log.retain(NOW, ALL).unwrap()), [(0, RemovalReason::Size)]);
    log.set_config(Config { retention_bytes: Some(2 * segment), ..rig.config });
    assert_eq!(bases(&log.retain(NOW, ALL).unwrap()), [(5, RemovalReason::Size)]);
    assert_eq!(log.offsets().start, Offset(10));
}

fn segments_below_the_start_go<D: Disk>(rig: Rig<D>) {
    let rig = rig.with(|config| config.delete = false);
    let mut log = four_segments(&rig);
    log.advance_start(Offset(12)).unwrap();
    assert_eq!(spans(&mut log), singles(12..20));
    let removed = log.retain(NOW, ALL).unwrap();
    assert_eq!(bases(&removed), [(0, RemovalReason::BelowStart), (5, RemovalReason::BelowStart)]);
    assert_eq!(log.offsets().start, Offset(12), "inside the third");
    assert!(log.advance_start(Offset(21)).is_err());
    log.advance_start(Offset(3)).unwrap();
    assert_eq!(log.offsets().start, Offset(12), "never back");
    let (mut log, _) = rig.kill_and_open(log);
    assert_eq!(spans(&mut log), singles(12..20));
}

fn nothing_goes_from_above_the_bound_or_without_the_policy<D: Disk>(rig: Rig<D>) {
    let rig = rig.with(|config| config.retention_ms = Some(1));
    let mut log = four_segments(&rig);
    assert!(log.retain(NOW, Offset(4)).unwrap().is_empty());
    assert_eq!(log.retain(NOW, Offset(5)).unwrap().len(), 1);
    log.set_config(Config { delete: false, ..rig.config });
    assert!(log.retain(NOW, ALL).unwrap().is_empty());
}

fn files_stay_until_they_are_purged_and_are_not_found_by_a_start<D: Disk>(rig: Rig<D>) {
    let rig = rig.with(|config| config.retention_ms = Some(100));
    let mut log = four_segments(&rig);
    let removed = log.retain(TimestampMs(110), ALL).unwrap();
    assert!(rig.names(".deleted").contains(&"00000000000000000000.log.deleted".to_owned()));
    let (mut log, report) = rig.kill_and_open(log);
    assert_eq!((spans(&mut log), report.torn), (singles(10..20), None));
    assert!(rig.names(".deleted").is_empty(), "a recovery purges them");
    removed.into_iter().for_each(|segment| segment.purge_task().run().unwrap());
    assert_eq!(spans(&mut log), singles(10..20));
}

fn segments_without_times_age_by_their_file<D: Disk>(rig: Rig<D>) {
    let rig = rig.with(|config| config.retention_ms = Some(100));
    let mut log = rig.open();
    for _ in 0..20 {
        append(&mut log, BatchSpec { timestamp: -1, value: 100, ..BatchSpec::default() }.build());
    }
    let written = rig.disk.modified(&rig.dir.join(&rig.names(".log")[0])).unwrap();
    assert!(log.retain(written + 100, ALL).unwrap().is_empty());
    assert!(!log.retain(written + 100_000, ALL).unwrap().is_empty());
}

fn silent_producers_are_forgotten<D: Disk>(rig: Rig<D>) {
    let rig = rig.with(|config| config.producer_expiration_ms = 1_000);
    let mut log = rig.open();
    append(&mut log, BatchSpec { timestamp: 5, ..BatchSpec::default() }.producer(7, 0, 0).build());
    log.retain(TimestampMs(1_004), ALL).unwrap();
    assert_eq!(log.producers().count(), 1);
    log.retain(TimestampMs(1_005), ALL).unwrap();
    assert_eq!(log.producers().count(), 0);
}

fn a_whole_log_is_set_aside_and_purged<D: Disk>(rig: Rig<D>) {
    let log = four_segments(&rig);
    let aside = rig.dir.with_file_name("orders-0.0123456789abcdef0123456789abcdef-delete");
    let removed = log.remove(&aside).unwrap();
    assert!(rig.disk.list(&rig.dir).is_err());
    assert!(!rig.disk.list(&aside).unwrap().is_empty());
    removed.purge_task().run().unwrap();
    assert!(rig.disk.list(&aside).is_err());
    assert!(rig.try_open(false).unwrap().1.created);
}
