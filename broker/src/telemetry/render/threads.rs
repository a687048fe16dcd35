//! Listeners and shards: connections, work, waiting, syncs.

use crate::telemetry::exporter::View;
use crate::telemetry::families::{Families, Label, Samples};
use crate::telemetry::{ListenerCounters, ShardScrape};

/// Shows each listener of each shard, with its labels.
fn each_listener(view: &View<'_>, mut show: impl FnMut((usize, usize), &[Label<'_>], &ListenerCounters)) {
    for (shard, scrape) in view.scrape.shards.iter().enumerate() {
        let processor = shard.to_string();
        for (place, counters) in scrape.counters.listeners.iter().enumerate() {
            let Some(listener) = view.scrape.listeners.get(place) else { continue };
            let labels = [("listener", &*listener.name), ("networkProcessor", processor.as_str())];
            show((shard, place), &labels, counters);
        }
    }
}

type Read = fn(&ListenerCounters) -> u64;

pub fn listeners(out: &mut Families<'_>, view: &View<'_>) {
    let name = |part: &str| format!("kafka_server_socket_server_metrics_{part}");
    out.gauges(&name("connection_count"), "Connections open now.", |samples| {
        each_listener(view, |_, labels, listener| {
            samples.add_whole(labels, listener.opened.saturating_sub(listener.closed));
        });
    });
    out.gauges(&name("connection_creation_rate"), "Connections opened per second, last minute.", |samples| {
        each_listener(view, |place, labels, _| {
            samples.add(labels, view.opened_rate.get(&place).copied().unwrap_or(0.0));
        });
    });
    let counters: [(&str, &str, Read); 5] = [
        ("connection_creation_total", "Connections opened.", |listener| listener.opened),
        ("connection_close_total", "Connections closed.", |listener| listener.closed),
        ("expired_connections_killed_count", "Connections closed for being idle too long.", |l| l.expired),
        ("incoming_byte_total", "Bytes read from sockets.", |listener| listener.bytes_in),
        ("outgoing_byte_total", "Bytes written to sockets.", |listener| listener.bytes_out),
    ];
    for (part, help, read) in counters {
        out.counters(&name(part), help, |samples| {
            each_listener(view, |_, labels, listener| samples.add_whole(labels, read(listener)));
        });
    }
    let mut expired = 0;
    each_listener(view, |_, _, listener| expired += listener.expired);
    out.counter(
        "kafka_network_socketserver_expiredconnectionskilledcount",
        "Connections closed for being idle too long.",
        expired as f64,
    );
    out.counters("milena_connections_refused_total", "Connections turned away for a limit.", |samples| {
        for listener in &view.scrape.listeners {
            samples.add_whole(&[("listener", &listener.name)], listener.refused);
        }
    });
    out.counter(
        "milena_frames_refused_total",
        "Connections closed for what they sent.",
        view.plain.frames_refused as f64,
    );
}

pub fn shards(out: &mut Families<'_>, view: &View<'_>) {
    idle(out, view);
    out.counters("milena_shard_busy_seconds_total", "Time that a shard's thread worked.", |samples| {
        each_shard(view, samples, "shard", |shard, _| shard.busy.as_secs_f64());
    });
    waiting(out, view);
    let name = "kafka_log_logflushstats_logflushrateandtimems";
    out.summaries(name, "Milliseconds that syncs of logs took; quantiles of the last minute.", |samples| {
        samples.add_summary_ms(&[], &view.recent_flush_time, &view.flush_time);
    });
}

fn each_shard(view: &View<'_>, samples: &mut Samples<'_, '_>, label: &str, read: impl Fn(&ShardScrape, usize) -> f64) {
    for (index, shard) in view.scrape.shards.iter().enumerate() {
        samples.add(&[(label, &index.to_string())], read(shard, index));
    }
}

/// A shard reads sockets and handles requests, so it answers for both of Kafka's kinds of threads.
fn idle(out: &mut Families<'_>, view: &View<'_>) {
    let help = "Share of the last minute that shards waited, 0 to 1.";
    out.gauges("kafka_network_processor_idle_percent", help, |samples| {
        each_shard(view, samples, "networkProcessor", |_, shard| view.idle[shard]);
    });
    // Dashboards ask for these with and without the underscore.
    for name in [
        "kafka_network_socketserver_networkprocessoravgidle",
        "kafka_server_kafkarequesthandlerpool_requesthandleravgidle",
    ] {
        out.gauge(&format!("{name}_percent"), help, view.idle_mean());
        out.gauge(&format!("{name}percent"), help, view.idle_mean());
    }
}

fn waiting(out: &mut Families<'_>, view: &View<'_>) {
    let produces: u64 = view.scrape.shards.iter().map(|shard| shard.produces_parked).sum();
    let parked = [("Produce", produces), ("Fetch", view.plain.fetches_parked)];
    for part in ["purgatorysize", "numdelayedoperations"] {
        let name = format!("kafka_server_delayedoperationpurgatory_{part}");
        out.gauges(&name, "Requests whose answer waits.", |samples| {
            parked.iter().for_each(|(what, count)| samples.add_whole(&[("delayedOperation", what)], *count));
        });
    }
    out.counter(
        "kafka_server_delayedproducemetrics_expires_total",
        "Produces that were not acknowledged in time.",
        view.plain.produces_expired as f64,
    );
    out.counters(
        "kafka_server_delayedfetchmetrics_expires_total",
        "Fetches whose wait ended without enough bytes.",
        |samples| samples.add_whole(&[("fetcherType", "consumer")], view.plain.fetches_expired),
    );
    let name = |part: &str| format!("kafka_server_fetchsessioncache_{part}");
    out.gauge(&name("numincrementalfetchsessions"), "Fetch sessions open.", view.plain.fetch_sessions as f64);
    out.gauge(
        &name("numincrementalfetchpartitionscached"),
        "Partitions in fetch sessions.",
        view.plain.fetch_session_partitions as f64,
    );
    out.counter(
        &name("incrementalfetchsessionevictions_total"),
        "Fetch sessions that gave way to younger ones.",
        view.plain.fetch_sessions_evicted as f64,
    );
}
