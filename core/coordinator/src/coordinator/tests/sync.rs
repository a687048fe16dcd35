use super::*;

#[test]
fn followers_wait_for_the_leaders_assignment_which_makes_the_group_stable_and_is_written() {
    let mut w = World::new();
    let ids = w.members(3);
    let leader = w.leader();
    let followers: Vec<String> = ids.iter().filter(|id| **id != leader).cloned().collect();
    let parked = w.sync(&sync(&followers[0], 1));
    assert!(!w.answered(parked));
    let assignments = vec![(followers[0].clone(), Bytes::from_static(b"one")), ("invented".into(), Bytes::new())];
    let lead = w.sync(&SyncRequest { assignments, ..sync(&leader, 1) });
    assert_eq!(w.synced(parked), Ok(Bytes::from_static(b"one")));
    assert_eq!(w.synced(lead), Ok(Bytes::new()), "a member the leader forgot gets nothing");
    assert_eq!(w.state(), GroupState::Stable);
    let late = w.sync(&sync(&followers[1], 1));
    assert_eq!(w.synced(late), Ok(Bytes::new()));

    let stored = w.stored().clone();
    assert_eq!((stored.generation, stored.leader.as_deref()), (1, Some(leader.as_str())));
    assert_eq!(stored.members.len(), 3);
    assert!(stored.members.iter().all(|m| m.subscription == subscription(&["t"])));
    assert_eq!(stored.members.iter().find(|m| m.member_id == followers[0]).unwrap().assignment, "one");
    w.replay();
}

#[test]
fn the_group_is_not_stable_before_the_record_is_applied() {
    let mut w = World::new();
    let ids = w.members(1);
    let outcome = w.coordinator.sync(&sync(&ids[0], 1), Ticket(99), w.now);
    assert_eq!((outcome.records.len(), outcome.completions.len()), (1, 1));
    assert_eq!(w.state(), GroupState::CompletingRebalance);
    w.run(outcome);
    assert_eq!(w.state(), GroupState::Stable);
}

#[test]
fn a_sync_in_a_stable_group_returns_the_current_assignment() {
    let mut w = World::new();
    let ids = w.stable(2);
    for id in &ids {
        let ticket = w.sync(&sync(id, 1));
        assert_eq!(w.synced(ticket), Ok(Bytes::from(id.clone())));
    }
}

#[test]
fn a_sync_is_checked_for_group_member_generation_protocol_and_phase() {
    let mut w = World::new();
    let unknown = w.sync(&sync("m", 1));
    assert_eq!(w.synced(unknown), Err(GroupError::UnknownMemberId));
    let ids = w.members(2);
    for (request, error) in [
        (sync("ghost", 1), GroupError::UnknownMemberId),
        (sync(&ids[0], 2), GroupError::IllegalGeneration),
        (
            SyncRequest { protocol_type: Some("connect".into()), ..sync(&ids[0], 1) },
            GroupError::InconsistentGroupProtocol,
        ),
        (
            SyncRequest { protocol_name: Some("sticky".into()), ..sync(&ids[0], 1) },
            GroupError::InconsistentGroupProtocol,
        ),
    ] {
        let ticket = w.sync(&request);
        assert_eq!(w.synced(ticket), Err(error));
    }
    w.join(&request("new"));
    assert_eq!(w.state(), GroupState::PreparingRebalance);
    let ticket = w.sync(&sync(&ids[0], 1));
    assert_eq!(w.synced(ticket), Err(GroupError::RebalanceInProgress));
}

#[test]
fn a_join_in_the_sync_phase_sends_parked_syncs_back_to_join() {
    let mut w = World::new();
    let ids = w.members(2);
    let follower = ids.iter().find(|id| **id != w.leader()).unwrap().clone();
    let parked = w.sync(&sync(&follower, 1));
    w.join(&request("new"));
    assert_eq!(w.synced(parked), Err(GroupError::RebalanceInProgress));
}

#[test]
fn members_that_do_not_sync_within_the_rebalance_timeout_are_dropped() {
    let mut w = World::new();
    let ids = w.members(2);
    let leader = w.leader();
    let follower = ids.iter().find(|id| **id != leader).unwrap().clone();
    let parked = w.sync(&sync(&follower, 1));
    let mut passed = 0;
    while passed < i64::from(REBALANCE_MS) - 1 {
        let step = 5_000.min(i64::from(REBALANCE_MS) - 1 - passed);
        w.pass(step);
        passed += step;
        assert_eq!(w.heartbeat(&leader, 1), Ok(()));
        assert!(!w.answered(parked));
    }
    w.pass(1);
    assert_eq!(w.synced(parked), Err(GroupError::RebalanceInProgress));
    assert_eq!(w.heartbeat(&leader, 1), Err(GroupError::UnknownMemberId));
    let ticket = w.join(&rejoin(&follower));
    assert_eq!(w.joined(ticket).leader, follower);
}

#[test]
fn members_that_never_sync_in_a_stable_group_are_dropped_too() {
    let mut w = World::new();
    let ids = w.members(2);
    let leader = w.leader();
    let follower = ids.iter().find(|id| **id != leader).unwrap().clone();
    let ticket = w.sync(&sync(&leader, 1));
    assert!(w.synced(ticket).is_ok());
    for _ in 0..5 {
        w.pass(i64::from(REBALANCE_MS) / 5);
        let _ = (w.heartbeat(&leader, 1), w.heartbeat(&follower, 1));
    }
    assert_eq!(w.state(), GroupState::PreparingRebalance);
    assert_eq!(w.heartbeat(&follower, 1), Err(GroupError::UnknownMemberId));
    assert_eq!(w.heartbeat(&leader, 1), Err(GroupError::RebalanceInProgress));
}

#[test]
fn a_sync_repeated_while_the_first_is_parked_replaces_it() {
    let mut w = World::new();
    let ids = w.members(2);
    let leader = w.leader();
    let follower = ids.iter().find(|id| **id != leader).unwrap().clone();
    let first = w.sync(&sync(&follower, 1));
    let again = w.sync(&sync(&follower, 1));
    assert_eq!(w.synced(first), Err(GroupError::RebalanceInProgress));
    w.sync(&sync(&leader, 1));
    assert!(w.synced(again).is_ok());
}

#[test]
fn any_protocol_type_and_any_bytes_are_carried_as_they_are() {
    let mut w = World::new();
    let connect = JoinRequest {
        protocol_type: "connect".into(),
        protocols: vec![("compatible".into(), Bytes::from_static(b"\xff\0url"))],
        ..request("worker")
    };
    let ticket = w.join(&connect);
    w.pass(1);
    let joined = w.joined(ticket);
    assert_eq!(joined.members[0].metadata, &b"\xff\0url"[..]);
    let request = SyncRequest {
        protocol_type: None,
        protocol_name: None,
        assignments: vec![(joined.member_id.clone(), Bytes::from_static(b"\xfe"))],
        ..sync(&joined.member_id, 1)
    };
    let ticket = w.sync(&request);
    assert_eq!(w.synced(ticket), Ok(Bytes::from_static(b"\xfe")));
    w.replay();
}
