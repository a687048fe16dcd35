//! What a scraper sees of a broker: that every family moves when what it tells of does, and that lag is right.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use model::{BatchBuilder, Codec, Producer, ProducerEpoch, ProducerId, TimestampMs};
use support::http::Metrics;
use support::in_process::Broker;
use support::{Client, batch_of, bytes_of};
use wire::messages::create_topics::{CreatableTopic, CreatableTopicConfig, CreateTopicsRequest};
use wire::messages::delete_records::{DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic};
use wire::messages::delete_topics::{DeleteTopicState, DeleteTopicsRequest};
use wire::messages::fetch::{FetchPartition, FetchRequest, FetchResponse, FetchTopic};
use wire::messages::find_coordinator::FindCoordinatorRequest;
use wire::messages::join_group::{JoinGroupRequest, JoinGroupRequestProtocol};
use wire::messages::offset_commit::{OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use wire::messages::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use wire::messages::sync_group::{SyncGroupRequest, SyncGroupRequestAssignment};
use wire::{ErrorCode, Records};

/// Nothing that is waited for here takes longer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Families that stay as they are on one healthy broker, or that this file cannot move, each with where it is moved instead.
const STILL: [(&str, &str); 49] = [
    ("kafka_brokers", "one broker"),
    ("kafka_controller_kafkacontroller_activebrokercount", "one broker"),
    ("kafka_controller_kafkacontroller_activecontrollercount", "one controller"),
    ("kafka_controller_kafkacontroller_fencedbrokercount", "one broker, which is up"),
    ("kafka_controller_kafkacontroller_offlinepartitionscount", "tests/health.rs"),
    ("kafka_controller_kafkacontroller_preferredreplicaimbalancecount", "one replica leads"),
    ("kafka_coordinator_group_groupmetadatamanager_numgroupsdead", "a dead group is gone at once"),
    ("kafka_exporter_build_info", "says what it is"),
    ("kafka_log_logmanager_logdirectoryoffline", "tests/failed_disk.rs"),
    ("kafka_log_logmanager_offlinelogdirectorycount", "tests/failed_disk.rs"),
    ("kafka_network_socketserver_expiredconnectionskilledcount", "a test of its own, below"),
    ("kafka_server_group_coordinator_metrics_offset_expiration_count", "takes a minute; the coordinator's tests"),
    ("kafka_server_kafkaserver_brokerstate", "tests/health.rs"),
    ("kafka_server_kafkaserver_linux_disk_read_bytes", "what was just written is in memory"),
    ("kafka_server_kafkaserver_linux_disk_write_bytes", "a test's folder may lie in memory"),
    ("kafka_server_raft_metrics_current_epoch", "one voter has one epoch"),
    ("kafka_server_raft_metrics_current_leader", "one voter"),
    ("kafka_server_raftmetrics_current_epoch", "one voter has one epoch"),
    ("kafka_server_raftmetrics_current_leader", "one voter"),
    ("kafka_server_replicamanager_offlinereplicacount", "tests/health.rs"),
    ("kafka_server_replicamanager_underminisrpartitioncount", "one replica is all that can be asked for"),
    ("kafka_server_replicamanager_underreplicatedpartitions", "one replica is in sync with itself"),
    ("kafka_server_socket_server_metrics_expired_connections_killed_count", "a test of its own, below"),
    ("milena_build_info", "says what it is"),
    ("milena_connections_refused_total", "a test of its own, below"),
    ("milena_consumergroup_lag_seconds_pending", "lookups are done in time"),
    ("milena_disk_free_bytes", "others use the disk as well"),
    ("milena_disk_full", "there is room"),
    ("milena_disk_total_bytes", "a disk does not grow"),
    ("milena_recovery_logs", "tests/health.rs"),
    ("milena_recovery_logs_done", "tests/health.rs"),
    ("milena_request_bytes_max", "configured"),
    ("process_max_fds", "the system's limit"),
    ("process_open_fds", "sockets of other tests come and go in this process"),
    ("process_resident_memory_bytes", "other tests run in this process"),
    ("process_start_time_seconds", "it starts once"),
    ("process_threads", "other tests run in this process"),
    ("process_virtual_memory_bytes", "other tests run in this process"),
    // Per partition: they appear with their partitions, and then stay what they are on one broker.
    ("kafka_cluster_partition_atminisr", "one replica"),
    ("kafka_cluster_partition_insyncreplicascount", "one replica"),
    ("kafka_cluster_partition_laststableoffsetlag", "no transactions"),
    ("kafka_cluster_partition_replicascount", "one replica"),
    ("kafka_cluster_partition_underminisr", "one replica"),
    ("kafka_cluster_partition_underreplicated", "one replica"),
    ("kafka_topic_partition_in_sync_replica", "one replica"),
    ("kafka_topic_partition_leader", "one broker"),
    ("kafka_topic_partition_leader_is_preferred", "one replica"),
    ("kafka_topic_partition_replicas", "one replica"),
    ("kafka_topic_partition_under_replicated_partition", "one replica"),
];

fn start(set: &[(&str, &str)]) -> Broker {
    Broker::start(&[&[("milena.http.listener", "127.0.0.1:0"), ("num.io.threads", "2")], set].concat())
}

/// Scrapes until `holds`.
fn await_metrics(broker: &Broker, what: &str, holds: impl Fn(&Metrics) -> bool) -> Metrics {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let metrics = Metrics::scrape(broker.http());
        if holds(&metrics) {
            return metrics;
        }
        assert!(Instant::now() < deadline, "never: {what}; last seen: {:#?}", metrics.series);
    }
}

