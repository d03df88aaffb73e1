//! The tools against a small server whose defects are known.

#![allow(clippy::unwrap_used)]

mod bench;
mod check;
mod herd;
mod k6;
mod race;
mod run;
mod server;
mod slow;

use clap::Args;

/// Options as the command line would read them, defaults included.
fn options<O: Args>(line: &[String]) -> O {
    let command = O::augment_args(clap::Command::new("test").no_binary_name(true));
    O::from_arg_matches(&command.get_matches_from(line)).expect("the options were read")
}

/// The arguments of a line.
fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}
