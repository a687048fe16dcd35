//! What each topic config does, on a running broker: it is set, and clients or the files show what follows.

#![allow(clippy::unwrap_used, reason = "a helper of tests fails as a test does")]

mod support;

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use model::{Batch, BatchBuilder, Codec, Producer, TimestampMs};
use support::admin::{DELETE, SET, TOPIC, eventually};
use support::in_process::Broker;
use support::{Client, batch_of, bytes_of, now};
use wire::messages::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use wire::{ErrorCode, Records};

/// Retention is looked at so often.
const RETENTION_CHECK: (&str, &str) = ("log.retention.check.interval.ms", "20");

/// One record of `bytes` bytes of text that compresses well, but not to nothing.
fn batch(bytes: usize, at: TimestampMs, codec: Codec) -> Batch {
    let text: String = (0..)
        .flat_map(|n: u32| format!("{} ", n.wrapping_mul(2_654_435_761) % 1000).into_bytes())
        .map(char::from)
        .take(bytes)
        .collect();
    let mut builder = BatchBuilder::new().codec(codec, None);
    builder.append(at, None, Some(text.as_bytes()), &[]);
    builder.finish().into_inner()
}

fn plain(bytes: usize) -> Batch {
    batch(bytes, now(), Codec::None)
}

/// Names of a folder's files that end so, sorted.
fn files(folder: &Path, suffix: &str) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a partition has a folder");
    let names = entries.map(|entry| entry.expect("a folder can be listed").file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(suffix)).collect();
    names.sort();
    names
}

/// Configs of topic `t` while `work` runs; they are unset afterwards.
fn with(client: &mut Client, configs: &[(&str, &str)], work: impl FnOnce(&mut Client)) {
    let set: Vec<_> = configs.iter().map(|(name, value)| (*name, SET, *value)).collect();
    assert_eq!(client.alter(TOPIC, "t", &set), (0, None), "{configs:?}");
    work(client);
    let unset: Vec<_> = configs.iter().map(|(name, _)| (*name, DELETE, "")).collect();
    assert_eq!(client.alter(TOPIC, "t", &unset), (0, None));
}

#[test]
fn batches_are_taken_or_refused_by_the_configs_of_the_moment() {
    let broker = Broker::start(&[]);
    let mut client = broker.client();
    client.create(&["t"], 1);
    let ago = |ms| TimestampMs(now().0 - ms);
    let (old, new) = (ago(60_000), ago(-60_000));
    let (too_large, bad_time, bad_record) =
        (ErrorCode::MessageTooLarge, ErrorCode::InvalidTimestamp, ErrorCode::InvalidRecord);
    let (packed, minute_old) = (batch(5000, now(), Codec::Gzip), batch(10, old, Codec::None));
    assert!(packed.size_bytes() < 4000);
    for (configs, batch, refused) in [
        (&[("max.message.bytes", "100")][..], &plain(500), Some(too_large)),
        (&[("max.message.bytes", "1000")], &plain(500), None),
        (&[("max.message.bytes", "4000"), ("compression.type", "gzip")], &plain(5000), Some(too_large)),
        (&[("max.message.bytes", "4000"), ("compression.type", "uncompressed")], &packed, Some(too_large)),
        (&[("max.message.bytes", "4000")], &packed, None),
        (&[("internal.segment.bytes", "200")], &plain(500), Some(ErrorCode::RecordListTooLarge)),
        (&[("max.decompressed.message.bytes", "1000")], &packed, Some(bad_record)),
        (&[("max.decompressed.message.bytes", "1000")], &plain(5000), None),
        (&[("max.decompressed.message.bytes", "6000")], &packed, None),
        (&[("message.timestamp.before.max.ms", "1000")], &minute_old, Some(bad_time)),
        (&[("message.timestamp.before.max.ms", "1000")], &batch(10, old, Codec::Lz4), Some(bad_time)),
        (&[("message.timestamp.before.max.ms", "100000")], &minute_old, None),
        (&[("message.timestamp.after.max.ms", "1000")], &batch(10, new, Codec::None), Some(bad_time)),
        (&[("message.timestamp.after.max.ms", "100000")], &batch(10, new, Codec::None), None),
        (
            &[("message.timestamp.type", "LogAppendTime"), ("message.timestamp.before.max.ms", "1000")],
            &minute_old,
            None,
        ),
        // A partition with one replica has all that it can have in sync.
        (&[("min.insync.replicas", "2")], &plain(10), None),
        (&[("unclean.leader.election.enable", "true")], &plain(10), None),
        (&[("flush.messages", "1")], &plain(10), None),
        (&[("flush.ms", "0")], &plain(10), None),
        (&[("preallocate", "true")], &plain(10), None),
    ] {
        with(&mut client, configs, |client| {
            let answer = client.produce("t", 0, batch).unwrap();
            assert_eq!(answer.err(), refused.map(ErrorCode::code), "{configs:?}");
        });
        assert!(client.produce("t", 0, batch).unwrap().is_ok(), "without {configs:?}");
    }
}

