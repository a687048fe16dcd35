//! Any sequence of requests, deadlines, failed appends and changes of leader.

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Join { who: Who, two_step: bool, protocols: u8, skip: bool },
    Sync { who: Who, generation: i32, share: bool },
    Heartbeat { who: Who, generation: i32 },
    Leave { who: Vec<Who> },
    Commit { who: Who, generation: i32, topic: u8, retention: Option<i64> },
    DeleteOffsets { topic: u8 },
    DeleteGroup,
    TopicDeleted { topic: u8 },
    Pass { ms: i64 },
    FailNext,
    ChangeLeader,
}

/// A member: by its place among the ids seen so far (none if beyond), with or without an instance id.
#[derive(Debug, Clone)]
struct Who {
    id: usize,
    instance: Option<u8>,
}

fn who() -> impl Strategy<Value = Who> {
    (0usize..8, prop::option::weighted(0.3, 0u8..3)).prop_map(|(id, instance)| Who { id, instance })
}

fn step() -> impl Strategy<Value = Step> {
    let generation = || prop_oneof![6 => Just(0), 1 => Just(-1), 1 => Just(1)];
    prop_oneof![
        8 => (who(), any::<bool>(), 1u8..8, any::<bool>())
            .prop_map(|(who, two_step, protocols, skip)| Step::Join { who, two_step, protocols, skip }),
        6 => (who(), generation(), any::<bool>()).prop_map(|(who, generation, share)| Step::Sync { who, generation, share }),
        3 => (who(), generation()).prop_map(|(who, generation)| Step::Heartbeat { who, generation }),
        2 => prop::collection::vec(who(), 1..3).prop_map(|who| Step::Leave { who }),
        4 => (who(), generation(), 0u8..3, prop::option::of(0i64..100_000))
            .prop_map(|(who, generation, topic, retention)| Step::Commit { who, generation, topic, retention }),
        1 => (0u8..3).prop_map(|topic| Step::DeleteOffsets { topic }),
        1 => Just(Step::DeleteGroup),
        1 => (0u8..3).prop_map(|topic| Step::TopicDeleted { topic }),
        8 => prop_oneof![1i64..50, 1i64..20_000, 1i64..1_000_000_000].prop_map(|ms| Step::Pass { ms }),
        1 => Just(Step::FailNext),
        1 => Just(Step::ChangeLeader),
    ]
}

struct Run {
    world: World,
    seen: Vec<String>,
    fail_next: bool,
    parked: std::collections::BTreeSet<Ticket>,
}

impl Run {
    fn id(&self, who: &Who) -> String {
        self.seen.len().checked_sub(who.id).and_then(|i| self.seen.get(i)).cloned().unwrap_or_default()
    }

    fn instance(who: &Who) -> Option<String> {
        who.instance.map(|i| format!("i{i}"))
    }

    fn generation(&self, asked: i32) -> i32 {
        let current = self.world.coordinator.groups.get(G).map_or(0, |g| g.generation());
        if asked == -1 { -1 } else { current + asked }
    }

    fn outcome(&mut self, outcome: Outcome) {
        if self.fail_next && !outcome.records.is_empty() {
            self.fail_next = false;
            for (ticket, _) in &outcome.completions {
                assert!(self.parked.remove(ticket), "{ticket:?} was answered twice");
            }
            let undone = self.world.coordinator.append_failed(&outcome.records, self.world.now);
            return self.outcome(undone);
        }
        for (ticket, reply) in &outcome.completions {
            assert!(self.parked.remove(ticket), "{ticket:?} was answered twice");
            match reply {
                Reply::Join(Ok(joined)) => self.seen.push(joined.member_id.clone()),
                Reply::Join(Err(refused)) if !refused.member_id.is_empty() => self.seen.push(refused.member_id.clone()),
                _ => {}
            }
        }
        self.world.run(outcome);
    }

    fn ticket(&mut self) -> Ticket {
        let ticket = self.world.ticket();
        self.parked.insert(ticket);
        ticket
    }

