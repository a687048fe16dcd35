use super::*;

#[test]
fn a_dynamic_member_without_id_is_given_one_and_asked_to_come_again() {
    let mut w = World::new();
    let first = w.join(&JoinRequest { require_known_member_id: true, ..request("client") });
    let refused = w.join_refused(first);
    assert_eq!(refused.error, GroupError::MemberIdRequired);
    assert!(refused.member_id.starts_with("client-") && refused.member_id.len() == 7 + 36);
    assert_eq!(w.state(), GroupState::Empty);
    let second = w.join(&rejoin(&refused.member_id));
    assert!(!w.answered(second));
    w.pass(1);
    let joined = w.joined(second);
    assert_eq!(joined.member_id, refused.member_id);
    assert_eq!((joined.generation, joined.leader.as_str()), (1, refused.member_id.as_str()));
}

#[test]
fn a_member_id_that_is_not_used_within_a_session_is_forgotten() {
    let mut w = World::new();
    let ticket = w.join(&JoinRequest { require_known_member_id: true, ..request("client") });
    let id = w.join_refused(ticket).member_id;
    w.pass(i64::from(SESSION_MS));
    let late = w.join(&rejoin(&id));
    assert_eq!(w.join_refused(late).error, GroupError::UnknownMemberId);
}

#[test]
fn a_pending_member_holds_up_a_rebalance_until_it_joins_or_its_session_ends() {
    let mut w = World::new();
    let ids = w.stable(1);
    w.join(&JoinRequest { require_known_member_id: true, ..request("client") });
    let ticket = w.join(&rejoin(&ids[0]));
    assert!(!w.answered(ticket), "the leader's rejoin waits for the pending member");
    w.pass(i64::from(SESSION_MS));
    assert_eq!(w.joined(ticket).generation, 2);
}

#[test]
fn the_first_join_creates_the_group_in_the_log() {
    let mut w = World::new();
    w.join(&request("c"));
    assert_eq!(w.log.len(), 1);
    assert_eq!(w.stored().generation, 0);
    assert_eq!(w.stored().state_since, Some(w.now));
    w.replay();
}

#[test]
fn a_join_with_an_id_to_an_unknown_group_is_refused() {
    let mut w = World::new();
    let ticket = w.join(&rejoin("ghost"));
    assert_eq!(w.join_refused(ticket).error, GroupError::UnknownMemberId);
    assert_eq!(w.coordinator.group_state(G), None);
}

#[test]
fn an_empty_group_id_is_refused_everywhere_in_membership() {
    let mut w = World::new();
    let ticket = w.join(&JoinRequest { group: String::new(), ..request("c") });
    assert_eq!(w.join_refused(ticket).error, GroupError::InvalidGroupId);
    let ticket = w.sync(&SyncRequest { group: String::new(), ..sync("m", 1) });
    assert_eq!(w.synced(ticket), Err(GroupError::InvalidGroupId));
}

#[test]
fn session_timeouts_outside_the_limits_are_refused() {
    let mut w = World::new();
    for (ms, ok) in [(5_999, false), (6_000, true), (1_800_000, true), (1_800_001, false)] {
        let group = format!("g{ms}");
        let ticket = w.join(&JoinRequest { group, session_timeout_ms: ms, ..request("c") });
        assert_eq!(w.answered(ticket), !ok);
        if !ok {
            assert_eq!(w.join_refused(ticket).error, GroupError::InvalidSessionTimeout);
        }
    }
}

#[test]
fn the_first_rebalance_waits_and_is_prolonged_while_members_come_up_to_the_rebalance_timeout() {
    let mut w = World::with(GroupConfig { initial_rebalance_delay_ms: 3_000, ..GroupConfig::default() });
    let config = |client: &str| JoinRequest { rebalance_timeout_ms: 7_000, ..request(client) };
    let first = w.join(&config("a"));
    w.pass(2_999);
    assert!(!w.answered(first));
    w.join(&config("b"));
    w.pass(2_999);
    assert!(!w.answered(first), "prolonged to 6 s by the second member");
    w.join(&config("c"));
    w.pass(2);
    assert!(!w.answered(first), "prolonged to 7 s, the rebalance timeout");
    w.pass(1_000);
    assert_eq!(w.joined(first).members.len() + w.generation() as usize, 3 + 1);
}

#[test]
fn the_first_rebalance_waits_its_delay_once_when_nobody_else_comes() {
    let mut w = World::with(GroupConfig { initial_rebalance_delay_ms: 3_000, ..GroupConfig::default() });
    let ticket = w.join(&request("a"));
    w.pass(3_000);
    assert_eq!(w.joined(ticket).generation, 1);
}

