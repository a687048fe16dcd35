use super::*;

/// A stable group of static members i0, i1, ...; ids in that order.
fn stable_static(w: &mut World, count: usize) -> Vec<String> {
    let tickets: Vec<Ticket> = (0..count).map(|i| w.join(&static_request(&format!("i{i}")))).collect();
    w.pass(1);
    let ids: Vec<String> = tickets.into_iter().map(|t| w.joined(t).member_id).collect();
    let generation = w.generation();
    w.sync_all(&ids, generation);
    ids
}

fn instance_of<'a>(ids: &[String], id: &str, instances: &'a [&'a str]) -> &'a str {
    instances[ids.iter().position(|other| other == id).unwrap()]
}

#[test]
fn a_static_member_gets_an_id_from_its_instance_and_joins_in_one_step() {
    let mut w = World::new();
    let ticket = w.join(&static_request("inst"));
    w.pass(1);
    let joined = w.joined(ticket);
    assert!(joined.member_id.starts_with("inst-") && joined.member_id.len() == 5 + 36);
    assert_eq!(joined.members[0].group_instance_id.as_deref(), Some("inst"));
}

#[test]
fn a_static_follower_that_restarts_keeps_generation_and_assignment_and_fences_its_old_id() {
    let mut w = World::new();
    let ids = stable_static(&mut w, 2);
    let leader = w.leader();
    let old = ids.iter().find(|id| **id != leader).unwrap().clone();
    let instance = instance_of(&ids, &old, &["i0", "i1"]).to_owned();
    let records = w.log.len();
    let ticket = w.join(&static_request(&instance));
    let joined = w.joined(ticket);
    assert_eq!((w.state(), joined.generation), (GroupState::Stable, 1));
    assert_ne!(joined.member_id, old);
    assert_eq!((joined.leader, joined.skip_assignment, joined.members.len()), (leader, false, 0));
    assert_eq!(w.log.len(), records + 1, "the new id is written");
    assert!(w.stored().members.iter().any(|m| m.member_id == joined.member_id && m.assignment == old));

    let instance = Some(instance);
    let ticket = w.sync(&SyncRequest { group_instance_id: instance.clone(), ..sync(&joined.member_id, 1) });
    assert_eq!(w.synced(ticket), Ok(Bytes::from(old.clone())), "the old id's assignment");
    let request = HeartbeatRequest { group: G.into(), member_id: old, group_instance_id: instance, generation: 1 };
    assert_eq!(w.coordinator.heartbeat(&request, w.now), Err(GroupError::FencedInstanceId));
    w.replay();
}

#[test]
fn a_static_leader_that_restarts_skips_the_assignment_if_its_client_can() {
    let mut w = World::new();
    let ids = stable_static(&mut w, 2);
    let old = w.leader();
    let instance = instance_of(&ids, &old, &["i0", "i1"]).to_owned();
    let ticket = w.join(&static_request(&instance));
    let joined = w.joined(ticket);
    assert!(joined.skip_assignment);
    assert_eq!((joined.leader.as_str(), joined.members.len()), (joined.member_id.as_str(), 2));

    let again = w.join(&JoinRequest { supports_skip_assignment: false, ..static_request(&instance) });
    let older_client = w.joined(again);
    assert!(!older_client.skip_assignment && older_client.members.is_empty());
    assert_eq!(older_client.leader, joined.member_id, "the id it had before, so that it does not think it leads");
    assert_eq!(w.leader(), older_client.member_id);
    assert_eq!(w.stored().leader.as_deref(), Some(older_client.member_id.as_str()));
}

#[test]
fn a_restart_that_changes_the_selected_protocol_rebalances() {
    let mut w = World::new();
    stable_static(&mut w, 1);
    let protocols = vec![("roundrobin".to_owned(), subscription(&["t"])), ("range".to_owned(), subscription(&["t"]))];
    let ticket = w.join(&JoinRequest { protocols, ..static_request("i0") });
    let joined = w.joined(ticket);
    assert_eq!((joined.generation, joined.protocol_name.as_deref()), (2, Some("roundrobin")));
}

#[test]
fn a_restart_in_the_sync_phase_rebalances_and_fences_the_parked_sync() {
    let mut w = World::new();
    let tickets = [w.join(&static_request("i0")), w.join(&static_request("i1"))];
    w.pass(1);
    let ids = tickets.map(|t| w.joined(t).member_id);
    let leader = w.leader();
    let (index, follower) = ids.iter().enumerate().find(|(_, id)| **id != leader).unwrap();
    let parked = w.sync(&sync(follower, 1));
    let ticket = w.join(&static_request(&format!("i{index}")));
    assert_eq!(w.synced(parked), Err(GroupError::FencedInstanceId));
    assert_eq!(w.state(), GroupState::PreparingRebalance);
    assert!(!w.answered(ticket));
}

#[test]
fn a_restart_in_the_join_phase_fences_the_parked_join_and_takes_its_place() {
    let mut w = World::new();
    let first = w.join(&static_request("i0"));
    let second = w.join(&static_request("i0"));
    assert_eq!(w.join_refused(first).error, GroupError::FencedInstanceId);
    w.pass(1);
    assert_eq!(w.joined(second).members.len(), 1);
}

#[test]
fn a_known_id_with_another_members_instance_is_fenced_and_an_unknown_instance_is_unknown() {
    let mut w = World::new();
    let ids = stable_static(&mut w, 2);
    let fenced = w.join(&JoinRequest { group_instance_id: Some("i0".into()), ..rejoin(&ids[1]) });
    assert_eq!(w.join_refused(fenced).error, GroupError::FencedInstanceId);
    let unknown = w.join(&JoinRequest { group_instance_id: Some("i9".into()), ..rejoin(&ids[1]) });
    assert_eq!(w.join_refused(unknown).error, GroupError::UnknownMemberId);
    let mut request = commit(&ids[1], 1, "t", 0, 5);
    request.group_instance_id = Some("i0".into());
    assert_eq!(w.commit(&request), Err(GroupError::FencedInstanceId));
}

#[test]
fn a_static_member_stays_when_it_misses_a_join_phase_until_its_session_ends() {
    let mut w = World::new();
    let ticket = w.join(&JoinRequest { session_timeout_ms: 600_000, ..static_request("i0") });
    w.pass(1);
    let id = w.joined(ticket).member_id;
    w.sync_all(&[id], 1);
    let ticket = w.join(&request("dynamic"));
    w.pass(i64::from(REBALANCE_MS));
    let joined = w.joined(ticket);
    assert_eq!((joined.generation, joined.members.len()), (2, 2));
    assert_eq!(joined.leader, joined.member_id, "whoever joined leads");
}

#[test]
fn a_join_phase_of_static_members_that_none_rejoins_goes_on_until_their_sessions_end() {
    let mut w = World::new();
    let long = |instance: &str| JoinRequest { session_timeout_ms: 100_000, ..static_request(instance) };
    let tickets = [w.join(&long("i0")), w.join(&long("i1"))];
    w.pass(1);
    let ids = tickets.map(|t| w.joined(t).member_id).to_vec();
    w.sync_all(&ids, 1);
    // One that has left the group starts the phase for the other.
    let ghost = LeavingMember { member_id: String::new(), group_instance_id: Some("i0".into()), reason: None };
    assert_eq!(w.leave(vec![ghost]).unwrap()[0].error, None);
    assert_eq!(w.state(), GroupState::PreparingRebalance);
    w.pass(99_000);
    assert_eq!(w.state(), GroupState::PreparingRebalance);
    w.pass(31_000);
    assert_eq!(w.state(), GroupState::Empty);
}

#[test]
fn an_administrator_removes_a_static_member_by_its_instance_id() {
    let mut w = World::new();
    let ids = stable_static(&mut w, 1);
    let by = |member: &str, instance: &str| LeavingMember {
        member_id: member.into(),
        group_instance_id: Some(instance.into()),
        reason: Some("admin".into()),
    };
    let left = w.leave(vec![by("", "i9"), by("other", "i0"), by(&ids[0], "i9"), by("", "i0")]).unwrap();
    let errors: Vec<_> = left.iter().map(|m| m.error).collect();
    let unknown = Some(GroupError::UnknownMemberId);
    assert_eq!(errors, [unknown, Some(GroupError::FencedInstanceId), unknown, None]);
    assert_eq!(w.state(), GroupState::Empty);
}
