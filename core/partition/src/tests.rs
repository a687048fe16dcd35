//! A partition on the simulated disk: what producers, consumers and the disk see of it.

use std::sync::Arc;

use bytes::BytesMut;
use model::{
    BatchBuilder, Codec, LeaderEpoch, NodeId, Offset, Producer, ProducerEpoch, ProducerId, TimestampMs, ValidBatch,
};
use storage::{OpenHints, SimDisk};

use crate::*;

const NOW: TimestampMs = TimestampMs(1_000_000);
const ME: NodeId = NodeId(1);

fn alone(epoch: i32) -> Leadership {
    let me: Arc<[NodeId]> = [ME].into();
    Leadership {
        leader: Some(ME),
        epoch: LeaderEpoch(epoch),
        partition_epoch: epoch,
        replicas: me.clone(),
        in_sync: me,
    }
}

fn partition(config: Config) -> Partition<SimDisk> {
    let (mut partition, report) =
        Partition::open(SimDisk::new(), "/d/t-0", ME, config, OpenHints::default(), NOW).expect("it opens");
    assert!(report.created);
    partition.lead_by(alone(0), NOW, &mut Effects::default());
    partition
}

fn batch(values: &[&str]) -> ValidBatch {
    let mut builder = BatchBuilder::new();
    for value in values {
        builder.append(NOW, None, Some(value.as_bytes()), &[]);
    }
    builder.finish()
}

fn synced_each_record() -> Config {
    Config { flush: FlushPolicy { messages: 1, ms: i64::MAX }, ..Config::default() }
}

fn produce(partition: &mut Partition<SimDisk>, batch: ValidBatch) -> ProduceResult {
    produce_one(partition, batch, Acks::All, 0, &mut Effects::default()).expect("acknowledged at once")
}

/// Appends one batch; `None` where its acknowledgement has to wait.
fn produce_one(
    partition: &mut Partition<SimDisk>,
    batch: ValidBatch,
    acks: Acks,
    ticket: u64,
    effects: &mut Effects,
) -> Option<ProduceResult> {
    let mut queue = Queue::default();
    queue.push(batch, acks, Ticket(ticket));
    partition.produce(&mut queue, NOW, effects);
    assert!(queue.is_empty());
    let at = effects.completions.iter().position(|(done, _)| *done == Ticket(ticket))?;
    Some(effects.completions.remove(at).1)
}

fn fetch(partition: &mut Partition<SimDisk>, from: i64) -> Result<Fetched<SimDisk>, FetchError> {
    let spec = FetchSpec {
        from: Offset(from),
        bytes_max: 1 << 20,
        isolation: Isolation::ReadUncommitted,
        leader_epoch: LeaderEpoch::NONE,
        last_fetched_epoch: LeaderEpoch::NONE,
    };
    partition.fetch(&spec, NOW, &mut BytesMut::new())
}

#[test]
fn a_lone_leader_acknowledges_at_once_and_consumers_read_it() {
    let mut partition = partition(Config::default());
    let mut effects = Effects::default();
    let produced = produce_one(&mut partition, batch(&["a", "b"]), Acks::All, 7, &mut effects).unwrap().unwrap();
    assert_eq!((produced.base_offset, produced.last_offset), (Offset(0), Offset(1)));
    assert!(effects.readable_bytes > 0 && effects.completions.is_empty() && !effects.flush);
    let fetched = fetch(&mut partition, 0).unwrap();
    assert_eq!(fetched.high_watermark, Offset(2));
    let batches = fetched.plan.load().unwrap();
    let values: Vec<_> = batches[0].records(100).unwrap().map(|record| record.unwrap().value.unwrap()).collect();
    assert_eq!(values, ["a", "b"]);
}

