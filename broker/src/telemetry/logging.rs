//! Log lines: one subscriber for the process, to stderr, filtered by `RUST_LOG`; and its loggers, whose levels may change
//! while the process runs (KIP-412). A change lasts until the process ends.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::sync::Arc;

use anyhow::Context as _;
use parking_lot::Mutex;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, fmt, reload};

use crate::config::LogFormat;

/// The logger of everything that no other one stands for.
pub const ROOT: &str = "root";

/// The loggers there are: one for each room of the broker, by which its lines are marked, and [`ROOT`].
pub const NAMES: [&str; 18] = [
    "broker::admin",
    "broker::api",
    "broker::cli",
    "broker::clock",
    "broker::config",
    "broker::controller",
    "broker::coordination",
    "broker::data_dir",
    "broker::disk_pool",
    "broker::log_dir",
    "broker::net",
    "broker::node",
    "broker::quorum",
    "broker::replication",
    "broker::shard",
    "broker::shutdown",
    "broker::telemetry",
    ROOT,
];

/// Levels as clients name them, in the order in which Kafka lists them.
pub const LEVELS: [&str; 6] = ["DEBUG", "ERROR", "FATAL", "INFO", "TRACE", "WARN"];

/// Marks lines about what takes long: shown where other news is not.
pub const PROGRESS_TARGET: &str = "broker::replication::progress";

/// Installs the subscriber. `RUST_LOG` decides what is shown, `default_filter` where it is absent or empty.
///
/// Fails when `RUST_LOG` is not a filter, or when the process has a subscriber already.
pub fn init(format: LogFormat, default_filter: &str) -> anyhow::Result<Loggers> {
    let written = std::env::var(EnvFilter::DEFAULT_ENV).unwrap_or_default();
    let text = if written.trim().is_empty() { default_filter } else { written.trim() };
    let filter = EnvFilter::try_new(text).with_context(|| format!("{}={text}", EnvFilter::DEFAULT_ENV))?;
    let (filter, handle) = reload::Layer::new(filter);
    let registry = tracing_subscriber::registry().with(filter);
    let lines = fmt::layer().with_writer(std::io::stderr);
    let installed = match format {
        LogFormat::Text => registry.with(lines.compact().with_ansi(std::io::stderr().is_terminal())).try_init(),
        LogFormat::Json => registry.with(lines.json().flatten_event(true).with_current_span(false)).try_init(),
    };
    installed.map_err(|error| anyhow::anyhow!("cannot set up logging: {error}"))?;
    // Fails where the subscriber is gone, and with it all lines.
    Ok(Loggers::new(text, move |filter| drop(handle.reload(filter))))
}

/// The loggers of the process. Cheap to clone; all clones are the same.
#[derive(Clone)]
pub struct Loggers {
    levels: Arc<Mutex<Levels>>,
    apply: Arc<dyn Fn(EnvFilter) + Send + Sync>,
}

impl Loggers {
    fn new(filter: &str, apply: impl Fn(EnvFilter) + Send + Sync + 'static) -> Self {
        Self { levels: Arc::new(Mutex::new(Levels::of(filter))), apply: Arc::new(apply) }
    }

    /// Loggers of a node inside a program that shows lines, or does not, as it likes: levels are kept and change nothing.
    pub fn detached() -> Self {
        Self::new("info", drop)
    }

    /// The level in effect for the logger called `name`, one of [`NAMES`].
    pub fn level(&self, name: &str) -> String {
        self.levels.lock().in_effect(name)
    }

    /// Sets levels (of [`LEVELS`]) by logger, or takes them back (`None`), all at once.
    pub fn set(&self, changes: &[(String, Option<String>)]) {
        let mut levels = self.levels.lock();
        for (name, level) in changes {
            levels.set(name, level.as_deref());
        }
        (self.apply)(EnvFilter::new(levels.filter()));
    }
}

/// Which lines are shown: what was written at the start, and what was set since.
struct Levels {
    written: String,
    set: BTreeMap<String, String>,
}

impl Levels {
    fn of(written: &str) -> Self {
        Self { written: written.to_owned(), set: BTreeMap::new() }
    }

