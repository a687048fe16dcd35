//! Log lines: one subscriber for the process, to stderr, filtered by `RUST_LOG`.

use std::io::IsTerminal as _;

use anyhow::Context as _;
use tracing_subscriber::EnvFilter;

use crate::config::LogFormat;

/// Installs the subscriber. `RUST_LOG` decides what is shown, `default_filter` where it is absent or empty.
///
/// Fails when `RUST_LOG` is not a filter, or when the process has a subscriber already.
pub fn init(format: LogFormat, default_filter: &str) -> anyhow::Result<()> {
    let written = std::env::var(EnvFilter::DEFAULT_ENV).unwrap_or_default();
    let filter = if written.trim().is_empty() { default_filter } else { written.trim() };
    let filter = EnvFilter::try_new(filter).with_context(|| format!("{}={filter}", EnvFilter::DEFAULT_ENV))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let installed = match format {
        LogFormat::Text => builder.compact().with_ansi(std::io::stderr().is_terminal()).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).with_current_span(false).try_init(),
    };
    installed.map_err(|error| anyhow::anyhow!("cannot set up logging: {error}"))
}
