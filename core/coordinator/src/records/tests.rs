use super::*;
use proptest::prelude::*;

fn round_trip(record: &Record) -> Change {
    match decode(record).unwrap() {
        Decoded::Change(change) => change,
        Decoded::Unknown { record_type } => panic!("type {record_type} is ours"),
    }
}

fn committed() -> CommittedOffset {
    CommittedOffset {
        offset: Offset(42),
        leader_epoch: LeaderEpoch(3),
        metadata: "m".to_owned(),
        committed_at: TimestampMs(1_000),
        expires_at: None,
        topic_id: TopicId::ZERO,
    }
}

#[test]
fn an_offset_commit_has_kafkas_bytes() {
    let record = offset("g", "t", 7, &committed());
    assert_eq!(&record.key[..], b"\0\x01\0\x01g\0\x01t\0\0\0\x07");
    assert_eq!(record.value.as_deref(), Some(&b"\0\x04\0\0\0\0\0\0\0\x2a\0\0\0\x03\x02m\0\0\0\0\0\0\x03\xe8\0"[..]));
    assert_eq!(
        round_trip(&record),
        Change::Offset { group: "g".into(), topic: "t".into(), partition: 7, value: Some(committed()) }
    );
}

#[test]
fn an_offset_with_its_own_retention_is_written_in_version_1_and_loses_epoch_and_topic_id() {
    let value = CommittedOffset { expires_at: Some(TimestampMs(9)), topic_id: TopicId([9; 16]), ..committed() };
    let record = offset("g", "t", 7, &value);
    assert_eq!(record.value.as_ref().unwrap()[..2], [0, 1]);
    let read = CommittedOffset { leader_epoch: LeaderEpoch::NONE, topic_id: TopicId::ZERO, ..value };
    assert_eq!(
        round_trip(&record),
        Change::Offset { group: "g".into(), topic: "t".into(), partition: 7, value: Some(read) }
    );
}

#[test]
fn a_topic_id_travels_in_a_tag() {
    let value = CommittedOffset { topic_id: TopicId([9; 16]), ..committed() };
    let record = offset("g", "t", 7, &value);
    assert_eq!(record.value.as_ref().unwrap()[..2], [0, 4]);
    assert_eq!(
        round_trip(&record),
        Change::Offset { group: "g".into(), topic: "t".into(), partition: 7, value: Some(value) }
    );
}

#[test]
fn a_key_of_the_oldest_type_is_an_offset_commit_too() {
    let mut record = offset("g", "t", 7, &committed());
    record.key = Bytes::from_static(b"\0\0\0\x01g\0\x01t\0\0\0\x07");
    assert!(matches!(round_trip(&record), Change::Offset { partition: 7, .. }));
}

#[test]
fn group_metadata_comes_back_as_written() {
    let value = StoredGroup {
        protocol_type: "consumer".into(),
        generation: 4,
        protocol: Some("range".into()),
        leader: Some("a".into()),
        state_since: Some(TimestampMs(11)),
        members: vec![StoredMember {
            member_id: "a".into(),
            group_instance_id: Some("i".into()),
            client_id: "c".into(),
            client_host: "/1.2.3.4".into(),
            rebalance_timeout_ms: 5,
            session_timeout_ms: 6,
            subscription: Bytes::from_static(b"sub"),
            assignment: Bytes::from_static(b"ass"),
        }],
    };
    let record = group("g", &value);
    assert_eq!(&record.key[..], b"\0\x02\0\x01g");
    assert_eq!(round_trip(&record), Change::Group { group: "g".into(), value: Some(value) });
}