#[test]
fn a_protocol_type_other_than_the_groups_is_refused() {
    let mut w = World::new();
    w.stable(1);
    let ticket = w.join(&JoinRequest { protocol_type: "connect".into(), ..request("c") });
    assert_eq!(w.join_refused(ticket).error, GroupError::InconsistentGroupProtocol);
}

#[test]
fn a_member_without_a_protocol_common_to_all_is_refused() {
    let mut w = World::new();
    w.stable(1);
    let ticket = w.join(&JoinRequest { protocols: vec![("sticky".into(), Bytes::new())], ..request("c") });
    assert_eq!(w.join_refused(ticket).error, GroupError::InconsistentGroupProtocol);
}

#[test]
fn an_empty_group_takes_no_member_without_protocols_and_is_not_created_for_one() {
    let mut w = World::new();
    for bad in [
        JoinRequest { protocols: Vec::new(), ..request("c") },
        JoinRequest { protocol_type: String::new(), ..request("c") },
    ] {
        let ticket = w.join(&bad);
        assert_eq!(w.join_refused(ticket).error, GroupError::InconsistentGroupProtocol);
    }
    assert_eq!(w.coordinator.group_state(G), None);
    assert!(w.log.is_empty());
}

#[test]
fn the_protocol_with_most_votes_among_those_common_to_all_wins() {
    let mut w = World::new();
    let offer = |names: &[&str]| JoinRequest {
        protocols: names.iter().map(|n| ((*n).to_owned(), subscription(&["t"]))).collect(),
        ..request("c")
    };
    let tickets = [&["x", "b", "a"][..], &["b", "a"], &["a", "b"]].map(|names| w.join(&offer(names)));
    w.pass(1);
    for ticket in tickets {
        assert_eq!(w.joined(ticket).protocol_name.as_deref(), Some("b"));
    }
}

#[test]
fn only_the_leader_hears_who_is_in_the_group() {
    let mut w = World::new();
    let tickets = ["a", "b"].map(|client| w.join(&request(client)));
    w.pass(1);
    let [first, second] = tickets.map(|ticket| w.joined(ticket));
    assert_eq!(first.leader, first.member_id);
    assert_eq!(first.members.len(), 2);
    assert!(first.members.iter().all(|m| m.metadata == subscription(&["t"])));
    assert_eq!((second.leader, second.members.len()), (first.member_id, 0));
}

#[test]
fn a_follower_that_rejoins_a_stable_group_unchanged_gets_its_generation_without_rebalance() {
    let mut w = World::new();
    let ids = w.stable(2);
    let leader = w.leader();
    let follower = ids.iter().find(|id| **id != leader).unwrap();
    let ticket = w.join(&rejoin(follower));
    assert_eq!(w.joined(ticket).generation, 1);
    assert_eq!(w.state(), GroupState::Stable);
}

#[test]
fn a_follower_that_rejoins_with_other_metadata_rebalances() {
    let mut w = World::new();
    let ids = w.stable(2);
    let leader = w.leader();
    let follower = ids.iter().find(|id| **id != leader).unwrap();
    let protocols = vec![("range".to_owned(), subscription(&["other"]))];
    let ticket = w.join(&JoinRequest { protocols, ..rejoin(follower) });
    assert!(!w.answered(ticket));
    assert_eq!(w.state(), GroupState::PreparingRebalance);
}

#[test]
fn a_leader_that_rejoins_always_rebalances() {
    let mut w = World::new();
    w.stable(2);
    let leader = w.leader();
    let ticket = w.join(&rejoin(&leader));
    assert!(!w.answered(ticket));
    assert_eq!(w.state(), GroupState::PreparingRebalance);
}

#[test]
fn a_join_repeated_after_the_join_phase_gets_the_same_generation() {
    let mut w = World::new();
    let ids = w.members(2);
    let leader = w.leader();
    for id in &ids {
        let ticket = w.join(&rejoin(id));
        let joined = w.joined(ticket);
        assert_eq!(joined.generation, 1);
        assert_eq!(joined.members.len(), if *id == leader { 2 } else { 0 });
    }
    assert_eq!(w.state(), GroupState::CompletingRebalance);
}

#[test]
fn a_join_repeated_while_the_first_is_parked_replaces_it() {
    let mut w = World::new();
    let ids = w.stable(2);
    let first = w.join(&rejoin(&w.leader()));
    let again = w.join(&rejoin(&w.leader()));
    assert_eq!(w.join_refused(first).error, GroupError::RebalanceInProgress);
    let other = ids.iter().find(|id| **id != w.leader()).unwrap().clone();
    w.join(&rejoin(&other));
    assert_eq!(w.joined(again).generation, 2);
}

