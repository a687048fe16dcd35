//! Produce: what is appended, what is refused and how, and what the log holds afterwards.

use model::Codec;
use wire::messages::init_producer_id::InitProducerIdRequest;
use wire::messages::produce::{ProduceRequest, ProduceResponse};

use crate::batches::{
    CONTROL, CRC_AT, LOG_APPEND_TIME, RECORD_MS, Raw, Rec, TRANSACTIONAL, framed, legacy, raw, raw_of, rec,
};
use crate::requests::{Topic, fetch, make, produce, produce_all};
use crate::side::Side;

const CODECS: [Codec; 5] = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];
const HOUR_MS: i64 = 3_600_000;

fn called(codec: Codec) -> String {
    if codec == Codec::None { "plain".to_owned() } else { format!("packed by {codec:?}") }
}

/// Sends bytes in every version.
fn send(side: &mut Side, topic: &Topic, step: &str, bytes: &[u8]) {
    side.every(step, |_| produce(topic, bytes));
}

/// Partitions in order: Kafka puts those with errors last.
fn in_order(answer: &mut ProduceResponse) {
    answer.responses.iter_mut().for_each(|topic| topic.partition_responses.sort_by_key(|one| one.index));
}

/// What the log holds from its start.
fn log(side: &mut Side, topic: &Topic) {
    side.ask("the log then", 12, &fetch(topic, 0));
}

pub fn acks(side: &mut Side) {
    let topic = side.topic("t", 2, &[]);
    let missing: Topic = (side.name("missing"), [9; 16]);
    let good = raw(2).bytes();
    for acks in [-1, 1, 2, -2] {
        side.every("acks", |_| make!(ProduceRequest { acks: acks, ..produce(&topic, &good) }));
    }
    for version in side.versions::<ProduceRequest>() {
        let mut tell = |step: &str, request: ProduceRequest| {
            side.tell(step, version, &make!(ProduceRequest { acks: 0, ..request }));
        };
        let mut corrupt = good.clone();
        corrupt[CRC_AT] ^= 1;
        tell("no acks", produce(&topic, &good));
        tell("no acks, an unknown partition", produce_all(&topic, &[(7, &good)]));
        tell("no acks, an unknown topic", produce(&missing, &good));
        tell("no acks, a corrupt batch", produce(&topic, &corrupt));
        tell("no acks, one good and one corrupt", produce_all(&topic, &[(1, &good), (0, &corrupt)]));
        tell("no acks, nothing at all", make!(ProduceRequest {}));
    }
    log(side, &topic);
}

pub fn places(side: &mut Side) {
    let topic = side.topic("t", 2, &[]);
    let good = raw(1).bytes();
    for partition in [1, 2, -1, i32::MAX] {
        side.every("partitions", |_| produce_all(&topic, &[(partition, &good)]));
    }
    side.every_tidied("two partitions, one missing", |_| produce_all(&topic, &[(5, &good), (1, &good)]), in_order);
    let twice = side.topic("twice", 2, &[]);
    side.every("a partition twice", |_| produce_all(&twice, &[(0, &good), (0, &good)]));
    side.every("no partition", |_| produce_all(&topic, &[]));
    side.every("no topic", |_| make!(ProduceRequest { acks: -1, timeout_ms: 1000 }));
    side.every("a topic twice", |_| {
        let mut request = produce(&twice, &good);
        request.topic_data.extend(request.topic_data.clone());
        request
    });
    for (name, id) in [(side.name("missing"), [9; 16]), (String::new(), [0; 16]), ("a/b".to_owned(), [1; 16])] {
        send(side, &(name, id), "a topic that is not there", &good);
    }
    let internal = side.topic_id("__consumer_offsets");
    send(side, &("__consumer_offsets".to_owned(), internal), "an internal topic", &good);
    for timeout in [0, -1, 1] {
        side.every("timeouts", |_| make!(ProduceRequest { timeout_ms: timeout, ..produce(&topic, &good) }));
    }
    let strict = side.topic("strict", 1, &[("min.insync.replicas", "2")]);
    for acks in [1, -1] {
        side.every("too few in sync", |_| make!(ProduceRequest { acks: acks, ..produce(&strict, &good) }));
    }
    log(side, &topic);
    log(side, &strict);
}