/// Bytes that a console consumer of Kafka 4.4 with its classic protocol left in `__consumer_offsets`.
#[test]
fn kafkas_own_records_are_read_and_written_byte_by_byte() {
    let id = b"%C\xa1\x11\xc0\xacF\x9a\xa0a\xcd\xa3\xaf9\n\x1b";
    let commit = Record {
        key: Bytes::from_static(b"\0\x01\0\x08classicg\0\x01t\0\0\0\x01"),
        value: Some([&b"\0\x04\0\0\0\0\0\0\0\n\0\0\0\0\x01\0\0\x01\xa2\x0e[v;\x01\0\x10"[..], id].concat().into()),
    };
    let created = Record {
        key: Bytes::from_static(b"\0\x02\0\x08classicg"),
        value: Some(Bytes::from_static(b"\0\x03\0\0\0\0\0\0\xff\xff\xff\xff\0\0\x01\xa2\x0e[i\xd1\0\0\0\0")),
    };
    let emptied = Record {
        key: created.key.clone(),
        value: Some(Bytes::from_static(b"\0\x03\0\x08consumer\0\0\0\x02\xff\xff\xff\xff\0\0\x01\xa2\x0e[vN\0\0\0\0")),
    };
    let Change::Offset { group: g, topic, partition, value: Some(value) } = round_trip(&commit) else { panic!() };
    assert_eq!((g.as_str(), topic.as_str(), partition, value.offset.0), ("classicg", "t", 1, 10));
    assert_eq!(value.topic_id, TopicId(*id));
    assert_eq!(offset(&g, &topic, partition, &value), commit);
    for record in [created, emptied] {
        let Change::Group { group: g, value: Some(value) } = round_trip(&record) else { panic!() };
        assert_eq!((value.protocol.as_ref(), value.leader.as_ref(), value.members.len()), (None, None, 0));
        assert_eq!(group(&g, &value), record);
    }
}

#[test]
fn a_value_version_of_the_future_is_an_error_with_its_number() {
    for record in [offset("g", "t", 7, &committed()), group("g", &StoredGroup::default())] {
        let record_type = i16::from_be_bytes([record.key[0], record.key[1]]);
        let value = [&b"\0\x05"[..], &record.value.as_ref().unwrap()[2..]].concat();
        let newer = Record { key: record.key, value: Some(value.into()) };
        assert_eq!(decode(&newer), Err(ReplayError::ValueVersion { record_type, version: 5 }));
    }
}

#[test]
fn types_of_other_group_protocols_are_passed_over() {
    let record = Record { key: Bytes::from_static(b"\0\x03\0\x01g"), value: None };
    assert_eq!(decode(&record), Ok(Decoded::Unknown { record_type: 3 }));
}

#[test]
fn every_cut_of_a_record_is_an_error_and_no_panic() {
    let whole = offset("group", "topic", 7, &CommittedOffset { topic_id: TopicId([9; 16]), ..committed() });
    let value = whole.value.clone().unwrap();
    for cut in 0..whole.key.len() {
        assert!(decode(&Record { key: whole.key.slice(..cut), value: None }).is_err());
    }
    for cut in 0..value.len() {
        assert!(decode(&Record { key: whole.key.clone(), value: Some(value.slice(..cut)) }).is_err());
    }
}

#[test]
fn subscriptions_that_are_not_the_consumer_protocol_are_not_understood() {
    assert_eq!(
        subscribed_topics(&Bytes::from_static(b"\0\0\0\0\0\x01\0\x03foo\0\0\0\0")),
        Some(vec!["foo".to_owned()])
    );
    assert_eq!(subscribed_topics(&Bytes::from_static(b"\0\0\x7f\xff\xff\xff\0")), None);
    assert_eq!(subscribed_topics(&Bytes::from_static(b"{json}")), None);
    assert_eq!(subscribed_topics(&Bytes::from_static(b"")), None);
}

proptest! {
    #[test]
    fn any_bytes_decode_or_are_refused(
        record_type in -1i16..5,
        key in proptest::collection::vec(any::<u8>(), 0..40),
        version in -1i16..6,
        value in proptest::collection::vec(any::<u8>(), 0..80),
    ) {
        let key = [&record_type.to_be_bytes()[..], &key].concat();
        let value = [&version.to_be_bytes()[..], &value].concat();
        let _ = decode(&Record { key: key.into(), value: Some(value.clone().into()) });
        let good_key = group_key("g");
        let _ = decode(&Record { key: good_key, value: Some(value.clone().into()) });
        let _ = subscribed_topics(&value.into());
    }
}
