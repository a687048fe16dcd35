use super::*;

fn fetch(w: &World, topic: &str, partition: i32) -> FetchedOffset {
    let topics = Some(vec![FetchTopic { name: topic.into(), topic_id: TopicId::ZERO, partitions: vec![partition] }]);
    let request = FetchOffsetsRequest { group: G.into(), topics, require_stable: true };
    w.coordinator.fetch_offsets(&request)[0].partitions[0].clone()
}

fn only_error(reply: Result<Vec<TopicResult>, GroupError>) -> Option<GroupError> {
    reply.unwrap()[0].partitions[0].1
}

#[test]
fn a_commit_without_membership_creates_a_group_that_only_keeps_offsets() {
    let mut w = World::new();
    assert_eq!(only_error(w.commit(&commit("", -1, "t", 3, 7))), None);
    assert_eq!(w.state(), GroupState::Empty);
    let found = fetch(&w, "t", 3);
    assert_eq!((found.offset, found.leader_epoch, found.error), (Offset(7), LeaderEpoch(1), None));
    w.replay();
}

#[test]
fn what_was_never_committed_is_minus_one_without_error() {
    let mut w = World::new();
    assert_eq!(fetch(&w, "t", 0).offset, Offset::NONE);
    w.commit(&commit("", -1, "t", 3, 7)).unwrap();
    let none = fetch(&w, "t", 0);
    assert_eq!(
        (none.offset, none.leader_epoch, none.metadata, none.error),
        (Offset::NONE, LeaderEpoch::NONE, String::new(), None)
    );
}

#[test]
fn all_offsets_of_a_group_can_be_fetched_at_once() {
    let mut w = World::new();
    w.commit(&commit("", -1, "a", 0, 1)).unwrap();
    w.commit(&commit("", -1, "b", 1, 2)).unwrap();
    let all = FetchOffsetsRequest { group: G.into(), topics: None, require_stable: false };
    let names: Vec<String> = w.coordinator.fetch_offsets(&all).into_iter().map(|t| t.name).collect();
    assert_eq!(names, ["a", "b"]);
    let other = FetchOffsetsRequest { group: "other".into(), ..all };
    assert!(w.coordinator.fetch_offsets(&other).is_empty());
}

#[test]
fn a_topic_created_anew_has_no_offsets_under_its_new_id() {
    let mut w = World::new();
    let mut request = commit("", -1, "t", 0, 7);
    request.topics[0].topic_id = TopicId([1; 16]);
    w.commit(&request).unwrap();
    for (id, offset) in [(TopicId([1; 16]), 7), (TopicId([2; 16]), -1), (TopicId::ZERO, 7)] {
        let topics = Some(vec![FetchTopic { name: "t".into(), topic_id: id, partitions: vec![0] }]);
        let request = FetchOffsetsRequest { group: G.into(), topics, require_stable: false };
        assert_eq!(w.coordinator.fetch_offsets(&request)[0].partitions[0].offset, Offset(offset));
    }
    w.replay();
}

#[test]
fn a_commit_is_checked_for_member_and_generation() {
    let mut w = World::new();
    assert_eq!(w.commit(&commit("m", 1, "t", 0, 1)), Err(GroupError::GroupIdNotFound));
    let ids = w.stable(1);
    for (request, error) in [
        (commit("", -1, "t", 0, 1), GroupError::UnknownMemberId),
        (commit("ghost", 1, "t", 0, 1), GroupError::UnknownMemberId),
        (commit(&ids[0], 0, "t", 0, 1), GroupError::IllegalGeneration),
        (commit(&ids[0], -1, "t", 0, 1), GroupError::IllegalGeneration),
    ] {
        assert_eq!(w.commit(&request), Err(error));
    }
    assert_eq!(only_error(w.commit(&commit(&ids[0], 1, "t", 0, 1))), None);
    w.leave(vec![leaving(&ids[0])]).unwrap();
    assert_eq!(w.commit(&commit(&ids[0], 2, "t", 0, 1)), Err(GroupError::UnknownMemberId));
    assert_eq!(
        only_error(w.commit(&commit("", -1, "t", 0, 2))),
        None,
        "an empty group takes an administrator's commit"
    );
}

#[test]
fn commits_pass_in_the_join_phase_and_not_in_the_sync_phase() {
    let mut w = World::new();
    let ids = w.members(1);
    assert_eq!(w.commit(&commit(&ids[0], 1, "t", 0, 1)), Err(GroupError::RebalanceInProgress));
    w.sync_all(&ids, 1);
    w.join(&request("new"));
    assert_eq!(w.state(), GroupState::PreparingRebalance);
    assert_eq!(only_error(w.commit(&commit(&ids[0], 1, "t", 0, 1))), None);
}

