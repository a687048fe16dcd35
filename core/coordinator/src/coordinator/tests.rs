//! The coordinator seen from outside: requests and deadlines in, records and replies out.

mod admin;
mod join;
mod offsets;
mod presence;
mod random;
mod recovery;
mod static_members;
mod sync;

use std::collections::BTreeMap;

use bytes::Bytes;
use model::{LeaderEpoch, Offset, TimestampMs, TopicId};

use super::*;
use crate::group::state::GroupState;
use crate::message::*;
use crate::stored::StoredGroup;

pub(super) const SESSION_MS: i32 = 10_000;
pub(super) const REBALANCE_MS: i32 = 30_000;
pub(super) const G: &str = "g";

/// A coordinator with its log, its clock and the answers it gave.
pub(super) struct World {
    pub coordinator: GroupCoordinator,
    pub log: Vec<Record>,
    pub now: TimestampMs,
    pub answers: BTreeMap<Ticket, Reply>,
    next_ticket: u64,
}

impl World {
    pub fn new() -> Self {
        Self::with(GroupConfig { initial_rebalance_delay_ms: 0, ..GroupConfig::default() })
    }

    pub fn with(config: GroupConfig) -> Self {
        let mut coordinator = GroupCoordinator::new(config, IdSource::new(1));
        let now = TimestampMs(1_000_000);
        assert_eq!(coordinator.start_leading(now), Outcome::default());
        Self { coordinator, log: Vec::new(), now, answers: BTreeMap::new(), next_ticket: 0 }
    }

    /// Appends, applies and completes, as the broker does.
    pub fn run(&mut self, outcome: Outcome) {
        for record in &outcome.records {
            let offset = Offset(self.log.len() as i64);
            self.coordinator.apply(record, offset, self.now).unwrap();
            self.log.push(record.clone());
        }
        for (ticket, reply) in outcome.completions {
            assert!(self.answers.insert(ticket, reply).is_none(), "{ticket:?} was answered twice");
        }
        self.coordinator.check();
    }

    pub fn decide<R>(&mut self, decision: Decision<R>) -> R {
        self.run(decision.outcome);
        decision.reply
    }

    pub fn ticket(&mut self) -> Ticket {
        self.next_ticket += 1;
        Ticket(self.next_ticket)
    }

    /// Lets time pass, stopping at each deadline on the way.
    pub fn pass(&mut self, ms: i64) {
        let until = self.now + ms;
        while let Some(at) = self.coordinator.next_deadline().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            let outcome = self.coordinator.on_deadline(self.now);
            self.run(outcome);
            assert!(self.coordinator.next_deadline().is_none_or(|next| next > self.now));
        }
        self.now = until;
    }

    pub fn join(&mut self, request: &JoinRequest) -> Ticket {
        let ticket = self.ticket();
        let outcome = self.coordinator.join(request, ticket, self.now);
        self.run(outcome);
        ticket
    }

    pub fn sync(&mut self, request: &SyncRequest) -> Ticket {
        let ticket = self.ticket();
        let outcome = self.coordinator.sync(request, ticket, self.now);
        self.run(outcome);
        ticket
    }

    pub fn leave(&mut self, members: Vec<LeavingMember>) -> Result<Vec<LeftMember>, GroupError> {
        let decision = self.coordinator.leave(&LeaveRequest { group: G.into(), members }, self.now);
        self.decide(decision)
    }

    pub fn heartbeat(&mut self, member_id: &str, generation: i32) -> Result<(), GroupError> {
        let request =
            HeartbeatRequest { group: G.into(), member_id: member_id.into(), group_instance_id: None, generation };
        self.coordinator.heartbeat(&request, self.now)
    }

    pub fn commit(&mut self, request: &CommitRequest) -> Result<Vec<TopicResult>, GroupError> {
        let decision = self.coordinator.commit_offsets(request, self.now);
        self.decide(decision)
    }

    pub fn answered(&self, ticket: Ticket) -> bool {
        self.answers.contains_key(&ticket)
    }

    pub fn joined(&self, ticket: Ticket) -> Joined {
        match &self.answers[&ticket] {
            Reply::Join(Ok(joined)) => joined.clone(),
            other => panic!("{other:?}"),
        }
    }

    pub fn join_refused(&self, ticket: Ticket) -> JoinRefused {
        match &self.answers[&ticket] {
            Reply::Join(Err(refused)) => refused.clone(),
            other => panic!("{other:?}"),
        }
    }

    pub fn synced(&self, ticket: Ticket) -> Result<Bytes, GroupError> {
        match &self.answers[&ticket] {
            Reply::Sync(reply) => reply.clone().map(|s| s.assignment),
            other => panic!("{other:?}"),
        }
    }

    pub fn state(&self) -> GroupState {
        self.coordinator.group_state(G).unwrap()
    }

    pub fn stored(&self) -> &StoredGroup {
        self.coordinator.stored().group(G).unwrap()
    }

    /// A coordinator that reads this one's log.
    pub fn replay(&self) -> GroupCoordinator {
        let mut other = GroupCoordinator::new(self.coordinator.config().clone(), IdSource::new(2));
        for (offset, record) in self.log.iter().enumerate() {
            other.apply(record, Offset(offset as i64), self.now).unwrap();
        }
        assert_eq!(other.stored(), self.coordinator.stored());
        other
    }

    /// Gives every member a generation: `count` new dynamic members, the first of them leading. Ids in join order.
    pub fn members(&mut self, count: usize) -> Vec<String> {
        let tickets: Vec<Ticket> = (0..count).map(|i| self.join(&request(&format!("c{i}")))).collect();
        self.pass(1);
        tickets.into_iter().map(|ticket| self.joined(ticket).member_id).collect()
    }

    /// The same, with the assignment handed out: everybody gets their own id.
    pub fn stable(&mut self, count: usize) -> Vec<String> {
        let ids = self.members(count);
        let generation = self.coordinator.describe_group(G).map(|_| self.generation()).unwrap();
        self.sync_all(&ids, generation);
        assert_eq!(self.state(), GroupState::Stable);
        ids
    }

    pub fn generation(&self) -> i32 {
        self.coordinator.groups[G].generation()
    }

    pub fn leader(&self) -> String {
        self.coordinator.groups[G].members().map(|m| m.id.to_string()).find(|id| self.is_leader(id)).unwrap()
    }

    fn is_leader(&self, id: &str) -> bool {
        self.coordinator.groups[G].leads(id)
    }

    /// Followers sync, then the leader with everybody's id as assignment.
    pub fn sync_all(&mut self, ids: &[String], generation: i32) {
        let leader = self.leader();
        let mut tickets = Vec::new();
        for id in ids.iter().filter(|id| **id != leader) {
            tickets.push((id.clone(), self.sync(&sync(id, generation))));
        }
        let assignments = ids.iter().map(|id| (id.clone(), Bytes::from(id.clone()))).collect();
        let ticket = self.sync(&SyncRequest { assignments, ..sync(&leader, generation) });
        tickets.push((leader, ticket));
        for (id, ticket) in tickets {
            assert_eq!(self.synced(ticket), Ok(Bytes::from(id)));
        }
    }
}

