//! Requests by API: counts, errors, times.

use crate::telemetry::exporter::View;
use crate::telemetry::families::{Families, Family};

const QUANTILES: [f64; 6] = [0.5, 0.75, 0.95, 0.98, 0.99, 0.999];
const FETCH: i16 = 1;

pub fn requests(out: &mut Families, view: &View<'_>) {
    let names = view.scrape.names;
    let mut counts = Family::counter("kafka_network_requestmetrics_requests_total", "Requests answered.");
    let mut errors = Family::counter("kafka_network_requestmetrics_errors_total", "Error codes answered.");
    let mut times = Family::summary(
        "kafka_network_requestmetrics_totaltimems",
        "Milliseconds from request to answer; quantiles of the last minute.",
    );
    let mut seconds = Family::histogram("milena_request_duration_seconds", "From request to answer.");
    for (key, api) in &view.apis {
        let name = (names.api)(*key);
        for (version, count) in api.versions() {
            counts.add_whole(&[("request", name), ("version", &version.to_string())], count);
        }
        for (code, count) in api.errors() {
            errors.add_whole(&[("request", name), ("error", (names.error)(*code))], *count);
        }
        let recent = &view.recent_time[key];
        times.add_summary_ms(&[("request", name)], &QUANTILES, recent, &api.total_time);
        if *key == FETCH {
            // Kafka tells consumers' fetches apart from followers'; here all are consumers' so far.
            times.add_summary_ms(&[("request", "FetchConsumer")], &QUANTILES, recent, &api.total_time);
        }
        seconds.add_histogram_seconds(&[("request", name)], &api.total_time);
    }
    for family in [counts, errors, times, seconds] {
        out.push(family);
    }
}
