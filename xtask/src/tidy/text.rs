//! Every file, whatever it holds.

use super::{Finding, tree::Tree};

/// Where work is done on one machine and no other.
const MACHINE_PATHS: [&str; 2] = ["/root/", "/work/"];

/// Where every package comes from.
const CRATES: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// What points a package client elsewhere.
const MIRRORS: [&str; 4] = ["replace-with", "[registries", "index-url", "_authToken"];

/// Nothing names a place on one person's machine.
pub fn machine_paths(tree: &Tree) -> Vec<Finding> {
    find(tree, "a path of one machine: use one that is relative, or a variable", |line| {
        MACHINE_PATHS.iter().any(|path| line.match_indices(path).any(|(at, _)| !line[..at].ends_with(is_of_path)))
    })
}

fn is_of_path(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '~' | '/' | '}' | '*')
}

/// Packages come from their public registry, under no other name.
pub fn registries(tree: &Tree) -> Vec<Finding> {
    find(tree, "a registry of one network: take the public one, and leave mirrors to each machine's own configuration", |line| {
        let elsewhere = line.strip_prefix("source = ").is_some_and(|source| !source.trim_matches('"').starts_with(CRATES));
        elsewhere || MIRRORS.iter().any(|mirror| line.contains(mirror))
    })
}

fn find(tree: &Tree, remark: &str, wrong: impl Fn(&str) -> bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.subject_to_rules() {
        findings.extend(file.lines().filter(|(_, line)| wrong(line)).map(|(number, _)| Finding::new(file, number, remark)));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::tree::tree;
    use super::*;

    fn lines(check: fn(&Tree) -> Vec<Finding>, path: &str, text: &str) -> Vec<usize> {
        check(&tree(&[(path, text)])).into_iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn paths_of_one_machine_are_found() {
        let text = "cd /root/x\nlet a = \"/work/x\";\ncd ./work/x\ncd ~/work/x\nPOST /users/{id}/work/1\nhttps://a.b/work/1\n";
        assert_eq!(lines(machine_paths, "a.sh", text), [1, 2]);
    }

    #[test]
    fn packages_from_elsewhere_are_found() {
        let lock = format!("source = \"{CRATES}\"\nsource = \"git+https://a.b/c\"\nsource = \"registry+https://a.b/index\"\n");
        assert_eq!(lines(registries, "Cargo.lock", &lock), [2, 3]);
        assert_eq!(lines(registries, ".cargo/config.toml", "[source.crates-io]\nreplace-with = \"mirror\"\n"), [2]);
    }
}