    fn step(&mut self, step: &Step) {
        let now = self.world.now;
        match step {
            Step::Join { who, two_step, protocols, skip } => {
                let offered =
                    ["range", "roundrobin", "sticky"].iter().enumerate().filter(|(i, _)| protocols >> i & 1 == 1);
                let request = JoinRequest {
                    member_id: self.id(who),
                    group_instance_id: Self::instance(who),
                    require_known_member_id: *two_step,
                    supports_skip_assignment: *skip,
                    protocols: offered.map(|(_, name)| ((*name).to_owned(), subscription(&["t0"]))).collect(),
                    ..request("c")
                };
                let ticket = self.ticket();
                let outcome = self.world.coordinator.join(&request, ticket, now);
                self.outcome(outcome);
            }
            Step::Sync { who, generation, share } => {
                let id = self.id(who);
                let assignments = if *share { vec![(id.clone(), Bytes::from_static(b"all"))] } else { Vec::new() };
                let request = SyncRequest {
                    group_instance_id: Self::instance(who),
                    protocol_name: None,
                    assignments,
                    ..sync(&id, self.generation(*generation))
                };
                let ticket = self.ticket();
                let outcome = self.world.coordinator.sync(&request, ticket, now);
                self.outcome(outcome);
            }
            Step::Heartbeat { who, generation } => {
                let request = HeartbeatRequest {
                    group: G.into(),
                    member_id: self.id(who),
                    group_instance_id: Self::instance(who),
                    generation: self.generation(*generation),
                };
                let _ = self.world.coordinator.heartbeat(&request, now);
            }
            Step::Leave { who } => {
                let members = who
                    .iter()
                    .map(|w| LeavingMember { group_instance_id: Self::instance(w), ..leaving(&self.id(w)) })
                    .collect();
                let decision = self.world.coordinator.leave(&LeaveRequest { group: G.into(), members }, now);
                self.outcome(decision.outcome);
            }
            Step::Commit { who, generation, topic, retention } => {
                let mut request = commit(&self.id(who), self.generation(*generation), &format!("t{topic}"), 0, now.0);
                request.retention_ms = *retention;
                let decision = self.world.coordinator.commit_offsets(&request, now);
                self.outcome(decision.outcome);
            }
            Step::DeleteOffsets { topic } => {
                let topics = vec![(format!("t{topic}"), vec![0, 1])];
                let decision = self.world.coordinator.delete_offsets(&DeleteOffsetsRequest { group: G.into(), topics });
                self.outcome(decision.outcome);
            }
            Step::DeleteGroup => {
                let decision = self.world.coordinator.delete_groups(&[G.into()]);
                self.outcome(decision.outcome);
            }
            Step::TopicDeleted { topic } => {
                let outcome = self.world.coordinator.on_topics_deleted(&[(format!("t{topic}"), TopicId([7; 16]))]);
                self.outcome(outcome);
            }
            Step::Pass { ms } => self.pass(*ms),
            Step::FailNext => self.fail_next = true,
            Step::ChangeLeader => {
                for (ticket, _) in self.world.coordinator.stop_leading() {
                    assert!(self.parked.remove(&ticket), "{ticket:?} was answered twice");
                }
                assert!(self.parked.is_empty(), "nobody waits on a coordinator that stopped: {:?}", self.parked);
                self.world.coordinator = self.world.replay();
                let outcome = self.world.coordinator.start_leading(now);
                self.outcome(outcome);
            }
        }
    }

    fn pass(&mut self, ms: i64) {
        let until = self.world.now + ms;
        let mut steps = 0;
        while let Some(at) = self.world.coordinator.next_deadline().filter(|at| *at <= until) {
            assert!(at > self.world.now || steps == 0, "a deadline in the past was left over");
            self.world.now = at.max(self.world.now);
            let outcome = self.world.coordinator.on_deadline(self.world.now);
            self.outcome(outcome);
            assert!(self.world.coordinator.next_deadline().is_none_or(|next| next > self.world.now));
            steps += 1;
            if steps > 500 {
                // Expiry checks over a long time; the rest of it is jumped over in one go.
                self.world.now = until;
                let outcome = self.world.coordinator.on_deadline(until);
                self.outcome(outcome);
            }
        }
        self.world.now = until;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn whatever_happens_the_log_rebuilds_what_is_stored_and_everybody_is_answered(
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let mut run = Run { world: World::new(), seen: Vec::new(), fail_next: false, parked: Default::default() };
        for step in &steps {
            run.step(step);
            run.world.replay();
        }
        // Left alone, every request is answered, and no member outlives its session.
        run.fail_next = false;
        run.pass(5_000_000);
        prop_assert!(run.parked.is_empty(), "{:?}", run.parked);
        prop_assert!(run.world.coordinator.groups.values().all(|g| g.members().next().is_none()));
        // And a leader that reads the log sees the same groups.
        let mut other = run.world.replay();
        let _ = other.start_leading(run.world.now);
        let live = run.world.coordinator.list_groups(&[], &[]);
        prop_assert_eq!(other.list_groups(&[], &[]), live);
    }
}