fn create(client: &mut Client, name: &str, partitions: i32, configs: &[(&str, &str)]) {
    let config = |(name, value): &(&str, &str)| CreatableTopicConfig {
        name: (*name).into(),
        value: Some((*value).into()),
        ..Default::default()
    };
    let topic = CreatableTopic {
        name: name.into(),
        num_partitions: partitions,
        replication_factor: 1,
        configs: configs.iter().map(config).collect(),
        ..Default::default()
    };
    let answer = client.ask(7, &CreateTopicsRequest { topics: vec![topic], ..Default::default() });
    assert_eq!(answer.topics[0].error_code, 0, "{answer:?}");
}

/// Sends bytes as a batch; gives the error code.
fn produce(client: &mut Client, topic: &str, records: Bytes, acks: i16, timeout_ms: i32) -> i16 {
    let partition = PartitionProduceData { index: 0, records: Some(Records::Bytes(records)), ..Default::default() };
    let topic = TopicProduceData { name: topic.into(), partition_data: vec![partition], ..Default::default() };
    let request = ProduceRequest { acks, timeout_ms, topic_data: vec![topic], ..Default::default() };
    client.ask(9, &request).responses[0].partition_responses[0].error_code
}

fn now_ms() -> i64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as i64
}

/// A batch of one record of so many bytes.
fn batch_of_size(bytes: usize) -> Bytes {
    let mut builder = BatchBuilder::new();
    builder.append(TimestampMs(now_ms()), None, Some(&vec![7; bytes]), &[]);
    bytes_of(&builder.finish().into_inner())
}

/// A batch of records with these times.
fn batch_at(times: &[i64], codec: Codec) -> Bytes {
    let mut builder = BatchBuilder::new().codec(codec, None);
    times.iter().for_each(|time| builder.append(TimestampMs(*time), None, Some(b"value"), &[]));
    bytes_of(&builder.finish().into_inner())
}

struct Session {
    id: i32,
    epoch: i32,
}

const NO_SESSION: Session = Session { id: 0, epoch: -1 };