/// A subscription of the consumer protocol, version 1, to `topics`.
pub(super) fn subscription(topics: &[&str]) -> Bytes {
    let mut bytes = vec![0, 1];
    bytes.extend((topics.len() as i32).to_be_bytes());
    for topic in topics {
        bytes.extend((topic.len() as i16).to_be_bytes());
        bytes.extend(topic.as_bytes());
    }
    bytes.extend([0, 0, 0, 0, 0, 0, 0, 0]);
    bytes.into()
}

/// A new dynamic member of the old protocol: no two-step id.
pub(super) fn request(client: &str) -> JoinRequest {
    JoinRequest {
        group: G.into(),
        member_id: String::new(),
        group_instance_id: None,
        protocol_type: "consumer".into(),
        protocols: vec![("range".into(), subscription(&["t"])), ("roundrobin".into(), subscription(&["t"]))],
        session_timeout_ms: SESSION_MS,
        rebalance_timeout_ms: REBALANCE_MS,
        client_id: client.into(),
        client_host: "/127.0.0.1".into(),
        require_known_member_id: false,
        supports_skip_assignment: true,
        reason: None,
    }
}

pub(super) fn rejoin(id: &str) -> JoinRequest {
    JoinRequest { member_id: id.into(), ..request("c") }
}

pub(super) fn static_request(instance: &str) -> JoinRequest {
    JoinRequest { group_instance_id: Some(instance.into()), require_known_member_id: true, ..request("s") }
}

pub(super) fn sync(id: &str, generation: i32) -> SyncRequest {
    SyncRequest {
        group: G.into(),
        member_id: id.into(),
        group_instance_id: None,
        generation,
        protocol_type: Some("consumer".into()),
        protocol_name: Some("range".into()),
        assignments: Vec::new(),
    }
}

pub(super) fn leaving(id: &str) -> LeavingMember {
    LeavingMember { member_id: id.into(), group_instance_id: None, reason: None }
}

pub(super) fn commit(member: &str, generation: i32, topic: &str, partition: i32, offset: i64) -> CommitRequest {
    CommitRequest {
        group: G.into(),
        member_id: member.into(),
        group_instance_id: None,
        generation,
        retention_ms: None,
        topics: vec![CommitTopic {
            name: topic.into(),
            topic_id: TopicId::ZERO,
            partitions: vec![CommitPartition {
                index: partition,
                offset: Offset(offset),
                leader_epoch: LeaderEpoch(1),
                metadata: None,
            }],
        }],
    }
}
