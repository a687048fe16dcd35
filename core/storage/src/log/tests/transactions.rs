//! Transactions.

use model::Offset;

use super::*;
use crate::txn_index::AbortedTxn;

on_both_disks! {
    records_are_unstable_from_the_first_open_transaction_on,
    a_decided_transaction_counts_as_undecided_until_it_is_forgotten,
    aborted_transactions_are_found_by_the_offsets_they_touch,
    a_start_behind_an_open_transaction_is_not_unstable_below,
    fenced_markers_are_refused,
    aborted_transactions_in_removed_segments_go_with_them,
}

fn data<D: Disk>(log: &mut Log<D>, producer: i64, sequence: i32) {
    let spec = BatchSpec { value: 60, ..BatchSpec::default() }.producer(producer, 0, sequence).transactional();
    assert!(matches!(append(log, spec.build()), Outcome::Appended { .. }));
}

fn end<D: Disk>(log: &mut Log<D>, producer: i64, committed: bool) -> Outcome {
    append(log, BatchSpec::default().producer(producer, 0, -1).marker(committed, 0).build())
}

fn unstable<D: Disk>(log: &mut Log<D>) -> i64 {
    log.offsets().first_unstable.0
}

fn records_are_unstable_from_the_first_open_transaction_on<D: Disk>(rig: Rig<D>) {
    let mut log = rig.open();
    fill(&mut log, 2);
    assert_eq!(unstable(&mut log), 2);
    data(&mut log, 7, 0);
    data(&mut log, 8, 0);
    data(&mut log, 7, 1);
    assert_eq!(unstable(&mut log), 2);
    end(&mut log, 7, true);
    log.forget_decided(Offset(6));
    assert_eq!(unstable(&mut log), 3, "the other one is open");
    end(&mut log, 8, false);
    log.forget_decided(Offset(7));
    assert_eq!(unstable(&mut log), 7);
}

fn a_decided_transaction_counts_as_undecided_until_it_is_forgotten<D: Disk>(rig: Rig<D>) {
    let mut log = rig.open();
    data(&mut log, 7, 0);
    end(&mut log, 7, true);
    assert_eq!(unstable(&mut log), 0);
    log.forget_decided(Offset(1));
    assert_eq!(unstable(&mut log), 0, "its marker is at 1, not below");
    log.forget_decided(Offset(2));
    assert_eq!(unstable(&mut log), 2);
}

fn aborted_transactions_are_found_by_the_offsets_they_touch<D: Disk>(rig: Rig<D>) {
    let mut log = rig.open();
    for n in 0..6 {
        // Data at 3n and 3n + 1, the marker at 3n + 2.
        data(&mut log, 7, 2 * n);
        data(&mut log, 7, 2 * n + 1);
        end(&mut log, 7, n % 2 == 0);
    }
    assert!(log.segment_count() > 1);
    for written in [false, true] {
        if written {
            log.checkpoint().unwrap();
            log.rest();
        }
        let all = log.aborted(Offset(0), Offset(18)).unwrap();
        let spans: Vec<_> = all.iter().map(|txn| (txn.first_offset.0, txn.last_offset.0)).collect();
        assert_eq!(spans, [(3, 5), (9, 11), (15, 17)]);
        assert_eq!(all[0], AbortedTxn { last_stable_offset: Offset(6), ..all[0] });
        let mut firsts = |from, upto| {
            let found = log.aborted(Offset(from), Offset(upto)).unwrap();
            found.iter().map(|txn| txn.first_offset.0).collect::<Vec<_>>()
        };
        assert_eq!(firsts(0, 3), Vec::<i64>::new());
        assert_eq!(firsts(0, 4), [3]);
        assert_eq!(firsts(5, 9), [3]);
        assert_eq!(firsts(6, 9), Vec::<i64>::new());
        assert_eq!(firsts(6, 16), [9, 15]);
    }
}

fn a_start_behind_an_open_transaction_is_not_unstable_below<D: Disk>(rig: Rig<D>) {
    let mut log = rig.open();
    data(&mut log, 7, 0);
    fill(&mut log, 5);
    log.advance_start(Offset(4)).unwrap();
    assert_eq!(unstable(&mut log), 4);
}

fn fenced_markers_are_refused<D: Disk>(rig: Rig<D>) {
    let mut log = rig.open();
    append(&mut log, BatchSpec::default().producer(7, 3, 0).transactional().build());
    let marker = |epoch, coordinator| BatchSpec::default().producer(7, epoch, -1).marker(true, coordinator).build();
    assert!(matches!(append(&mut log, marker(2, 5)), Outcome::Refused(_)), "an old producer epoch");
    assert!(matches!(append(&mut log, marker(3, 5)), Outcome::Appended { .. }));
    assert!(matches!(append(&mut log, marker(3, 4)), Outcome::Refused(_)), "an old coordinator");
    assert!(matches!(append(&mut log, marker(4, 5)), Outcome::Appended { .. }), "a marker may raise the epoch");
}

fn aborted_transactions_in_removed_segments_go_with_them<D: Disk>(rig: Rig<D>) {
    let rig = rig.with(|config| config.retention_bytes = Some(1));
    let mut log = rig.open();
    data(&mut log, 7, 0);
    end(&mut log, 7, false);
    fill(&mut log, 10);
    log.retain(NOW, Offset(i64::MAX)).unwrap();
    let offsets = log.offsets();
    assert!(offsets.start > Offset(1));
    assert_eq!(log.aborted(offsets.start, offsets.end).unwrap(), []);
}
