//! What a shard's thread owns: its partitions by id, the produces that wait, and what follows from each call.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::{PartitionId, TimestampMs};
use partition::{Effects, Leadership, Queue, Ticket};
use storage::{DiskError, Flushed, PurgeTask, RealDisk};
use tokio::sync::{Notify, mpsc};

use super::errand::Produce;
use super::groups::Held;
use super::handle::Message;
use super::parked::Parked;
use super::slot::Slot;
use crate::clock::Clock;
use crate::disk_pool::DiskPool;
use crate::log_dir::LogDir;
use crate::telemetry::ShardCounters;

/// Tickets with this bit belong to group coordinators, the others to produce requests.
pub(super) const GROUP_TICKET: u64 = 1 << 63;

/// What a shard is told once.
#[derive(Clone)]
pub struct StateConfig {
    pub clock: Clock,
    pub disk: DiskPool,
    pub groups: coordinator::GroupConfig,
    /// Bytes of newest batches that a shard keeps in memory, over all its partitions.
    pub tail_bytes_max: usize,
    /// `log.retention.check.interval.ms`
    pub retention_interval_ms: i64,
    /// How often what a restart needs is written down.
    pub checkpoint_interval_ms: i64,
}

/// One shard's state. Lives on its thread; never shared.
pub struct State {
    pub(super) config: StateConfig,
    pub(super) slots: HashMap<PartitionId, Slot>,
    /// Partitions that belong here and could not be opened, and why.
    unopened: HashMap<PartitionId, String>,
    pub(super) parked: Parked,
    pub counters: ShardCounters,
    /// Kept for its memory.
    pub(super) effects: Effects,
    /// Partitions with batches to append at the end of this loop turn.
    pub(super) queued: Vec<PartitionId>,
    /// Produce errands that came in this loop turn.
    pub(super) turn_errands: Vec<usize>,
    /// Notified by the first of them.
    pub(super) turn_ends: Rc<Notify>,
    /// Kept for its memory.
    pub(super) spare_queues: Vec<Queue>,
    /// Kept for its memory: the batches of the errand at hand.
    pub(super) batches: Vec<Produce>,
    /// Kept for its memory: ticket, bytes and records of each batch of the queue at hand.
    pub(super) sizes: Vec<(Ticket, usize, i32)>,
    /// Partitions that something happened to since the last round of upkeep.
    pub(super) touched: Vec<PartitionId>,
    /// Files to remove, and when.
    pub(super) purges: Vec<(TimestampMs, PurgeTask<RealDisk>)>,
    /// The next deadline of each group coordinator.
    pub(super) deadlines: BTreeSet<(TimestampMs, PartitionId)>,
    pub(super) next_group_ticket: u64,
    /// Group replies that wait for a write, by its ticket.
    pub(super) held: HashMap<u64, Held>,
    /// Newest batches in memory, over all partitions; not less than there are.
    pub(super) tail_bytes: usize,
    /// When upkeep wakes by itself.
    pub(super) upkeep_at: TimestampMs,
    /// Upkeep must look at its deadlines again.
    pub(super) wake_upkeep: Rc<Notify>,
    /// This shard's own mailbox, for what comes back from the disk pool.
    mailbox: mpsc::WeakSender<Message>,
}

impl State {
    pub(super) fn new(config: StateConfig, mailbox: mpsc::WeakSender<Message>) -> Self {
        Self {
            config,
            slots: HashMap::new(),
            unopened: HashMap::new(),
            parked: Parked::default(),
            counters: ShardCounters::default(),
            effects: Effects::default(),
            queued: Vec::new(),
            turn_errands: Vec::new(),
            turn_ends: Rc::new(Notify::new()),
            spare_queues: Vec::new(),
            batches: Vec::new(),
            sizes: Vec::new(),
            touched: Vec::new(),
            purges: Vec::new(),
            deadlines: BTreeSet::new(),
            next_group_ticket: GROUP_TICKET,
            held: HashMap::new(),
            tail_bytes: 0,
            upkeep_at: TimestampMs(i64::MAX),
            wake_upkeep: Rc::new(Notify::new()),
            mailbox,
        }
    }