#[test]
fn batches_are_stored_in_the_codec_and_at_the_level_of_their_topic() {
    let broker = Broker::start(&[]);
    let mut client = broker.client();
    client.create(&["t"], 1);
    let mut stored = |configs: &[(&str, &str)], codec| {
        let mut found = None;
        with(&mut client, configs, |client| {
            let sent = batch(50_000, now(), codec);
            let offset = client.produce("t", 0, &sent).unwrap().unwrap();
            let batch = client.batches("t", 0, offset).unwrap().unwrap().remove(0);
            let value = |batch: &Batch| batch.records(1 << 20).unwrap().next().unwrap().unwrap().value;
            assert_eq!(value(&batch), value(&sent), "{configs:?}");
            found = Some((batch.codec(), batch.size_bytes()));
        });
        found.unwrap()
    };
    for (name, codec) in [
        ("uncompressed", Codec::None),
        ("gzip", Codec::Gzip),
        ("snappy", Codec::Snappy),
        ("lz4", Codec::Lz4),
        ("zstd", Codec::Zstd),
    ] {
        for sent in [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
            assert_eq!(stored(&[("compression.type", name)], sent).0, codec as u8, "{sent:?} as {name}");
            assert_eq!(stored(&[("compression.type", "producer")], sent).0, sent as u8);
        }
    }
    for (name, level, low, high) in
        [("gzip", "compression.gzip.level", "1", "9"), ("zstd", "compression.zstd.level", "-50", "19")]
    {
        let at = |level_of| [("compression.type", name), (level, level_of)];
        let (large, small) = (stored(&at(low), Codec::None), stored(&at(high), Codec::None));
        assert!(small.1 < large.1, "{name}: {small:?} at {high}, {large:?} at {low}");
        let kept = (stored(&at(high), Codec::Gzip), stored(&at(low), Codec::Gzip));
        assert_eq!(kept.0 == kept.1, name == "gzip", "levels do not matter to a batch that has the codec");
    }
}

#[test]
fn records_carry_the_time_of_whoever_the_topic_says() {
    let broker = Broker::start(&[]);
    let mut client = broker.client();
    client.create(&["t"], 1);
    let old = TimestampMs(now().0 - 60_000);
    for (kind, codec) in [("CreateTime", Codec::None), ("LogAppendTime", Codec::None), ("LogAppendTime", Codec::Zstd)] {
        with(&mut client, &[("message.timestamp.type", kind)], |client| {
            let before = now();
            let partition = PartitionProduceData {
                records: Some(Records::Bytes(bytes_of(&batch(10, old, codec)))),
                ..Default::default()
            };
            let topic = TopicProduceData { name: "t".into(), partition_data: vec![partition], ..Default::default() };
            let request = ProduceRequest { acks: -1, timeout_ms: 5000, topic_data: vec![topic], ..Default::default() };
            let answer = client.ask(9, &request).responses.remove(0).partition_responses.remove(0);
            let record = client.fetch("t", 0, answer.base_offset).unwrap().unwrap().remove(0);
            if kind == "CreateTime" {
                assert_eq!((answer.log_append_time_ms, record.timestamp), (-1, old));
            } else {
                assert_eq!(answer.log_append_time_ms, record.timestamp.0);
                assert!(record.timestamp >= before && record.timestamp <= now());
            }
        });
    }
}

#[test]
fn segments_end_where_their_topic_says() {
    let broker = Broker::start(&[]);
    let mut client = broker.client();
    // By the time of records, not of the clock.
    let each = |bytes, ms: i64| -> Vec<Batch> {
        (0..7).map(|n| batch(bytes, TimestampMs(now().0 + n * ms), Codec::None)).collect()
    };
    for (n, (configs, batches, segments)) in [
        (&[("segment.bytes", "1048576")][..], each(400_000, 1), 4),
        (&[], each(400_000, 1), 1),
        (&[("segment.ms", "5000")], each(10, 3000), 4),
        (&[("segment.ms", "50000")], each(10, 3000), 1),
        // Two entries of the time index, one for each batch but the first: a third would be the last that fits.
        (&[("segment.index.bytes", "40"), ("index.interval.bytes", "1000")], each(2000, 1), 3),
        (&[("segment.index.bytes", "40"), ("index.interval.bytes", "100000")], each(2000, 1), 1),
    ]
    .into_iter()
    .enumerate()
    {
        let topic = format!("t{n}");
        assert_eq!(client.try_create(&topic, 1, configs), (0, None));
        for batch in &batches {
            client.produce(&topic, 0, batch).unwrap().unwrap();
        }
        assert_eq!(files(&broker.folder(&topic, 0), ".log").len(), segments, "{configs:?}");
    }
}

#[test]
fn an_index_has_an_entry_each_time_the_interval_is_passed() {
    let mut broker = Broker::start(&[]);
    let mut client = broker.client();
    for (topic, interval) in [("close", "1000"), ("wide", "10000")] {
        assert_eq!(client.try_create(topic, 1, &[("index.interval.bytes", interval)]), (0, None));
        for _ in 0..50 {
            client.produce(topic, 0, &plain(1000)).unwrap().unwrap();
        }
    }
    broker.restart();
    let index = |topic| broker.folder(topic, 0).join("00000000000000000000.index");
    let entries = |topic| std::fs::metadata(index(topic)).unwrap().len() / 8;
    assert_eq!((entries("close"), entries("wide")), (49, 4));
}

