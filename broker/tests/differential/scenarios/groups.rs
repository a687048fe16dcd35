//! Groups and their members: finding the coordinator, joining, syncing, beating, leaving.

use bytes::Bytes;
use wire::messages::describe_groups::{DescribeGroupsRequest, DescribeGroupsResponse};
use wire::messages::find_coordinator::FindCoordinatorRequest;
use wire::messages::heartbeat::HeartbeatRequest;
use wire::messages::join_group::{JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse};
use wire::messages::leave_group::{LeaveGroupRequest, MemberIdentity};
use wire::messages::sync_group::{SyncGroupRequest, SyncGroupRequestAssignment};
use wire::{ApiKey, ErrorCode};

use crate::requests::make;
use crate::side::{Parked, Side};

/// A member of a group, as its client knows it.
#[derive(Clone)]
pub struct Member {
    pub group: String,
    pub id: String,
    pub generation: i32,
}

/// A consumer's subscription to `topics`, as its protocol writes it.
pub fn subscription(topics: &[&str]) -> Vec<u8> {
    let mut bytes = vec![0, 0];
    bytes.extend_from_slice(&(topics.len() as i32).to_be_bytes());
    for topic in topics {
        bytes.extend_from_slice(&(topic.len() as i16).to_be_bytes());
        bytes.extend_from_slice(topic.as_bytes());
    }
    bytes.extend_from_slice(&(-1i32).to_be_bytes());
    bytes
}

pub fn join_with(group: &str, member: &str, kind: &str, protocols: &[(&str, &[u8])]) -> JoinGroupRequest {
    let protocol = |(name, metadata): &(&str, &[u8])| {
        make!(JoinGroupRequestProtocol { name: (*name).into(), metadata: Bytes::copy_from_slice(metadata) })
    };
    make!(JoinGroupRequest {
        group_id: group.into(),
        session_timeout_ms: 30_000,
        rebalance_timeout_ms: 30_000,
        member_id: member.into(),
        group_instance_id: None,
        protocol_type: kind.into(),
        protocols: protocols.iter().map(protocol).collect(),
        reason: None,
    })
}

fn join(group: &str, member: &str, metadata: &str) -> JoinGroupRequest {
    join_with(group, member, "consumer", &[("range", metadata.as_bytes()), ("sticky", b"")])
}

fn static_join(group: &str, member: &str, instance: &str, metadata: &str) -> JoinGroupRequest {
    make!(JoinGroupRequest { group_instance_id: Some(instance.into()), ..join(group, member, metadata) })
}

fn sync(member: &Member, assignments: &[(&str, &str)]) -> SyncGroupRequest {
    let assignment = |(id, bytes): &(&str, &str)| {
        make!(SyncGroupRequestAssignment {
            member_id: (*id).into(),
            assignment: Bytes::copy_from_slice(bytes.as_bytes()),
        })
    };
    make!(SyncGroupRequest {
        group_id: member.group.as_str().into(),
        generation_id: member.generation,
        member_id: member.id.as_str().into(),
        group_instance_id: None,
        protocol_type: Some("consumer".into()),
        protocol_name: Some("range".into()),
        assignments: assignments.iter().map(assignment).collect(),
    })
}

fn beat(member: &Member) -> HeartbeatRequest {
    make!(HeartbeatRequest {
        group_id: member.group.as_str().into(),
        generation_id: member.generation,
        member_id: member.id.as_str().into(),
        group_instance_id: None,
    })
}

fn in_order(answer: &mut JoinGroupResponse) {
    answer.members.sort_by(|a, b| a.metadata.cmp(&b.metadata));
}

pub fn members_in_order(answer: &mut DescribeGroupsResponse) {
    for group in &mut answer.groups {
        group.members.sort_by_key(|member| (member.member_metadata.clone(), member.member_assignment.clone()));
    }
}

/// The version of another API that goes with `version`.
fn like(side: &Side, key: ApiKey, version: i16) -> i16 {
    version.min(side.max_version(key))
}

/// Waits until the coordinator can be asked for `group`.
pub fn coordinated(side: &mut Side, group: &str) {
    let request = make!(DescribeGroupsRequest { groups: vec![group.into()] });
    side.until("the coordinator answers", |side| {
        side.prepare(&make!(FindCoordinatorRequest { coordinator_keys: vec![group.into()] }));
        let code = side.prepare(&request).groups[0].error_code;
        code == ErrorCode::None.code() || code == ErrorCode::GroupIdNotFound.code()
    });
}