    pub fn now(&self) -> TimestampMs {
        self.config.clock.now()
    }

    pub fn slot(&self, id: PartitionId) -> Option<&Slot> {
        self.slots.get(&id)
    }

    pub fn slot_mut(&mut self, id: PartitionId) -> Option<&mut Slot> {
        self.slots.get_mut(&id)
    }

    /// All partitions of this shard, in no order.
    pub fn slots(&self) -> impl Iterator<Item = (&PartitionId, &Slot)> {
        self.slots.iter()
    }

    /// Produces that wait for their acknowledgement.
    pub fn produces_parked(&self) -> usize {
        self.parked.count()
    }

    /// Takes a partition in. One of the same id must have been removed before.
    pub fn install(&mut self, id: PartitionId, slot: Slot) {
        slot.dir.joined();
        let before = self.slots.insert(id, slot);
        assert!(before.is_none(), "partition {id:?} was installed twice");
    }

    /// Takes note that a partition of this shard could not be opened: it is offline until the next start, or until its
    /// topic is deleted.
    pub fn not_opened(&mut self, id: PartitionId, why: String) {
        self.unopened.insert(id, why);
    }

    /// Forgets a partition that could not be opened, if it is one.
    pub fn forget_unopened(&mut self, id: PartitionId) {
        self.unopened.remove(&id);
    }

    /// Why a partition of this shard could not be opened; `None` for all others.
    pub fn why_unopened(&self, id: PartitionId) -> Option<&str> {
        self.unopened.get(&id).map(String::as_str)
    }

    /// How many partitions of this shard could not be opened.
    pub fn unopened_count(&self) -> usize {
        self.unopened.len()
    }

    /// Runs `work` on a partition and carries out what follows from it; `None` where this shard has no such partition.
    pub fn with<R>(
        &mut self,
        id: PartitionId,
        work: impl FnOnce(&mut Slot, TimestampMs, &mut Effects) -> R,
    ) -> Option<R> {
        let now = self.now();
        let mut effects = std::mem::take(&mut self.effects);
        let Some(slot) = self.slots.get_mut(&id) else {
            self.effects = effects;
            return None;
        };
        let result = work(slot, now, &mut effects);
        self.touch(id);
        self.carry_out(id, &mut effects);
        self.effects = effects;
        Some(result)
    }

    /// Tells a partition who leads it.
    pub fn lead_by(&mut self, id: PartitionId, leadership: Leadership) {
        self.with(id, |slot, now, effects| slot.partition.lead_by(leadership, now, effects));
    }

    /// Gives a partition changed settings.
    pub fn configure(&mut self, id: PartitionId, config: partition::Config, file_delete_delay_ms: i64) {
        self.with(id, |slot, now, effects| {
            slot.file_delete_delay_ms = file_delete_delay_ms;
            slot.partition.configure(config, now, effects);
        });
    }

    /// Removes a partition for good: its folder becomes `aside` at once and is removed after its topic's delay.
    pub fn remove(&mut self, id: PartitionId, aside: &Path) -> Result<(), DiskError> {
        let Some(slot) = self.take(id) else { return Ok(()) };
        let Slot { partition, file_delete_delay_ms, dir, .. } = slot;
        let mut effects = std::mem::take(&mut self.effects);
        let removed = partition.remove(aside, &mut effects);
        self.complete(&mut effects);
        self.effects = effects;
        let removed = removed.inspect_err(|error| dir.fail(&error.to_string()))?;
        self.purges.push((self.now() + file_delete_delay_ms, removed.purge_task()));
        Ok(())
    }

    fn take(&mut self, id: PartitionId) -> Option<Slot> {
        self.append_queued();
        self.stop_groups(id);
        let mut slot = self.slots.remove(&id)?;
        slot.wake_all();
        slot.dir.left();
        Some(slot)
    }