#[test]
fn a_preallocated_segment_has_its_room_from_the_start() {
    let broker = Broker::start(&[]);
    let mut client = broker.client();
    let mut taken = |topic: &str, configs: &[(&str, &str)]| {
        assert_eq!(client.try_create(topic, 1, configs), (0, None));
        client.produce(topic, 0, &plain(100)).unwrap().unwrap();
        let file = std::fs::metadata(broker.folder(topic, 0).join("00000000000000000000.log")).unwrap();
        assert!(file.len() < 1000, "a file is as long as its records");
        file.blocks() * 512
    };
    assert!(taken("grows", &[]) < 1 << 20);
    let room = taken("reserved", &[("preallocate", "true"), ("segment.bytes", "1048576")]);
    // A file system that cannot reserve room takes no more than it needs.
    assert!((1 << 20..3 << 20).contains(&room) || room == taken("grows2", &[]), "{room}");
}

#[test]
fn old_segments_go_by_age_and_by_size_and_not_where_the_policy_keeps_them() {
    let broker = Broker::start(&[RETENTION_CHECK, ("num.io.threads", "1")]);
    let mut client = broker.client();
    let small = ("segment.bytes", "1048576");
    for (topic, configs) in [
        ("kept", &[small, ("cleanup.policy", ""), ("retention.ms", "1000"), ("retention.bytes", "1000")][..]),
        ("aged", &[small, ("retention.ms", "1000")]),
        ("sized", &[small, ("retention.bytes", "1500000")]),
        ("all", &[small]),
    ] {
        assert_eq!(client.try_create(topic, 1, configs), (0, None));
        let old = batch(700_000, TimestampMs(now().0 - 60_000), Codec::None);
        for _ in 0..4 {
            client.produce(topic, 0, &old).unwrap().unwrap();
        }
    }
    eventually("all of them are too old", || client.earliest("aged") == 4);
    // Removed while the others still hold so much: two of them do.
    eventually("the oldest are too much", || client.earliest("sized") == 1);
    // The same round looked at these.
    assert_eq!((client.earliest("kept"), client.earliest("all")), (0, 0));
    client.set(TOPIC, "all", "retention.ms", "30000");
    eventually("a changed retention takes effect", || client.earliest("all") == 4);
    assert_eq!(client.produce("aged", 0, &plain(10)).unwrap(), Ok(4));
}

#[test]
fn removed_files_stay_for_the_delay_of_their_topic() {
    let broker = Broker::start(&[RETENTION_CHECK]);
    let mut client = broker.client();
    for (topic, delay) in [("soon", "0"), ("late", "3600000")] {
        assert_eq!(
            client.try_create(topic, 1, &[("file.delete.delay.ms", delay), ("retention.ms", "1000")]),
            (0, None)
        );
        client.produce(topic, 0, &batch(10, TimestampMs(now().0 - 60_000), Codec::None)).unwrap().unwrap();
        eventually("the record is too old", || client.earliest(topic) == 1);
    }
    eventually("its files go at once", || files(&broker.folder("soon", 0), ".deleted").is_empty());
    assert_eq!(files(&broker.folder("late", 0), ".log.deleted"), ["00000000000000000000.log.deleted"]);
}

#[test]
fn configs_whose_features_are_missing_are_kept_or_refused() {
    let broker = Broker::start(&[]);
    let mut client = broker.client();
    client.create(&["t"], 1);
    for (name, value) in [
        ("delete.retention.ms", "5"),
        ("min.cleanable.dirty.ratio", "0.25"),
        ("min.compaction.lag.ms", "5"),
        ("max.compaction.lag.ms", "5"),
        ("local.retention.ms", "5"),
        ("local.retention.bytes", "5"),
        ("remote.copy.lag.ms", "5"),
        ("remote.copy.lag.bytes", "5"),
        ("leader.replication.throttled.replicas", "0:1"),
        ("follower.replication.throttled.replicas", "*"),
    ] {
        client.set(TOPIC, "t", name, value);
        assert_eq!(client.value(TOPIC, "t", name).as_deref(), Some(value));
    }
    for (name, value, word) in [
        ("cleanup.policy", "compact", "compaction is not available"),
        ("cleanup.policy", "delete,compact", "compaction is not available"),
        ("remote.storage.enable", "true", "Tiered Storage functionality is disabled"),
        ("errors.deadletterqueue.group.enable", "true", "does not serve share groups"),
        ("compression.lz4.level", "10", "at the default level"),
    ] {
        let (code, why) = client.alter(TOPIC, "t", &[(name, SET, value)]);
        assert_eq!(code, ErrorCode::InvalidConfig.code());
        assert!(why.is_some_and(|why| why.contains(word)), "{name}");
    }
    let mut produced = |n| client.produce("t", 0, &batch_of("x", Producer::NONE)).unwrap() == Ok(n);
    assert!(produced(0) && produced(1));
}
