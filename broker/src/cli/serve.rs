//! `serve`: a node from a file, until it is told to stop.

use std::path::PathBuf;

use super::Running;
use super::signals::Signals;
use crate::config::Config;
use crate::telemetry::logging::{self, Loggers};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A Kafka server.properties file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Set a property over the file's; may be given several times
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = super::parse_set)]
    set: Vec<(String, String)>,
}

pub fn run<N: Running>(args: &Args, start: impl FnOnce(Config, Loggers) -> anyhow::Result<N>) -> anyhow::Result<()> {
    let config = Config::load(&args.config, &args.set)?;
    let loggers = logging::init(config.log_format, "info")?;
    let signals = Signals::listen()?;
    let mut node = start(config, loggers)?;
    node.on_failure(signals.ender());
    signals.wait();
    node.stop()
}
