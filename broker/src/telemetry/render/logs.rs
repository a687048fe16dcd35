//! Topics and partitions: traffic, offsets, sizes, replicas.

use std::collections::BTreeMap;

use crate::telemetry::counters::TopicCounters;
use crate::telemetry::exporter::View;
use crate::telemetry::families::Families;
use crate::telemetry::scrape::{PartitionScrape, Scrape};

type Read = fn(&TopicCounters) -> u64;
type ReadPartition = fn(&PartitionScrape) -> Option<f64>;

/// As the JMX exporter does: one series without a topic for all of them, one per topic that was asked for with it.
pub fn topics(out: &mut Families<'_>, view: &View<'_>) {
    let families: [(&str, &str, Read); 11] = [
        ("bytesin", "Bytes produced.", |t| t.bytes_in),
        ("bytesout", "Bytes consumed.", |t| t.bytes_out),
        ("bytesrejected", "Bytes refused for their size.", |t| t.bytes_rejected),
        ("messagesin", "Records produced.", |t| t.messages_in),
        ("totalproducerequests", "Produces, by partition.", |t| t.produce_requests),
        ("failedproducerequests", "Produces refused, by partition.", |t| t.produce_requests_failed),
        ("totalfetchrequests", "Fetches, by partition.", |t| t.fetch_requests),
        ("failedfetchrequests", "Fetches refused, by partition.", |t| t.fetch_requests_failed),
        ("invalidmagicnumberrecords", "Batches of another format.", |t| t.batches_with_invalid_magic),
        ("invalidmessagecrcrecords", "Batches with a wrong checksum.", |t| t.batches_with_invalid_crc),
        ("invalidoffsetorsequencerecords", "Batches with wrong offsets or sequences.", |t| {
            t.batches_with_invalid_offset_or_sequence
        }),
    ];
    for (name, help, read) in families {
        out.counters(&format!("kafka_server_brokertopicmetrics_{name}_total"), help, |samples| {
            samples.add_whole(&[], read(&view.all_topics));
            for (topic, counters) in &view.topics {
                samples.add_whole(&[("topic", topic)], read(counters));
            }
        });
    }
}

pub fn partitions(out: &mut Families<'_>, view: &View<'_>) {
    let partitions = &view.scrape.partitions;
    replica_manager(out, view.scrape);
    logs(out, partitions);
    leaders(out, partitions);
}

fn replica_manager(out: &mut Families<'_>, scrape: &Scrape) {
    let partitions = &scrape.partitions;
    let count = |holds: fn(&PartitionScrape) -> bool| partitions.iter().filter(|p| holds(p)).count() as u64;
    for (name, help, value) in [
        ("partitioncount", "Replicas on this node.", partitions.len() as u64),
        ("leadercount", "Partitions that this node leads.", count(|p| p.is_leader)),
        (
            "offlinereplicacount",
            "Replicas on failed log directories, and those that could not be opened.",
            count(|p| p.offline) + scrape.node.partitions_missing,
        ),
        (
            "underreplicatedpartitions",
            "Led here with fewer in-sync replicas than replicas.",
            count(is_under_replicated),
        ),
        (
            "underminisrpartitioncount",
            "Led here with fewer in-sync replicas than min.insync.replicas.",
            count(is_under_min_isr),
        ),
        ("atminisrpartitioncount", "Led here with exactly min.insync.replicas in sync.", count(is_at_min_isr)),
        (
            "produceridcount",
            "Producers remembered, over all replicas.",
            partitions.iter().map(|p| p.producer_ids).sum(),
        ),
    ] {
        out.gauge(&format!("kafka_server_replicamanager_{name}"), help, value as f64);
    }
}

fn is_under_replicated(partition: &PartitionScrape) -> bool {
    partition.is_leader && partition.in_sync_replicas < partition.replicas
}

fn is_under_min_isr(partition: &PartitionScrape) -> bool {
    partition.is_leader && partition.in_sync_replicas < partition.in_sync_replicas_min
}

fn is_at_min_isr(partition: &PartitionScrape) -> bool {
    partition.is_leader && partition.in_sync_replicas == partition.in_sync_replicas_min
}

fn one_if(holds: bool) -> f64 {
    f64::from(u8::from(holds))
}