/// A stable group of one, as it stands after joining and syncing.
pub fn stable(side: &mut Side, group: &str, kind: &str, metadata: &[u8]) -> Member {
    coordinated(side, group);
    let protocols = [("range", metadata), ("sticky", b"")];
    let id = side.prepare(&join_with(group, "", kind, &protocols)).member_id;
    let joined = side.prepare(&join_with(group, &id, kind, &protocols));
    assert_eq!(joined.error_code, 0, "{joined:?}");
    let member = Member { group: group.to_owned(), id: id.to_string(), generation: joined.generation_id };
    let request = make!(SyncGroupRequest { protocol_type: Some(kind.into()), ..sync(&member, &[(&member.id, "all")]) });
    assert_eq!(side.prepare(&request).error_code, 0);
    member
}

pub fn find_coordinator(side: &mut Side) {
    let group = side.name("g");
    coordinated(side, &group);
    for kind in [0, 1, 2, 3, -1] {
        for key in [group.as_str(), ""] {
            side.every(&format!("a key of type {kind}"), |version| {
                let (one, many) = if version < 4 { (key, vec![]) } else { ("", vec![key.into()]) };
                make!(FindCoordinatorRequest { key: one.into(), key_type: kind, coordinator_keys: many })
            });
        }
    }
    for version in 4..=side.max_version(ApiKey::FindCoordinator) {
        for keys in [&[][..], &["a", "a"], &["a", "", "b"], &["x:y:z"]] {
            let keys = keys.iter().map(|key| (*key).into()).collect();
            side.ask("several keys", version, &make!(FindCoordinatorRequest { coordinator_keys: keys }));
        }
    }
}

/// One member's whole life, in every version of JoinGroup.
pub fn one_member(side: &mut Side) {
    for version in side.versions::<JoinGroupRequest>() {
        let group = side.name(&format!("g{version}"));
        coordinated(side, &group);
        let (sync_version, beat_version) =
            (like(side, ApiKey::SyncGroup, version), like(side, ApiKey::Heartbeat, version));
        let mut joined = side.ask("joins without an id", version, &join(&group, "", "m"));
        if joined.error_code == ErrorCode::MemberIdRequired.code() {
            let pending = Member { group: group.clone(), id: joined.member_id.to_string(), generation: 0 };
            side.ask("beats while pending", beat_version, &beat(&pending));
            side.ask("syncs while pending", sync_version, &sync(&pending, &[]));
            describe(side, &group, "pending");
            joined = side.ask("joins with its id", version, &join(&group, &joined.member_id, "m"));
        }
        let mut member =
            Member { group: group.clone(), id: joined.member_id.to_string(), generation: joined.generation_id };
        side.ask("beats before syncing", beat_version, &beat(&member));
        describe(side, &group, "before syncing");
        side.ask("joins again before syncing", version, &join(&group, &member.id, "m"));
        side.ask("syncs", sync_version, &sync(&member, &[(&member.id, "all")]));
        side.ask("syncs again", sync_version, &sync(&member, &[]));
        describe(side, &group, "stable");
        for (generation, id) in
            [(0, &*member.id), (2, &*member.id), (-1, &*member.id), (1, "nobody"), (1, ""), (-1, "")]
        {
            let wrong = Member { generation, id: id.to_owned(), group: group.clone() };
            side.ask(
                &format!("beats at generation {generation} as {}", if id.len() > 9 { "itself" } else { id }),
                beat_version,
                &beat(&wrong),
            );
            side.ask("syncs wrongly", sync_version, &sync(&wrong, &[]));
        }
        for (kind, name) in [("consumer", "sticky"), ("connect", "range")] {
            let wrong = make!(SyncGroupRequest {
                protocol_type: Some(kind.into()),
                protocol_name: Some(name.into()),
                ..sync(&member, &[])
            });
            side.ask("syncs for another protocol", sync_version, &wrong);
        }
        let unnamed = make!(SyncGroupRequest { protocol_type: None, protocol_name: None, ..sync(&member, &[]) });
        side.ask("syncs for no protocol", sync_version, &unnamed);
        side.ask("others with another type", version, &join_with(&group, "", "connect", &[("range", b"")]));
        side.ask("others with another protocol", version, &join_with(&group, "", "consumer", &[("other", b"")]));
        side.ask("others with no protocol", version, &join_with(&group, "", "consumer", &[]));
        side.ask("others with an id of their own", version, &join(&group, "nobody", "m"));
        let joined = side.ask("joins again as the leader", version, &join(&group, &member.id, "m"));
        member.generation = joined.generation_id;
        side.ask("syncs with nothing for itself", sync_version, &sync(&member, &[("nobody", "all")]));
        let joined = side.ask("joins with new metadata", version, &join(&group, &member.id, "m2"));
        member.generation = joined.generation_id;
        side.ask("syncs twice the same", sync_version, &sync(&member, &[(&member.id, "a"), (&member.id, "b")]));
        leave(side, &member, version);
        side.ask("beats when it left", beat_version, &beat(&member));
        describe(side, &group, "empty");
        side.ask("joins under its old id", version, &join(&group, &member.id, "m"));
    }
}

