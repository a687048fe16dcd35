//! Group coordinators where they live: in the slot of their partition of `__consumer_offsets`. A decision's records are
//! appended to the partition beside it by a plain call, and its replies wait until they are committed.

use std::collections::HashMap;
use std::time::Instant;

use coordinator::{Decision, GroupCoordinator, GroupError, IdSource, Outcome, Record, Reply, Tallies, Ticket};
use model::{BatchBuilder, Offset, PartitionId, TimestampMs};
use partition::{Acks, ProduceResult};
use tokio::sync::oneshot;

use super::handle::Local;
use super::state::State;
use crate::telemetry::PlainCounters;

/// Bytes of log that are replayed before other work gets its turn.
const LOAD_BYTES: usize = 1 << 20;
/// What one record of the offsets topic may inflate to.
const INFLATED_BYTES_MAX: usize = 64 << 20;

/// Why a group's coordinator does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GroupFault {
    /// It still reads its log: ask again soon.
    #[error("the coordinator is loading")]
    Loading,
    #[error(transparent)]
    Group(#[from] GroupError),
}

/// One coordinator and those who wait for it.
pub struct Groups {
    coordinator: GroupCoordinator,
    /// `Some` while the log is replayed: how far that is.
    loading: Option<Offset>,
    /// JoinGroup and SyncGroup requests, by ticket.
    parked: HashMap<u64, oneshot::Sender<Reply>>,
    deadline: Option<TimestampMs>,
}

/// Replies that wait for a write.
pub(super) struct Held {
    partition: PartitionId,
    completions: Vec<(Ticket, Reply)>,
    finish: Option<Finish>,
}

type Finish = Box<dyn FnOnce(Result<(), GroupError>)>;

/// Adds what a coordinator counts itself.
pub fn add_tallies(plain: &mut PlainCounters, tallies: Tallies) {
    plain.offset_commits += tallies.offset_commits;
    plain.offset_expirations += tallies.offset_expirations;
    plain.completed_rebalances += tallies.completed_rebalances;
}

impl Groups {
    /// The coordinator, once it has read its log.
    pub fn loaded(&self) -> Option<&GroupCoordinator> {
        self.loading.is_none().then_some(&self.coordinator)
    }
}

impl State {
    /// Makes this shard the coordinator of the groups of partition `id`, which this broker leads from now on. Follow it
    /// with [`Local::load_groups`].
    fn begin_groups(&mut self, id: PartitionId, seed: u64) -> bool {
        let config = self.config.groups.clone();
        let Some(slot) = self.slots.get_mut(&id).filter(|slot| slot.groups.is_none() && slot.partition.leads()) else {
            return false;
        };
        slot.groups_failed = false;
        slot.groups = Some(Box::new(Groups {
            coordinator: GroupCoordinator::new(config, IdSource::new(seed)),
            loading: Some(slot.partition.offsets().start),
            parked: HashMap::new(),
            deadline: None,
        }));
        true
    }

    /// Ends the coordinator of partition `id`: whoever waits is told to look for another.
    pub fn stop_groups(&mut self, id: PartitionId) {
        let Some(mut groups) = self.slots.get_mut(&id).and_then(|slot| slot.groups.take()) else { return };
        // What was counted must not go back.
        add_tallies(&mut self.counters.plain, groups.coordinator.tallies());
        for (ticket, reply) in groups.coordinator.stop_leading() {
            if let Some(waiting) = groups.parked.remove(&ticket.0) {
                let _ = waiting.send(reply);
            }
        }
        if let Some(deadline) = groups.deadline {
            self.deadlines.remove(&(deadline, id));
        }
    }

    /// Replays some of the log; returns whether there is more.
    fn load_groups_step(&mut self, id: PartitionId) -> Result<bool, String> {
        let now = self.now();
        let Some(slot) = self.slots.get_mut(&id) else { return Ok(false) };
        let Some(groups) = slot.groups.as_deref_mut() else { return Ok(false) };
        let Some(from) = groups.loading else { return Ok(false) };
        let plan = slot.partition.read_own(from, LOAD_BYTES).map_err(|error| error.to_string())?;
        let batches = plan.load().map_err(|error| error.to_string())?;
        let more = !batches.is_empty();
        for batch in batches {
            batch.check_crc().map_err(|error| format!("{error} at offset {}", batch.base_offset()))?;
            groups.loading = Some(batch.next_offset());
            if batch.is_control() {
                continue;
            }
            for record in batch.records(INFLATED_BYTES_MAX).map_err(|error| error.to_string())? {
                let record = record.map_err(|error| error.to_string())?;
                let (Some(key), offset) = (record.key, record.offset) else { continue };
                let replayed = groups.coordinator.apply(&Record { key, value: record.value }, offset, now);
                replayed.map_err(|error| format!("{error} at offset {offset}"))?;
            }
        }
        if !more {
            let end = slot.partition.offsets().end;
            if from < end {
                return Err(format!("its log ends at {from}, before its end {end}"));
            }
            groups.loading = None;
            let outcome = groups.coordinator.start_leading(now);
            self.group_commit(id, outcome, None);
        }
        Ok(more)
    }

