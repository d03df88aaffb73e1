//! Documents that are generated from the code, so that they cannot say anything else. Tests beside that code compare them.

use anyhow::{Context, ensure};
use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

/// The test that compares docs/errors.md with the table of codes, and writes it when `UPDATE_DOCS` is set.
const ERRORS_TEST: &str = "the_documented_codes_are_the_codes";

/// The same for docs/openapi.json and the route table.
const OPENAPI_TEST: &str = "the_description_in_the_repository_is_the_tables";

/// The same for docs/metrics.md and what the binary serves. It starts PostgreSQL and Redis.
const METRICS_TEST: &str = "the_documented_metrics_are_those_that_are_served";

/// Writes all of them.
///
/// # Errors
/// When the code does not build, or a document cannot be written.
pub fn write(root: &Path) -> anyhow::Result<()> {
    for (package, kind, test, document) in [
        ("lets-connect-edge", &["--lib"][..], ERRORS_TEST, "docs/errors.md"),
        ("lets-connect-edge", &["--lib"], OPENAPI_TEST, "docs/openapi.json"),
        ("lets-connect", &["--test", "it"], METRICS_TEST, "docs/metrics.md"),
    ] {
        let output = cargo(root, &[&["test", "--package", package], kind, &[test]].concat())?;
        // A filter that matches nothing is a success to cargo.
        ensure!(output.contains("1 passed"), "{package} has no test {test}, which writes {document}: name it in xtask/src/docs.rs");
    }

    let configuration = cargo(root, &["run", "--quiet", "--package", "lets-connect", "--", "config", "--docs"])?;
    fs::write(root.join("docs/configuration.md"), configuration).context("writing docs/configuration.md")?;
    println!("wrote docs/errors.md, docs/openapi.json, docs/metrics.md and docs/configuration.md");
    Ok(())
}

/// What a cargo command printed.
fn cargo(root: &Path, arguments: &[&str]) -> anyhow::Result<String> {
    let mut command = Command::new("cargo");
    command.args(arguments).env("UPDATE_DOCS", "1").current_dir(root).stderr(Stdio::inherit());
    let output = command.output().context("starting cargo")?;
    let printed = String::from_utf8(output.stdout).context("reading what cargo printed")?;
    ensure!(output.status.success(), "`cargo {}` failed:\n{printed}", arguments.join(" "));
    Ok(printed)
}
