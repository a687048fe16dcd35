//! The node, its listeners and threads, and the controller.

use crate::telemetry::exporter::View;
use crate::telemetry::families::{Families, Family};

pub fn node(out: &mut Families, view: &View<'_>) {
    let node = &view.scrape.node;
    let mut build = Family::gauge("milena_build_info", "Always 1; the version is in the label.");
    build.add(&[("version", node.version), ("node_id", &node.id.to_string())], 1.0);
    out.push(build);
    out.gauge(
        "kafka_server_kafkaserver_brokerstate",
        "1 starting, 2 recovering, 3 running, 6 shutting down.",
        node.state.into(),
    );
    out.gauge(
        "milena_request_bytes",
        "Held by requests in hand, half-received frames included.",
        node.request_bytes as f64,
    );
    out.gauge("milena_request_bytes_max", "The budget of milena_request_bytes.", node.request_bytes_max as f64);
    let mut free = Family::gauge("milena_disk_free_bytes", "Free on the disk of a log directory.");
    for dir in &node.log_dirs {
        if let Some(bytes) = dir.free_bytes {
            free.add_whole(&[("dir", &dir.path)], bytes);
        }
    }
    out.push(free);
    let offline = node.log_dirs.iter().filter(|dir| !dir.online).count();
    out.gauge(
        "kafka_log_logmanager_offlinelogdirectorycount",
        "Log directories that failed and are not used any more.",
        offline as f64,
    );
    listeners(out, view);
    shards(out, view);
}

fn listeners(out: &mut Families, view: &View<'_>) {
    let name = |part: &str| format!("kafka_server_socket_server_metrics_{part}");
    let mut open = Family::gauge(&name("connection_count"), "Connections open now.");
    let mut rate = Family::gauge(&name("connection_creation_rate"), "Connections opened per second, last minute.");
    let mut created = Family::counter(&name("connection_creation_total"), "Connections opened.");
    let mut closed = Family::counter(&name("connection_close_total"), "Connections closed.");
    let mut bytes_in = Family::counter(&name("incoming_byte_total"), "Bytes read from sockets.");
    let mut bytes_out = Family::counter(&name("outgoing_byte_total"), "Bytes written to sockets.");
    let mut refused = Family::counter("milena_connections_refused_total", "Connections turned away for a limit.");
    let mut expired = 0;
    for (index, shard) in view.scrape.shards.iter().enumerate() {
        let processor = index.to_string();
        for (place, counters) in shard.counters.listeners().iter().enumerate() {
            let Some(listener) = view.scrape.listeners.get(place) else { continue };
            let labels = [("listener", &**listener), ("networkProcessor", processor.as_str())];
            open.add_whole(&labels, counters.connections_opened.saturating_sub(counters.connections_closed));
            rate.add(&labels, view.opened_rate.get(&(index, place)).copied().unwrap_or(0.0));
            created.add_whole(&labels, counters.connections_opened);
            closed.add_whole(&labels, counters.connections_closed);
            bytes_in.add_whole(&labels, counters.bytes_in);
            bytes_out.add_whole(&labels, counters.bytes_out);
            refused.add_whole(&labels, counters.connections_refused);
            expired += counters.connections_expired;
        }
    }
    for family in [open, rate, created, closed, bytes_in, bytes_out, refused] {
        out.push(family);
    }
    out.gauge(
        "kafka_network_socketserver_expiredconnectionskilledcount",
        "Connections closed for being idle too long.",
        expired as f64,
    );
}

