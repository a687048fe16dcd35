//! An acknowledged record is never lost: kill -9 at random moments under producers, a group and a creator of topics, with
//! a ledger of what each was promised.
//!
//! `MILENA_KILLS` sets how often (12 here, 200 in CI), `MILENA_SEED` repeats a run's moments, `MILENA_BROKER` names
//! another binary.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

#[path = "storm/ledger.rs"]
mod ledger;
mod support;
#[path = "storm/workers.rs"]
mod workers;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use ledger::{Ledger, PARTITIONS, TOPIC};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use support::Client;
use support::process::Process;
use wire::messages::metadata::{MetadataRequest, MetadataRequestTopic};

/// Everybody gets on within this time once the broker is up.
const PATIENCE: Duration = Duration::from_secs(30);

/// Ends the workers, also where the test fails.
struct Stop<'a>(&'a Ledger);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.stop();
    }
}

#[test]
fn kill_minus_nine_loses_no_acknowledged_record_and_no_committed_offset() {
    let kills: u32 = std::env::var("MILENA_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(12);
    let seed: u64 = std::env::var("MILENA_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or_else(rand::random);
    println!("MILENA_SEED={seed} MILENA_KILLS={kills}");
    let dir = tempfile::tempdir().unwrap();
    // Small segments, so that kills hit rolls too.
    let settings = format!("num.partitions={PARTITIONS}\nlog.segment.bytes=1048576\nlog.index.interval.bytes=256\n");
    let mut broker = Process::new(dir.path(), &settings);
    broker.start();
    let address = broker.address();
    create_topic(address);

    let ledger = Ledger::default();
    let mut random = StdRng::seed_from_u64(seed);
    std::thread::scope(|scope| {
        let _stop = Stop(&ledger);
        let ledger = &ledger;
        let mut workers = Vec::new();
        for partition in 0..PARTITIONS {
            workers.push(scope.spawn(move || workers::produce(address, partition, ledger)));
        }
        workers.push(scope.spawn(|| workers::consume(address, ledger)));
        workers.push(scope.spawn(|| workers::create_topics(address, ledger)));
        let well = || assert!(!workers.iter().any(|worker| worker.is_finished()), "a worker has failed");
        let mut killed = 0;
        while killed < kills {
            match random.random_range(0..8) {
                // In the middle of its start, or just after.
                0 => std::thread::sleep(Duration::from_millis(random.random_range(0..40))),
                1 => {
                    broker.await_ready();
                    await_progress(ledger, &well);
                    assert_eq!(broker.stop(), Some(0), "{}", broker.log());
                    broker.spawn();
                    continue;
                }
                2..5 => {
                    broker.await_ready();
                    std::thread::sleep(Duration::from_millis(random.random_range(0..250)));
                }
                _ => {
                    broker.await_ready();
                    await_progress(ledger, &well);
                    std::thread::sleep(Duration::from_millis(random.random_range(0..150)));
                }
            }
            well();
            broker.kill();
            killed += 1;
            broker.spawn();
        }
        broker.await_ready();
        await_progress(ledger, &well);
    });

    check(address, &ledger);
    assert_eq!(broker.stop(), Some(0), "{}", broker.log());
    broker.start();
    check(address, &ledger);
    println!("{}", ledger.summary());
}

/// Waits until everybody was acknowledged something more than before.
fn await_progress(ledger: &Ledger, well: &impl Fn()) {
    let before = ledger.progress();
    let deadline = Instant::now() + PATIENCE;
    while ledger.progress().iter().zip(&before).any(|(now, before)| now <= before) {
        well();
        assert!(Instant::now() < deadline, "everybody gets on: {:?} after {before:?}", ledger.progress());
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn check(address: SocketAddr, ledger: &Ledger) {
    let mut client = Client::connect(address).unwrap();
    ledger.check(&mut client);
    let deadline = Instant::now() + PATIENCE;
    let committed = loop {
        match workers::committed(&mut client) {
            Ok(committed) => break committed,
            Err(error) => assert!(Instant::now() < deadline, "the coordinator reads its log: {error}"),
        }
    };
    for (partition, offset) in committed.into_iter().enumerate() {
        ledger.check_committed(partition, offset);
    }
    let answer = client.ask(12, &MetadataRequest { topics: None, ..Default::default() });
    let topics = ledger.topics.lock().unwrap();
    for (name, id) in topics.iter() {
        let found = answer.topics.iter().find(|topic| topic.name.as_deref() == Some(name));
        assert_eq!(found.map(|topic| &topic.topic_id), Some(id), "{name} was created for good");
    }
}

/// Waits until all partitions of the topic have a leader.
fn create_topic(address: SocketAddr) {
    let request = MetadataRequest {
        topics: Some(vec![MetadataRequestTopic { name: Some(TOPIC.into()), ..Default::default() }]),
        allow_auto_topic_creation: true,
        ..Default::default()
    };
    let deadline = Instant::now() + PATIENCE;
    let mut client = Client::connect(address).unwrap();
    loop {
        let answer = client.ask(9, &request);
        if answer.topics[0].error_code == 0 && answer.topics[0].partitions.len() == PARTITIONS {
            return;
        }
        assert!(Instant::now() < deadline, "the topic is created: {answer:?}");
    }
}