#[test]
fn batches_that_wait_together_are_judged_one_by_one_and_each_ticket_comes_back_once() {
    let config = Config { message_bytes_max: 100, ..Config::default() };
    let mut partition = partition(config);
    let mut queue = Queue::default();
    let long = "x".repeat(200);
    for (ticket, value) in [(1, "a"), (2, long.as_str()), (3, "b"), (4, "c")] {
        queue.push(batch(&[value]), Acks::All, Ticket(ticket));
    }
    let mut effects = Effects::default();
    partition.produce(&mut queue, NOW, &mut effects);
    effects.completions.sort_by_key(|(ticket, _)| *ticket);
    let told: Vec<_> = effects
        .completions
        .iter()
        .map(|(ticket, result)| (ticket.0, result.as_ref().ok().map(|produced| produced.base_offset.0)))
        .collect();
    assert_eq!(told, [(1, Some(0)), (2, None), (3, Some(1)), (4, Some(2))]);
    assert!(matches!(effects.completions[1].1, Err(ProduceError::TooLarge { limit: 100, .. })));
    assert_eq!(partition.offsets().end, Offset(3));
}

#[test]
fn batches_that_wait_together_leave_in_one_write() {
    let disk = SimDisk::new();
    let opened = Partition::open(disk.clone(), "/d/t-0", ME, Config::default(), OpenHints::default(), NOW);
    let mut partition = opened.unwrap().0;
    partition.lead_by(alone(0), NOW, &mut Effects::default());
    produce(&mut partition, batch(&["a"])).unwrap();
    let mut queue = Queue::default();
    for ticket in 0..100 {
        queue.push(batch(&["b", "c"]), Acks::All, Ticket(ticket));
    }
    let before = disk.calls();
    partition.produce(&mut queue, NOW, &mut Effects::default());
    assert_eq!((disk.calls() - before, partition.offsets().end), (1, Offset(201)));
}

#[test]
fn nothing_is_acknowledged_nor_read_before_the_sync_that_the_topic_wants() {
    let mut partition = partition(synced_each_record());
    let mut effects = Effects::default();
    for (ticket, acks) in [(1, Acks::All), (2, Acks::Leader)] {
        assert_eq!(produce_one(&mut partition, batch(&["a"]), acks, ticket, &mut effects), None);
    }
    assert!(effects.flush && effects.readable_bytes == 0);
    assert!(fetch(&mut partition, 0).unwrap().plan.is_empty());

    let task = partition.flush_task().expect("something to sync");
    assert!(partition.flush_task().is_none(), "one sync at a time");
    let mut effects = Effects::default();
    assert_eq!(produce_one(&mut partition, batch(&["c"]), Acks::All, 3, &mut effects), None);
    assert!(!effects.flush, "the sync under way comes first");
    partition.flushed(task.run(), NOW, &mut effects).unwrap();
    let tickets: Vec<_> = effects.completions.iter().map(|(ticket, result)| (ticket.0, result.is_ok())).collect();
    assert_eq!(tickets, [(1, true), (2, true)], "one sync for all who waited, not for who came later");
    assert!(effects.flush && effects.readable_bytes > 0);
    assert_eq!(partition.high_watermark(), Offset(2));
}

#[test]
fn flush_messages_counts_records_not_batches() {
    let mut partition = partition(Config { flush: FlushPolicy { messages: 3, ms: i64::MAX }, ..Config::default() });
    let mut effects = Effects::default();
    assert!(produce_one(&mut partition, batch(&["a", "b"]), Acks::All, 1, &mut effects).is_some());
    assert!(!effects.flush);
    assert!(produce_one(&mut partition, batch(&["c"]), Acks::All, 2, &mut effects).is_none());
    assert!(effects.flush);
}

#[test]
fn flush_ms_asks_for_a_sync_in_time() {
    let mut partition = partition(Config { flush: FlushPolicy { messages: i64::MAX, ms: 500 }, ..Config::default() });
    produce(&mut partition, batch(&["a"])).unwrap();
    assert!(!partition.wants_flush(NOW + 499));
    assert!(partition.wants_flush(NOW + 500));
    let task = partition.flush_task().unwrap();
    partition.flushed(task.run(), NOW + 500, &mut Effects::default()).unwrap();
    assert!(!partition.wants_flush(NOW + 5000));
}

