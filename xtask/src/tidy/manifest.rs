//! The crates' manifests.

use super::{
    Finding,
    layer::{Layer, layer, of_family},
    tree::{File, Tree},
};
use std::collections::HashSet;
use toml::{
    Spanned,
    de::{DeString, DeTable, DeValue},
};

/// A dependency, of a crate or in the workspace's table.
struct Dependency {
    name: String,
    line: usize,
    /// Of a crate's tests only.
    of_tests: bool,
    /// Whether its version is the workspace's.
    inherits: bool,
    /// Whether it is stated by its folder: so are crates of ours.
    ours: bool,
}

/// Our crates use each other in one direction, and know only the libraries that are theirs to know.
pub fn direction(tree: &Tree) -> Vec<Finding> {
    let stated = workspace_dependencies(tree);
    let ours: HashSet<&str> = stated.iter().filter(|dependency| dependency.ours).map(|dependency| dependency.name.as_str()).collect();
    let mut findings = Vec::new();
    for file in crates(tree) {
        let Some(layer) = layer(file.top()) else {
            findings.push(Finding::new(file, 1, "a crate without a place in the house: give it a row in xtask/src/tidy/layer.rs"));
            continue;
        };
        let faults = dependencies(file).into_iter().filter_map(|dependency| Some((dependency.line, fault(layer, &dependency, &ours)?)));
        findings.extend(faults.map(|(line, remark)| Finding::new(file, line, remark)));
    }
    findings
}

fn fault(layer: &Layer, dependency: &Dependency, ours: &HashSet<&str>) -> Option<String> {
    let (user, used) = (layer.name, dependency.name.as_str());
    if ours.contains(used) {
        let allowed = layer.uses.contains(&used) || dependency.of_tests && layer.tests_use.contains(&used);
        return (!allowed)
            .then(|| format!("{user} must not use {used}: move what it needs to a layer that both may use (xtask/src/tidy/layer.rs)"));
    }
    let family = layer.never.iter().find(|family| of_family(used, family))?;
    Some(format!("{user} must not know {family}: leave that to the layer whose business it is (xtask/src/tidy/layer.rs)"))
}

/// Each version is stated once, in the workspace's table, which lists nothing that nobody uses.
pub fn versions(tree: &Tree) -> Vec<Finding> {
    let (mut findings, mut used) = (Vec::new(), HashSet::new());
    for file in crates(tree) {
        for Dependency { name, line, inherits, .. } in dependencies(file) {
            if !inherits {
                findings.push(Finding::new(file, line, format!("state {name} in the root Cargo.toml, and here `{name}.workspace = true`")));
            }
            used.insert(name);
        }
    }
    if let Some(root) = root(tree) {
        let unused = workspace_dependencies(tree).into_iter().filter(|stated| !used.contains(&stated.name));
        findings.extend(unused.map(|stated| Finding::new(root, stated.line, format!("no crate uses {}: remove it", stated.name))));
    }
    findings
}

/// Every crate has the workspace's lints.
pub fn lints(tree: &Tree) -> Vec<Finding> {
    let inherits = |file: &File| parse(file).get("lints").is_some_and(|lints| is_set(lints, "workspace"));
    let remark = "the crate has lints of its own: write `[lints]` with `workspace = true`";
    crates(tree).filter(|file| !inherits(file)).map(|file| Finding::new(file, 1, remark)).collect()
}

fn root(tree: &Tree) -> Option<&File> {
    tree.files.iter().find(|file| file.path == "Cargo.toml")
}

/// The workspace's crates. A manifest with a workspace of its own is of something that the product does not build with.
fn crates(tree: &Tree) -> impl Iterator<Item = &File> {
    tree.files.iter().filter(|file| file.path.ends_with("/Cargo.toml") && !parse(file).contains_key("workspace"))
}

fn workspace_dependencies(tree: &Tree) -> Vec<Dependency> {
    let Some(root) = root(tree) else { return Vec::new() };
    section(root, parse(root).get("workspace").and_then(|workspace| workspace.get_ref().as_table()), "dependencies")
}

fn dependencies(file: &File) -> Vec<Dependency> {
    let manifest = parse(file);
    let targets = manifest.get("target").and_then(|targets| targets.get_ref().as_table());
    let of_targets = targets.into_iter().flat_map(|targets| targets.values()).map(|target| target.get_ref().as_table());
    let tables = std::iter::once(Some(&manifest)).chain(of_targets);
    tables
        .flat_map(|table| ["dependencies", "dev-dependencies", "build-dependencies"].map(|name| section(file, table, name)))
        .flatten()
        .collect()
}

