use clap::ValueEnum as _;
use loadtest::run::Scenario;

/// The `['kind', parts],` lines of a script, in their order.
fn mix_of(script: &str) -> Vec<(String, u32)> {
    let line = |line: &str| {
        let (kind, parts) = line.trim().strip_prefix("['")?.strip_suffix("],")?.split_once("', ")?;
        Some((kind.to_owned(), parts.parse().ok()?))
    };
    script.lines().filter_map(line).collect()
}

#[test]
fn scripts_have_the_weights_of_the_mixes_that_they_are_named_after() {
    for name in ["browse", "mixed"] {
        let path = format!("{}/k6/{name}.js", env!("CARGO_MANIFEST_DIR"));
        let script = std::fs::read_to_string(&path).unwrap();
        let scenario = Scenario::from_str(name, false).unwrap();
        let mix: Vec<(String, u32)> = scenario.mix().iter().map(|(operation, parts)| (operation.to_string(), *parts)).collect();
        assert_eq!(mix_of(&script), mix, "{path}");
    }
}