#[test]
fn a_failed_sync_fails_the_waiting_writes_and_the_partition_for_good() {
    let disk = SimDisk::new();
    let opened = Partition::open(disk.clone(), "/d/t-0", ME, synced_each_record(), OpenHints::default(), NOW);
    let (mut partition, _) = opened.unwrap();
    let mut effects = Effects::default();
    partition.lead_by(alone(0), NOW, &mut effects);
    assert_eq!(produce_one(&mut partition, batch(&["a"]), Acks::All, 1, &mut effects), None);
    let task = partition.flush_task().unwrap();
    disk.fail_syncs(1);
    assert!(partition.flushed(task.run(), NOW, &mut effects).is_err());
    assert!(matches!(effects.completions[..], [(Ticket(1), Err(ProduceError::Storage(_)))]));
    let again = produce_one(&mut partition, batch(&["b"]), Acks::All, 2, &mut effects);
    assert!(matches!(again, Some(Err(ProduceError::Storage(_)))));
    assert!(partition.flush_task().is_none());
}

#[test]
fn a_retry_gets_the_first_answer_again() {
    let mut partition = partition(Config::default());
    let numbered = |sequence| {
        let producer = Producer { id: ProducerId(9), epoch: ProducerEpoch(0), base_sequence: sequence };
        let mut builder = BatchBuilder::new().producer(producer);
        builder.append(NOW, None, Some(b"x"), &[]);
        builder.finish()
    };
    let first = produce(&mut partition, numbered(0)).unwrap();
    produce(&mut partition, numbered(1)).unwrap();
    assert_eq!(produce(&mut partition, numbered(0)).unwrap().base_offset, first.base_offset);
    assert!(matches!(produce(&mut partition, numbered(3)), Err(ProduceError::Producer(_))));
    assert_eq!(partition.offsets().end, Offset(2));
}

#[test]
fn a_deposed_leader_gives_waiting_writes_back_and_takes_no_more() {
    let mut partition = partition(synced_each_record());
    let mut effects = Effects::default();
    assert_eq!(produce_one(&mut partition, batch(&["a"]), Acks::All, 1, &mut effects), None);
    partition.lead_by(Leadership { leader: Some(NodeId(2)), ..alone(1) }, NOW, &mut effects);
    assert_eq!(effects.completions, [(Ticket(1), Err(ProduceError::NotLeader))]);
    assert!(effects.wake_all);
    assert_eq!(
        produce_one(&mut partition, batch(&["b"]), Acks::Leader, 2, &mut effects),
        Some(Err(ProduceError::NotLeader))
    );
    assert!(matches!(fetch(&mut partition, 0), Err(FetchError::Epoch(EpochError::NotLeader))));
}

#[test]
fn too_few_in_sync_replicas_refuse_acks_all_only() {
    let mut partition = partition(Config { min_insync_replicas: 2, ..Config::default() });
    let two: Arc<[NodeId]> = [ME, NodeId(2)].into();
    partition.lead_by(Leadership { replicas: two, ..alone(1) }, NOW, &mut Effects::default());
    assert_eq!(produce(&mut partition, batch(&["a"])), Err(ProduceError::NotEnoughReplicas));
    let mut effects = Effects::default();
    assert!(produce_one(&mut partition, batch(&["a"]), Acks::Leader, 1, &mut effects).unwrap().is_ok());
}

#[test]
fn size_and_time_limits_of_the_topic_are_kept() {
    let config = Config {
        message_bytes_max: 100,
        timestamps: TimestampBounds { before_max_ms: 1000, after_max_ms: 1000 },
        ..Config::default()
    };
    let mut partition = partition(config);
    let at = |ms: i64, len: usize| {
        let mut builder = BatchBuilder::new();
        builder.append(NOW + ms, None, Some(&vec![0; len]), &[]);
        builder.finish()
    };
    assert!(matches!(produce(&mut partition, at(0, 90)), Err(ProduceError::TooLarge { limit: 100, .. })));
    assert!(matches!(produce(&mut partition, at(1001, 1)), Err(ProduceError::BadTimestamp { .. })));
    assert!(matches!(produce(&mut partition, at(-1001, 1)), Err(ProduceError::BadTimestamp { .. })));
    assert!(produce(&mut partition, at(1000, 1)).is_ok());
    assert!(produce(&mut partition, at(-1000, 1)).is_ok());
}

