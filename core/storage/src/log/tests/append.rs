//! Appending, as the leader and as a follower.

use model::{LeaderEpoch, Offset, ProducerId, TimestampMs};

use super::*;
use crate::log::append::{AppendError, Refusal};
use crate::names;
use crate::producer_state::ProducerError;

on_both_disks! {
    batches_get_the_next_offsets,
    batches_of_one_call_are_judged_in_order,
    a_retry_is_answered_with_the_old_offsets,
    a_gap_in_sequences_is_refused_and_nothing_is_written,
    leaders_clock_is_stamped_where_the_topic_says_so,
    a_batch_larger_than_a_segment_is_refused,
    followers_take_offsets_as_they_are,
    followers_refuse_offsets_that_go_back,
    segments_roll_by_size,
    segments_roll_by_the_age_of_their_first_record,
    segments_roll_before_an_index_is_full,
    segments_roll_before_an_offset_is_too_far_from_the_base,
    one_call_may_fill_several_segments,
    a_follower_notes_markers_in_the_order_of_the_log,
}

fn batches_get_the_next_offsets<D: Disk>(rig: Rig<D>) {
    let mut log = rig.open();
    for (count, first, last) in [(3, 0, 2), (1, 3, 3), (5, 4, 8)] {
        let outcome = append(&mut log, BatchSpec::at(77, count).build());
        assert_eq!(outcome, Outcome::Appended { first_offset: Offset(first), last_offset: Offset(last) });
    }
    assert_eq!(log.offsets().end, Offset(9));
    assert_eq!(spans(&mut log), [(0, 2), (3, 3), (4, 8)]);
}

fn batches_of_one_call_are_judged_in_order<D: Disk>(rig: Rig<D>) {
    let mut log = rig.open();
    let spec = |sequence| BatchSpec::at(0, 2).producer(7, 0, sequence).build();
    let mut outcomes = Vec::new();
    let mut batches = [spec(0), spec(2), spec(0), spec(9), BatchSpec::default().build()];
    let appended = log.append_as_leader(&mut batches, LeaderEpoch(4), NOW, &mut outcomes).unwrap();
    assert_eq!((appended.first_offset, appended.last_offset), (Offset(0), Offset(4)));
    assert_eq!(outcomes[1], Outcome::Appended { first_offset: Offset(2), last_offset: Offset(3) });
    assert!(matches!(&outcomes[2], Outcome::Duplicate(written) if written.first_offset() == Offset(0)));
    let refusal =
        Refusal::Producer(ProducerError::OutOfOrderSequence { producer: ProducerId(7), expected: 4, found: 9 });
    assert_eq!(outcomes[3], Outcome::Refused(refusal));
    assert_eq!(outcomes[4], Outcome::Appended { first_offset: Offset(4), last_offset: Offset(4) });
    assert_eq!(spans(&mut log), [(0, 1), (2, 3), (4, 4)]);
    assert!(read_from(&mut log, Offset(0)).iter().all(|batch| batch.leader_epoch() == LeaderEpoch(4)));
}

fn a_retry_is_answered_with_the_old_offsets<D: Disk>(rig: Rig<D>) {
    let mut log = rig.open();
    for sequence in 0..6 {
        append(&mut log, BatchSpec::default().producer(7, 0, sequence).build());
    }
    for sequence in 1..6 {
        let outcome = append(&mut log, BatchSpec::default().producer(7, 0, sequence).build());
        assert!(matches!(outcome, Outcome::Duplicate(written) if written.last_offset == Offset(sequence.into())));
    }
    let too_old = append(&mut log, BatchSpec::default().producer(7, 0, 0).build());
    assert!(matches!(too_old, Outcome::Refused(Refusal::Producer(ProducerError::OutOfOrderSequence { .. }))));
    assert_eq!(log.offsets().end, Offset(6));
}

fn a_gap_in_sequences_is_refused_and_nothing_is_written<D: Disk>(rig: Rig<D>) {
    let mut log = rig.open();
    append(&mut log, BatchSpec::default().producer(7, 1, 0).build());
    let mut outcomes = Vec::new();
    let mut gap = [BatchSpec::default().producer(7, 1, 2).build()];
    let appended = log.append_as_leader(&mut gap, LeaderEpoch(0), NOW, &mut outcomes).unwrap();
    assert_eq!((appended.first_offset, appended.last_offset), (Offset(1), Offset(0)), "nothing");
    let fenced = append(&mut log, BatchSpec::default().producer(7, 0, 1).build());
    assert!(matches!(fenced, Outcome::Refused(Refusal::Producer(ProducerError::InvalidEpoch { .. }))));
    assert_eq!(spans(&mut log), [(0, 0)]);
}

