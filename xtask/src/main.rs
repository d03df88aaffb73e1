//! The repository's own tasks: `cargo xtask tidy` checks the house rules, `cargo xtask docs` writes the generated documents.

mod docs;
mod tidy;

use clap::Parser;
use std::{path::Path, process::ExitCode};

/// Tasks of this repository.
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
enum Task {
    /// Checks the house rules that no compiler or linter knows; takes less than a second
    Tidy,
    /// Writes the documents that are generated from the code
    Docs,
}

fn main() -> anyhow::Result<ExitCode> {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let well = match Task::parse() {
        Task::Tidy => tidy::run(root)?,
        Task::Docs => docs::write(root).map(|()| true)?,
    };
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
