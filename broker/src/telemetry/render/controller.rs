//! The controller's view of the cluster, and the metadata quorum.

use crate::telemetry::exporter::View;
use crate::telemetry::families::Families;

pub fn controller(out: &mut Families<'_>, view: &View<'_>) {
    let (controller, quorum) = (&view.scrape.controller, &view.scrape.quorum);
    for (name, help, value) in [
        ("activecontrollercount", "1 on the active controller.", u64::from(controller.active)),
        ("activebrokercount", "Brokers that are up.", controller.brokers_active),
        ("fencedbrokercount", "Brokers that are registered and not up.", controller.brokers_fenced),
        ("globaltopiccount", "Topics of the cluster.", controller.topics),
        ("globalpartitioncount", "Partitions of the cluster.", controller.partitions),
        ("offlinepartitionscount", "Partitions that nobody can lead.", controller.partitions_offline),
        (
            "preferredreplicaimbalancecount",
            "Partitions not led by their first replica.",
            controller.preferred_replica_imbalance,
        ),
    ] {
        out.gauge(&format!("kafka_controller_kafkacontroller_{name}"), help, value as f64);
    }
    for (name, help, value) in [
        ("lastappliedrecordoffset", "The last metadata record in the image.", quorum.applied_offset),
        ("lastcommittedrecordoffset", "The last metadata record committed.", quorum.high_watermark - 1),
    ] {
        out.gauge(&format!("kafka_controller_kafkacontroller_{name}"), help, value as f64);
    }
    if controller.active {
        out.gauge(
            "kafka_brokers",
            "Brokers that are up; told by the active controller.",
            controller.brokers_active as f64,
        );
    }
    // Strimzi's rules write the MBean's name together, others with its dash.
    for family in ["kafka_server_raft_metrics", "kafka_server_raftmetrics"] {
        for (name, help, value) in [
            ("current_leader", "The quorum's leader, -1 for none.", f64::from(quorum.leader.0)),
            ("current_epoch", "The quorum's epoch.", quorum.epoch as f64),
            ("high_watermark", "The first metadata offset not committed.", quorum.high_watermark as f64),
            ("log_end_offset", "The next metadata offset to be written.", quorum.log_end_offset as f64),
            ("append_records_rate", "Metadata records appended per second, last minute.", view.quorum_append_rate),
        ] {
            out.gauge(&format!("{family}_{name}"), help, value);
        }
        if let Some(ms) = view.commit_ms {
            out.gauge(
                &format!("{family}_commit_latency_avg"),
                "Milliseconds to commit metadata records, mean of the last minute; absent without commits.",
                ms,
            );
        }
    }
}