fn fetch(client: &mut Client, topic: &str, from: i64, session: Session, max_wait_ms: i32) -> FetchResponse {
    let partition = FetchPartition {
        partition: 0,
        current_leader_epoch: -1,
        fetch_offset: from,
        last_fetched_epoch: -1,
        partition_max_bytes: 1 << 20,
        ..Default::default()
    };
    let request = FetchRequest {
        max_wait_ms,
        min_bytes: 1,
        max_bytes: 1 << 20,
        session_id: session.id,
        session_epoch: session.epoch,
        topics: vec![FetchTopic { topic: topic.into(), partitions: vec![partition], ..Default::default() }],
        ..Default::default()
    };
    client.ask(12, &request)
}

/// Asks for the group's coordinator until there is one.
fn find_coordinator(client: &mut Client, group: &str) {
    let request = FindCoordinatorRequest { key: group.into(), ..Default::default() };
    let deadline = Instant::now() + PATIENCE;
    while client.ask(3, &request).error_code != 0 {
        assert!(Instant::now() < deadline, "no coordinator for {group}");
    }
}

fn join_request(group: &str, member_id: &str) -> JoinGroupRequest {
    JoinGroupRequest {
        group_id: group.into(),
        session_timeout_ms: 60_000,
        rebalance_timeout_ms: 60_000,
        member_id: member_id.into(),
        protocol_type: "consumer".into(),
        protocols: vec![JoinGroupRequestProtocol { name: "range".into(), ..Default::default() }],
        ..Default::default()
    }
}

/// Joins an empty group; gives the member's id and the generation.
fn join(client: &mut Client, group: &str) -> (String, i32) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let joined = client.ask(3, &join_request(group, ""));
        if joined.error_code == 0 {
            return (joined.member_id.to_string(), joined.generation_id);
        }
        let loading = ErrorCode::CoordinatorLoadInProgress.code();
        assert!(joined.error_code == loading && Instant::now() < deadline, "{joined:?}");
    }
}

fn sync(client: &mut Client, group: &str, (member_id, generation): &(String, i32)) {
    let assignment = SyncGroupRequestAssignment {
        member_id: member_id.as_str().into(),
        assignment: "all".into(),
        ..Default::default()
    };
    let request = SyncGroupRequest {
        group_id: group.into(),
        generation_id: *generation,
        member_id: member_id.as_str().into(),
        assignments: vec![assignment],
        ..Default::default()
    };
    assert_eq!(client.ask(3, &request).error_code, 0);
}

/// Commits without being a member.
fn commit(client: &mut Client, group: &str, topic: &str, offset: i64) {
    let partition = OffsetCommitRequestPartition { partition_index: 0, committed_offset: offset, ..Default::default() };
    let topic = OffsetCommitRequestTopic { name: topic.into(), partitions: vec![partition], ..Default::default() };
    let request = OffsetCommitRequest {
        group_id: group.into(),
        generation_id_or_member_epoch: -1,
        topics: vec![topic],
        ..Default::default()
    };
    let deadline = Instant::now() + PATIENCE;
    loop {
        let code = client.ask(7, &request).topics[0].partitions[0].error_code;
        let loading = [ErrorCode::CoordinatorLoadInProgress, ErrorCode::NotCoordinator].map(ErrorCode::code);
        match code {
            0 => return,
            other => assert!(loading.contains(&other) && Instant::now() < deadline, "{other}"),
        }
    }
}

/// Says stop even where the test fails.
struct StopAtEnd<'a>(&'a AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Which families have changed from one scrape to the next: a value, or which series there are.
#[derive(Default)]
struct Moved {
    last: BTreeMap<String, f64>,
    families: BTreeMap<String, String>,
    moved: BTreeSet<String>,
}

