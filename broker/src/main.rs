//! Arguments in, exit code out. Everything else is in the library.

use std::process::ExitCode;

use broker::cli::{self, Cli, Running};
use clap::Parser as _;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::run(Cli::parse(), |_config| -> anyhow::Result<Unbuilt> {
        anyhow::bail!("this build has no node yet: serve and dev work once broker::node is in")
    })
}

/// Stands where `broker::node::Node` will: there is no value of it, so nothing below ever runs.
enum Unbuilt {}

impl Running for Unbuilt {
    fn bootstrap(&self) -> String {
        match *self {}
    }

    fn create_topic(&self, _: &str, _: Option<i32>, _: Option<i16>) -> anyhow::Result<()> {
        match *self {}
    }

    fn stop(self) -> anyhow::Result<()> {
        match self {}
    }
}
