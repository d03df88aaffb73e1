//! The house rules that neither the compiler nor clippy can check. A rule without a checker is a wish.
//!
//! * [`layer`]: which crate may use which, and what it must never know. The table to edit when a crate is added.
//! * [`manifest`]: the crates' manifests. [`source`]: the Rust source. [`document`]: what documents and comments refer to. [`text`]: every file.
//! * [`tree`]: the files, read once.
//!
//! Each check is a function from the tree to its findings, tested on small trees of its own.

mod document;
mod layer;
mod manifest;
mod source;
mod text;
mod tree;

use std::{fmt, path::Path};
use tree::{File, Tree};

/// Every check.
const CHECKS: &[fn(&Tree) -> Vec<Finding>] = &[
    manifest::direction,
    manifest::versions,
    manifest::lints,
    source::absences,
    source::bans,
    source::names,
    source::length,
    document::links,
    document::mentions,
    text::machine_paths,
    text::registries,
];

/// Where a rule is broken, and what to do about it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    path: String,
    line: usize,
    remark: String,
    /// A smell is told, but breaks no rule.
    smell: bool,
}

impl Finding {
    fn new(file: &File, line: usize, remark: impl Into<String>) -> Self {
        Self { path: file.path.clone(), line, remark: remark.into(), smell: false }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}{}", self.path, self.line, if self.smell { "(smell) " } else { "" }, self.remark)
    }
}

/// Checks the repository at `root`, prints what was found, and answers whether every rule holds.
///
/// # Errors
/// When the files cannot be listed or read.
pub fn run(root: &Path) -> anyhow::Result<bool> {
    let tree = Tree::read(root)?;
    let mut findings: Vec<Finding> = CHECKS.iter().flat_map(|check| check(&tree)).collect();
    findings.sort();
    for finding in &findings {
        println!("{finding}");
    }
    let broken = findings.iter().filter(|finding| !finding.smell).count();
    println!("tidy: {} files, {broken} broken rules, {} smells", tree.files.len(), findings.len() - broken);
    Ok(broken == 0)
}
