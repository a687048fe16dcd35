//! What was promised to somebody, and whether it still holds.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::support::Client;

pub const TOPIC: &str = "storm";
pub const PARTITIONS: usize = 3;
/// Who makes progress: a producer of each partition, the consumer, the creator of topics.
pub const WORKERS: usize = PARTITIONS + 2;

/// All promises, and how far everybody has come.
#[derive(Default)]
pub struct Ledger {
    partitions: [Mutex<Partition>; PARTITIONS],
    /// Topics whose creation was acknowledged, with their ids.
    pub topics: Mutex<BTreeMap<String, [u8; 16]>>,
    progress: [AtomicU64; WORKERS],
    stopped: AtomicBool,
}

/// The promises of one partition.
#[derive(Default)]
struct Partition {
    /// The number of the record at an offset, as it was acknowledged to its producer.
    acknowledged: BTreeMap<i64, u64>,
    /// The same, as the consumer saw it.
    seen: BTreeMap<i64, u64>,
    /// The highest offset whose commit was acknowledged.
    committed: Option<i64>,
}

impl Ledger {
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// `worker` was acknowledged something.
    pub fn progressed(&self, worker: usize) {
        self.progress[worker].fetch_add(1, Ordering::Relaxed);
    }

    /// How often each worker was acknowledged something.
    pub fn progress(&self) -> [u64; WORKERS] {
        self.progress.each_ref().map(|count| count.load(Ordering::Relaxed))
    }

    fn partition(&self, partition: usize) -> std::sync::MutexGuard<'_, Partition> {
        self.partitions[partition].lock().expect("no other worker has failed")
    }

    /// Record `number` was acknowledged at `offset`.
    pub fn acknowledge(&self, partition: usize, offset: i64, number: u64) {
        let before = self.partition(partition).acknowledged.insert(offset, number);
        assert_eq!(before, None, "offset {offset} of partition {partition} is given out once");
    }

    /// The consumer has read `value` at `offset`.
    pub fn see(&self, partition: usize, offset: i64, value: &[u8]) {
        let number = number_of(partition, value);
        let before = self.partition(partition).seen.insert(offset, number);
        assert!(before.is_none_or(|before| before == number), "what was read at offset {offset} does not change");
    }

    /// A commit was acknowledged.
    pub fn commit(&self, partition: usize, offset: i64) {
        let committed = &mut self.partition(partition).committed;
        *committed = (*committed).max(Some(offset));
    }

    /// A group is told that it has committed `offset`, -1 for nothing.
    pub fn check_committed(&self, partition: usize, offset: i64) {
        let committed = self.partition(partition).committed;
        assert!(committed.is_none_or(|at| at <= offset), "partition {partition}: {offset} after {committed:?}");
    }

    /// Reads everything back.
    pub fn check(&self, client: &mut Client) {
        for partition in 0..PARTITIONS {
            let records = client.read_all(TOPIC, partition as i32).expect("the log can be read");
            let mut found = Vec::with_capacity(records.len());
            for (at, record) in records.iter().enumerate() {
                assert_eq!(record.offset.0, at as i64, "partition {partition} has no gap");
                found.push(number_of(partition, record.value.as_deref().expect("a record has a value")));
            }
            let mut numbers = found.clone();
            numbers.sort_unstable();
            numbers.dedup();
            assert_eq!(
                numbers.len(),
                found.len(),
                "partition {partition}: an idempotent producer writes nothing twice"
            );
            let books = self.partition(partition);
            for (offset, number) in books.acknowledged.iter().chain(&books.seen) {
                let there = found.get(*offset as usize);
                assert_eq!(there, Some(number), "partition {partition}, offset {offset}");
            }
        }
    }

    /// One line for whoever watches.
    pub fn summary(&self) -> String {
        let count = |of: fn(&Partition) -> usize| (0..PARTITIONS).map(|at| of(&self.partition(at))).sum::<usize>();
        let (acknowledged, seen) = (count(|books| books.acknowledged.len()), count(|books| books.seen.len()));
        let committed: Vec<i64> = (0..PARTITIONS).map(|at| self.partition(at).committed.unwrap_or(-1)).collect();
        let topics = self.topics.lock().expect("no worker has failed").len();
        format!("{acknowledged} records acknowledged, {seen} seen, {committed:?} committed, {topics} topics created")
    }
}

/// Record `number` of `partition`: nothing but itself looks like it.
pub fn value(partition: usize, number: u64) -> String {
    let letter = char::from(b'a' + (number % 26) as u8);
    format!("{partition}-{number}-{}", String::from(letter).repeat(50 + (number * 37 % 700) as usize))
}

fn number_of(partition: usize, bytes: &[u8]) -> u64 {
    let text = String::from_utf8_lossy(bytes);
    let number = text.split('-').nth(1).and_then(|number| number.parse().ok());
    let number = number.filter(|number| *text == value(partition, *number));
    number.unwrap_or_else(|| panic!("partition {partition} holds what nobody wrote: {text}"))
}