    /// Closes every partition in order; returns how many could not be.
    pub fn close(&mut self) -> usize {
        self.append_queued();
        let ids: Vec<PartitionId> = self.slots.keys().copied().collect();
        let mut failed = 0;
        for id in ids {
            self.stop_groups(id);
            let Some(mut slot) = self.slots.remove(&id) else { continue };
            slot.wake_all();
            let mut effects = std::mem::take(&mut self.effects);
            if let Some(why) = slot.dir.failure() {
                slot.partition.take_offline(why, &mut effects);
            }
            if let Err(error) = slot.partition.close(&mut effects) {
                tracing::error!(topic = &*slot.topic, partition = id.index, %error, "a log could not be closed in order");
                failed += 1;
            }
            self.complete(&mut effects);
            self.effects = effects;
        }
        failed
    }

    /// Takes every partition in `dir` offline, after the disk failed one of them.
    pub fn dir_failed(&mut self, dir: &Arc<LogDir>) {
        let why = dir.failure().unwrap_or("its log directory failed");
        let here = self.slots.iter().filter(|(_, slot)| Arc::ptr_eq(&slot.dir, dir));
        let ids: Vec<PartitionId> = here.map(|(id, _)| *id).collect();
        for id in ids {
            self.stop_groups(id);
            self.with(id, |slot, _, effects| slot.partition.take_offline(why, effects));
        }
    }

    /// Takes note that `id` was used, and how that went.
    pub(super) fn touch(&mut self, id: PartitionId) {
        let Some(slot) = self.slots.get_mut(&id) else { return };
        if let Some(why) = slot.partition.failure() {
            slot.dir.fail(why);
        }
        if !slot.touched {
            slot.touched = true;
            self.note_touched(id);
        }
    }

    pub(super) fn note_touched(&mut self, id: PartitionId) {
        if self.touched.is_empty() {
            self.wake_upkeep.notify_one();
        }
        self.touched.push(id);
    }

    /// Does what followed from a call on `id`, and leaves `effects` empty.
    pub(super) fn carry_out(&mut self, id: PartitionId, effects: &mut Effects) {
        if effects.is_empty() {
            return;
        }
        if let Some(slot) = self.slots.get_mut(&id) {
            if std::mem::take(&mut effects.wake_all) {
                slot.wake_all();
            }
            let readable = std::mem::take(&mut effects.readable_bytes);
            if readable > 0 {
                slot.progress(readable);
            }
        }
        if std::mem::take(&mut effects.flush) {
            self.flush(id);
        }
        self.count_failed(id, effects);
        self.complete(effects);
    }

    fn complete(&mut self, effects: &mut Effects) {
        for (ticket, result) in effects.completions.drain(..) {
            if ticket.0 & GROUP_TICKET == 0 {
                self.parked.complete(ticket, result);
            } else {
                self.group_written(ticket, result);
            }
        }
    }

    /// Has the partition's unsynced records synced on the disk pool, unless that is under way.
    pub(super) fn flush(&mut self, id: PartitionId) {
        let Some(task) = self.slots.get_mut(&id).and_then(|slot| slot.partition.flush_task()) else { return };
        let mailbox = self.mailbox.clone();
        self.config.disk.submit(move || {
            let started = Instant::now();
            let flushed = task.run();
            let took = started.elapsed();
            let Some(mailbox) = mailbox.upgrade() else { return };
            // Fails where the shard has ended: nobody waits any more.
            let done = Message::Call(Box::new(move |local| local.state().flushed(id, flushed, took)));
            let _ = mailbox.blocking_send(done);
        });
    }

    fn flushed(&mut self, id: PartitionId, flushed: Flushed, took: Duration) {
        self.counters.flush_time.record(took.as_micros() as u64);
        let outcome = self.with(id, |slot, now, effects| slot.partition.flushed(flushed, now, effects));
        if let Some(Err(error)) = outcome {
            tracing::error!(partition = id.index, topic = %id.topic, %error, "a sync failed: the partition is offline");
        }
    }
}