    fn groups_mut(&mut self, id: PartitionId) -> Result<&mut Groups, GroupFault> {
        let slot = self.slots.get_mut(&id).filter(|slot| slot.partition.leads());
        let groups = slot.and_then(|slot| slot.groups.as_deref_mut()).ok_or(GroupError::NotCoordinator)?;
        if groups.loading.is_some() { Err(GroupFault::Loading) } else { Ok(groups) }
    }

    /// Asks the coordinator of partition `id` something that changes nothing.
    pub fn ask_groups<R>(
        &mut self,
        id: PartitionId,
        ask: impl FnOnce(&GroupCoordinator) -> R,
    ) -> Result<R, GroupFault> {
        Ok(ask(&self.groups_mut(id)?.coordinator))
    }

    /// Renews a member's session.
    pub fn heartbeat(
        &mut self,
        id: PartitionId,
        request: &coordinator::message::HeartbeatRequest,
    ) -> Result<(), GroupFault> {
        let now = self.now();
        let groups = self.groups_mut(id)?;
        let answer = groups.coordinator.heartbeat(request, now);
        self.note_deadline(id);
        Ok(answer?)
    }

    /// Lets the coordinator decide; the reply comes when the decision is committed.
    pub fn decide_groups<R: 'static>(
        &mut self,
        id: PartitionId,
        decide: impl FnOnce(&mut GroupCoordinator, TimestampMs) -> Decision<R>,
    ) -> Result<oneshot::Receiver<Result<R, GroupError>>, GroupFault> {
        let now = self.now();
        let Decision { reply, outcome } = decide(&mut self.groups_mut(id)?.coordinator, now);
        let (sender, receiver) = oneshot::channel();
        let finish: Finish = Box::new(move |committed| {
            let _ = sender.send(committed.map(|()| reply));
        });
        self.group_commit(id, outcome, Some(finish));
        Ok(receiver)
    }

    /// Hands the coordinator a request that it answers when it sees fit.
    pub fn park_groups(
        &mut self,
        id: PartitionId,
        hand: impl FnOnce(&mut GroupCoordinator, Ticket, TimestampMs) -> Outcome,
    ) -> Result<oneshot::Receiver<Reply>, GroupFault> {
        let now = self.now();
        self.next_group_ticket += 1;
        let ticket = Ticket(self.next_group_ticket);
        let (sender, receiver) = oneshot::channel();
        let groups = self.groups_mut(id)?;
        groups.parked.insert(ticket.0, sender);
        let outcome = hand(&mut groups.coordinator, ticket, now);
        self.group_commit(id, outcome, None);
        Ok(receiver)
    }

    /// Drops the committed offsets of topics that are gone, and their counters.
    pub fn topics_deleted(&mut self, deleted: &[(String, model::TopicId)]) {
        deleted.iter().for_each(|(_, id)| self.counters.topics.forget(*id));
        let ids: Vec<PartitionId> =
            self.slots.iter().filter(|(_, slot)| slot.groups.is_some()).map(|(id, _)| *id).collect();
        for id in ids {
            if let Ok(groups) = self.groups_mut(id) {
                let outcome = groups.coordinator.on_topics_deleted(deleted);
                self.group_commit(id, outcome, None);
            }
        }
    }

    /// Runs every group deadline that has come.
    pub(super) fn group_deadlines(&mut self, now: TimestampMs) {
        while let Some((at, id)) = self.deadlines.first().copied()
            && at <= now
        {
            self.deadlines.pop_first();
            let Ok(groups) = self.groups_mut(id) else { continue };
            groups.deadline = None;
            let outcome = groups.coordinator.on_deadline(now);
            self.group_commit(id, outcome, None);
        }
    }

    fn note_deadline(&mut self, id: PartitionId) {
        let Some(groups) = self.slots.get_mut(&id).and_then(|slot| slot.groups.as_deref_mut()) else { return };
        let next = groups.coordinator.next_deadline();
        if next == groups.deadline {
            return;
        }
        if let Some(old) = groups.deadline {
            self.deadlines.remove(&(old, id));
        }
        groups.deadline = next;
        if let Some(next) = next {
            self.deadlines.insert((next, id));
            if self.deadlines.first() == Some(&(next, id)) {
                self.wake_upkeep.notify_one();
            }
        }
    }

    /// Appends an outcome's records, makes them part of the coordinator's state, and holds its replies until they are
    /// committed.
    fn group_commit(&mut self, id: PartitionId, outcome: Outcome, finish: Option<Finish>) {
        let Outcome { records, completions } = outcome;
        let held = Held { partition: id, completions, finish };
        if records.is_empty() {
            self.release(held, Ok(()));
            self.note_deadline(id);
            return;
        }
        let now = self.now();
        let mut builder = BatchBuilder::new();
        for record in &records {
            builder.append(now, Some(&record.key), record.value.as_deref(), &[]);
        }
        let batch = builder.finish();
        let bytes = batch.size_bytes() as u64;
        self.next_group_ticket += 1;
        let ticket = self.next_group_ticket;
        let first = self.slots.get(&id).map_or(Offset::NONE, |slot| slot.partition.offsets().end);
        let written = self.with(id, |slot, now, effects| {
            slot.partition.write(batch, Acks::All, partition::Ticket(ticket), now, effects)
        });
        let done = match written.unwrap_or(Some(Err(partition::ProduceError::NotLeader))) {
            Some(Err(error)) => {
                // A full disk has its own line, and this one would come with every commit.
                if !matches!(error, partition::ProduceError::NoSpace) {
                    tracing::warn!(partition = id.index, %error, "a group's records could not be appended");
                }
                self.release(held, Err(GroupError::CoordinatorNotAvailable));
                self.take_back(id, &records, now);
                return;
            }
            done => done,
        };
        if let Some(slot) = self.slots.get(&id) {
            let counters = self.counters.topics.at(slot.counters);
            counters.produce_requests += 1;
            counters.bytes_in += bytes;
            counters.messages_in += records.len() as u64;
        }
        if let Some(groups) = self.slots.get_mut(&id).and_then(|slot| slot.groups.as_deref_mut()) {
            for (offset, record) in (first.0..).zip(&records) {
                if let Err(error) = groups.coordinator.apply(record, Offset(offset), now) {
                    panic!("the coordinator cannot read what it wrote: {error}");
                }
            }
        }
        match done {
            Some(_) => self.release(held, Ok(())),
            None => {
                self.held.insert(ticket, held);
            }
        }
        self.note_deadline(id);
    }

    /// The log refused `records`: the coordinator takes back what led to them.
    fn take_back(&mut self, id: PartitionId, records: &[Record], now: TimestampMs) {
        let Some(groups) = self.slots.get_mut(&id).and_then(|slot| slot.groups.as_deref_mut()) else { return };
        let Outcome { completions, .. } = groups.coordinator.append_failed(records, now);
        self.release(Held { partition: id, completions, finish: None }, Err(GroupError::CoordinatorNotAvailable));
        self.note_deadline(id);
    }

    /// A write that replies waited for has come to its end.
    pub(super) fn group_written(&mut self, ticket: partition::Ticket, result: ProduceResult) {
        if let Some(held) = self.held.remove(&ticket.0) {
            self.release(held, result.map(drop).map_err(|_| GroupError::CoordinatorNotAvailable));
        }
    }

    fn release(&mut self, held: Held, committed: Result<(), GroupError>) {
        if let Some(groups) = self.slots.get_mut(&held.partition).and_then(|slot| slot.groups.as_deref_mut()) {
            for (ticket, reply) in held.completions {
                let Some(waiting) = groups.parked.remove(&ticket.0) else { continue };
                let _ = waiting.send(if let Err(error) = committed { failed(reply, error) } else { reply });
            }
        }
        if let Some(finish) = held.finish {
            finish(committed);
        }
    }
}