fn leave(side: &mut Side, member: &Member, version: i16) {
    let version = like(side, ApiKey::LeaveGroup, version);
    let one = make!(MemberIdentity { member_id: member.id.as_str().into(), group_instance_id: None });
    let request = if version < 3 {
        make!(LeaveGroupRequest { group_id: member.group.as_str().into(), member_id: member.id.as_str().into() })
    } else {
        make!(LeaveGroupRequest { group_id: member.group.as_str().into(), members: vec![one] })
    };
    side.ask("leaves", version, &request);
}

fn describe(side: &mut Side, group: &str, when: &str) {
    let request = make!(DescribeGroupsRequest { groups: vec![group.into()] });
    let version = side.max_version(ApiKey::DescribeGroups);
    side.ask_tidied(&format!("described, {when}"), version, &request, members_in_order);
}

/// A group is created by nobody who breaks the rules.
pub fn join_rules(side: &mut Side) {
    let group = side.name("g");
    coordinated(side, &group);
    for timeout in [-1, 0, 499, 500, 1_800_000, 1_800_001] {
        let fresh = format!("{group}-{timeout}");
        side.every(&format!("session timeout {timeout}"), |version| {
            make!(JoinGroupRequest { session_timeout_ms: timeout, ..join(&format!("{fresh}-{version}"), "", "m") })
        });
    }
    for timeout in [-1, 0, i32::MAX] {
        side.every(&format!("rebalance timeout {timeout}"), |version| {
            let fresh = format!("{group}-r{timeout}-{version}");
            make!(JoinGroupRequest { rebalance_timeout_ms: timeout, ..join(&fresh, "", "m") })
        });
    }
    side.every("no group id", |_| join("", "", "m"));
    side.every("a blank group id", |version| join(&format!(" {version}"), "nobody", "m"));
    side.every("an unknown member", |version| join(&format!("{group}-u{version}"), "nobody", "m"));
    side.every("no protocol", |version| join_with(&format!("{group}-p{version}"), "", "consumer", &[]));
    side.every("no protocol type", |version| join_with(&format!("{group}-t{version}"), "", "", &[("range", b"")]));
    side.every("neither", |version| join_with(&format!("{group}-n{version}"), "", "", &[]));
    side.every("a nameless protocol", |version| {
        join_with(&format!("{group}-e{version}"), "", "consumer", &[("", b"")])
    });
    // One protocol twice is not asked: Kafka then never answers.
    side.every("an empty instance id", |version| static_join(&format!("{group}-i{version}"), "", "", "m"));
    side.every("an instance id and an unknown member", |version| {
        static_join(&format!("{group}-j{version}"), "nobody", "i", "m")
    });
    let long = "r".repeat(300);
    side.every("a long reason", |version| {
        make!(JoinGroupRequest { reason: Some(long.as_str().into()), ..join(&format!("{group}-l{version}"), "", "m") })
    });
    let member = |id: &str| Member { group: side_group(&group, "never"), id: id.to_owned(), generation: 1 };
    for id in ["nobody", ""] {
        side.every("beats in no group", |_| beat(&member(id)));
        side.every("syncs in no group", |_| sync(&member(id), &[]));
    }
    let nameless = Member { group: String::new(), id: "nobody".to_owned(), generation: 1 };
    side.every("beats in a nameless group", |_| beat(&nameless));
    side.every("syncs in a nameless group", |_| sync(&nameless, &[]));
}

