use super::*;

#[test]
fn heartbeats_keep_a_member_alive_and_silence_removes_it() {
    let mut w = World::new();
    let ids = w.stable(1);
    for _ in 0..5 {
        w.pass(i64::from(SESSION_MS) - 1);
        assert_eq!(w.heartbeat(&ids[0], 1), Ok(()));
    }
    w.pass(i64::from(SESSION_MS));
    assert_eq!(w.state(), GroupState::Empty);
    assert_eq!(w.heartbeat(&ids[0], 1), Err(GroupError::UnknownMemberId));
    assert_eq!((w.stored().generation, w.stored().members.len()), (2, 0));
    assert_eq!(w.stored().protocol_type, "consumer");
    w.replay();
}

#[test]
fn heartbeats_are_checked_and_report_a_rebalance() {
    let mut w = World::new();
    assert_eq!(w.heartbeat("m", 1), Err(GroupError::UnknownMemberId));
    let ids = w.members(1);
    assert_eq!(w.heartbeat(&ids[0], 1), Ok(()), "the sync phase is a normal time to heartbeat");
    assert_eq!(w.heartbeat(&ids[0], 0), Err(GroupError::IllegalGeneration));
    assert_eq!(w.heartbeat("ghost", 1), Err(GroupError::UnknownMemberId));
    w.sync_all(&ids, 1);
    w.join(&request("new"));
    assert_eq!(w.heartbeat(&ids[0], 1), Err(GroupError::RebalanceInProgress));
}

#[test]
fn a_member_that_waits_in_a_join_or_sync_does_not_lose_its_session() {
    let mut w = World::new();
    let ids = w.stable(2);
    let leader = w.leader();
    let other = ids.iter().find(|id| **id != leader).unwrap().clone();
    let ticket = w.join(&rejoin(&leader));
    for _ in 0..2 {
        w.pass(i64::from(SESSION_MS) - 1);
        assert_eq!(w.heartbeat(&other, 1), Err(GroupError::RebalanceInProgress));
    }
    w.join(&rejoin(&other));
    assert_eq!(w.joined(ticket).members.len(), 2);
    let parked = w.sync(&sync(&other, 2));
    w.pass(i64::from(SESSION_MS) - 1);
    assert_eq!(w.heartbeat(&leader, 2), Ok(()));
    w.pass(i64::from(SESSION_MS) - 1);
    assert!(!w.answered(parked));
    let ticket = w.sync(&sync(&leader, 2));
    assert!(w.synced(ticket).is_ok() && w.synced(parked).is_ok());
    w.pass(i64::from(SESSION_MS) - 1);
    assert_eq!(w.heartbeat(&other, 2), Ok(()), "its session started anew with the assignment");
}

#[test]
fn the_last_member_to_leave_empties_the_group_at_once() {
    let mut w = World::new();
    let ids = w.stable(1);
    assert_eq!(w.leave(vec![leaving(&ids[0])]).unwrap()[0].error, None);
    assert_eq!(w.state(), GroupState::Empty);
    assert_eq!(w.stored().generation, 2);
    w.replay();
}

#[test]
fn leaving_makes_the_others_rebalance_and_another_lead() {
    let mut w = World::new();
    let ids = w.stable(3);
    let leader = w.leader();
    w.leave(vec![leaving(&leader)]).unwrap();
    assert_eq!(w.state(), GroupState::PreparingRebalance);
    let rest: Vec<&String> = ids.iter().filter(|id| **id != leader).collect();
    let tickets: Vec<Ticket> = rest.iter().map(|id| w.join(&rejoin(id))).collect();
    assert!(rest.contains(&&w.joined(tickets[0]).leader));
}

#[test]
fn a_batch_of_leaves_is_answered_one_by_one_and_rebalances_once() {
    let mut w = World::new();
    let ids = w.stable(3);
    let left = w.leave(vec![leaving(&ids[0]), leaving("ghost"), leaving(&ids[1]), leaving("")]).unwrap();
    let errors: Vec<_> = left.iter().map(|m| m.error).collect();
    let unknown = Some(GroupError::UnknownMemberId);
    assert_eq!(errors, [None, unknown, None, unknown]);
    let ticket = w.join(&rejoin(&ids[2]));
    assert_eq!(w.joined(ticket).generation, 2);
}

#[test]
fn a_leave_completes_the_join_phase_that_waited_for_it() {
    let mut w = World::new();
    let ids = w.stable(2);
    let leader = w.leader();
    let other = ids.iter().find(|id| **id != leader).unwrap().clone();
    let ticket = w.join(&rejoin(&leader));
    assert!(!w.answered(ticket));
    w.leave(vec![leaving(&other)]).unwrap();
    assert_eq!(w.joined(ticket).members.len(), 1);
}

#[test]
fn a_member_that_leaves_while_its_join_is_parked_is_told_that_it_is_unknown() {
    let mut w = World::new();
    w.stable(1);
    let ticket = w.join(&JoinRequest { require_known_member_id: true, ..request("new") });
    let id = w.join_refused(ticket).member_id;
    let parked = w.join(&rejoin(&id));
    w.leave(vec![leaving(&id)]).unwrap();
    assert_eq!(w.join_refused(parked), JoinRefused { error: GroupError::UnknownMemberId, member_id: "".into() });
}

#[test]
fn a_pending_member_may_leave() {
    let mut w = World::new();
    let ticket = w.join(&JoinRequest { require_known_member_id: true, ..request("new") });
    let id = w.join_refused(ticket).member_id;
    assert_eq!(w.leave(vec![leaving(&id)]).unwrap()[0].error, None);
    let ticket = w.join(&rejoin(&id));
    assert_eq!(w.join_refused(ticket).error, GroupError::UnknownMemberId);
}

#[test]
fn nobody_is_a_member_of_an_unknown_group() {
    let mut w = World::new();
    let left = w.leave(vec![leaving("m"), leaving("")]).unwrap();
    assert!(left.iter().all(|member| member.error == Some(GroupError::UnknownMemberId)), "{left:?}");
    assert_eq!((left.len(), left[0].member_id.as_str()), (2, "m"));
    assert_eq!(w.leave(vec![]), Ok(vec![]));
}

#[test]
fn a_group_that_everybody_left_during_its_first_join_phase_becomes_empty() {
    let mut w = World::with(GroupConfig::default());
    let ticket = w.join(&JoinRequest { require_known_member_id: true, ..request("new") });
    let id = w.join_refused(ticket).member_id;
    w.join(&rejoin(&id));
    w.leave(vec![leaving(&id)]).unwrap();
    w.pass(3_000);
    assert_eq!((w.state(), w.generation()), (GroupState::Empty, 1));
}
