//! The node itself: what it is, its memory, its log directories.

use crate::telemetry::exporter::View;
use crate::telemetry::families::Families;
use crate::telemetry::scrape::LogDirScrape;

pub fn node(out: &mut Families<'_>, view: &View<'_>) {
    let node = &view.scrape.node;
    out.gauges("milena_build_info", "Always 1; the version is in the label.", |samples| {
        samples.add(&[("version", node.version), ("node_id", &node.id.to_string())], 1.0);
    });
    // The dashboard for kafka_exporter finds clusters by this.
    out.gauges("kafka_exporter_build_info", "Always 1: this node tells what kafka_exporter would.", |samples| {
        samples.add(&[("version", node.version)], 1.0);
    });
    out.gauge("kafka_server_kafkaserver_brokerstate", "2 recovering, 3 running, 6 shutting down.", node.state.into());
    out.gauge("milena_recovery_logs", "Logs to be opened at the start.", node.to_recover as f64);
    out.gauge("milena_recovery_logs_done", "Logs opened so far.", node.recovered as f64);
    out.gauge(
        "milena_request_bytes",
        "Held by requests in hand, half-received frames included.",
        node.request_bytes as f64,
    );
    out.gauge("milena_request_bytes_max", "The budget of milena_request_bytes.", node.request_bytes_max as f64);
    log_dirs(out, &node.log_dirs);
}

type Read = fn(&LogDirScrape) -> Option<f64>;

fn log_dirs(out: &mut Families<'_>, dirs: &[LogDirScrape]) {
    let families: [(&str, &str, &str, Read); 4] = [
        ("milena_disk_free_bytes", "dir", "Free on the disk of a log directory.", |dir| Some(dir.space?.0 as f64)),
        ("milena_disk_total_bytes", "dir", "Size of the disk of a log directory.", |dir| Some(dir.space?.1 as f64)),
        ("milena_disk_full", "dir", "1 while there is too little room for produces.", |dir| {
            Some(f64::from(u8::from(dir.full)))
        }),
        ("kafka_log_logmanager_logdirectoryoffline", "logDirectory", "1 after the directory failed.", |dir| {
            Some(f64::from(u8::from(!dir.online)))
        }),
    ];
    for (name, label, help, read) in families {
        out.gauges(name, help, |samples| {
            for dir in dirs {
                if let Some(value) = read(dir) {
                    samples.add(&[(label, &dir.path)], value);
                }
            }
        });
    }
    let offline = dirs.iter().filter(|dir| !dir.online).count();
    out.gauge(
        "kafka_log_logmanager_offlinelogdirectorycount",
        "Log directories that failed and are not used any more.",
        offline as f64,
    );
}