/// The answer of the same kind that carries `error`.
fn failed(reply: Reply, error: GroupError) -> Reply {
    match reply {
        Reply::Join(joined) => {
            let member_id = joined.map_or_else(|refused| refused.member_id, |joined| joined.member_id);
            Reply::Join(Err(coordinator::message::JoinRefused { error, member_id }))
        }
        Reply::Sync(_) => Reply::Sync(Err(error)),
    }
}

impl Local {
    /// Starts the coordinator of partition `id` and replays its log, piece by piece between other work.
    pub fn load_groups(&self, id: PartitionId, seed: u64) {
        if !self.state().begin_groups(id, seed) {
            return;
        }
        let (local, started) = (self.clone(), Instant::now());
        tokio::task::spawn_local(async move {
            loop {
                let step = local.state().load_groups_step(id);
                match step {
                    Ok(true) => tokio::task::yield_now().await,
                    Ok(false) => {
                        let took_us = started.elapsed().as_micros() as u64;
                        let mut state = local.state();
                        let plain = &mut state.counters.plain;
                        plain.group_loads += 1;
                        plain.group_load_us += took_us;
                        plain.group_load_us_max = plain.group_load_us_max.max(took_us);
                        return;
                    }
                    Err(why) => {
                        tracing::error!(partition = id.index, why, "a group coordinator cannot read its log");
                        let mut state = local.state();
                        state.stop_groups(id);
                        if let Some(slot) = state.slot_mut(id) {
                            slot.groups_failed = true;
                        }
                        return;
                    }
                }
            }
        });
    }
}