/// One sample for each partition that `read` has a value for.
fn each(out: &mut Families<'_>, name: &str, help: &str, partitions: &[PartitionScrape], read: ReadPartition) {
    out.gauges(name, help, |samples| {
        for partition in partitions {
            if let Some(value) = read(partition) {
                let index = partition.index.to_string();
                samples.add(&[("topic", &partition.topic), ("partition", &index)], value);
            }
        }
    });
}

/// What a replica knows of itself; nothing of a log whose directory failed.
fn logs(out: &mut Families<'_>, partitions: &[PartitionScrape]) {
    let families: [(&str, &str, ReadPartition); 5] = [
        ("size", "Bytes of a replica's segments.", |p| (!p.offline).then_some(p.bytes as f64)),
        ("numlogsegments", "Segments of a replica.", |p| (!p.offline).then_some(p.segments as f64)),
        ("logstartoffset", "The first offset kept.", |p| (!p.offline).then_some(p.log_start_offset as f64)),
        ("logendoffset", "The next offset to be written.", |p| (!p.offline).then_some(p.log_end_offset as f64)),
        ("retentionsizeinpercent", "Size, in percent of retention.bytes where that is set.", |p| {
            let limit = p.bytes_max.filter(|_| !p.offline)?;
            Some((100.0 * p.bytes as f64 / (limit.max(1)) as f64).floor())
        }),
    ];
    for (part, help, read) in families {
        each(out, &format!("kafka_log_log_{part}"), help, partitions, read);
    }
}

/// What a partition's leader tells, under Kafka's names and under kafka_exporter's; by the leader alone, so that no two
/// brokers tell it.
fn leaders(out: &mut Families<'_>, partitions: &[PartitionScrape]) {
    let families: [(&str, &str, ReadPartition); 13] = [
        ("kafka_cluster_partition_underreplicated", "1 when some replica is not in sync.", |p| {
            Some(one_if(is_under_replicated(p)))
        }),
        ("kafka_cluster_partition_underminisr", "1 with fewer than min.insync.replicas in sync.", |p| {
            Some(one_if(is_under_min_isr(p)))
        }),
        ("kafka_cluster_partition_atminisr", "1 with exactly min.insync.replicas in sync.", |p| {
            Some(one_if(is_at_min_isr(p)))
        }),
        ("kafka_cluster_partition_replicascount", "Its replicas.", |p| Some(f64::from(p.replicas))),
        ("kafka_cluster_partition_insyncreplicascount", "Its in-sync replicas.", |p| {
            Some(f64::from(p.in_sync_replicas))
        }),
        ("kafka_cluster_partition_laststableoffsetlag", "From last stable offset to high watermark.", |p| {
            Some((p.high_watermark - p.last_stable_offset) as f64)
        }),
        ("kafka_topic_partition_current_offset", "The high watermark.", |p| Some(p.high_watermark as f64)),
        ("kafka_topic_partition_oldest_offset", "The first offset kept.", |p| Some(p.log_start_offset as f64)),
        ("kafka_topic_partition_leader", "The node that leads it.", |p| Some(f64::from(p.leader.0))),
        ("kafka_topic_partition_leader_is_preferred", "1 when its first replica leads it.", |p| {
            Some(one_if(p.leader == p.preferred_leader))
        }),
        ("kafka_topic_partition_replicas", "Its replicas.", |p| Some(f64::from(p.replicas))),
        ("kafka_topic_partition_in_sync_replica", "Its in-sync replicas.", |p| Some(f64::from(p.in_sync_replicas))),
        ("kafka_topic_partition_under_replicated_partition", "1 when some replica is not in sync.", |p| {
            Some(one_if(is_under_replicated(p)))
        }),
    ];
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for partition in partitions.iter().filter(|p| p.is_leader) {
        *counts.entry(&partition.topic).or_default() += 1;
    }
    out.gauges("kafka_topic_partitions", "Partitions of a topic that this node leads.", |samples| {
        counts.iter().for_each(|(topic, count)| samples.add_whole(&[("topic", topic)], *count));
    });
    for (name, help, read) in families {
        out.gauges(name, help, |samples| {
            for partition in partitions.iter().filter(|p| p.is_leader) {
                let Some(value) = read(partition) else { continue };
                samples.add(&[("topic", &partition.topic), ("partition", &partition.index.to_string())], value);
            }
        });
    }
}