impl Moved {
    fn look(&mut self, metrics: Metrics) {
        let known = |series: &str| {
            let name = series.split('{').next().unwrap_or(series);
            let parts = ["_bucket", "_sum", "_count"].iter().filter_map(|part| name.strip_suffix(part));
            [name].into_iter().chain(parts).find(|name| metrics.families.contains_key(*name)).map(str::to_owned)
        };
        for (series, value) in &metrics.series {
            let family = known(series).unwrap_or_else(|| panic!("{series} has no heading"));
            let changed = self.last.get(series).is_some_and(|last| last != value);
            let vanished_or_new = !self.last.is_empty() && !self.last.contains_key(series);
            // Series per partition are new with their partition, which says nothing of their values.
            let counts = changed || (vanished_or_new && !series.contains("partition="));
            if counts {
                self.moved.insert(family);
            }
        }
        self.last = metrics.series;
        self.families.extend(metrics.families);
    }
}

#[test]
fn every_family_that_can_move_on_one_broker_moves_with_traffic() {
    let broker = start(&[("log.retention.check.interval.ms", "50"), ("group.initial.rebalance.delay.ms", "0")]);
    let mut moved = Moved::default();
    let mut look = |metrics: Metrics| moved.look(metrics);
    look(Metrics::scrape(broker.http()));
    let mut client = broker.client();
    create(&mut client, "t", 1, &[]);
    create(&mut client, "synced", 1, &[("flush.messages", "1")]);
    create(&mut client, "rolled", 1, &[("segment.bytes", "1048576"), ("retention.bytes", "1048576")]);
    look(Metrics::scrape(broker.http()));

    // Produces, good and bad.
    assert_eq!(produce(&mut client, "t", batch_of_size(10), -1, 1000), 0);
    assert_eq!(produce(&mut client, "t", batch_of_size(1_100_000), -1, 1000), ErrorCode::MessageTooLarge.code());
    let mut bad = batch_of_size(10).to_vec();
    bad[70] ^= 1;
    assert_eq!(produce(&mut client, "t", bad.into(), -1, 1000), ErrorCode::CorruptMessage.code());
    let mut old = batch_of_size(10).to_vec();
    old[16] = 1;
    assert_eq!(produce(&mut client, "t", old.into(), -1, 1000), ErrorCode::InvalidRecord.code());
    let producer = |base_sequence| Producer { id: ProducerId(7), epoch: ProducerEpoch(0), base_sequence };
    assert_eq!(produce(&mut client, "t", bytes_of(&batch_of("a", producer(0))), -1, 1000), 0);
    let gap = bytes_of(&batch_of("a", producer(5)));
    assert_eq!(produce(&mut client, "t", gap, -1, 1000), ErrorCode::OutOfOrderSequenceNumber.code());
    for _ in 0..4 {
        assert_eq!(produce(&mut client, "rolled", batch_of_size(600_000), -1, 1000), 0);
    }
    let rolled = "kafka_log_log_logstartoffset{topic=\"rolled\",partition=\"0\"}";
    look(await_metrics(&broker, "retention", |metrics| metrics.value(rolled) > 0.0));

    // Fetches, good, bad and in vain.
    assert!(fetch(&mut client, "t", 0, NO_SESSION, 0).responses[0].partitions[0].records.is_some());
    let refused = fetch(&mut client, "t", 99, NO_SESSION, 0).responses[0].partitions[0].error_code;
    assert_eq!(refused, ErrorCode::OffsetOutOfRange.code());
    fetch(&mut client, "t", 2, NO_SESSION, 20);
    let mut sessions = broker.client();
    for _ in 0..5 {
        assert_ne!(fetch(&mut sessions, "t", 0, Session { id: 0, epoch: 0 }, 0).session_id, 0);
    }
    look(Metrics::scrape(broker.http()));
    drop(sessions);

    // A fetch that waits, and produces that wait for the disk.
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| fetch(&mut broker.client(), "t", 2, NO_SESSION, 30_000));
        let parked = "kafka_server_delayedoperationpurgatory_purgatorysize{delayedOperation=\"Fetch\"}";
        look(await_metrics(&broker, "a parked fetch", |metrics| metrics.value(parked) == 1.0));
        assert_eq!(produce(&mut client, "t", batch_of_size(10), -1, 1000), 0);
        assert!(waiting.join().unwrap().responses[0].partitions[0].records.is_some());
        look(await_metrics(&broker, "a woken fetch", |metrics| metrics.value(parked) == 0.0));

        for timeout_ms in [30_000, 30_000, 30_000, 0] {
            let (broker, stop) = (&broker, &stop);
            scope.spawn(move || {
                let mut client = broker.client();
                while !stop.load(Ordering::Relaxed) {
                    let code = produce(&mut client, "synced", batch_of_size(10), -1, timeout_ms);
                    assert!(code == 0 || (timeout_ms == 0 && code == ErrorCode::RequestTimedOut.code()), "{code}");
                }
            });
        }
        let parked = "kafka_server_delayedoperationpurgatory_purgatorysize{delayedOperation=\"Produce\"}";
        let _stop = StopAtEnd(&stop);
        look(await_metrics(&broker, "a parked produce", |metrics| metrics.value(parked) > 0.0));
        let expired = "kafka_server_delayedproducemetrics_expires_total";
        look(await_metrics(&broker, "an expired produce", |metrics| metrics.value(expired) > 0.0));
    });

    // A group in each of its states, and an offset of a group without members.
    find_coordinator(&mut client, "g");
    let state =
        |state: &str| format!("kafka_server_group_coordinator_metrics_classic_group_count{{state=\"{state}\"}}");
    let member = join(&mut client, "g");
    look(await_metrics(&broker, "completing", |metrics| metrics.get(&state("CompletingRebalance")) == Some(1.0)));
    sync(&mut client, "g", &member);
    look(await_metrics(&broker, "stable", |metrics| metrics.value(&state("Stable")) == 1.0));
    let mut second = broker.client();
    second.send(3, &join_request("g", "")).unwrap();
    look(await_metrics(&broker, "preparing", |metrics| metrics.value(&state("PreparingRebalance")) == 1.0));
    commit(&mut client, "alone", "t", 1);
    look(await_metrics(&broker, "empty", |metrics| metrics.value(&state("Empty")) == 1.0));
    commit(&mut client, "alone", "t", 2);

    // Half a request, and one that is none.
    let mut half = broker.client();
    half.send_raw(&200_000_i32.to_be_bytes()).unwrap();
    half.send_raw(&[0; 100_000]).unwrap();
    look(await_metrics(&broker, "held bytes", |metrics| metrics.value("milena_request_bytes") > 50_000.0));
    broker.client().send_frame(&[0xff; 20]).unwrap();
    look(await_metrics(&broker, "a refused frame", |metrics| metrics.value("milena_frames_refused_total") == 1.0));
    drop(half);
    let end = await_metrics(&broker, "a second refused frame", |m| m.value("milena_frames_refused_total") == 2.0);
    check_values(&end);
    look(end);

    let still: BTreeSet<&str> = STILL.iter().map(|(name, _)| *name).collect();
    let families: BTreeSet<&str> = moved.families.keys().map(String::as_str).collect();
    let moved: BTreeSet<&str> = moved.moved.iter().map(String::as_str).collect();
    let did_not: Vec<_> = families.difference(&moved).filter(|name| !still.contains(*name)).collect();
    assert!(did_not.is_empty(), "these did not move: {did_not:#?}");
    let unknown: Vec<_> = still.difference(&families).collect();
    assert!(unknown.is_empty(), "there is no such family: {unknown:#?}");
}

