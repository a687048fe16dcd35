//! Project tasks: `cargo xtask <task>`.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use xtask::{codegen, tidy};

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
    /// Says what breaks the rules of the house; writes nothing.
    Tidy {
        /// Another tree than the one this was built in
        #[arg(long)]
        root: Option<PathBuf>,
    },
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().task {
        Task::Codegen => codegen::write(),
        Task::Tidy { root } => {
            let findings = tidy::check(&root.unwrap_or_else(codegen::root))?;
            findings.iter().for_each(|finding| println!("{finding}"));
            anyhow::ensure!(findings.is_empty(), "{} findings", findings.len());
            Ok(())
        }
    }
}
