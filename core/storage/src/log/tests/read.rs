//! Reading, from memory and from files.

use model::Offset;

use super::*;
use crate::read_plan::ReadError;

const ALL: Offset = Offset(i64::MAX);

on_both_disks! {
    the_tail_is_read_from_memory_and_the_rest_from_the_file,
    what_a_plan_sends_is_the_same_from_memory_and_from_the_file,
    a_read_stops_before_a_batch_that_reaches_its_bound,
    a_read_gives_one_batch_however_small_the_limit,
    offsets_outside_the_log_are_refused,
    a_read_never_leaves_its_segment,
    every_offset_is_found_by_the_index,
    a_plan_outlives_retention,
    a_resting_log_is_read_and_written_again,
}

/// Batches of 1, 2, 3, 1, 2, 3 ... records.
fn mixed<D: Disk>(log: &mut Log<D>, batches: i32) {
    for n in 0..batches {
        append(log, BatchSpec { value: 40, ..BatchSpec::at(0, 1 + n % 3) }.build());
    }
}

fn the_tail_is_read_from_memory_and_the_rest_from_the_file<D: Disk>(rig: Rig<D>) {
    let rig = rig.with(|config| (config.tail_bytes, config.memory_read_bytes) = (1_200, 600));
    let mut log = rig.open();
    fill(&mut log, 20);
    assert!(log.tail_bytes() > 0 && log.tail_bytes() <= 1_200 + 20 * 32, "{} with its books", log.tail_bytes());
    assert!(matches!(log.read(Offset(0), 100, ALL, &mut BytesMut::new()).unwrap(), ReadPlan::File(_)));
    let last = log.read(Offset(19), 100, ALL, &mut BytesMut::new()).unwrap();
    assert!(matches!(last, ReadPlan::Memory(batches) if Batch::peek_size(&batches).unwrap() == batches.len()));
    let kept = (0..20)
        .find(|from| matches!(log.read(Offset(*from), 1, ALL, &mut BytesMut::new()).unwrap(), ReadPlan::Memory(_)))
        .unwrap();
    assert!(kept > 5 && kept < 18, "{kept}");
    let large = log.read(Offset(kept), 1_000, ALL, &mut BytesMut::new()).unwrap();
    assert!(matches!(large, ReadPlan::File(_)), "more than is answered from memory");
    log.trim_tail(0);
    assert_eq!(log.tail_bytes(), 0);
    assert!(matches!(log.read(Offset(19), 100, ALL, &mut BytesMut::new()).unwrap(), ReadPlan::File(_)));
}

fn what_a_plan_sends_is_the_same_from_memory_and_from_the_file<D: Disk>(rig: Rig<D>) {
    let rig = rig.with(|config| (config.tail_bytes, config.segment_bytes) = (1 << 20, 1 << 20));
    let mut log = rig.open();
    mixed(&mut log, 15);
    let end = log.offsets().end.0;
    for from in 0..end {
        for below in from..=end {
            for max_bytes in [1, 400, 10_000] {
                let ask = |log: &mut Log<D>, memory| {
                    log.set_config(Config { memory_read_bytes: memory, ..rig.config });
                    let plan = log.read(Offset(from), max_bytes, Offset(below), &mut BytesMut::new()).unwrap();
                    assert!(matches!(plan, ReadPlan::Empty | ReadPlan::Memory(_)) == (memory > 0 || plan.is_empty()));
                    let batches = batches_of(&plan);
                    batches.iter().map(|batch| batch.base_offset()).collect::<Vec<_>>()
                };
                let from_memory = ask(&mut log, 1 << 20);
                assert_eq!(ask(&mut log, 0), from_memory, "{from} {below} {max_bytes}");
            }
        }
    }
}

