use super::*;

#[test]
fn a_new_leader_knows_the_stable_group_and_gives_everybody_a_whole_session() {
    let mut w = World::new();
    let ids = w.stable(2);
    w.commit(&commit(&ids[0], 1, "t", 0, 9)).unwrap();
    let mut other = w.replay();
    assert_eq!(other.next_deadline(), None);
    assert_eq!(other.start_leading(w.now), Outcome::default());
    w.coordinator = other;
    assert_eq!(w.state(), GroupState::Stable);
    w.pass(i64::from(SESSION_MS) - 1);
    for id in &ids {
        assert_eq!(w.heartbeat(id, 1), Ok(()));
        let ticket = w.sync(&sync(id, 1));
        assert_eq!(w.synced(ticket), Ok(Bytes::from(id.clone())));
    }
    w.pass(i64::from(SESSION_MS));
    assert_eq!(w.heartbeat(&ids[0], 1), Err(GroupError::RebalanceInProgress).or(Err(GroupError::UnknownMemberId)));
}

#[test]
fn a_generation_that_was_not_written_does_not_survive_its_leader() {
    let mut w = World::new();
    let ids = w.stable(1);
    let ticket = w.join(&rejoin(&ids[0]));
    assert_eq!(w.joined(ticket).generation, 2);
    let mut other = w.replay();
    let outcome = other.start_leading(w.now);
    w.coordinator = other;
    w.run(outcome);
    assert_eq!(w.heartbeat(&ids[0], 2), Err(GroupError::IllegalGeneration));
    assert_eq!(w.heartbeat(&ids[0], 1), Ok(()));
}

#[test]
fn a_coordinator_that_stops_leading_answers_everybody_who_waits() {
    let mut w = World::new();
    let ids = w.stable(2);
    let join = w.join(&rejoin(&w.leader()));
    let completions = w.coordinator.stop_leading();
    let refused = JoinRefused { error: GroupError::NotCoordinator, member_id: ids.iter().min().unwrap().clone() };
    assert_eq!(completions.len(), 1);
    assert_eq!(completions[0].0, join);
    assert!(matches!(&completions[0].1, Reply::Join(Err(r)) if r.error == refused.error));
    assert_eq!(w.coordinator.next_deadline(), None);
    assert!(!w.coordinator.is_leading());
    let outcome = w.coordinator.start_leading(w.now);
    w.run(outcome);
    assert_eq!(w.state(), GroupState::Stable);
}

#[test]
fn a_group_beyond_a_lowered_size_rebalances_when_it_is_loaded() {
    let mut w = World::new();
    w.stable(3);
    let config = GroupConfig { group_size_max: 2, initial_rebalance_delay_ms: 0, ..GroupConfig::default() };
    let mut other = GroupCoordinator::new(config, IdSource::new(3));
    for (offset, record) in w.log.iter().enumerate() {
        other.apply(record, Offset(offset as i64), w.now).unwrap();
    }
    let outcome = other.start_leading(w.now);
    w.coordinator = other;
    w.run(outcome);
    assert_eq!(w.state(), GroupState::PreparingRebalance);
    let ids: Vec<String> = w.coordinator.describe_group(G).unwrap().members.into_iter().map(|m| m.member_id).collect();
    let tickets: Vec<Ticket> = ids.iter().map(|id| w.join(&rejoin(id))).collect();
    assert_eq!(w.join_refused(tickets[2]).error, GroupError::GroupMaxSizeReached);
    w.pass(i64::from(REBALANCE_MS));
    assert_eq!(w.joined(tickets[0]).generation, 2);
    assert_eq!(w.coordinator.describe_group(G).unwrap().members.len(), 2);
}

#[test]
fn an_assignment_that_cannot_be_written_makes_the_members_join_again() {
    let mut w = World::new();
    let ids = w.members(2);
    let follower = ids.iter().find(|id| **id != w.leader()).unwrap().clone();
    w.sync(&sync(&follower, 1));
    let outcome = w.coordinator.sync(&sync(&w.leader(), 1), Ticket(99), w.now);
    assert_eq!(outcome.completions.len(), 2, "the broker answers both with its error");
    let undone = w.coordinator.append_failed(&outcome.records, w.now);
    w.run(undone);
    assert_eq!(w.state(), GroupState::PreparingRebalance);
    let tickets: Vec<Ticket> = ids.iter().map(|id| w.join(&rejoin(id))).collect();
    assert_eq!(w.joined(tickets[0]).generation, 2);
}

