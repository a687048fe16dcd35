//! Project tasks: `cargo xtask <task>`.

use clap::{Parser, Subcommand};
use xtask::codegen;

#[derive(Parser)]
#[command(name = "xtask", about = "Milena's project tasks")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Writes the wire crate's messages, records and tables from Kafka's schemas.
    Codegen,
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().task {
        Task::Codegen => codegen::write(),
    }
}
