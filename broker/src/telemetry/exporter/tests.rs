//! What a scrape looks like to Prometheus.

use std::collections::BTreeSet;
use std::sync::Arc;

use model::{NodeId, TopicId};

use super::*;
use crate::telemetry::counters::ShardCounters;
use crate::telemetry::scrape::*;

fn scrape() -> Scrape {
    Scrape {
        at: TimestampMs(100_000),
        names: Names {
            api: |key| if key == 1 { "Fetch" } else { "Produce" },
            error: |code| if code == 0 { "NONE" } else { "NOT_LEADER_OR_FOLLOWER" },
        },
        node: NodeScrape {
            id: NodeId(1),
            version: "0.1.0",
            started_at: TimestampMs(90_000),
            state: 3,
            recovered: 2,
            to_recover: 3,
            request_bytes: 512,
            request_bytes_max: 1024,
            log_dirs: vec![LogDirScrape { path: "/d".to_owned(), online: false, full: true, space: Some((77, 99)) }],
            partitions_missing: 1,
        },
        listeners: vec![ListenerScrape { name: "PLAINTEXT".into(), refused: 8 }],
        shards: vec![shard(3), shard(4)],
        partitions: vec![partition("t", 0), partition("t", 1)],
        groups: vec![GroupScrape {
            group: "g\"1".into(),
            state: "Stable",
            members: 2,
            offsets: vec![
                offset(0, Some(5), LagSeconds::Known(1.5)),
                offset(1, Some(7), LagSeconds::Pending),
                offset(2, None, LagSeconds::Untold),
            ],
        }],
        controller: ControllerScrape {
            active: true,
            brokers_active: 1,
            topics: 1,
            partitions: 2,
            ..Default::default()
        },
        quorum: QuorumScrape {
            leader: NodeId(1),
            high_watermark: 9,
            applied_offset: 8,
            log_end_offset: 9,
            commits: 4,
            commit_time: Duration::from_millis(10),
            ..Default::default()
        },
    }
}

fn live_counters(bytes: u64) -> ShardCounters {
    let mut counters = ShardCounters::default();
    let (kept, gone): (Arc<str>, Arc<str>) = ("t".into(), "gone".into());
    let slot = counters.topics.slot(TopicId([1; 16]), &kept);
    counters.topics.at(slot).bytes_in += bytes;
    let slot = counters.topics.slot(TopicId([2; 16]), &gone);
    counters.topics.at(slot).bytes_in += 100;
    counters.topics.forget(TopicId([2; 16]));
    counters.apis.request(0, 9, 2_000, 500);
    counters.apis.request(1, 17, 4_000, 4_000);
    counters.apis.error(0, 6);
    counters.listener(0).opened = 10;
    counters.listener(0).closed = 4;
    counters.traffic(0).received(30);
    counters.flush_time.record(3_000);
    counters.plain.frames_refused = 2;
    counters.plain.fetches_parked = 1;
    counters.plain.group_loads = 1;
    counters.plain.group_load_us = 1_000 * bytes;
    counters.plain.group_load_us_max = 1_000 * bytes;
    counters
}

fn shard(bytes: u64) -> ShardScrape {
    ShardScrape {
        counters: live_counters(bytes).counted(),
        busy: Duration::from_secs(1),
        produces_parked: 1,
        group_partitions: [5, 0, 1],
    }
}

fn partition(topic: &str, index: i32) -> PartitionScrape {
    PartitionScrape {
        topic: topic.into(),
        topic_id: TopicId([1; 16]),
        index,
        is_leader: index == 0,
        leader: NodeId(1),
        preferred_leader: NodeId(1),
        replicas: 3,
        in_sync_replicas: 2,
        in_sync_replicas_min: 2,
        offline: index == 1,
        log_start_offset: 3,
        last_stable_offset: 10,
        high_watermark: 12,
        log_end_offset: 13,
        bytes: 4096,
        bytes_max: Some(8192),
        segments: 2,
        producer_ids: 1,
    }
}

fn offset(partition: i32, lag: Option<i64>, lag_seconds: LagSeconds) -> GroupOffset {
    GroupOffset { topic: "t".into(), topic_id: TopicId::ZERO, partition, committed: 40, lag, lag_seconds }
}

fn render(exporter: &Exporter, scrape: &Scrape) -> String {
    let mut text = String::new();
    exporter.render(scrape, &mut |piece| text.push_str(&piece));
    text
}