/// Numbers that follow from what the test did, one by one.
fn check_values(metrics: &Metrics) {
    let topic = |name: &str| metrics.value(&format!("kafka_server_brokertopicmetrics_{name}_total{{topic=\"t\"}}"));
    assert_eq!((topic("messagesin"), topic("totalproducerequests"), topic("failedproducerequests")), (3.0, 7.0, 4.0));
    assert_eq!((topic("invalidmessagecrcrecords"), topic("invalidmagicnumberrecords")), (1.0, 1.0));
    assert_eq!(topic("invalidoffsetorsequencerecords"), 1.0);
    assert!(topic("bytesrejected") > 1_100_000.0);
    // Two batches, then one out of range, one in vain, five sessions with both batches, and one batch after a wait.
    assert_eq!((topic("totalfetchrequests"), topic("failedfetchrequests")), (9.0, 1.0));
    let one_batch = batch_of_size(10).len() as f64;
    assert_eq!(topic("bytesin"), 2.0 * one_batch + batch_of("a", Producer::NONE).size_bytes() as f64);
    assert_eq!(topic("bytesout"), 6.0 * (topic("bytesin") - one_batch) + one_batch);
    let error = |request: &str, error: &str| {
        metrics.value(&format!("kafka_network_requestmetrics_errors_total{{request=\"{request}\",error=\"{error}\"}}"))
    };
    assert_eq!(error("Produce", "CORRUPT_MESSAGE"), 1.0);
    assert_eq!(error("Fetch", "OFFSET_OUT_OF_RANGE"), 1.0);
    assert_eq!(metrics.value("kafka_server_delayedfetchmetrics_expires_total{fetcherType=\"consumer\"}"), 1.0);
    assert_eq!(metrics.value("kafka_server_fetchsessioncache_incrementalfetchsessionevictions_total"), 1.0);
    assert_eq!(metrics.value("kafka_server_fetchsessioncache_numincrementalfetchsessions"), 0.0, "their client left");
    let partitions = metrics.value("kafka_server_replicamanager_leadercount");
    assert_eq!(metrics.value("kafka_server_replicamanager_atminisrpartitioncount"), partitions);
    assert_eq!(metrics.value("kafka_server_replicamanager_underminisrpartitioncount"), 0.0);
    assert_eq!(metrics.value("kafka_server_group_coordinator_metrics_offset_commit_count"), 2.0);
    assert_eq!(metrics.value("kafka_server_group_coordinator_metrics_group_completed_rebalance_count"), 1.0);
    assert_eq!(metrics.value("kafka_consumergroup_members{consumergroup=\"g\"}"), 2.0);
    // The wait of the long poll is waiting, not work.
    let fetches = |part: &str| metrics.value(&format!("kafka_network_requestmetrics_{part}_sum{{request=\"Fetch\"}}"));
    assert!(fetches("remotetimems") >= 20.0, "{}", fetches("remotetimems"));
    let parts = fetches("localtimems") + fetches("remotetimems");
    assert!((parts - fetches("totaltimems")).abs() < 0.1, "{parts} {}", fetches("totaltimems"));
    let all = metrics.value("kafka_server_brokertopicmetrics_messagesin_total");
    assert_eq!(all, metrics.sum("kafka_server_brokertopicmetrics_messagesin_total") - all, "the sum of all topics");
}