#[test]
fn records_of_compressed_batches_are_measured_only_where_the_topic_bounds_them() {
    let packed = |values: &[&str]| batch(values).recompress(Codec::Gzip, None, 1 << 20).unwrap();
    let (small, large) = ("v".repeat(90), "v".repeat(100));
    for (limit, taken) in [(None, true), (Some(200), true), (Some(100), false)] {
        let mut partition = partition(Config { compressed_record_bytes_max: limit, ..Config::default() });
        assert!(produce(&mut partition, packed(&[&small, &small, &small])).is_ok(), "each for itself is small");
        assert!(produce(&mut partition, batch(&[&large])).is_ok(), "what is not compressed is bounded by its batch");
        match produce(&mut partition, packed(&[&small, &large])) {
            Ok(_) => assert!(taken, "{limit:?}"),
            Err(error) => {
                assert!(!taken, "{limit:?}: {error}");
                let too_large = model::BatchError::RecordTooLarge { bytes: 107, limit: 100 };
                assert_eq!(error, ProduceError::Batch(too_large));
            }
        }
    }
}

#[test]
fn records_with_bad_times_are_named_where_they_can_be_seen() {
    let config =
        Config { timestamps: TimestampBounds { before_max_ms: i64::MAX, after_max_ms: 1000 }, ..Config::default() };
    let mut partition = partition(config);
    let with_codec = |codec: Codec| {
        let mut builder = BatchBuilder::new().codec(codec, None);
        for ms in [0, 1001, 5, 2000] {
            builder.append(NOW + ms, None, Some(b"a"), &[]);
        }
        builder.finish()
    };
    let refused = |records: Vec<i32>, ms: i64| Err(ProduceError::BadTimestamp { timestamp: NOW + ms, records });
    assert_eq!(produce(&mut partition, with_codec(Codec::None)), refused(vec![1, 3], 1001));
    assert_eq!(produce(&mut partition, with_codec(Codec::Lz4)), refused(vec![], 2000), "nothing is inflated for that");
}

#[test]
fn times_that_only_a_leader_gives_are_dropped_and_the_records_keep_theirs() {
    let mut partition = partition(Config::default());
    let mut builder = BatchBuilder::new().append_time();
    for ms in [-5, 0] {
        builder.append(NOW + ms, None, Some(b"a"), &[]);
    }
    produce(&mut partition, builder.finish()).unwrap();
    let batches = fetch(&mut partition, 0).unwrap().plan.load().unwrap();
    batches[0].check_crc().unwrap();
    let times: Vec<_> = batches[0].records(1000).unwrap().map(|record| record.unwrap().timestamp).collect();
    assert_eq!(times, [NOW + -5, NOW]);
}

#[test]
fn a_retry_is_answered_with_the_time_of_the_first_try() {
    let config = storage::Config { log_append_time: true, ..storage::Config::default() };
    let mut partition = partition(Config { log: config, ..Config::default() });
    let sent = || {
        let producer = Producer { id: ProducerId(7), epoch: ProducerEpoch(0), base_sequence: 0 };
        let mut builder = BatchBuilder::new().producer(producer);
        builder.append(NOW + -9, None, Some(b"a"), &[]);
        builder.finish()
    };
    let mut at = |now| partition.write(sent(), Acks::Leader, Ticket(1), now, &mut Effects::default());
    assert_eq!(at(NOW).unwrap().unwrap().log_append_time, Some(NOW));
    assert_eq!(at(NOW + 50).unwrap().unwrap().log_append_time, Some(NOW));
}