#[test]
fn series_have_the_names_that_dashboards_ask_for() {
    let text = render(&Exporter::new(), &scrape());
    let lines: BTreeSet<&str> = text.lines().collect();
    for line in [
        "kafka_server_brokertopicmetrics_bytesin_total 207",
        "kafka_server_brokertopicmetrics_bytesin_total{topic=\"t\"} 7",
        "kafka_server_replicamanager_partitioncount 2",
        "kafka_server_replicamanager_leadercount 1",
        "kafka_server_replicamanager_underreplicatedpartitions 1",
        "kafka_server_replicamanager_underminisrpartitioncount 0",
        "kafka_server_replicamanager_atminisrpartitioncount 1",
        "kafka_server_replicamanager_offlinereplicacount 2",
        "kafka_cluster_partition_atminisr{topic=\"t\",partition=\"0\"} 1",
        "kafka_cluster_partition_laststableoffsetlag{topic=\"t\",partition=\"0\"} 2",
        "kafka_controller_kafkacontroller_activecontrollercount 1",
        "kafka_controller_kafkacontroller_offlinepartitionscount 0",
        "kafka_controller_kafkacontroller_globaltopiccount 1",
        "kafka_controller_kafkacontroller_globalpartitioncount 2",
        "kafka_network_requestmetrics_requests_total{request=\"Produce\",version=\"9\"} 2",
        "kafka_network_requestmetrics_requests_total{request=\"FetchConsumer\",version=\"17\"} 2",
        "kafka_network_requestmetrics_errors_total{request=\"Produce\",error=\"NOT_LEADER_OR_FOLLOWER\"} 2",
        "kafka_network_requestmetrics_totaltimems_count{request=\"FetchConsumer\"} 2",
        "kafka_network_requestmetrics_totaltimems_sum{request=\"Produce\"} 4",
        "kafka_network_requestmetrics_localtimems_sum{request=\"Produce\"} 1",
        "kafka_network_requestmetrics_remotetimems_sum{request=\"Produce\"} 3",
        "kafka_network_requestmetrics_remotetimems_sum{request=\"Fetch\"} 0",
        "kafka_network_requestmetrics_remotetimems{request=\"Fetch\",quantile=\"0.50\"} 0",
        "kafka_server_socket_server_metrics_connection_count{listener=\"PLAINTEXT\",networkProcessor=\"1\"} 6",
        "kafka_server_socket_server_metrics_connection_creation_rate{listener=\"PLAINTEXT\",networkProcessor=\"0\"} 1",
        "kafka_server_socket_server_metrics_incoming_byte_total{listener=\"PLAINTEXT\",networkProcessor=\"0\"} 30",
        "kafka_server_kafkarequesthandlerpool_requesthandleravgidle_percent 0.9",
        "kafka_network_processor_idle_percent{networkProcessor=\"1\"} 0.9",
        "kafka_server_delayedoperationpurgatory_purgatorysize{delayedOperation=\"Produce\"} 2",
        "kafka_server_delayedoperationpurgatory_numdelayedoperations{delayedOperation=\"Fetch\"} 2",
        "kafka_log_logflushstats_logflushrateandtimems_count 2",
        "kafka_log_log_size{topic=\"t\",partition=\"0\"} 4096",
        "kafka_log_log_logstartoffset{topic=\"t\",partition=\"0\"} 3",
        "kafka_log_log_logendoffset{topic=\"t\",partition=\"0\"} 13",
        "kafka_log_log_retentionsizeinpercent{topic=\"t\",partition=\"0\"} 50",
        "kafka_log_logmanager_offlinelogdirectorycount 1",
        "kafka_log_logmanager_logdirectoryoffline{logDirectory=\"/d\"} 1",
        "kafka_topic_partition_current_offset{topic=\"t\",partition=\"0\"} 12",
        "kafka_topic_partitions{topic=\"t\"} 1",
        "kafka_consumergroup_current_offset{consumergroup=\"g\\\"1\",topic=\"t\",partition=\"2\"} 40",
        "kafka_consumergroup_lag{consumergroup=\"g\\\"1\",topic=\"t\",partition=\"0\"} 5",
        "kafka_consumergroup_lag_seconds{consumergroup=\"g\\\"1\",topic=\"t\",partition=\"0\"} 1.5",
        "kafka_consumergroup_lag_sum{consumergroup=\"g\\\"1\",topic=\"t\"} 12",
        "kafka_consumergroup_members{consumergroup=\"g\\\"1\"} 2",
        "kafka_server_group_coordinator_metrics_group_count{protocol=\"classic\"} 1",
        "kafka_server_group_coordinator_metrics_classic_group_count{state=\"Stable\"} 1",
        "kafka_server_group_coordinator_metrics_classic_group_count{state=\"Empty\"} 0",
        "kafka_server_group_coordinator_metrics_num_partitions{state=\"active\"} 10",
        "kafka_server_group_coordinator_metrics_partition_load_time_max 4",
        "kafka_server_group_coordinator_metrics_partition_load_time_avg 3.5",
        "kafka_server_raftmetrics_high_watermark 9",
        "kafka_server_raftmetrics_commit_latency_avg 2.5",
        "kafka_brokers 1",
        "milena_build_info{version=\"0.1.0\",node_id=\"1\"} 1",
        "milena_consumergroup_lag_seconds_pending 1",
        "milena_connections_refused_total{listener=\"PLAINTEXT\"} 8",
        "milena_frames_refused_total 4",
        "milena_disk_free_bytes{dir=\"/d\"} 77",
        "milena_disk_full{dir=\"/d\"} 1",
        "milena_recovery_logs_done 2",
        "milena_request_duration_seconds_bucket{request=\"Produce\",le=\"0.001024\"} 0",
        "milena_request_duration_seconds_bucket{request=\"Produce\",le=\"0.002048\"} 2",
    ] {
        assert!(lines.contains(line), "{line} is missing in\n{text}");
    }
    assert!(
        !text.contains("kafka_log_log_size{topic=\"t\",partition=\"1\"}"),
        "a failed directory's sizes are not known"
    );
    assert!(!text.contains("kafka_consumergroup_lag{consumergroup=\"g\\\"1\",topic=\"t\",partition=\"2\"}"));
    assert!(!text.contains("kafka_consumergroup_lag_seconds{consumergroup=\"g\\\"1\",topic=\"t\",partition=\"1\"}"));
    assert!(text.contains("process_resident_memory_bytes"));
}