fn side_group(group: &str, name: &str) -> String {
    format!("{group}-{name}")
}

/// Two members through a rebalance, step by step.
pub fn two_members(side: &mut Side) {
    for version in side.versions::<JoinGroupRequest>() {
        let group = side.name(&format!("g{version}"));
        let (sync_version, beat_version) =
            (like(side, ApiKey::SyncGroup, version), like(side, ApiKey::Heartbeat, version));
        let mut first = stable(side, &group, "consumer", b"first");
        let arrive = |side: &mut Side, step: &str, metadata: &str| -> Parked<JoinGroupRequest> {
            let mut id = String::new();
            if version >= 4 {
                id = side.ask("another asks for an id", version, &join(&group, "", metadata)).member_id.to_string();
            }
            side.park(step, version, &join(&group, &id, metadata))
        };
        let rebalances = |side: &mut Side, member: &Member| {
            let request = beat(member);
            side.until("a rebalance begins", |side| {
                side.prepare(&request).error_code == ErrorCode::RebalanceInProgress.code()
            });
        };
        let arriving = arrive(side, "another joins", "second");
        rebalances(side, &first);
        side.ask("the first beats", beat_version, &beat(&first));
        side.ask("the first syncs", sync_version, &sync(&first, &[]));
        describe(side, &group, "preparing");
        let joined = side.ask_tidied("the first joins again", version, &join(&group, &first.id, "first"), in_order);
        first.generation = joined.generation_id;
        let joined = side.unpark_tidied(arriving, in_order);
        let second =
            Member { group: group.clone(), id: joined.member_id.to_string(), generation: joined.generation_id };
        side.ask("the second beats early", beat_version, &beat(&second));
        let syncing = side.park("the second syncs", sync_version, &sync(&second, &[]));
        side.ask("the first beats early", beat_version, &beat(&first));
        describe(side, &group, "completing");
        side.ask("the first syncs for both", sync_version, &sync(&first, &[(&first.id, "a"), (&second.id, "b")]));
        side.unpark(syncing);
        describe(side, &group, "stable");
        side.ask_tidied("the second joins as before", version, &join(&group, &second.id, "second"), in_order);
        let moving = side.park("the second joins with news", version, &join(&group, &second.id, "second!"));
        rebalances(side, &first);
        let joined = side.ask_tidied("the first follows", version, &join(&group, &first.id, "first"), in_order);
        first.generation = joined.generation_id;
        side.unpark_tidied(moving, in_order);
        leave(side, &second, version);
        side.ask("the first beats alone", beat_version, &beat(&first));
        side.ask("the first syncs late", sync_version, &sync(&first, &[(&first.id, "a")]));
        let joined = side.ask_tidied("the first is alone", version, &join(&group, &first.id, "first"), in_order);
        first.generation = joined.generation_id;
        side.ask("the first syncs alone", sync_version, &sync(&first, &[(&first.id, "all")]));
        describe(side, &group, "alone");
    }
}

