//! Requests by API: counts, errors, times.

use crate::telemetry::exporter::{Times, View};
use crate::telemetry::families::Families;
use crate::telemetry::{ApiCounters, Histogram};

const FETCH: i16 = 1;

type Read = fn(&ApiCounters, &Times) -> (Histogram, Histogram);

/// Shows each API under the names that Kafka counts it by: consumers' fetches apart from followers', of which there are
/// none so far.
fn each_api(view: &View<'_>, mut show: impl FnMut(&str, i16, &ApiCounters)) {
    for (key, api) in &view.apis {
        show((view.scrape.names.api)(*key), *key, api);
        if *key == FETCH {
            show("FetchConsumer", *key, api);
        }
    }
}

pub fn requests(out: &mut Families<'_>, view: &View<'_>) {
    out.counters("kafka_network_requestmetrics_requests_total", "Requests answered.", |samples| {
        each_api(view, |name, _, api| {
            for (version, count) in api.versions() {
                samples.add_whole(&[("request", name), ("version", &version.to_string())], count);
            }
        });
    });
    out.counters("kafka_network_requestmetrics_errors_total", "Error codes answered.", |samples| {
        for (key, api) in &view.apis {
            for (code, count) in api.errors() {
                let names = view.scrape.names;
                samples.add_whole(&[("request", (names.api)(*key)), ("error", (names.error)(*code))], *count);
            }
        }
    });
    let times: [(&str, &str, Read); 3] = [
        ("totaltimems", "From request to answer", |all, recent| (all.total_time.clone(), recent.total.clone())),
        ("localtimems", "Of that, work of the shard that read the request", |all, recent| {
            (all.local_time.clone(), recent.local.clone())
        }),
        ("remotetimems", "Of that, waiting: for bytes, disks, replicas, members, other shards", |all, recent| {
            (all.remote_time.clone(), recent.remote.clone())
        }),
    ];
    for (part, what, read) in times {
        let name = format!("kafka_network_requestmetrics_{part}");
        out.summaries(&name, &format!("{what}, milliseconds; quantiles of the last minute."), |samples| {
            each_api(view, |name, key, api| {
                let (all, recent) = read(api, &view.recent[&key]);
                samples.add_summary_ms(&[("request", name)], &recent, &all);
            });
        });
    }
    out.histograms("milena_request_duration_seconds", "From request to answer.", |samples| {
        for (key, api) in &view.apis {
            samples.add_histogram_seconds(&[("request", (view.scrape.names.api)(*key))], &api.total_time);
        }
    });
}