#[test]
fn no_family_appears_twice() {
    let text = render(&Exporter::new(), &scrape());
    let types: Vec<&str> = text.lines().filter(|line| line.starts_with("# TYPE ")).collect();
    let distinct: BTreeSet<&&str> = types.iter().collect();
    assert_eq!(types.len(), distinct.len());
    assert!(types.len() > 100, "{}", types.len());
}

#[test]
fn quantiles_and_rates_forget_what_is_older_than_the_window() {
    let exporter = Exporter::new();
    let value = |text: &str, series: &str| -> f64 {
        text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')).unwrap().parse().unwrap()
    };
    let p99 =
        |text: &str| value(text, "kafka_network_requestmetrics_totaltimems{request=\"Produce\",quantile=\"0.99\"}");
    let mut scrape = scrape();
    let mut counters = live_counters(3);
    let mut again = |at: i64, request_us: Option<u64>| {
        if let Some(us) = request_us {
            counters.apis.request(0, 9, us, us);
        }
        scrape.at = TimestampMs(at);
        scrape.shards[0].counters = counters.counted();
        scrape.quorum.log_end_offset += 60;
        render(&exporter, &scrape)
    };
    assert!(p99(&again(100_000, Some(8_000_000))) > 7_000.0, "the slow one is in the first window");
    let text = again(130_000, Some(1_000));
    assert!((p99(&text) - 1.0).abs() < 0.2, "the window begins at the first scrape");
    assert_eq!(value(&text, "kafka_server_raftmetrics_append_records_rate"), 2.0);
    assert!(!text.contains("commit_latency_avg"), "nothing was committed since");
    assert_eq!(p99(&again(300_000, None)), 0.0, "nothing was asked since");
}

#[test]
fn frequent_scrapes_and_a_clock_set_back_keep_the_memory_small() {
    let exporter = Exporter::new();
    let mut scrape = scrape();
    for step in 0..2_000 {
        scrape.at = TimestampMs(100_000 + step * 100);
        render(&exporter, &scrape);
    }
    assert!(exporter.past.lock().len() <= 8, "{}", exporter.past.lock().len());
    scrape.at = TimestampMs(50_000);
    render(&exporter, &scrape);
    assert_eq!(exporter.past.lock().len(), 1);
}