/// Members with an instance id.
pub fn static_members(side: &mut Side) {
    for version in 5..=side.max_version(ApiKey::JoinGroup) {
        let group = side.name(&format!("g{version}"));
        coordinated(side, &group);
        let (sync_version, beat_version) =
            (like(side, ApiKey::SyncGroup, version), like(side, ApiKey::Heartbeat, version));
        let leave_version = like(side, ApiKey::LeaveGroup, version);
        let joined = side.ask("joins", version, &static_join(&group, "", "i", "m"));
        let first = Member { group: group.clone(), id: joined.member_id.to_string(), generation: joined.generation_id };
        let as_instance = |member: &Member, instance: &str| {
            let beating = make!(HeartbeatRequest { group_instance_id: Some(instance.into()), ..beat(member) });
            let syncing = make!(SyncGroupRequest {
                group_instance_id: Some(instance.into()),
                ..sync(member, &[(&member.id, "all")])
            });
            (beating, syncing)
        };
        let (beating, syncing) = as_instance(&first, "i");
        side.ask("syncs", sync_version, &syncing);
        side.ask("beats", beat_version, &beating);
        describe(side, &group, "static");
        let joined = side.ask("comes back", version, &static_join(&group, "", "i", "m"));
        let second =
            Member { group: group.clone(), id: joined.member_id.to_string(), generation: joined.generation_id };
        side.ask("the old one beats", beat_version, &beating);
        side.ask("the old one syncs", sync_version, &syncing);
        side.ask("the old one joins", version, &static_join(&group, &first.id, "i", "m"));
        let (beating, syncing) = as_instance(&second, "i");
        side.ask("the new one beats", beat_version, &beating);
        side.ask("the new one syncs", sync_version, &syncing);
        side.ask("the new one beats without its instance", beat_version, &beat(&second));
        let (beating, syncing) = as_instance(&second, "other");
        side.ask("the new one beats as another instance", beat_version, &beating);
        side.ask("the new one syncs as another instance", sync_version, &syncing);
        side.ask("comes back with news", version, &static_join(&group, "", "i", "m2"));
        side.ask(
            "joins as an unknown instance with a known id",
            version,
            &static_join(&group, &second.id, "other", "m"),
        );
        describe(side, &group, "static, after coming back");
        let identity = |id: &str, instance: Option<&str>| {
            make!(MemberIdentity {
                member_id: id.into(),
                group_instance_id: instance.map(Into::into),
                reason: (version > 7).then(|| "because".into()),
            })
        };
        let leaving = |members: Vec<MemberIdentity>| {
            make!(LeaveGroupRequest { group_id: group.as_str().into(), members: members })
        };
        side.ask("leaves with the old id", leave_version, &leaving(vec![identity(&first.id, Some("i"))]));
        side.ask("leaves without an instance", leave_version, &leaving(vec![identity("nobody", None)]));
        side.ask("nobody leaves", leave_version, &leaving(vec![]));
        let mix = vec![identity("", Some("x")), identity("", Some("i")), identity("", Some("i")), identity("", None)];
        side.ask("is taken out", leave_version, &leaving(mix));
        describe(side, &group, "static, taken out");
    }
}

pub fn leave_rules(side: &mut Side) {
    let group = side.name("g");
    let member = stable(side, &group, "consumer", b"m");
    for name in [group.as_str(), "never", ""] {
        for id in ["nobody", ""] {
            side.every(&format!("{id:?} leaves {}", if name == group { "a group" } else { name }), |version| {
                let one = make!(MemberIdentity { member_id: id.into(), group_instance_id: None });
                if version < 3 {
                    make!(LeaveGroupRequest { group_id: name.into(), member_id: id.into() })
                } else {
                    make!(LeaveGroupRequest { group_id: name.into(), members: vec![one] })
                }
            });
        }
        side.every("no member leaves", |_| make!(LeaveGroupRequest { group_id: name.into() }));
    }
    let one = |id: &str| make!(MemberIdentity { member_id: id.into(), group_instance_id: None });
    let members = vec![one("nobody"), one(&member.id), one(&member.id)];
    side.ask("three leave", 3, &make!(LeaveGroupRequest { group_id: group.as_str().into(), members: members }));
    describe(side, &group, "left");
}

/// A member that is not heard of leaves; a group whose leader does not come back goes on without.
pub fn expiry(side: &mut Side) {
    let group = side.name("g");
    coordinated(side, &group);
    let short = |request: JoinGroupRequest| {
        make!(JoinGroupRequest { session_timeout_ms: 500, rebalance_timeout_ms: 700, ..request })
    };
    let id = side.prepare(&short(join(&group, "", "short"))).member_id;
    side.prepare(&short(join(&group, &id, "short")));
    let request = make!(DescribeGroupsRequest { groups: vec![group.as_str().into()] });
    side.until("the member is gone", |side| &*side.prepare(&request).groups[0].group_state == "Empty");
    describe(side, &group, "expired");
    side.ask("the expired one beats", 4, &beat(&Member { group: group.clone(), id: id.to_string(), generation: 1 }));

    let group = side.name("late");
    coordinated(side, &group);
    let id = side.prepare(&short(join(&group, "", "short"))).member_id;
    let joined = side.prepare(&short(join(&group, &id, "short")));
    let late = Member { group: group.clone(), id: id.to_string(), generation: joined.generation_id };
    side.prepare(&sync(&late, &[(&late.id, "all")]));
    let id = side.prepare(&join(&group, "", "long")).member_id;
    let joined = side.park("the other joins when the late one is given up", 9, &join(&group, &id, "long"));
    let joined = side.unpark_tidied(joined, in_order);
    assert_eq!(joined.leader, joined.member_id, "{joined:?}");
    describe(side, &group, "without the late one");
}
