//! What a scrape looks like to Prometheus.

use std::collections::BTreeSet;
use std::sync::Arc;

use model::NodeId;

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
            request_bytes: 512,
            request_bytes_max: 1024,
            log_dirs: vec![LogDirScrape { path: "/d".to_owned(), online: false, free_bytes: Some(77) }],
        },
        listeners: vec!["PLAINTEXT".into()],
        shards: vec![shard(3), shard(4)],
        partitions: vec![partition("t", 0), partition("t", 1)],
        groups: vec![GroupScrape {
            group: "g\"1".into(),
            protocol: "classic",
            state: "Stable",
            members: 2,
            offsets: vec![offset(0, Some(5), Some(1.5)), offset(1, Some(7), None), offset(2, None, None)],
        }],
        controller: ControllerScrape {
            active: true,
            brokers_active: 1,
            topics: 1,
            partitions: 2,
            ..Default::default()
        },
        quorum: QuorumScrape { leader: NodeId(1), committed_offset: 9, ..Default::default() },
    }
}

fn shard(bytes: u64) -> ShardScrape {
    let mut counters = ShardCounters::default();
    let (kept, gone): (Arc<str>, Arc<str>) = ("t".into(), "gone".into());
    let slot = counters.topic_slot(&kept);
    counters.topic(slot).bytes_in += bytes;
    let slot = counters.topic_slot(&gone);
    counters.topic(slot).bytes_in += 100;
    counters.forget_topic("gone");
    counters.request(0, 9, 2_000);
    counters.request(1, 17, 4_000);
    counters.error(0, 6, 1);
    counters.listener(0).connections_opened = 10;
    counters.listener(0).connections_closed = 4;
    ShardScrape { counters, busy: Duration::from_secs(1), produces_parked: 1, ..Default::default() }
}

fn partition(topic: &str, index: i32) -> PartitionScrape {
    PartitionScrape {
        topic: topic.into(),
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
        segments: 2,
        producer_ids: 1,
    }
}

fn offset(partition: i32, lag: Option<i64>, lag_seconds: Option<f64>) -> GroupOffset {
    GroupOffset { topic: "t".into(), partition, committed: 40, lag, lag_seconds }
}

#[test]
fn series_have_the_names_that_dashboards_ask_for() {
    let text = Exporter::new().render(&scrape());
    let lines: BTreeSet<&str> = text.lines().collect();
    for line in [
        "kafka_server_brokertopicmetrics_bytesin_total 207",
        "kafka_server_brokertopicmetrics_bytesin_total{topic=\"t\"} 7",
        "kafka_server_replicamanager_partitioncount 2",
        "kafka_server_replicamanager_leadercount 1",
        "kafka_server_replicamanager_underreplicatedpartitions 1",
        "kafka_server_replicamanager_underminisrpartitioncount 0",
        "kafka_server_replicamanager_atminisrpartitioncount 1",
        "kafka_server_replicamanager_offlinereplicacount 1",
        "kafka_controller_kafkacontroller_activecontrollercount 1",
        "kafka_controller_kafkacontroller_offlinepartitionscount 0",
        "kafka_controller_kafkacontroller_globaltopiccount 1",
        "kafka_controller_kafkacontroller_globalpartitioncount 2",
        "kafka_network_requestmetrics_requests_total{request=\"Produce\",version=\"9\"} 2",
        "kafka_network_requestmetrics_errors_total{request=\"Produce\",error=\"NOT_LEADER_OR_FOLLOWER\"} 2",
        "kafka_network_requestmetrics_totaltimems_count{request=\"FetchConsumer\"} 2",
        "kafka_network_requestmetrics_totaltimems_sum{request=\"Produce\"} 4",
        "kafka_server_socket_server_metrics_connection_count{listener=\"PLAINTEXT\",networkProcessor=\"1\"} 6",
        "kafka_server_socket_server_metrics_connection_creation_rate{listener=\"PLAINTEXT\",networkProcessor=\"0\"} 1",
        "kafka_server_kafkarequesthandlerpool_requesthandleravgidle_percent 0.9",
        "kafka_server_delayedoperationpurgatory_purgatorysize{delayedOperation=\"Produce\"} 2",
        "kafka_log_log_size{topic=\"t\",partition=\"0\"} 4096",
        "kafka_log_log_logstartoffset{topic=\"t\",partition=\"0\"} 3",
        "kafka_log_log_logendoffset{topic=\"t\",partition=\"0\"} 13",
        "kafka_log_logmanager_offlinelogdirectorycount 1",
        "kafka_topic_partition_current_offset{topic=\"t\",partition=\"0\"} 12",
        "kafka_topic_partitions{topic=\"t\"} 1",
        "kafka_consumergroup_current_offset{consumergroup=\"g\\\"1\",topic=\"t\",partition=\"2\"} 40",
        "kafka_consumergroup_lag{consumergroup=\"g\\\"1\",topic=\"t\",partition=\"0\"} 5",
        "kafka_consumergroup_lag_seconds{consumergroup=\"g\\\"1\",topic=\"t\",partition=\"0\"} 1.5",
        "kafka_consumergroup_lag_sum{consumergroup=\"g\\\"1\",topic=\"t\"} 12",
        "kafka_consumergroup_members{consumergroup=\"g\\\"1\"} 2",
        "kafka_server_group_coordinator_metrics_group_count{protocol=\"classic\",state=\"stable\"} 1",
        "kafka_brokers 1",
        "milena_build_info{version=\"0.1.0\",node_id=\"1\"} 1",
        "milena_disk_free_bytes{dir=\"/d\"} 77",
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
    assert!(text.contains("process_resident_memory_bytes"));
}

#[test]
fn no_family_appears_twice() {
    let text = Exporter::new().render(&scrape());
    let types: Vec<&str> = text.lines().filter(|line| line.starts_with("# TYPE ")).collect();
    let distinct: BTreeSet<&&str> = types.iter().collect();
    assert_eq!(types.len(), distinct.len());
    assert!(types.len() > 80, "{}", types.len());
}

#[test]
fn quantiles_forget_what_is_older_than_the_window() {
    let exporter = Exporter::new();
    let p99 = |text: &str| -> f64 {
        let series = "kafka_network_requestmetrics_totaltimems{request=\"Produce\",quantile=\"0.99\"} ";
        text.lines().find_map(|line| line.strip_prefix(series)).unwrap().parse().unwrap()
    };
    let mut scrape = scrape();
    scrape.shards[0].counters.request(0, 9, 8_000_000);
    assert!(p99(&exporter.render(&scrape)) > 7_000.0, "the slow one is in the first window");
    scrape.at = TimestampMs(130_000);
    scrape.shards[0].counters.request(0, 9, 1_000);
    assert!((p99(&exporter.render(&scrape)) - 1.0).abs() < 0.2, "the window begins at the first scrape");
    scrape.at = TimestampMs(300_000);
    assert_eq!(p99(&exporter.render(&scrape)), 0.0, "nothing was asked since");
}

#[test]
fn frequent_scrapes_and_a_clock_set_back_keep_the_memory_small() {
    let exporter = Exporter::new();
    let mut scrape = scrape();
    for step in 0..2_000 {
        scrape.at = TimestampMs(100_000 + step * 100);
        exporter.render(&scrape);
    }
    assert!(exporter.past.lock().len() <= 32, "{}", exporter.past.lock().len());
    scrape.at = TimestampMs(50_000);
    exporter.render(&scrape);
    assert_eq!(exporter.past.lock().len(), 1);
}
