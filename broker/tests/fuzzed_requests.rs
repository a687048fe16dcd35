//! Mutated requests of every API and version that is served: whatever comes, the broker lives, serves others, and keeps what
//! it acknowledged to them. `MILENA_SEED` repeats a run, `MILENA_FUZZ` sets how many mutations each request gets.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

#[path = "../../core/wire/tests/hostile/mutate.rs"]
#[allow(dead_code, reason = "its other user takes more of it")]
mod mutate;
#[path = "fuzz/seeds.rs"]
mod seeds;
mod support;

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::BytesMut;
use model::Producer;
use mutate::{Rng, mutated};
use seeds::Seeds;
use support::process::Process;
use support::{Client, batch_of, batch_of_all, bytes_of, wait_until};
use wire::header::RequestHeader;
use wire::messages::api_versions::ApiVersionsRequest;
use wire::messages::create_topics::{CreatableTopic, CreateTopicsRequest};
use wire::messages::metadata::MetadataRequest;
use wire::{ApiKey, Writer};

/// Requests on their way at the same time.
const SENDERS: usize = 4;
/// A broker that takes more has taken what a frame announced.
const MEMORY_MAX: u64 = 192 << 20;
/// What is not answered by then waits, and is given up.
const ANSWER: Duration = Duration::from_millis(40);

fn frame(key: ApiKey, version: i16, body: &[u8]) -> Vec<u8> {
    let (mut buf, mut splices) = (BytesMut::new(), Vec::new());
    let mut writer = Writer::new(&mut buf, &mut splices);
    let header = RequestHeader {
        api_key: key.code(),
        api_version: version,
        correlation_id: 1,
        client_id: Some("fuzz".into()),
        ..RequestHeader::default()
    };
    header.encode(&mut writer, key.request_header_version(version));
    [&buf, body].concat()
}

/// Sends `frames` and reads what comes, until the broker closes or falls silent.
fn throw(address: SocketAddr, frames: &[Vec<u8>]) {
    let mut stream = TcpStream::connect(address).expect("the broker takes connections");
    stream.set_read_timeout(Some(ANSWER)).unwrap();
    for frame in frames {
        let framed = [&(frame.len() as i32).to_be_bytes()[..], frame].concat();
        if stream.write_all(&framed).is_err() {
            return;
        }
    }
    let _ = stream.shutdown(Shutdown::Write);
    let mut buffer = [0; 64 << 10];
    while matches!(stream.read(&mut buffer), Ok(1..)) {}
}

/// Others, who are served all the while.
struct Bystander {
    client: Client,
    kept: Vec<String>,
}

impl Bystander {
    fn new(address: SocketAddr) -> Self {
        let mut client = Client::connect(address).unwrap();
        create(&mut client, "canary");
        Self { client, kept: Vec::new() }
    }

    fn is_served(&mut self) {
        let value = format!("kept {}", self.kept.len());
        let produced = self.client.produce("canary", 0, &batch_of(&value, Producer::NONE)).unwrap();
        assert_eq!(produced, Ok(self.kept.len() as i64));
        self.kept.push(value);
        let answer = self.client.ask(12, &MetadataRequest { topics: None, ..Default::default() });
        assert!(answer.topics.iter().any(|topic| topic.name.as_deref() == Some("canary")));
    }

    fn has_everything(&self, address: SocketAddr) {
        let records = Client::connect(address).unwrap().read_all("canary", 0).unwrap();
        let values: Vec<_> =
            records.iter().map(|record| String::from_utf8_lossy(record.value.as_ref().unwrap())).collect();
        assert_eq!(values, self.kept);
    }
}

fn create(client: &mut Client, name: &str) -> [u8; 16] {
    let topic = CreatableTopic { name: name.into(), num_partitions: 2, replication_factor: 1, ..Default::default() };
    let answer = client.ask(7, &CreateTopicsRequest { topics: vec![topic], timeout_ms: 5_000, ..Default::default() });
    assert_eq!(answer.topics[0].error_code, 0);
    answer.topics[0].topic_id
}