pub fn bytes(side: &mut Side) {
    let topic = side.topic("t", 1, &[]);
    let good = raw(3).bytes();
    // Null instead of records is not asked: Kafka then never answers.
    for length in [0, 1, 11, 12, 16, 17, 20, 60, 61, good.len() - 1] {
        send(side, &topic, &format!("cut to {length}"), &good[..length]);
    }
    for (more, what) in
        [(&[0][..], "a byte"), (&[0; 12], "twelve"), (&[0; 61], "a header of zeros"), (&good, "a batch")]
    {
        send(side, &topic, &format!("followed by {what}"), &[&good, more].concat());
    }
    send(side, &topic, "followed by a corrupt batch", &[&good[..], &flip(&good, CRC_AT)].concat());
    for at in [CRC_AT, CRC_AT + 4, 30, good.len() - 1] {
        send(side, &topic, &format!("byte {at} flipped"), &flip(&good, at));
    }
    for magic in [0, 1, 3, 127, 255] {
        send(side, &topic, &format!("magic {magic}"), &Raw { magic, ..raw(2) }.bytes());
    }
    send(side, &topic, "a message of format 0", &legacy(0, b"old"));
    send(side, &topic, "a message of format 1", &legacy(1, b"old"));
    for lie in [-1, 1, -49, -60, i32::MIN / 2, i32::MAX / 2] {
        send(side, &topic, &format!("length off by {lie}"), &Raw { length_lie: lie, ..raw(2) }.bytes());
    }
    for base_offset in [-1, 7, i64::MAX] {
        send(side, &topic, &format!("base offset {base_offset}"), &Raw { base_offset, ..raw(2) }.bytes());
    }
    for leader_epoch in [0, 9, i32::MIN] {
        send(side, &topic, &format!("leader epoch {leader_epoch}"), &Raw { leader_epoch, ..raw(2) }.bytes());
    }
    log(side, &topic);
}

fn flip(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at] ^= 1;
    bytes
}

/// Headers that lie about their records, and records that lie about themselves.
pub fn counts(side: &mut Side) {
    for codec in CODECS {
        let topic = side.topic(&format!("{codec:?}"), 1, &[]);
        let mut send = |step: &str, raw: Raw| {
            send(side, &topic, &format!("{}, {step}", called(codec)), &raw.packed(codec).bytes())
        };
        let three = raw(3);
        for (count, last) in [
            (2, 2),
            (0, 2),
            (-1, 2),
            (3, 1),
            (3, 3),
            (4, 2),
            (3, -1),
            (0, -1),
            (0, 0),
            (-1, -2),
            (i32::MAX, i32::MAX - 1),
        ] {
            send(&format!("count {count} to {last}"), Raw { count, last_offset_delta: last, ..three.clone() });
        }
        send("no records", raw(0));
        send("an attribute of a record", raw_of(&[Rec { attributes: 1, ..rec(0, "v0") }]));
        send("neither key nor value", raw_of(&[Rec { value: None, ..rec(0, "") }]));
        log(side, &topic);
    }
    for codec in CODECS {
        // What is in each log is not compared: compressed records are not looked into.
        let topic = side.topic(&format!("inside-{codec:?}"), 1, &[]);
        let mut send = |step: &str, raw: Raw| {
            send(side, &topic, &format!("inside {}, {step}", called(codec)), &raw.packed(codec).bytes())
        };
        for (count, last) in [(4, 3), (2, 1)] {
            send(&format!("count {count} to {last}"), Raw { count, last_offset_delta: last, ..raw(3) });
        }
        send("no records but a count", Raw { count: 1, last_offset_delta: 0, ..raw(0) });
        let deltas = |deltas: &[i64]| {
            let records: Vec<Rec> = deltas.iter().map(|delta| Rec { timestamp_delta: 0, ..rec(*delta, "v") }).collect();
            raw_of(&records)
        };
        for wrong in [&[0, 0][..], &[1, 0], &[0, 2], &[1, 2], &[-1, 0], &[0, 1 << 40]] {
            send(&format!("offset deltas {wrong:?}"), deltas(wrong));
        }
        let one = |record: Rec| raw_of(&[record, rec(1, "v1")]);
        for lie in [-3, -1, 1, 3, 1000, -1000] {
            send(&format!("a record's length off by {lie}"), one(Rec { length_lie: lie, ..rec(0, "v0") }));
        }
        for headers in [-1, 1, 1 << 20] {
            send(&format!("{headers} headers stated"), one(Rec { headers, ..rec(0, "v0") }));
        }
        for (payload, what) in
            [(&b"\x00"[..], "a zero"), (b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "no number")]
        {
            let payload = [&framed(&[rec(0, "v0")]), payload].concat();
            send(&format!("{what} behind the records"), Raw { payload, ..raw(1) });
        }
    }
}