fn leaders_clock_is_stamped_where_the_topic_says_so<D: Disk>(rig: Rig<D>) {
    let rig = rig.with(|config| config.log_append_time = true);
    let mut log = rig.open();
    let mut outcomes = Vec::new();
    let mut batches = [BatchSpec::at(0, 3).build()];
    let appended = log.append_as_leader(&mut batches, LeaderEpoch(0), TimestampMs(42), &mut outcomes).unwrap();
    assert_eq!(appended.log_append_time, Some(TimestampMs(42)));
    let read = read_from(&mut log, Offset(0));
    assert!(read[0].is_log_append_time());
    assert_eq!(read[0].max_timestamp(), TimestampMs(42));
}

fn a_batch_larger_than_a_segment_is_refused<D: Disk>(rig: Rig<D>) {
    let mut log = rig.open();
    let outcome = append(&mut log, BatchSpec { value: 1_000, ..BatchSpec::default() }.build());
    assert!(matches!(outcome, Outcome::Refused(Refusal::TooLarge { segment_bytes: 1_000, .. })));
    assert_eq!(log.offsets().end, Offset(0));
    // A follower has no choice: its leader's settings were others.
    follow(&mut log, &[BatchSpec { value: 1_000, ..BatchSpec::at(0, 1) }, BatchSpec::at(1, 1)]);
    assert_eq!((log.segment_count(), spans(&mut log)), (2, singles(0..2)));
}

fn followers_take_offsets_as_they_are<D: Disk>(rig: Rig<D>) {
    let mut log = rig.open();
    let appended = follow(&mut log, &[BatchSpec::at(5, 2), BatchSpec { epoch: 3, ..BatchSpec::at(20, 1) }]);
    assert_eq!((appended.first_offset, appended.last_offset), (Offset(5), Offset(20)));
    assert_eq!(spans(&mut log), [(5, 6), (20, 20)]);
    assert_eq!(log.latest_epoch(), Some(LeaderEpoch(3)));
    let plan = log.read(Offset(7), 1000, Offset(i64::MAX), &mut BytesMut::new()).unwrap();
    assert_eq!(batches_of(&plan)[0].base_offset(), Offset(20), "the next batch there is");
}

fn followers_refuse_offsets_that_go_back<D: Disk>(rig: Rig<D>) {
    let mut log = rig.open();
    follow(&mut log, &[BatchSpec::at(0, 5)]);
    let batches = [BatchSpec::at(5, 1).build(), BatchSpec::at(4, 1).build()];
    let outcome = log.append_as_follower(&batches, NOW);
    assert!(matches!(outcome, Err(AppendError::OutOfOrder { expected: Offset(6), found: Offset(4) })));
    assert_eq!(spans(&mut log), [(0, 4)], "none of the call");
}

fn segments_roll_by_size<D: Disk>(rig: Rig<D>) {
    let mut log = rig.open();
    fill(&mut log, 20);
    let each = log.size_bytes() / 20;
    let fit = (1_000 / each) as usize;
    assert_eq!(log.segment_count(), 20_usize.div_ceil(fit));
    let second = format!("{fit:020}.log");
    assert_eq!(rig.names(".log")[1], second);
    assert_eq!(rig.disk.len(&rig.dir.join(second)).unwrap(), each * fit as u64);
    assert_eq!(spans(&mut log), singles(0..20));
}

fn segments_roll_by_the_age_of_their_first_record<D: Disk>(rig: Rig<D>) {
    let rig = rig.with(|config| (config.segment_ms, config.segment_jitter_ms) = (120, 20));
    let mut log = rig.open();
    let at = |timestamp| BatchSpec { timestamp, ..BatchSpec::default() }.build();
    for (timestamp, segments) in [(1_000, 1), (1_100, 1), (900, 1), (1_101, 2), (1_201, 2), (1_202, 3)] {
        append(&mut log, at(timestamp));
        assert_eq!(log.segment_count(), segments, "{timestamp}");
    }
}

