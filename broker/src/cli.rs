//! The command line: one file per subcommand. Nothing here knows how a node works: it is given a way to start one.

mod dev;
mod health;
mod serve;
mod signals;

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::Config;
use crate::telemetry::logging::Loggers;

/// A partitioned, replicated, durable log that speaks Apache Kafka's protocol.
#[derive(Debug, Parser)]
#[command(name = "milena-broker", version, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a node with a Kafka server.properties file
    Serve(serve::Args),
    /// Run a broker on this machine for development, without a file
    Dev(dev::Args),
    /// Ask a running node how it is, for probes: exit code 0 or 1
    Health(health::Args),
}

/// A node that runs on threads of its own; every call waits for its result.
pub trait Running {
    /// `host:port` for a client on this machine, several with commas.
    fn bootstrap(&self) -> String;

    /// Creates a topic; one that exists already is left as it is, and that is no error. `None` takes the broker's default.
    fn create_topic(&self, name: &str, partitions: Option<i32>, replication_factor: Option<i16>) -> anyhow::Result<()>;

    /// Calls `end` once the node cannot go on by itself, as when its disks have failed; it is stopped like any other.
    fn on_failure(&mut self, end: impl FnOnce() + Send + 'static);

    /// Stops in order, everything acknowledged kept. An error says that the next start will have to recover.
    fn stop(self) -> anyhow::Result<()>;
}

/// Runs what the command line asks for, to its end. An error is one line on stderr and exit code 1.
pub fn run<N: Running>(cli: Cli, start: impl FnOnce(Config, Loggers) -> anyhow::Result<N>) -> ExitCode {
    raise_descriptor_limit();
    let done = match cli.command {
        Command::Serve(args) => serve::run(&args, start).map(|()| ExitCode::SUCCESS),
        Command::Dev(args) => dev::run(&args, start).map(|()| ExitCode::SUCCESS),
        Command::Health(args) => Ok(health::run(&args)),
    };
    done.unwrap_or_else(|error| {
        // Not by eprintln, which panics where nobody takes the line.
        let _ = writeln!(std::io::stderr(), "error: {error:#}");
        ExitCode::FAILURE
    })
}

/// Lets this process open as many files and sockets as it may: shells and service managers begin with few. It runs on
/// with what it has where the system says no.
fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}

/// Writes to stdout at once. A reader that went away (`dev | head`) is no reason to fall over.
fn say(text: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

/// Reads the argument of `--set`.
fn parse_set(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), value.trim().to_owned())),
        _ => Err("write key=value".to_owned()),
    }
}

#[cfg(test)]
mod tests;