pub fn attributes(side: &mut Side) {
    let topic = side.topic("t", 1, &[]);
    let marker = |kind: u8| Rec { key: Some(vec![0, 0, 0, kind]), value: Some(vec![0; 6]), ..rec(0, "") };
    for (attributes, what) in [
        (LOG_APPEND_TIME, "append time"),
        (TRANSACTIONAL, "transactional"),
        (CONTROL, "control"),
        (TRANSACTIONAL | CONTROL, "transactional and control"),
        (0x40, "a delete horizon"),
        (0x80, "an unknown one"),
        (0x4000, "another unknown one"),
    ] {
        send(side, &topic, what, &Raw { attributes, ..raw(2) }.bytes());
        send(side, &topic, &format!("{what}, by a producer"), &Raw { attributes, ..raw(2) }.by(70_000, 0, 0).bytes());
        let marker = Raw { attributes, ..raw_of(&[marker(1)]) };
        send(side, &topic, &format!("{what}, as a marker"), &marker.by(70_001, 0, -1).bytes());
    }
    for codec in CODECS {
        let batch = Raw { attributes: LOG_APPEND_TIME, ..raw(2) }.packed(codec);
        send(side, &topic, &format!("append time, {codec:?}"), &batch.bytes());
    }
    for codec in 5..8 {
        send(side, &topic, &format!("codec {codec}"), &Raw { codec, ..raw(2) }.bytes());
    }
    side.every("a transactional id, a plain batch", |_| {
        make!(ProduceRequest { transactional_id: Some("txn".into()), ..produce(&topic, &raw(1).bytes()) })
    });
    log(side, &topic);
}