#[test]
fn a_topic_with_a_codec_stores_every_batch_in_it() {
    let compression = Some(Compression { codec: Codec::Lz4, level: None });
    let mut partition = partition(Config { compression, ..Config::default() });
    produce(&mut partition, batch(&["a", "b"])).unwrap();
    let batches = fetch(&mut partition, 0).unwrap().plan.load().unwrap();
    assert_eq!(batches[0].codec(), Codec::Lz4 as u8);
    assert_eq!(batches[0].records(1000).unwrap().count(), 2);
}

#[test]
fn deleted_records_are_out_of_range_and_the_start_never_goes_back() {
    let mut partition = partition(Config::default());
    for value in ["a", "b", "c"] {
        produce(&mut partition, batch(&[value])).unwrap();
    }
    let mut effects = Effects::default();
    assert_eq!(partition.delete_records(Some(Offset(2)), &mut effects).unwrap(), Offset(2));
    assert_eq!(partition.delete_records(Some(Offset(1)), &mut effects).unwrap(), Offset(2));
    assert!(matches!(partition.delete_records(Some(Offset(4)), &mut effects), Err(OffsetError::OutOfRange { .. })));
    assert!(matches!(fetch(&mut partition, 1), Err(FetchError::OutOfRange { start: Offset(2), end: Offset(3) })));
    assert_eq!(partition.delete_records(None, &mut effects).unwrap(), Offset(3));
}

#[test]
fn offsets_are_found_by_time_and_by_name() {
    let mut partition = partition(Config::default());
    for ms in [5, 9, 7] {
        let mut builder = BatchBuilder::new();
        builder.append(NOW + ms, None, Some(b"x"), &[]);
        produce(&mut partition, builder.finish()).unwrap();
    }
    let mut find = |spec| {
        let found = partition.find_offset(spec, Isolation::ReadUncommitted, LeaderEpoch::NONE).unwrap();
        found.map(|found| found.offset.0)
    };
    assert_eq!(find(OffsetSpec::Earliest), Some(0));
    assert_eq!(find(OffsetSpec::Latest), Some(3));
    assert_eq!(find(OffsetSpec::MaxTimestamp), Some(1));
    assert_eq!(find(OffsetSpec::Timestamp(NOW + 6)), Some(1));
    assert_eq!(find(OffsetSpec::Timestamp(NOW + 10)), None);
    assert_eq!(find(OffsetSpec::LatestTiered), None);
}

#[test]
fn a_reader_whose_last_epoch_ended_earlier_is_told_where() {
    let mut partition = partition(Config::default());
    produce(&mut partition, batch(&["a", "b"])).unwrap();
    partition.lead_by(alone(4), NOW, &mut Effects::default());
    produce(&mut partition, batch(&["c"])).unwrap();
    let spec = FetchSpec {
        from: Offset(3),
        bytes_max: 1000,
        isolation: Isolation::ReadUncommitted,
        leader_epoch: LeaderEpoch(4),
        last_fetched_epoch: LeaderEpoch(0),
    };
    let fetched = partition.fetch(&spec, NOW, &mut BytesMut::new()).unwrap();
    assert_eq!(fetched.diverging, Some(Diverging { epoch: LeaderEpoch(0), end_offset: Offset(2) }));
    assert!(fetched.plan.is_empty());
}

#[test]
fn a_full_disk_is_told_apart_and_passes() {
    let disk = SimDisk::new();
    let (mut partition, _) =
        Partition::open(disk.clone(), "/d/t-0", ME, Config::default(), OpenHints::default(), NOW).unwrap();
    partition.lead_by(alone(0), NOW, &mut Effects::default());
    produce(&mut partition, batch(&["a"])).unwrap();
    disk.set_space(Some(0));
    assert_eq!(produce(&mut partition, batch(&["b"])), Err(ProduceError::NoSpace));
    assert!(!fetch(&mut partition, 0).unwrap().plan.is_empty());
    disk.set_space(None);
    assert_eq!(produce(&mut partition, batch(&["b"])).unwrap().base_offset, Offset(1));
}