#[test]
fn lag_in_seconds_is_the_age_of_the_oldest_record_that_was_not_read() {
    let broker = start(&[]);
    let mut client = broker.client();
    create(&mut client, "t", 1, &[]);
    let now = now_ms();
    let ages = [4000, 3000, 2000, 1000, 500, 100];
    for (three, codec) in ages.chunks(3).zip([Codec::None, Codec::Zstd]) {
        let times: Vec<i64> = three.iter().map(|age| now - age * 1000).collect();
        assert_eq!(produce(&mut client, "t", batch_at(&times, codec), -1, 1000), 0);
    }
    find_coordinator(&mut client, "0");
    for committed in 0..=7 {
        commit(&mut client, &committed.to_string(), "t", committed);
    }
    let series = |name: &str, group: i64| {
        format!("kafka_consumergroup_{name}{{consumergroup=\"{group}\",topic=\"t\",partition=\"0\"}}")
    };
    for _ in 0..2 {
        let metrics = Metrics::scrape(broker.http());
        let passed = now_ms() - now;
        for committed in 0..=7 {
            let (lag, seconds) =
                (metrics.value(&series("lag", committed)), metrics.value(&series("lag_seconds", committed)));
            assert_eq!(lag, (6 - committed).max(0) as f64);
            match ages.get(committed as usize) {
                Some(age) => {
                    let age = *age as f64;
                    assert!(seconds >= age && seconds <= age + passed as f64 / 1e3, "{committed}: {seconds}");
                }
                None => assert_eq!(seconds, 0.0, "at the end and above it"),
            }
        }
        assert_eq!(metrics.value("milena_consumergroup_lag_seconds_pending"), 0.0);
    }
    // A group that goes on is told anew.
    commit(&mut client, "0", "t", 4);
    let seconds = Metrics::scrape(broker.http()).value(&series("lag_seconds", 0));
    assert!((500.0..1000.0).contains(&seconds), "{seconds}");
}