pub fn timestamps(side: &mut Side) {
    let plain = side.topic("plain", 1, &[]);
    let bounded = side.topic(
        "bounded",
        1,
        &[("message.timestamp.before.max.ms", "3600000"), ("message.timestamp.after.max.ms", "60000")],
    );
    let append = side.topic("append", 1, &[("message.timestamp.type", "LogAppendTime")]);
    // What is in this log is not compared: what compressed batches say of their newest record is believed.
    let believed = side.topic("believed", 1, &[]);
    let now = side.now_ms();
    let at = |base: i64| Raw { base_timestamp: base, max_timestamp: base + 1, ..raw(2) };
    for codec in CODECS {
        let mut send = |topic: &Topic, step: &str, raw: Raw| {
            send(side, topic, &format!("{}, {step}", called(codec)), &raw.packed(codec).bytes());
        };
        for topic in [&plain, &bounded, &append] {
            for (step, time) in [
                ("now", now),
                ("long ago", RECORD_MS),
                ("two hours ago", now - 2 * HOUR_MS),
                ("two hours ahead", now + 2 * HOUR_MS),
                ("half an hour ahead", now + HOUR_MS / 2),
                ("none", -1),
                ("the end of time", i64::MAX - 1),
            ] {
                send(topic, step, at(time));
            }
            let mixed = [
                rec(0, "a"),
                Rec { timestamp_delta: 4 * HOUR_MS, ..rec(1, "b") },
                Rec { timestamp_delta: -5, ..rec(2, "c") },
            ];
            send(
                topic,
                "one of three ahead",
                Raw { base_timestamp: now, max_timestamp: now + 4 * HOUR_MS, ..raw_of(&mixed) },
            );
            let topic = if codec == Codec::None { topic } else { &believed };
            send(topic, "before 1970", at(-1000));
            send(topic, "a maximum too low", Raw { max_timestamp: RECORD_MS, ..raw(2) });
            send(topic, "a maximum too high", Raw { max_timestamp: RECORD_MS + 9, ..raw(2) });
            send(topic, "a maximum of none", Raw { max_timestamp: -1, ..raw(2) });
        }
    }
    for topic in [&plain, &bounded, &append] {
        log(side, topic);
    }
}

pub fn codecs(side: &mut Side) {
    let kept = side.topic("producer", 1, &[]);
    let garbled = side.topic("garbled", 1, &[]);
    for codec in CODECS {
        send(side, &kept, &format!("{codec:?}"), &raw(3).packed(codec).bytes());
        // What is in this log is not compared: compressed records are not looked into.
        let mut send = |what: &str, payload: Vec<u8>| {
            let raw = Raw { codec: codec as i16, payload, ..raw(3) };
            send(side, &garbled, &format!("inside {}, {what}", called(codec)), &raw.bytes());
        };
        send("garbage", b"garbage that no codec wrote".to_vec());
        send("nothing", Vec::new());
        let whole = raw(3).packed(codec).payload;
        for cut in [1, 4, 8] {
            send(&format!("cut by {cut}"), whole[..whole.len() - cut].to_vec());
        }
        send("and more", [&whole[..], b"more"].concat());
        for other in CODECS.into_iter().filter(|other| *other != codec) {
            send(&format!("{other:?}"), raw(3).packed(other).payload);
        }
    }
    log(side, &kept);
    for to in ["uncompressed", "gzip", "snappy", "lz4", "zstd"] {
        let topic = side.topic(to, 1, &[("compression.type", to)]);
        for codec in CODECS {
            send(side, &topic, &format!("{codec:?} to {to}"), &raw(3).packed(codec).bytes());
        }
        side.every("the log in every version", |_| fetch(&topic, 0));
    }
}

pub fn sizes(side: &mut Side) {
    let small = side.topic("small", 1, &[("max.message.bytes", "1000")]);
    let wide = side.topic("wide", 1, &[("max.message.bytes", "3000000"), ("segment.bytes", "1048576")]);
    let of = |size: usize| raw_of(&[rec(0, &"x".repeat(size))]);
    let overhead = of(1000).bytes().len() - 1000;
    for size in [999, 1000, 1001, 2000] {
        send(side, &small, &format!("{size} bytes"), &of(size - overhead).bytes());
    }
    for codec in CODECS {
        send(side, &small, &format!("5000 bytes by {codec:?}"), &of(5000).packed(codec).bytes());
    }
    for size in [1_048_000, 1_048_700, 2_000_000, 3_100_000] {
        side.ask(&format!("{size} bytes to a small segment"), 9, &produce(&wide, &of(size).bytes()));
    }
    let compressed =
        side.topic("recompressed", 1, &[("max.message.bytes", "1000"), ("compression.type", "uncompressed")]);
    send(side, &compressed, "5000 bytes that must be inflated", &of(5000).packed(Codec::Gzip).bytes());
    log(side, &small);
    let inflated = side.topic("inflated", 1, &[("max.decompressed.message.bytes", "200")]);
    for codec in CODECS {
        for sizes in [&[100, 100, 100][..], &[190], &[191], &[192], &[193], &[194], &[100, 300]] {
            let records: Vec<Rec> = (0..).zip(sizes).map(|(at, size)| rec(at, &"x".repeat(*size))).collect();
            let step = format!("records of {sizes:?}, {}", called(codec));
            send(side, &inflated, &step, &raw_of(&records).packed(codec).bytes());
        }
    }
    log(side, &inflated);
}

