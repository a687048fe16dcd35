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
}

#[test]
fn a_group_is_described_with_its_assignments_and_with_its_protocol_while_it_is_stable() {
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
    w.join(&request("c1"));
    let group = w.coordinator.describe_group(G).unwrap();
    assert_eq!((group.state, group.protocol.as_str()), (GroupState::PreparingRebalance, ""));
    let kept = group.members.iter().find(|member| member.member_id == ids[0]).unwrap();
    assert_eq!((&kept.assignment, &kept.metadata), (&Bytes::from(ids[0].clone()), &Bytes::new()));
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

#[test]
fn metrics_see_each_group_once_a_few_at_a_time() {
    let mut w = World::new();
    w.stable(2);
    for group in ["a", "z"] {
        let mut other = commit("", -1, "t", 3, 7);
        other.group = group.into();
        w.commit(&other).unwrap();
    }
    let view = |group: GroupView<'_>| {
        let offsets = group.offsets.into_iter().flatten().flat_map(|(topic, all)| {
            all.iter().map(move |(index, committed)| (topic.clone(), *index, committed.offset.0))
        });
        (group.id.to_owned(), group.state, group.members, offsets.collect())
    };
    let (mut seen, mut after) = (Vec::new(), None::<String>);
    while let Some(group) = w.coordinator.groups_after(after.as_deref()).next().map(view) {
        after = Some(group.0.clone());
        seen.push(group);
    }
    let committed = vec![("t".to_owned(), 3, 7)];
    assert_eq!(
        seen,
        [
            ("a".to_owned(), GroupState::Empty, 0, committed.clone()),
            (G.to_owned(), GroupState::Stable, 2, Vec::new()),
            ("z".to_owned(), GroupState::Empty, 0, committed),
        ]
    );
}