#[test]
fn records_that_are_gone_count_for_lag_in_records_and_not_for_lag_in_seconds() {
    let broker = start(&[]);
    let mut client = broker.client();
    create(&mut client, "t", 1, &[]);
    let now = now_ms();
    for age in [4000, 3000, 2000] {
        assert_eq!(produce(&mut client, "t", batch_at(&[now - age * 1000], Codec::None), -1, 1000), 0);
    }
    find_coordinator(&mut client, "g");
    commit(&mut client, "g", "t", 0);
    let lag = |broker: &Broker| {
        let metrics = Metrics::scrape(broker.http());
        ["lag", "lag_seconds"].map(|name| {
            metrics.value(&format!("kafka_consumergroup_{name}{{consumergroup=\"g\",topic=\"t\",partition=\"0\"}}"))
        })
    };
    assert!(lag(&broker)[1] >= 4000.0);
    let delete = |client: &mut Client, upto: i64| {
        let partition = DeleteRecordsPartition { partition_index: 0, offset: upto, ..Default::default() };
        let topic = DeleteRecordsTopic { name: "t".into(), partitions: vec![partition], ..Default::default() };
        let request = DeleteRecordsRequest { topics: vec![topic], timeout_ms: 1000, ..Default::default() };
        assert_eq!(client.ask(2, &request).topics[0].partitions[0].error_code, 0);
    };
    delete(&mut client, 1);
    let [records, seconds] = lag(&broker);
    assert!(records == 3.0 && (3000.0..4000.0).contains(&seconds), "{records} {seconds}");
    delete(&mut client, 3);
    assert_eq!(lag(&broker), [3.0, 0.0]);
}

#[test]
fn a_deleted_topic_leaves_no_series_and_the_sums_do_not_go_back() {
    let broker = start(&[]);
    let mut client = broker.client();
    create(&mut client, "t", 3, &[]);
    assert_eq!(produce(&mut client, "t", batch_of_size(10), -1, 1000), 0);
    fetch(&mut client, "t", 0, NO_SESSION, 0);
    find_coordinator(&mut client, "g");
    commit(&mut client, "g", "t", 0);
    let of_topic = |metrics: &Metrics| metrics.series.keys().filter(|series| series.contains("topic=\"t\"")).count();
    let before = Metrics::scrape(broker.http());
    assert!(of_topic(&before) > 30, "{}", of_topic(&before));
    let state = DeleteTopicState { name: Some("t".into()), ..Default::default() };
    let request = DeleteTopicsRequest { topics: vec![state], timeout_ms: 1000, ..Default::default() };
    assert_eq!(client.ask(6, &request).responses[0].error_code, 0);
    let after = await_metrics(&broker, "nothing of the topic", |metrics| of_topic(metrics) == 0);
    for sum in ["bytesout", "totalfetchrequests"] {
        let name = format!("kafka_server_brokertopicmetrics_{sum}_total");
        assert!(before.value(&name) > 0.0 && before.value(&name) == after.value(&name), "{sum}");
    }
    // Its name may be used again.
    create(&mut client, "t", 1, &[]);
    assert_eq!(produce(&mut client, "t", batch_of_size(10), -1, 1000), 0);
    let again = Metrics::scrape(broker.http());
    assert_eq!(again.value("kafka_server_brokertopicmetrics_messagesin_total{topic=\"t\"}"), 1.0);
}

