//! What a connection sends a shard to do, and gets back with the results inside: the part of one request that lies on
//! one shard. Errands are used again, so that carrying one out allocates nothing.

use std::sync::Arc;

use bytes::BytesMut;
use model::{LeaderEpoch, Offset, PartitionId, ValidBatch};
use partition::{Acks, FetchError, Isolation, ProduceResult};
use storage::{ReadPlan, RealDisk};

use super::wait::ProgressWait;

/// A batch for a partition of one shard.
pub struct Produce {
    pub partition: PartitionId,
    pub batch: ValidBatch,
}

/// Batches to append.
pub struct ProduceErrand {
    pub acks: Acks,
    /// How long its client waits for other replicas, or for the disk, once a batch is in the leader's log.
    pub timeout_ms: i64,
    /// Taken by the shard.
    pub batches: Vec<Produce>,
    /// What became of each batch, in their order; all are there when the errand comes back.
    pub results: Vec<Option<ProduceResult>>,
}

impl Default for ProduceErrand {
    fn default() -> Self {
        Self { acks: Acks::All, timeout_ms: 0, batches: Vec::new(), results: Vec::new() }
    }
}

/// One partition to read.
#[derive(Clone, Copy, Debug)]
pub struct Read {
    pub partition: PartitionId,
    pub from: Offset,
    pub bytes_max: usize,
    /// -1 where the reader does not say.
    pub leader_epoch: LeaderEpoch,
    /// -1 where the reader does not say.
    pub last_fetched_epoch: LeaderEpoch,
}

/// What was read of one partition.
pub type Fetched = partition::Fetched<RealDisk>;

/// Partitions to read.
pub struct ReadErrand {
    pub isolation: Isolation,
    pub reads: Vec<Read>,
    /// The first of the looks that one request takes.
    pub first: bool,
    /// Told of progress in any of the partitions from the moment of the read on.
    pub wait: Option<Arc<ProgressWait>>,
    /// The plan for each read, in their order.
    pub outcomes: Vec<Result<Fetched, FetchError>>,
    /// Where records that are read from memory are copied to; the plans share it.
    pub memory: BytesMut,
    /// Room that reads took of late.
    memory_taken: usize,
}

/// No more memory than this is made ready before it is known that it is needed.
const READY_BYTES_MAX: usize = 64 << 10;

impl Default for ReadErrand {
    fn default() -> Self {
        Self {
            isolation: Isolation::ReadUncommitted,
            reads: Vec::new(),
            first: true,
            wait: None,
            outcomes: Vec::new(),
            memory: BytesMut::new(),
            memory_taken: 0,
        }
    }
}

impl ReadErrand {
    /// Makes as much memory ready as earlier reads took: it is free again, as a rule, and then nothing is allocated.
    pub fn make_ready(&mut self) {
        self.outcomes.clear();
        self.memory.reserve(self.memory_taken);
    }

    /// Takes note of what the reads took.
    pub fn note_taken(&mut self) {
        let in_memory = self.outcomes.iter().flatten().filter(|fetched| matches!(fetched.plan, ReadPlan::Memory(_)));
        let taken: usize = in_memory.map(|fetched| fetched.plan.len()).sum();
        self.memory_taken = taken.max(self.memory_taken - self.memory_taken / 16).min(READY_BYTES_MAX);
    }
}
