//! The same requests to Apache Kafka and to Milena, and their answers side by side: whatever differs fails, but for what
//! [`on_purpose`] lists with its reason. `MILENA_PEER=1` starts Kafka from the project's shared folder,
//! `MILENA_PEER=address` takes one that runs with the settings below; without it nothing is compared. `MILENA_SCENARIO=text`
//! runs the scenarios whose name holds the text.
#![allow(clippy::unwrap_used, reason = "a helper of tests fails as a test does")]

mod answer;
mod batches;
mod brokers;
mod compare;
mod labels;
mod on_purpose;
mod requests;
mod scenarios;
mod side;
#[path = "../support/mod.rs"]
mod support;

use side::{Heard, Side};

/// What was heard, or the scenario's panic.
type Outcome = std::thread::Result<Vec<Heard>>;

#[test]
fn milena_answers_as_kafka_does() {
    let Some(brokers) = brokers::start() else {
        println!("SKIPPED: comparing with Apache Kafka needs MILENA_PEER, see the head of this file");
        return;
    };
    let served = brokers.served();
    let filter = std::env::var("MILENA_SCENARIO").unwrap_or_default();
    let now_ms = labels::now_ms();
    let run = format!("r{:x}", now_ms / 1000 % 0x100_0000);
    let mut verdict = compare::Verdict::default();
    for (name, scenario) in scenarios::ALL.iter().filter(|(name, _)| name.contains(&filter)) {
        let started = std::time::Instant::now();
        let heard = |address| {
            let mut side = Side::new(address, &served, now_ms, &run, name);
            scenario(&mut side);
            side.into_heard()
        };
        let (kafka, milena): (Outcome, Outcome) = std::thread::scope(|scope| {
            let kafka = scope.spawn(|| heard(brokers.kafka));
            let milena = scope.spawn(|| heard(brokers.milena));
            (kafka.join(), milena.join())
        });
        match (kafka, milena) {
            (Ok(kafka), Ok(milena)) => {
                println!("{name}: {} answers compared, {} ms", kafka.len(), started.elapsed().as_millis());
                verdict.compare(&kafka, &milena);
            }
            (kafka, milena) => verdict.broke_off(name, kafka.is_err(), milena.is_err()),
        }
    }
    verdict.finish(&run, filter.is_empty());
}