#[test]
fn a_rebalance_ends_as_soon_as_everybody_has_rejoined_and_keeps_its_leader() {
    let mut w = World::new();
    let ids = w.stable(3);
    let leader = w.leader();
    let new = w.join(&request("new"));
    assert_eq!(w.state(), GroupState::PreparingRebalance);
    for id in &ids {
        assert!(!w.answered(new));
        w.join(&rejoin(id));
    }
    let joined = w.joined(new);
    assert_eq!((joined.generation, joined.leader), (2, leader));
}

#[test]
fn dynamic_members_that_do_not_rejoin_in_time_are_dropped_and_a_joined_member_leads() {
    let mut w = World::new();
    let ids = w.stable(2);
    let old_leader = w.leader();
    let follower = ids.iter().find(|id| **id != old_leader).unwrap().clone();
    let protocols = vec![("range".to_owned(), subscription(&["other"]))];
    let ticket = w.join(&JoinRequest { protocols, ..rejoin(&follower) });
    for _ in 0..5 {
        w.pass(i64::from(REBALANCE_MS) / 5 - 1);
        assert_eq!(w.heartbeat(&old_leader, 1), Err(GroupError::RebalanceInProgress));
        assert!(!w.answered(ticket));
    }
    w.pass(5);
    let joined = w.joined(ticket);
    assert_eq!((joined.generation, joined.leader.as_str(), joined.members.len()), (2, follower.as_str(), 1));
    assert_eq!(w.heartbeat(&old_leader, 2), Err(GroupError::UnknownMemberId));
}

#[test]
fn the_join_phase_waits_for_the_longest_rebalance_timeout() {
    let mut w = World::new();
    let slow = JoinRequest { rebalance_timeout_ms: 60_000, ..request("slow") };
    let tickets = [w.join(&slow), w.join(&request("fast"))];
    w.pass(1);
    let ids = tickets.map(|t| w.joined(t).member_id).to_vec();
    w.sync_all(&ids, 1);
    let ticket = w.join(&rejoin(&w.leader()));
    let other = ids.iter().find(|id| **id != w.leader()).unwrap().clone();
    // The leader's own rejoin brings its usual 30 s; the other member's 60 s count only if it is the slow one.
    let wait = if w.leader() == ids[0] { 30_000 } else { 60_000 };
    let mut passed = 0;
    while passed + 5_000 < wait {
        w.pass(5_000);
        passed += 5_000;
        let _ = w.heartbeat(&other, 1);
        assert!(!w.answered(ticket), "{passed}");
    }
    w.pass(5_000);
    assert!(w.answered(ticket));
}

#[test]
fn a_full_group_refuses_new_members_and_keeps_its_own() {
    let mut w = World::with(GroupConfig { group_size_max: 2, initial_rebalance_delay_ms: 0, ..GroupConfig::default() });
    let ids = w.stable(2);
    let ticket = w.join(&request("third"));
    assert_eq!(w.join_refused(ticket), JoinRefused { error: GroupError::GroupMaxSizeReached, member_id: "".into() });
    let tickets: Vec<Ticket> = std::iter::once(w.leader())
        .chain(ids.iter().filter(|id| **id != w.leader()).cloned())
        .collect::<Vec<_>>()
        .iter()
        .map(|id| w.join(&rejoin(id)))
        .collect();
    assert!(tickets.iter().all(|ticket| w.joined(*ticket).generation == 2));
}

#[test]
fn a_parked_member_is_dropped_after_five_minutes_if_it_never_had_a_generation() {
    let mut w = World::with(GroupConfig { initial_rebalance_delay_ms: 400_000, ..GroupConfig::default() });
    let ticket = w.join(&JoinRequest { rebalance_timeout_ms: 500_000, ..request("c") });
    w.pass(299_999);
    assert!(!w.answered(ticket));
    w.pass(1);
    assert_eq!(w.join_refused(ticket).error, GroupError::UnknownMemberId);
}

#[test]
fn a_client_id_of_any_length_makes_a_member_id_that_fits_a_record() {
    let mut w = World::new();
    let ticket = w.join(&request(&"é".repeat(20_000)));
    w.pass(1);
    let id = w.joined(ticket).member_id;
    assert_eq!(id.len(), 254 + 37);
    w.sync_all(&[id], 1);
    w.replay();
}