fn section(file: &File, table: Option<&DeTable<'_>>, name: &str) -> Vec<Dependency> {
    let listed = table.and_then(|table| table.get(name)?.get_ref().as_table());
    let dependency = |(key, value): (&Spanned<DeString<'_>>, &Spanned<DeValue<'_>>)| Dependency {
        name: key.get_ref().to_string(),
        line: file.line_of(key.span().start),
        of_tests: name == "dev-dependencies",
        inherits: is_set(value, "workspace"),
        ours: value.get_ref().as_table().is_some_and(|value| value.contains_key("path")),
    };
    listed.into_iter().flatten().map(dependency).collect()
}

/// A manifest that cannot be parsed is empty here: cargo says what is wrong with it.
fn parse(file: &File) -> DeTable<'_> {
    DeTable::parse(&file.text).map(Spanned::into_inner).unwrap_or_default()
}

fn is_set(value: &Spanned<DeValue<'_>>, key: &str) -> bool {
    value.get_ref().as_table().and_then(|table| table.get(key)?.get_ref().as_bool()) == Some(true)
}

#[cfg(test)]
mod tests {
    use super::super::tree::tree;
    use super::*;

    const WORKSPACE: &str = "[workspace.dependencies]\nprotocol = { path = \"protocol\" }\nstore = { path = \"store\" }\n\nactors = { path = \"actors\" }\n\
                             hyper-util = \"1\"\ntokio = \"1\"\n";

    fn places(findings: Vec<Finding>) -> Vec<(String, usize)> {
        findings.into_iter().map(|finding| (finding.path, finding.line)).collect()
    }

    fn place(path: &str, line: usize) -> (String, usize) {
        (path.to_owned(), line)
    }

    #[test]
    fn an_arrow_that_runs_back_is_found_wherever_it_starts() {
        let tree = tree(&[
            ("Cargo.toml", WORKSPACE),
            ("protocol/Cargo.toml", "[dev-dependencies]\nstore.workspace = true\n"),
            ("store/Cargo.toml", "[dependencies]\nprotocol.workspace = true\n[target.'cfg(unix)'.dependencies]\nactors.workspace = true\n"),
            ("loadtest/Cargo.toml", "[build-dependencies]\nprotocol = { workspace = true }\n"),
        ]);
        assert_eq!(
            places(direction(&tree)),
            [place("protocol/Cargo.toml", 2), place("store/Cargo.toml", 4), place("loadtest/Cargo.toml", 2)]
        );
    }

    #[test]
    fn only_the_edges_tests_reach_past_the_owners() {
        let edge = |section: &str| {
            direction(&tree(&[("Cargo.toml", WORKSPACE), ("edge/Cargo.toml", &format!("[{section}]\nstore.workspace = true\n"))]))
        };
        assert!(edge("dev-dependencies").is_empty());
        assert_eq!(places(edge("dependencies")), [place("edge/Cargo.toml", 2)]);
    }

    #[test]
    fn a_library_that_a_layer_must_not_know_is_found() {
        let tree = tree(&[
            ("Cargo.toml", WORKSPACE),
            ("actors/Cargo.toml", "[dependencies]\ntokio.workspace = true\nhyper-util.workspace = true\n"),
        ]);
        assert_eq!(places(direction(&tree)), [place("actors/Cargo.toml", 3)]);
    }

    #[test]
    fn a_crate_without_a_row_is_found() {
        assert_eq!(places(direction(&tree(&[("misc/Cargo.toml", "")]))), [place("misc/Cargo.toml", 1)]);
    }

    #[test]
    fn a_workspace_of_its_own_is_no_crate_of_ours() {
        let manifest = "[workspace]\n[package]\nname = \"peer\"\n[dependencies]\nbb8 = \"1\"\n";
        let tree = tree(&[("peer/Cargo.toml", manifest)]);
        for rule in [direction, versions, lints] {
            assert_eq!(places(rule(&tree)), []);
        }
    }

    #[test]
    fn a_version_beside_the_table_and_one_that_nobody_uses_are_found() {
        let tree = tree(&[
            ("Cargo.toml", "[workspace.dependencies]\na = \"1\"\nb = \"1\"\n"),
            ("nodes/Cargo.toml", "[dependencies]\na.workspace = true\nc = \"1\"\nd = { version = \"1\" }\n"),
        ]);
        assert_eq!(places(versions(&tree)), [place("nodes/Cargo.toml", 3), place("nodes/Cargo.toml", 4), place("Cargo.toml", 3)]);
    }

    #[test]
    fn lints_of_a_crates_own_are_found() {
        let tree =
            tree(&[("nodes/Cargo.toml", "[lints]\nworkspace = true\n"), ("edge/Cargo.toml", "[lints.rust]\nunsafe_code = \"allow\"\n")]);
        assert_eq!(places(lints(&tree)), [place("edge/Cargo.toml", 1)]);
    }
}