fn a_read_stops_before_a_batch_that_reaches_its_bound<D: Disk>(rig: Rig<D>) {
    for tail_bytes in [0, 1 << 20] {
        let mut log = rig.open();
        log.set_config(Config { tail_bytes, ..rig.config });
        log.restart_at(Offset(0)).unwrap();
        mixed(&mut log, 3);
        // 0, 1-2, 3-5
        for (below, last) in [(1, Some(0)), (2, Some(0)), (3, Some(2)), (5, Some(2)), (6, Some(5)), (0, None)] {
            let plan = log.read(Offset(0), 10_000, Offset(below), &mut BytesMut::new()).unwrap();
            let found = batches_of(&plan).last().map(|batch| batch.last_offset().0);
            assert_eq!(found, last, "below {below}, tail {tail_bytes}");
        }
        assert!(
            log.read(Offset(4), 10_000, Offset(5), &mut BytesMut::new()).unwrap().is_empty(),
            "its batch reaches the bound"
        );
    }
}

fn a_read_gives_one_batch_however_small_the_limit<D: Disk>(rig: Rig<D>) {
    let mut log = rig.open();
    mixed(&mut log, 3);
    let plan = log.read(Offset(4), 1, ALL, &mut BytesMut::new()).unwrap();
    let ReadPlan::File(region) = &plan else { panic!("{plan:?}") };
    assert_eq!((region.first_offset, region.len), (Offset(3), region.first_batch_bytes));
    assert_eq!(batches_of(&plan).len(), 1);
}

fn offsets_outside_the_log_are_refused<D: Disk>(rig: Rig<D>) {
    let mut log = rig.open();
    assert!(log.read(Offset(0), 100, ALL, &mut BytesMut::new()).unwrap().is_empty(), "an empty log");
    fill(&mut log, 5);
    log.advance_start(Offset(2)).unwrap();
    let refused = |outcome| matches!(outcome, Err(ReadError::OutOfRange { start: Offset(2), end: Offset(5) }));
    assert!(refused(log.read(Offset(1), 100, ALL, &mut BytesMut::new())));
    assert!(refused(log.read(Offset(6), 100, ALL, &mut BytesMut::new())));
    assert!(log.read(Offset(5), 100, ALL, &mut BytesMut::new()).unwrap().is_empty(), "the end is no failure");
}

fn a_read_never_leaves_its_segment<D: Disk>(rig: Rig<D>) {
    let mut log = rig.open();
    fill(&mut log, 20);
    let plan = log.read(Offset(0), 1 << 20, ALL, &mut BytesMut::new()).unwrap();
    assert_eq!(plan.len() as u64, rig.disk.len(&rig.dir.join(&rig.names(".log")[0])).unwrap());
}

fn every_offset_is_found_by_the_index<D: Disk>(rig: Rig<D>) {
    let mut log = rig.open();
    mixed(&mut log, 60);
    for written in [false, true] {
        if written {
            log.checkpoint().unwrap();
            log.rest();
        }
        for from in 0..log.offsets().end.0 {
            let plan = log.read(Offset(from), 1, ALL, &mut BytesMut::new()).unwrap();
            let batch = &batches_of(&plan)[0];
            assert!(batch.base_offset().0 <= from && from <= batch.last_offset().0, "{from}");
        }
    }
}

fn a_plan_outlives_retention<D: Disk>(rig: Rig<D>) {
    let rig = rig.with(|config| config.retention_bytes = Some(0));
    let mut log = rig.open();
    fill(&mut log, 20);
    let plan = log.read(Offset(0), 1 << 20, ALL, &mut BytesMut::new()).unwrap();
    let removed = log.retain(NOW, ALL).unwrap();
    assert!(!removed.is_empty());
    removed.into_iter().for_each(|segment| segment.purge_task().run().unwrap());
    assert_eq!(batches_of(&plan)[0].base_offset(), Offset(0));
}

fn a_resting_log_is_read_and_written_again<D: Disk>(rig: Rig<D>) {
    let mut log = rig.open();
    fill(&mut log, 12);
    log.rest();
    fill(&mut log, 12);
    log.rest();
    assert_eq!(spans(&mut log), singles(0..24));
}
