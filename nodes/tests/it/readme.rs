//! README.md's walk, run as it stands.

use crate::{
    server::binary,
    store::{Store, on_both_stores},
};
use std::{
    io::Write,
    process::{Command, Stdio},
};

on_both_stores! { the_walk_does_what_it_says }

const README: &str = include_str!("../../../README.md");
/// What the walk speaks to; the only thing in it that a test may change.
const GATEWAY: &str = "http://localhost:8000";

/// The `sh` blocks of a section.
fn blocks(section: &str) -> String {
    let (_, rest) = README.split_once(&format!("\n## {section}\n")).expect("the section is there");
    let section = rest.split("\n## ").next().unwrap_or_default();
    let blocks = section.split("```sh\n").skip(1).filter_map(|block| block.split("\n```").next());
    blocks.collect::<Vec<_>>().join("\n") + "\n"
}

fn bash(script: &str) -> std::process::Output {
    let mut bash = Command::new("bash")
        .args(["-euo", "pipefail", "-s"])
        // Where whoever reads it stands.
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("bash is installed");
    bash.stdin.take().expect("piped").write_all(script.as_bytes()).expect("bash reads");
    bash.wait_with_output().expect("bash ends")
}

fn is_id(line: &str) -> bool {
    uuid::Uuid::try_parse(line).is_ok()
}

fn the_walk_does_what_it_says(store: Store) {
    let server = store.start();
    assert!(bash("command -v curl jq").status.success(), "the walk needs curl and jq");
    let script = blocks("A walk");
    assert!(script.contains(GATEWAY), "the walk does not say where the platform is");
    let walked = bash(&script.replace(GATEWAY, &format!("http://{}", server.addr("gateway"))));
    let (printed, errors) = (String::from_utf8_lossy(&walked.stdout), String::from_utf8_lossy(&walked.stderr));
    assert!(walked.status.success(), "{}\n{printed}\n{errors}", walked.status);

    let lines: Vec<&str> = printed.lines().map(str::trim_end).collect();
    let [health, version, etag, first, followed, second, newest, oldest, order, again, stock, orders, ref bought @ .., photo, refusal] =
        lines[..]
    else {
        panic!("14 lines and more were expected:\n{printed}")
    };
    assert_eq!((health, version), ("\"healthy\"", "2"));
    assert_eq!(etag.to_ascii_lowercase(), "etag: \"2\"");
    assert!(is_id(first) && is_id(second) && first != second, "{first} {second}");
    assert_eq!(followed, "true");
    assert_eq!([newest, oldest], ["The engine weaves algebraic patterns.", "Hello, analytical world."]);
    assert!(order.split_once(' ').is_some_and(|(id, total)| is_id(id) && total == "37.50"), "{order}");
    assert_eq!(order, again, "the same Idempotency-Key is the same order");
    assert_eq!((stock, orders), ("7", "1"));
    let totals = r#"[{"currency":"USD","amount":"25.00"}]"#;
    assert_eq!(bought, ["2", totals, "true", "5"], "a cart, its orders, a buyer's review, and a search that shows it");
    assert_eq!(photo, "ready image");
    assert!(refusal.starts_with("400 invalid_id: "), "{refusal}");
}

/// The README's table of routes and the binary's are one.
#[test]
fn the_table_of_routes_is_whole() {
    let (_, api) = README.split_once("\n## The API\n").expect("the section is there");
    let documented: Vec<&str> = api.split('`').skip(1).step_by(2).collect();
    for route in edge::route::table() {
        let row = api.lines().find(|line| line.starts_with(&format!("| {} |", route.service.name().trim_end_matches("-service"))));
        let row = row.unwrap_or_else(|| panic!("no row for {}", route.service.name()));
        // `POST /register` `/login`: what a path shares with the one before it is left out.
        let paths = documented.iter().filter_map(|words| words.rsplit(' ').next()).filter(|path| path.starts_with('/'));
        assert!(paths.into_iter().any(|path| route.path.ends_with(path)), "{} {}", route.method, route.path);
        assert!(row.contains(route.method.as_str()), "{} {}", route.method, route.path);
    }
}

#[test]
fn the_command_line_that_the_readme_names_is_understood() {
    let (_, commands) = README.split_once("\n## Two commands\n").expect("the section is there");
    let line = commands.lines().find_map(|line| line.strip_prefix("cargo run --release -- ")).expect("the first command");
    let status = binary().args(line.split(' ')).arg("check-config").status().expect("it starts");
    assert!(status.success(), "{line}");
}
