//! Topics and partitions: traffic, offsets, sizes, replicas.

use std::collections::BTreeMap;

use crate::telemetry::counters::TopicCounters;
use crate::telemetry::exporter::View;
use crate::telemetry::families::{Families, Family};
use crate::telemetry::scrape::PartitionScrape;

type Read = fn(&TopicCounters) -> u64;
type ReadPartition = fn(&PartitionScrape) -> f64;

/// As the JMX exporter does: one series without a topic for all of them, one per topic with it.
pub fn topics(out: &mut Families, view: &View<'_>) {
    let families: [(&str, &str, Read); 12] = [
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
        ("nokeycompactedtopicrecords", "Records without the key that a compacted topic needs.", |t| {
            t.records_without_key_for_compacted
        }),
    ];
    for (name, help, read) in families {
        let mut family = Family::counter(&format!("kafka_server_brokertopicmetrics_{name}_total"), help);
        family.add_whole(&[], read(&view.all_topics));
        for (topic, counters) in &view.topics {
            family.add_whole(&[("topic", topic)], read(counters));
        }
        out.push(family);
    }
}

pub fn partitions(out: &mut Families, view: &View<'_>) {
    replica_manager(out, &view.scrape.partitions);
    logs(out, &view.scrape.partitions);
    leaders(out, &view.scrape.partitions);
}

fn replica_manager(out: &mut Families, partitions: &[PartitionScrape]) {
    let count = |holds: fn(&PartitionScrape) -> bool| partitions.iter().filter(|p| holds(p)).count();
    for (name, help, value) in [
        ("partitioncount", "Replicas on this node.", partitions.len()),
        ("leadercount", "Partitions that this node leads.", count(|p| p.is_leader)),
        ("offlinereplicacount", "Replicas on failed log directories.", count(|p| p.offline)),
        (
            "underreplicatedpartitions",
            "Led here with fewer in-sync replicas than replicas.",
            count(|p| p.is_leader && p.in_sync_replicas < p.replicas),
        ),
        (
            "underminisrpartitioncount",
            "Led here with fewer in-sync replicas than min.insync.replicas.",
            count(|p| p.is_leader && p.in_sync_replicas < p.in_sync_replicas_min),
        ),
        (
            "atminisrpartitioncount",
            "Led here with exactly min.insync.replicas in sync.",
            count(|p| p.is_leader && p.in_sync_replicas == p.in_sync_replicas_min),
        ),
    ] {
        out.gauge(&format!("kafka_server_replicamanager_{name}"), help, value as f64);
    }
    let producers: u64 = partitions.iter().map(|p| p.producer_ids).sum();
    out.gauge(
        "kafka_server_replicamanager_produceridcount",
        "Producers remembered, over all replicas.",
        producers as f64,
    );
}

/// Adds one sample for each partition that `read` has a value for.
fn each(
    out: &mut Families,
    name: &str,
    help: &str,
    partitions: &[PartitionScrape],
    read: fn(&PartitionScrape) -> Option<f64>,
) {
    let mut family = Family::gauge(name, help);
    for partition in partitions {
        if let Some(value) = read(partition) {
            family.add(&[("topic", &partition.topic), ("partition", &partition.index.to_string())], value);
        }
    }
    out.push(family);
}

fn logs(out: &mut Families, partitions: &[PartitionScrape]) {
    each(out, "kafka_log_log_size", "Bytes of a replica's segments.", partitions, |p| {
        (!p.offline).then_some(p.bytes as f64)
    });
    each(out, "kafka_log_log_numlogsegments", "Segments of a replica.", partitions, |p| {
        (!p.offline).then_some(p.segments as f64)
    });
    each(out, "kafka_log_log_logstartoffset", "The first offset kept.", partitions, |p| {
        (!p.offline).then_some(p.log_start_offset as f64)
    });
    each(out, "kafka_log_log_logendoffset", "The next offset to be written.", partitions, |p| {
        (!p.offline).then_some(p.log_end_offset as f64)
    });
    each(
        out,
        "kafka_cluster_partition_laststableoffsetlag",
        "From last stable offset to high watermark.",
        partitions,
        |p| p.is_leader.then_some((p.high_watermark - p.last_stable_offset) as f64),
    );
}

/// What kafka_exporter tells, here by each partition's leader, so that no broker tells it twice.
fn leaders(out: &mut Families, partitions: &[PartitionScrape]) {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for partition in partitions.iter().filter(|p| p.is_leader) {
        *counts.entry(&partition.topic).or_default() += 1;
    }
    let mut family = Family::gauge("kafka_topic_partitions", "Partitions of a topic that this node leads.");
    for (topic, count) in counts {
        family.add_whole(&[("topic", topic)], count);
    }
    out.push(family);
    let name = |part: &str| format!("kafka_topic_partition_{part}");
    let families: [(&str, &str, ReadPartition); 7] = [
        ("current_offset", "The high watermark.", |p| p.high_watermark as f64),
        ("oldest_offset", "The first offset kept.", |p| p.log_start_offset as f64),
        ("leader", "The node that leads it.", |p| f64::from(p.leader.0)),
        ("leader_is_preferred", "1 when its first replica leads it.", |p| {
            f64::from(u8::from(p.leader == p.preferred_leader))
        }),
        ("replicas", "Its replicas.", |p| f64::from(p.replicas)),
        ("in_sync_replica", "Its in-sync replicas.", |p| f64::from(p.in_sync_replicas)),
        ("under_replicated_partition", "1 when some replica is not in sync.", |p| {
            f64::from(u8::from(p.in_sync_replicas < p.replicas))
        }),
    ];
    for (part, help, read) in families {
        let mut family = Family::gauge(&name(part), help);
        for partition in partitions.iter().filter(|p| p.is_leader) {
            let labels = [("topic", &*partition.topic), ("partition", &partition.index.to_string())];
            family.add(&labels, read(partition));
        }
        out.push(family);
    }
}