fn shards(out: &mut Families, view: &View<'_>) {
    let shards = &view.scrape.shards;
    // Shards do both jobs; dashboards ask under both names, with and without the underscore.
    for (name, help) in [
        ("kafka_network_socketserver_networkprocessoravgidle", "Share of the last minute that shards waited."),
        ("kafka_server_kafkarequesthandlerpool_requesthandleravgidle", "Share of the last minute that shards waited."),
    ] {
        out.gauge(&format!("{name}_percent"), help, view.idle);
        out.gauge(&format!("{name}percent"), help, view.idle);
    }
    let mut busy = Family::counter("milena_shard_busy_seconds_total", "Time that a shard's thread worked.");
    for (index, shard) in shards.iter().enumerate() {
        busy.add(&[("shard", &index.to_string())], shard.busy.as_secs_f64());
    }
    out.push(busy);
    let refused: u64 = shards.iter().map(|shard| shard.counters.frames_refused).sum();
    out.counter("milena_frames_refused_total", "Frames that closed their connection.", refused as f64);
    let mut parked = Family::gauge("kafka_server_delayedoperationpurgatory_purgatorysize", "Requests that wait.");
    let sum = |of: fn(&crate::telemetry::ShardScrape) -> u64| shards.iter().map(of).sum::<u64>();
    parked.add_whole(&[("delayedOperation", "Produce")], sum(|shard| shard.produces_parked));
    parked.add_whole(&[("delayedOperation", "Fetch")], sum(|shard| shard.fetches_parked));
    out.push(parked);
    out.gauge(
        "kafka_server_fetchsessioncache_numincrementalfetchsessions",
        "Incremental fetch sessions open.",
        sum(|shard| shard.fetch_sessions) as f64,
    );
    // A frame is answered by the shard that read it, so nothing ever waits in a queue of requests.
    out.gauge("kafka_network_requestchannel_requestqueuesize", "Always 0: shards have no request queue.", 0.0);
}

pub fn controller(out: &mut Families, view: &View<'_>) {
    let (controller, quorum) = (&view.scrape.controller, &view.scrape.quorum);
    for (name, help, value) in [
        ("activecontrollercount", "1 on the active controller.", u64::from(controller.active)),
        ("activebrokercount", "Brokers that are up.", controller.brokers_active),
        ("fencedbrokercount", "Brokers that are registered and not up.", controller.brokers_fenced),
        ("globaltopiccount", "Topics of the cluster.", controller.topics),
        ("globalpartitioncount", "Partitions of the cluster.", controller.partitions),
        ("offlinepartitionscount", "Partitions without a leader.", controller.partitions_offline),
        (
            "preferredreplicaimbalancecount",
            "Partitions not led by their first replica.",
            controller.preferred_replica_imbalance,
        ),
        ("metadataerrorcount", "Metadata records that could not be used.", controller.metadata_errors),
    ] {
        out.gauge(&format!("kafka_controller_kafkacontroller_{name}"), help, value as f64);
    }
    for (name, help, value) in [
        ("lastappliedrecordoffset", "The last metadata record in the image.", quorum.applied_offset),
        ("lastcommittedrecordoffset", "The last metadata record committed.", quorum.committed_offset),
    ] {
        out.gauge(&format!("kafka_controller_kafkacontroller_{name}"), help, value as f64);
    }
    out.counter(
        "kafka_controller_controllerstats_uncleanleaderelections_total",
        "Leaders elected from outside the in-sync replicas.",
        controller.unclean_elections as f64,
    );
    // Strimzi's rules write the MBean's name together, others with its dash.
    for family in ["kafka_server_raft_metrics", "kafka_server_raftmetrics"] {
        for (name, help, value) in [
            ("current_leader", "The quorum's leader, -1 for none.", i64::from(quorum.leader.0)),
            ("current_epoch", "The quorum's epoch.", quorum.epoch),
            ("high_watermark", "The first metadata offset not committed.", quorum.committed_offset + 1),
            ("log_end_offset", "The next metadata offset to be written.", quorum.log_end_offset),
        ] {
            out.gauge(&format!("{family}_{name}"), help, value as f64);
        }
    }
    if controller.active {
        out.gauge(
            "kafka_brokers",
            "Brokers that are up; told by the active controller.",
            controller.brokers_active as f64,
        );
    }
}