#[test]
fn a_commit_renews_the_session() {
    let mut w = World::new();
    let ids = w.stable(1);
    for offset in 0..4 {
        w.pass(i64::from(SESSION_MS) - 1);
        assert_eq!(only_error(w.commit(&commit(&ids[0], 1, "t", 0, offset))), None);
    }
}

#[test]
fn metadata_beyond_the_limit_refuses_its_partition_alone() {
    let mut w = World::new();
    let mut request = commit("", -1, "t", 0, 1);
    let mut long = request.topics[0].partitions[0].clone();
    long.index = 1;
    long.metadata = Some("é".repeat(4_097));
    let mut fits = long.clone();
    fits.index = 2;
    fits.metadata = Some("é".repeat(4_096));
    request.topics[0].partitions.extend([long, fits]);
    let reply = w.commit(&request).unwrap();
    assert_eq!(reply[0].partitions, [(0, None), (1, Some(GroupError::OffsetMetadataTooLarge)), (2, None)]);
    assert_eq!(w.log.len(), 2);
}

fn delete(w: &mut World, topic: &str, partition: i32) -> Result<Vec<TopicResult>, GroupError> {
    let request = DeleteOffsetsRequest { group: G.into(), topics: vec![(topic.into(), vec![partition])] };
    let decision = w.coordinator.delete_offsets(&request);
    w.decide(decision)
}

#[test]
fn offsets_of_topics_that_nobody_consumes_can_be_deleted_and_of_others_not() {
    let mut w = World::new();
    assert_eq!(delete(&mut w, "t", 0), Err(GroupError::GroupIdNotFound));
    let ids = w.stable(1);
    w.commit(&commit(&ids[0], 1, "t", 0, 1)).unwrap();
    w.commit(&commit(&ids[0], 1, "old", 0, 1)).unwrap();
    assert_eq!(only_error(delete(&mut w, "t", 0)), Some(GroupError::GroupSubscribedToTopic));
    assert_eq!(only_error(delete(&mut w, "old", 0)), None);
    assert_eq!(only_error(delete(&mut w, "old", 9)), None);
    assert_eq!((fetch(&w, "t", 0).offset, fetch(&w, "old", 0).offset), (Offset(1), Offset::NONE));
    w.replay();
}

#[test]
fn offsets_are_deleted_of_a_group_that_is_named() {
    let mut w = World::new();
    let request = DeleteOffsetsRequest { group: String::new(), topics: vec![] };
    let decision = w.coordinator.delete_offsets(&request);
    assert_eq!(w.decide(decision), Err(GroupError::InvalidGroupId));
}

#[test]
fn a_group_of_another_protocol_must_be_empty_to_lose_offsets() {
    let mut w = World::new();
    let ticket = w.join(&JoinRequest { protocol_type: "connect".into(), ..request("worker") });
    w.pass(1);
    w.joined(ticket);
    assert_eq!(delete(&mut w, "t", 0), Err(GroupError::NonEmptyGroup));
}

#[test]
fn a_consumer_group_whose_subscriptions_cannot_be_read_is_taken_to_consume_everything() {
    let mut w = World::new();
    let ticket = w.join(&JoinRequest { protocols: vec![("x".into(), Bytes::from_static(b"?"))], ..request("c") });
    w.pass(1);
    w.joined(ticket);
    assert_eq!(only_error(delete(&mut w, "t", 0)), Some(GroupError::GroupSubscribedToTopic));
}

#[test]
fn deleted_topics_take_their_offsets_along() {
    let mut w = World::new();
    let mut with_id = commit("", -1, "t", 0, 1);
    with_id.topics[0].topic_id = TopicId([1; 16]);
    w.commit(&with_id).unwrap();
    w.commit(&commit("", -1, "t", 1, 1)).unwrap();
    w.commit(&commit("", -1, "kept", 0, 1)).unwrap();
    let outcome = w.coordinator.on_topics_deleted(&[("t".into(), TopicId([2; 16])), ("none".into(), TopicId::ZERO)]);
    w.run(outcome);
    assert_eq!(fetch(&w, "t", 0).offset, Offset(1), "committed for another topic of that name");
    assert_eq!(fetch(&w, "t", 1).offset, Offset::NONE, "committed without an id");
    let outcome = w.coordinator.on_topics_deleted(&[("t".into(), TopicId([1; 16]))]);
    w.run(outcome);
    assert_eq!((fetch(&w, "t", 0).offset, fetch(&w, "kept", 0).offset), (Offset::NONE, Offset(1)));
    w.replay();
}