/// The frames of one connection: a mutated request, or two of which the first is sound.
fn frames(seeds: &Seeds, at: usize, topic_id: [u8; 16], rng: &mut Rng) -> Vec<Vec<u8>> {
    let (key, version, body) = &seeds.bodies[at];
    let other = &seeds.bodies[rng.below(seeds.bodies.len())].2;
    if *key == ApiKey::Produce && rng.below(2) == 0 {
        // A batch whose content is wrong and whose CRC is right.
        let batch = bytes_of(&batch_of_all(&["first", "second", "third"], Producer::NONE));
        let records = mutated(&batch[12..], other, rng);
        let request = seeds::produce(topic_id, seeds::sealed([&batch[..12], &records].concat()).into());
        let (mut buf, mut splices) = (BytesMut::new(), Vec::new());
        request.encode(&mut Writer::new(&mut buf, &mut splices), *version).unwrap();
        return vec![frame(*key, *version, &buf)];
    }
    match rng.below(8) {
        // The header, too.
        0 => vec![mutated(&frame(*key, *version, body), other, rng)],
        1 => vec![frame(*key, *version, body), frame(*key, *version, &mutated(body, other, rng))],
        2 => vec![frame(*key, *version, body)],
        _ => vec![frame(*key, *version, &mutated(body, other, rng))],
    }
}

#[test]
fn whatever_comes_the_broker_lives_and_serves_others() {
    let seed: u64 = std::env::var("MILENA_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or_else(rand::random);
    let each: usize = std::env::var("MILENA_FUZZ").ok().and_then(|text| text.parse().ok()).unwrap_or(12);
    println!("MILENA_SEED={seed} MILENA_FUZZ={each}");
    let dir = tempfile::tempdir().unwrap();
    let mut broker = Process::new(dir.path(), "num.partitions=1\noffsets.topic.num.partitions=5");
    broker.start();
    let address = broker.address();
    let mut bystander = Bystander::new(address);
    let mut client = Client::connect(address).unwrap();
    let topic_id = create(&mut client, "t");
    let names = ApiVersionsRequest {
        client_software_name: "fuzz".into(),
        client_software_version: "1".into(),
        ..Default::default()
    };
    let ranges: BTreeMap<i16, (i16, i16)> = client
        .ask(3, &names)
        .api_keys
        .iter()
        .map(|range| (range.api_key, (range.min_version, range.max_version)))
        .collect();
    // Produce is advertised from 0 and served from 3.
    let least = |key: ApiKey| if key == ApiKey::Produce { 3 } else { 0 };
    let seeds = Seeds::new(|key| (ranges[&key.code()].0.max(least(key)), ranges[&key.code()].1), topic_id, 0);
    let seeded: Vec<i16> = seeds.bodies.iter().map(|(key, _, _)| key.code()).collect();
    assert!(ranges.keys().all(|key| seeded.contains(key)), "every API that is served has a seed: {ranges:?}");

    let next = AtomicUsize::new(0);
    let total = seeds.bodies.len() * each;
    std::thread::scope(|scope| {
        let senders: Vec<_> = (0..SENDERS)
            .map(|_| {
                scope.spawn(|| {
                    loop {
                        let at = next.fetch_add(1, Ordering::Relaxed);
                        if at >= total {
                            return;
                        }
                        let mut rng = Rng::new(seed.wrapping_add(at as u64));
                        throw(address, &frames(&seeds, at % seeds.bodies.len(), topic_id, &mut rng));
                    }
                })
            })
            .collect();
        while senders.iter().any(|sender| !sender.is_finished()) {
            bystander.is_served();
            std::thread::sleep(Duration::from_millis(10));
        }
    });
    bystander.is_served();
    println!("{total} requests, {} KiB", broker.memory_bytes() >> 10);
    assert!(broker.memory_bytes() < MEMORY_MAX, "{} bytes", broker.memory_bytes());
    assert!(broker.is_running());
    bystander.has_everything(address);
    assert!(!broker.log().contains("panicked"), "{}", broker.log());
    broker.kill();
    broker.start();
    bystander.has_everything(address);
    wait_until("nobody to wait any more", || broker.metric("milena_request_bytes", &[]) == 0.0);
    assert_eq!(broker.stop(), Some(0));
    assert!(!broker.log().contains("panicked"), "{}", broker.log());
}