#[test]
fn idle_and_refused_connections_are_counted() {
    let broker = start(&[("connections.max.idle.ms", "200"), ("max.connections", "1")]);
    let mut idle = broker.client();
    assert!(broker.client().receive().is_err(), "one is enough");
    assert!(idle.receive().is_err(), "it has been silent for too long");
    let metrics = await_metrics(&broker, "an expired connection", |metrics| {
        metrics.value("kafka_network_socketserver_expiredconnectionskilledcount") == 1.0
    });
    assert_eq!(metrics.sum("kafka_server_socket_server_metrics_expired_connections_killed_count"), 1.0);
    assert_eq!(metrics.value("milena_connections_refused_total{listener=\"PLAINTEXT\"}"), 1.0);
}

/// A row of the page: type and labels, by family.
type Rows = BTreeMap<String, (String, BTreeSet<String>)>;

/// What stands between backticks.
fn quoted(text: &str) -> impl Iterator<Item = String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned)
}

/// The families that the page has, and those that it says are left out.
fn page() -> (Rows, BTreeSet<String>) {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/metrics.md")).unwrap();
    let (families, rest) = text.split_once("\n## Left out\n").unwrap();
    let (left_out, _) = rest.split_once("\n## ").unwrap();
    let mut rows = Rows::new();
    for line in families.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [family, kind, labels, unit, meaning, _equals] = cells[..] else { panic!("{line}") };
        assert!(!unit.is_empty() && !meaning.is_empty(), "{line}");
        let family = quoted(family).next().unwrap();
        let row = (kind.to_owned(), quoted(labels).collect());
        assert_eq!(rows.insert(family.clone(), row), None, "{family} has one row");
    }
    let named = left_out.lines().filter(|line| line.starts_with("| `"));
    (rows, named.flat_map(|line| quoted(line.split('|').nth(1).unwrap())).collect())
}

#[test]
fn the_page_names_what_a_broker_exports_and_nothing_else() {
    let broker = start(&[]);
    let mut client = broker.client();
    create(&mut client, "t", 1, &[("retention.bytes", "1000000")]);
    assert_eq!(produce(&mut client, "t", batch_of_size(10), -1, 1000), 0);
    fetch(&mut client, "t", 0, NO_SESSION, 0);
    find_coordinator(&mut client, "g");
    commit(&mut client, "g", "t", 0);
    let metrics = Metrics::scrape(broker.http());
    let mut exported: Rows = metrics.families.into_iter().map(|(name, kind)| (name, (kind, BTreeSet::new()))).collect();
    for series in metrics.series.keys() {
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let whole = ["", "_bucket", "_sum", "_count"].into_iter().find_map(|part| {
            let family = name.strip_suffix(part)?;
            exported.contains_key(family).then(|| family.to_owned())
        });
        let names = labels.split("\",").filter_map(|label| Some(label.split_once('=')?.0.to_owned()));
        // How a summary and a histogram tell their own parts apart.
        let names = names.filter(|name| !["quantile", "le"].contains(&name.as_str()));
        exported.get_mut(&whole.unwrap()).unwrap().1.extend(names);
    }
    let (page, left_out) = page();
    let differs = |name: &&String| page.get(*name) != exported.get(*name);
    let all: BTreeSet<&String> = page.keys().chain(exported.keys()).collect();
    let different: Vec<_> = all
        .into_iter()
        .filter(differs)
        .map(|name| format!("{name}: the page {:?}, the broker {:?}", page.get(name), exported.get(name)))
        .collect();
    assert!(different.is_empty(), "{different:#?}");
    let both: Vec<_> = left_out.iter().filter(|name| exported.contains_key(*name)).collect();
    assert!(!left_out.is_empty() && both.is_empty(), "left out and exported: {both:?}");
}
