use super::*;

#[test]
fn groups_are_listed_by_state_and_type_ignoring_case() {
    let mut w = World::new();
    w.stable(1);
    let mut other = commit("", -1, "t", 0, 1);
    other.group = "simple".into();
    w.commit(&other).unwrap();
    let names = |states: &[&str], types: &[&str]| -> Vec<String> {
        let own = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
        w.coordinator.list_groups(&own(states), &own(types)).into_iter().map(|g| g.group).collect()
    };
    assert_eq!(names(&[], &[]), [G, "simple"]);
    assert_eq!(names(&["stable"], &["Classic"]), [G]);
    assert_eq!(names(&["Empty", "Dead"], &[]), ["simple"]);
    assert!(names(&[], &["consumer"]).is_empty());
    assert_eq!(w.coordinator.count_groups(), [(GroupState::Empty, 1), (GroupState::Stable, 1)].into());
}

#[test]
fn a_stable_group_is_described_with_assignments_and_others_without() {
    let mut w = World::new();
    assert_eq!(w.coordinator.describe_group(G), None);
    let ids = w.members(1);
    let group = w.coordinator.describe_group(G).unwrap();
    assert_eq!((group.state, group.protocol.as_str()), (GroupState::CompletingRebalance, ""));
    assert_eq!(group.members[0].metadata, Bytes::new());
    w.sync_all(&ids, 1);
    let group = w.coordinator.describe_group(G).unwrap();
    assert_eq!((group.state, group.protocol.as_str()), (GroupState::Stable, "range"));
    assert_eq!(group.protocol_type, "consumer");
    let member = &group.members[0];
    assert_eq!((member.member_id.as_str(), &member.assignment), (ids[0].as_str(), &Bytes::from(ids[0].clone())));
    assert_eq!((member.client_id.as_str(), member.client_host.as_str()), ("c0", "/127.0.0.1"));
    assert_eq!(member.metadata, subscription(&["t"]));
}

#[test]
fn an_empty_group_is_deleted_with_its_offsets_and_any_other_is_not() {
    let mut w = World::new();
    let ids = w.stable(1);
    w.commit(&commit(&ids[0], 1, "t", 0, 1)).unwrap();
    let both = [G.to_owned(), "ghost".to_owned()];
    let decision = w.coordinator.delete_groups(&both);
    assert_eq!(
        w.decide(decision),
        [(G.into(), Err(GroupError::NonEmptyGroup)), ("ghost".into(), Err(GroupError::GroupIdNotFound))]
    );
    w.leave(vec![leaving(&ids[0])]).unwrap();
    let decision = w.coordinator.delete_groups(&both[..1]);
    assert_eq!(w.decide(decision), [(G.into(), Ok(()))]);
    assert_eq!(w.coordinator.group_state(G), None);
    assert_eq!(w.coordinator.committed_offsets().count(), 0);
    assert_eq!(w.coordinator.stored(), &Stored::default());
    w.replay();
}

#[test]
fn a_deleted_group_can_be_joined_again() {
    let mut w = World::new();
    let ids = w.stable(1);
    w.leave(vec![leaving(&ids[0])]).unwrap();
    let decision = w.coordinator.delete_groups(&[G.into()]);
    w.decide(decision)[0].1.unwrap();
    w.stable(2);
    assert_eq!(w.generation(), 1);
    w.replay();
}