/// The sequences of idempotent producers. Every case has a producer of its own.
pub fn sequences(side: &mut Side) {
    let topic = side.topic("t", 1, &[]);
    /// Sends batches of `count` records: epoch, sequence, count.
    type Case = (&'static str, &'static [(i16, i32, i32)]);
    const LAST: i32 = i32::MAX;
    let cases: &[Case] = &[
        ("in order", &[(0, 0, 2), (0, 2, 1), (0, 3, 4)]),
        ("first not 0", &[(0, 5, 1), (0, 0, 1), (0, 6, 1)]),
        (
            "duplicates of five",
            &[
                (0, 0, 1),
                (0, 1, 1),
                (0, 2, 1),
                (0, 3, 1),
                (0, 4, 1),
                (0, 5, 1),
                (0, 5, 1),
                (0, 4, 1),
                (0, 1, 1),
                (0, 0, 1),
                (0, 6, 1),
            ],
        ),
        ("a duplicate of another size", &[(0, 0, 3), (0, 0, 2), (0, 1, 2), (0, 0, 4), (0, 2, 1)]),
        ("a gap", &[(0, 0, 2), (0, 3, 1), (0, 2, 1)]),
        ("an older epoch", &[(3, 0, 1), (2, 1, 1), (2, 0, 1), (3, 1, 1)]),
        ("a newer epoch", &[(0, 0, 2), (1, 0, 1), (1, 1, 1), (0, 2, 1)]),
        ("a newer epoch not from 0", &[(0, 0, 2), (1, 2, 1), (1, 0, 1)]),
        ("a duplicate across epochs", &[(0, 0, 2), (1, 0, 2), (1, 0, 2)]),
        ("no epoch", &[(-1, 0, 1)]),
        ("a negative epoch", &[(-2, 0, 1)]),
        ("no sequence", &[(0, -1, 1)]),
        ("a negative sequence", &[(0, -2, 1)]),
        ("a wrap", &[(0, LAST - 1, 1), (0, LAST, 1), (0, 0, 1), (0, 1, 1), (0, LAST, 1)]),
        ("a wrap inside a batch", &[(0, LAST - 1, 4), (0, 2, 1), (0, LAST - 1, 4)]),
    ];
    for (case, batches) in cases {
        for version in side.versions::<ProduceRequest>() {
            let id = side.prepare(&make!(InitProducerIdRequest { transactional_id: None })).producer_id;
            for (at, (epoch, sequence, count)) in batches.iter().enumerate() {
                let bytes = raw(*count).by(id, *epoch, *sequence).bytes();
                side.ask(&format!("{case}, batch {at}"), version, &produce(&topic, &bytes));
            }
        }
    }
    send(side, &topic, "an id that nobody gave", &raw(1).by(900_000, 0, 0).bytes());
    send(side, &topic, "an id that nobody gave, from 7", &raw(1).by(900_001, 0, 7).bytes());
    send(side, &topic, "a negative id", &raw(1).by(-2, 0, 0).bytes());
    send(side, &topic, "an epoch without an id", &raw(1).by(-1, 0, 0).bytes());
    send(side, &topic, "a sequence without an id", &raw(1).by(-1, -1, 4).bytes());
    log(side, &topic);
}