    fn set(&mut self, name: &str, level: Option<&str>) {
        match level {
            // Nothing is worse than an error here.
            Some("FATAL") => self.set.insert(name.to_owned(), "ERROR".to_owned()),
            Some(level) => self.set.insert(name.to_owned(), level.to_owned()),
            None => self.set.remove(name),
        };
    }

    /// In the words of `RUST_LOG`; of two that name the same, the later one counts.
    fn filter(&self) -> String {
        let set = self.set.iter().map(|(name, level)| match name.as_str() {
            ROOT => level.clone(),
            name => format!("{name}={level}"),
        });
        [self.written.clone()].into_iter().chain(set).collect::<Vec<_>>().join(",")
    }

    fn in_effect(&self, name: &str) -> String {
        let filter = self.filter();
        // Target and level; what narrows a filter further, to spans, says nothing of the logger as a whole.
        let directives = filter.split(',').map(str::trim).filter(|one| !one.contains('[')).map(|one| {
            let is_level = one.parse::<tracing::level_filters::LevelFilter>().is_ok();
            if is_level { ("", one) } else { one.split_once('=').unwrap_or((one, "trace")) }
        });
        let holding =
            directives.filter(|(target, _)| if name == ROOT { target.is_empty() } else { name.starts_with(target) });
        // The last of the longest.
        holding.max_by_key(|(target, _)| target.len()).map_or("OFF".to_owned(), |(_, level)| level.to_uppercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_room_has_its_logger() {
        let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src")).unwrap();
        let files = files.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let rooms = files.filter_map(|file| file.strip_suffix(".rs").map(str::to_owned));
        let rooms = rooms.filter(|room| !["lib", "main"].contains(&room.as_str()));
        let mut names: Vec<String> = rooms.map(|room| format!("broker::{room}")).collect();
        names.sort();
        names.push(ROOT.to_owned());
        assert_eq!(names, NAMES);
    }

    #[test]
    fn a_logger_has_its_own_level_or_that_of_what_it_lies_in() {
        let mut levels = Levels::of("warn,broker::shard=trace,hyper=off,[request{id}]=debug");
        let told = |levels: &Levels| [ROOT, "broker::shard", "broker::net"].map(|name| levels.in_effect(name));
        assert_eq!(told(&levels), ["WARN", "TRACE", "WARN"]);
        levels.set(ROOT, Some("DEBUG"));
        assert_eq!(told(&levels), ["DEBUG", "TRACE", "DEBUG"]);
        levels.set("broker::shard", Some("FATAL"));
        levels.set("broker::net", Some("INFO"));
        assert_eq!(told(&levels), ["DEBUG", "ERROR", "INFO"]);
        assert!(EnvFilter::try_new(levels.filter()).is_ok(), "{}", levels.filter());
        for name in [ROOT, "broker::shard", "broker::net"] {
            levels.set(name, None);
        }
        assert_eq!(told(&levels), ["WARN", "TRACE", "WARN"]);
        assert_eq!(Levels::of("hyper=debug").in_effect(ROOT), "OFF");
    }

    #[test]
    fn a_changed_level_decides_which_lines_are_shown() {
        let (filter, handle) = reload::Layer::new(EnvFilter::new("info"));
        let subscriber = tracing_subscriber::registry().with(filter);
        let loggers = Loggers::new("info", move |filter| drop(handle.reload(filter)));
        let _default = tracing::subscriber::set_default(subscriber);
        let shown = || {
            [
                tracing::enabled!(target: "broker::net::listener", tracing::Level::DEBUG),
                tracing::enabled!(tracing::Level::INFO),
            ]
        };
        assert_eq!(shown(), [false, true]);
        loggers
            .set(&[("broker::net".to_owned(), Some("DEBUG".to_owned())), (ROOT.to_owned(), Some("ERROR".to_owned()))]);
        assert_eq!(shown(), [true, false]);
        loggers.set(&[("broker::net".to_owned(), None), (ROOT.to_owned(), None)]);
        assert_eq!(shown(), [false, true]);
    }
}