const WEEK_MS: i64 = 7 * 24 * 3_600_000;
const CHECK_MS: i64 = 600_000;

#[test]
fn offsets_without_membership_expire_a_week_after_their_commit_and_the_group_with_them() {
    let mut w = World::new();
    w.commit(&commit("", -1, "t", 0, 1)).unwrap();
    w.pass(WEEK_MS / 2);
    w.commit(&commit("", -1, "t", 1, 1)).unwrap();
    w.pass(WEEK_MS / 2 + CHECK_MS);
    assert_eq!((fetch(&w, "t", 0).offset, fetch(&w, "t", 1).offset), (Offset::NONE, Offset(1)));
    w.pass(WEEK_MS / 2);
    assert_eq!(w.coordinator.group_state(G), None);
    assert!(w.coordinator.stored().group(G).is_none());
    w.replay();
}

#[test]
fn offsets_of_a_group_expire_a_week_after_it_became_empty_not_after_their_commit() {
    let mut w = World::new();
    let ids = w.stable(1);
    w.commit(&commit(&ids[0], 1, "t", 0, 1)).unwrap();
    let keep_alive = |w: &mut World, ms: i64| {
        for _ in 0..ms / 9_000 {
            w.pass(9_000);
            w.heartbeat(&ids[0], 1).unwrap();
        }
    };
    keep_alive(&mut w, WEEK_MS + 2 * CHECK_MS);
    assert_eq!(fetch(&w, "t", 0).offset, Offset(1), "the group consumes the topic");
    w.leave(vec![leaving(&ids[0])]).unwrap();
    w.pass(WEEK_MS - 1);
    assert_eq!(fetch(&w, "t", 0).offset, Offset(1));
    w.pass(CHECK_MS);
    assert_eq!(w.coordinator.group_state(G), None);
}

#[test]
fn offsets_of_a_topic_that_a_stable_group_left_expire_after_their_commit() {
    let mut w = World::new();
    let ids = w.stable(1);
    w.commit(&commit(&ids[0], 1, "old", 0, 1)).unwrap();
    for _ in 0..(WEEK_MS + 2 * CHECK_MS) / 9_000 {
        w.pass(9_000);
        w.heartbeat(&ids[0], 1).unwrap();
    }
    assert_eq!(fetch(&w, "old", 0).offset, Offset::NONE);
    assert_eq!(w.state(), GroupState::Stable);
}

#[test]
fn an_old_clients_own_retention_counts_instead_of_the_brokers() {
    let mut w = World::new();
    w.commit(&CommitRequest { retention_ms: Some(1_000), ..commit("", -1, "t", 0, 1) }).unwrap();
    w.commit(&commit("", -1, "t", 1, 1)).unwrap();
    w.pass(999);
    assert_eq!(w.coordinator.expire_offsets(w.now), Outcome::default());
    w.pass(1);
    let outcome = w.coordinator.expire_offsets(w.now);
    w.run(outcome);
    assert_eq!((fetch(&w, "t", 0).offset, fetch(&w, "t", 1).offset), (Offset::NONE, Offset(1)));
}

#[test]
fn an_empty_group_without_offsets_is_removed_at_the_next_look() {
    let mut w = World::new();
    let ids = w.stable(1);
    w.leave(vec![leaving(&ids[0])]).unwrap();
    w.pass(CHECK_MS);
    assert_eq!(w.coordinator.group_state(G), None);
    w.replay();
}

#[test]
fn commits_expirations_and_rebalances_are_tallied_while_leading_and_only_then() {
    let mut w = World::new();
    let ids = w.stable(2);
    w.commit(&commit(&ids[0], 1, "t", 3, 7)).unwrap();
    w.leave(ids.iter().map(|id| leaving(id)).collect()).unwrap();
    let now = w.coordinator.tallies();
    assert_eq!(now, Tallies { offset_commits: 1, offset_expirations: 0, completed_rebalances: 1 });
    w.pass(2 * w.coordinator.config().offsets_retention_ms);
    assert_eq!(w.coordinator.tallies(), Tallies { offset_expirations: 1, ..now });
    let mut reader = GroupCoordinator::new(GroupConfig::default(), IdSource::new(2));
    for (offset, record) in w.log.iter().enumerate() {
        reader.apply(record, Offset(offset as i64), w.now).unwrap();
    }
    assert_eq!(reader.tallies(), Tallies::default(), "what another leader did is not done again");
}
