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

/// Writes all of them.
///
/// # Errors
/// When the code does not build, or a document cannot be written.
pub fn write(root: &Path) -> anyhow::Result<()> {
    for (test, document) in [(ERRORS_TEST, "docs/errors.md"), (OPENAPI_TEST, "docs/openapi.json")] {
        let output = cargo(root, &["test", "--package", "lets-connect-edge", "--lib", test])?;
        // A filter that matches nothing is a success to cargo.
        ensure!(output.contains("1 passed"), "lets-connect-edge has no test {test}, which writes {document}: name it in xtask/src/docs.rs");
    }

    let configuration = cargo(root, &["run", "--quiet", "--package", "lets-connect", "--", "config", "--docs"])?;
    fs::write(root.join("docs/configuration.md"), configuration).context("writing docs/configuration.md")?;
    println!("wrote docs/errors.md, docs/openapi.json and docs/configuration.md");
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
