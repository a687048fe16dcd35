//! Arguments in, exit code out. Everything else is in the library.

use std::process::ExitCode;

use broker::cli::{self, Cli};
use broker::node::Node;
use clap::Parser as _;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::run(Cli::parse(), Node::start)
}