#[test]
fn a_takeover_that_cannot_be_written_leaves_the_old_static_member() {
    let mut w = World::new();
    let ticket = w.join(&static_request("i0"));
    w.pass(1);
    let old = w.joined(ticket).member_id;
    w.sync_all(std::slice::from_ref(&old), 1);
    let outcome = w.coordinator.join(&static_request("i0"), Ticket(99), w.now);
    assert_eq!(outcome.records.len(), 1);
    assert_eq!(w.heartbeat(&old, 1), Err(GroupError::UnknownMemberId));
    let undone = w.coordinator.append_failed(&outcome.records, w.now);
    w.run(undone);
    assert_eq!(w.heartbeat(&old, 1), Ok(()));
    assert_eq!(w.state(), GroupState::Stable);
    w.pass(i64::from(SESSION_MS));
    assert_eq!(w.state(), GroupState::Empty);
}

#[test]
fn a_group_that_cannot_be_created_is_forgotten_with_whoever_joined_it() {
    let mut w = World::new();
    let outcome = w.coordinator.join(&request("c"), Ticket(99), w.now);
    let undone = w.coordinator.append_failed(&outcome.records, w.now);
    w.run(undone);
    assert_eq!(w.join_refused(Ticket(99)).error, GroupError::CoordinatorNotAvailable);
    assert_eq!(w.coordinator.group_state(G), None);
    w.pass(60_000);
    assert!(w.log.is_empty());
}

#[test]
fn records_of_other_protocols_are_counted_and_damaged_ones_refused() {
    let mut w = World::new();
    let unknown = Record { key: Bytes::from_static(b"\0\x03\0\x01g"), value: Some(Bytes::from_static(b"\0\0")) };
    assert_eq!(w.coordinator.apply(&unknown, Offset(0), w.now), Ok(Applied::Unknown { record_type: 3 }));
    assert_eq!((w.coordinator.unknown_records(), w.coordinator.applied_end()), (1, Offset(1)));
    let damaged = Record { key: Bytes::from_static(b"\0\x02\0\x01g"), value: Some(Bytes::from_static(b"\0\x03\0")) };
    assert!(w.coordinator.apply(&damaged, Offset(1), w.now).is_err());
    assert_eq!(w.coordinator.stored(), &Stored::default());
    assert_eq!(w.coordinator.applied_end(), Offset(1));
}

#[test]
fn stored_members_of_any_shape_do_not_break_a_leader() {
    let mut w = World::new();
    let member = crate::stored::StoredMember {
        member_id: "m".into(),
        session_timeout_ms: -5,
        rebalance_timeout_ms: i32::MIN,
        ..Default::default()
    };
    let odd = StoredGroup {
        protocol_type: "consumer".into(),
        generation: i32::MAX,
        protocol: None,
        leader: Some("nobody".into()),
        state_since: None,
        members: vec![member.clone(), member],
    };
    let record = records::group(G, &odd);
    let mut other = GroupCoordinator::new(GroupConfig::default(), IdSource::new(3));
    other.apply(&record, Offset(0), w.now).unwrap();
    let outcome = other.start_leading(w.now);
    w.coordinator = other;
    w.run(outcome);
    let ticket = w.join(&rejoin("m"));
    assert_eq!(w.join_refused(ticket).error, GroupError::InconsistentGroupProtocol);
    w.pass(10);
    assert_eq!((w.state(), w.generation()), (GroupState::Empty, 1));
}

#[test]
fn a_departure_that_cannot_be_written_is_tried_again_after_a_session() {
    let mut w = World::new();
    let ids = w.stable(1);
    let request = LeaveRequest { group: G.into(), members: vec![leaving(&ids[0])] };
    let decision = w.coordinator.leave(&request, w.now);
    let undone = w.coordinator.append_failed(&decision.outcome.records, w.now);
    w.run(undone);
    assert_eq!(w.state(), GroupState::Stable);
    w.pass(i64::from(SESSION_MS));
    assert_eq!((w.state(), w.stored().members.len()), (GroupState::Empty, 0));
}