fn segments_roll_before_an_index_is_full<D: Disk>(rig: Rig<D>) {
    let rig = rig.with(|config| (config.segment_index_bytes, config.segment_bytes) = (36, 1 << 20));
    let mut log = rig.open();
    fill(&mut log, 30);
    assert!(log.segment_count() > 3, "{}", log.segment_count());
    log.checkpoint().unwrap();
    for name in [rig.names(".index"), rig.names(".timeindex")].concat() {
        assert!(rig.disk.len(&rig.dir.join(&name)).unwrap() <= 36, "{name}");
    }
    assert_eq!(spans(&mut log), singles(0..30));
}

fn segments_roll_before_an_offset_is_too_far_from_the_base<D: Disk>(rig: Rig<D>) {
    let mut log = rig.open();
    let far = i64::from(i32::MAX);
    follow(&mut log, &[BatchSpec::at(far + 10, 1)]);
    assert_eq!(log.segment_count(), 1, "an empty segment only moves");
    follow(&mut log, &[BatchSpec::at(far + 11, 1), BatchSpec::at(2 * far + 30, 1), BatchSpec::at(2 * far + 31, 1)]);
    assert_eq!(log.segment_count(), 2);
    let spans_before = spans(&mut log);
    let (mut log, report) = rig.kill_and_open(log);
    assert_eq!((spans(&mut log), report.torn), (spans_before, None));
}

fn one_call_may_fill_several_segments<D: Disk>(rig: Rig<D>) {
    let mut log = rig.open();
    let mut batches: Vec<_> = (0..50).map(|_| BatchSpec { value: 100, ..BatchSpec::default() }.build()).collect();
    let mut outcomes = Vec::new();
    let appended = log.append_as_leader(&mut batches, LeaderEpoch(0), NOW, &mut outcomes).unwrap();
    assert_eq!((appended.first_offset, appended.last_offset, outcomes.len()), (Offset(0), Offset(49), 50));
    assert!(log.segment_count() > 8);
    assert_eq!(spans(&mut log), singles(0..50));
}

fn a_follower_notes_markers_in_the_order_of_the_log<D: Disk>(rig: Rig<D>) {
    let mut log = rig.open();
    let data = |offset, sequence| BatchSpec::at(offset, 1).producer(7, 0, sequence).transactional();
    let marker = BatchSpec::at(1, 1).producer(7, 0, -1).marker(true, 0);
    follow(&mut log, &[data(0, 0), marker, data(2, 1)]);
    log.forget_decided(Offset(3));
    assert_eq!(log.offsets().first_unstable, Offset(2), "the second transaction is open");
    assert_eq!(log.producer(ProducerId(7)).unwrap().txn_first_offset, Some(Offset(2)));
}

#[test]
fn a_segment_that_gets_no_room_takes_nothing_until_it_does() {
    let rig = Rig::sim().with(|config| config.preallocate = true);
    let mut log = rig.open();
    rig.disk.set_space(Some(999));
    let mut refused =
        || log.append_as_leader(&mut [BatchSpec::default().build()], LeaderEpoch(0), NOW, &mut Vec::new());
    assert!(matches!(refused(), Err(AppendError::NoSpace)));
    assert!(matches!(refused(), Err(AppendError::NoSpace)));
    rig.disk.set_space(Some(20_000));
    append(&mut log, BatchSpec::default().build());
    assert_eq!((log.offsets().end, spans(&mut log)), (Offset(1), vec![(0, 0)]));
}

#[test]
fn a_segment_has_its_room_at_once_and_gives_back_what_it_did_not_need() {
    use std::os::unix::fs::MetadataExt as _;
    let rig = Rig::real().with(|config| (config.preallocate, config.segment_bytes) = (true, 1 << 20));
    let taken = |base| std::fs::metadata(names::path(&rig.dir, Offset(base), names::LOG)).unwrap().blocks() * 512;
    let mut log = rig.open();
    append(&mut log, BatchSpec { value: 200_000, ..BatchSpec::default() }.build());
    if taken(0) < 1 << 20 {
        println!("skipped: this file system reserves nothing");
        return;
    }
    append(&mut log, BatchSpec { value: 900_000, ..BatchSpec::default() }.build());
    assert_eq!(log.segment_count(), 2);
    assert!(taken(0) < 1 << 19 && taken(1) >= 1 << 20, "{} and {}", taken(0), taken(1));
    assert_eq!(spans(&mut log), [(0, 0), (1, 1)]);
}
