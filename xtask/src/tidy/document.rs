//! What documents link to, and which files of ours comments and documents name.

use super::{Finding, layer::LAYERS, tree::Tree};

/// Links within the repository lead somewhere, and their fragments to a heading.
pub fn links(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files.iter().filter(|file| file.path.ends_with(".md")) {
        for (number, line) in prose(&file.text) {
            for target in targets(line).filter(|target| !target.contains(':')) {
                if let Some(remark) = broken(tree, &file.path, target) {
                    findings.push(Finding::new(file, number, remark));
                }
            }
        }
    }
    findings
}

fn broken(tree: &Tree, from: &str, target: &str) -> Option<String> {
    let (path, fragment) = target.split_once('#').unwrap_or((target, ""));
    let path = if path.is_empty() { from.to_owned() } else { resolve(from, path) };
    if !tree.has(&path) {
        return Some(format!("{target} leads nowhere: there is no {path}"));
    }
    let headings = tree.files.iter().find(|file| file.path == path && path.ends_with(".md")).filter(|_| !fragment.is_empty())?;
    let found = prose(&headings.text).any(|(_, line)| line.starts_with('#') && slug(line) == fragment);
    (!found).then(|| format!("{target} leads nowhere: {path} has no such heading"))
}

/// The lines beside fenced code, numbered from 1.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    (1..).zip(text.lines()).filter(move |(_, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    })
}

/// The targets of a line's links, beside code: every second piece between backticks.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').step_by(2).flat_map(|text| text.split("](").skip(1)).filter_map(|rest| rest.split([')', ' ']).next())
}

/// A path that is relative to a file's folder, from the root.
fn resolve(from: &str, path: &str) -> String {
    let folder = from.rsplit_once('/').map_or("", |(folder, _)| folder);
    let folder = if path.starts_with('/') { "" } else { folder };
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            name => parts.push(name),
        }
    }
    parts.join("/")
}

/// A heading's fragment, as forges make it.
fn slug(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    text.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_')).map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// Files of ours that are named in passing, in a comment for example, exist.
pub fn mentions(tree: &Tree) -> Vec<Finding> {
    let folders: Vec<String> =
        LAYERS.iter().map(|layer| format!("{}/src/", layer.name)).chain(["docs/", "migrations/"].map(str::to_owned)).collect();
    let mut findings = Vec::new();
    for file in tree.subject_to_rules() {
        for (number, line) in file.lines() {
            let words = line.split(|c: char| !c.is_alphanumeric() && !matches!(c, '/' | '.' | '_' | '-'));
            for path in words.map(|word| word.trim_end_matches('.')).filter(|word| folders.iter().any(|folder| word.starts_with(folder))) {
                if !named(tree, path) {
                    findings.push(Finding::new(file, number, format!("there is no {path}: name the file that is meant")));
                }
            }
        }
    }
    findings
}

/// Whether a file has this path; without an extension, as in "docs/adr/0001", whether one begins so.
fn named(tree: &Tree, path: &str) -> bool {
    let whole = path.rsplit('/').next().is_some_and(|name| name.contains('.'));
    tree.files.iter().any(|file| if whole { file.path == path } else { file.path.starts_with(path) })
}

#[cfg(test)]
mod tests {
    use super::super::tree::tree;
    use super::*;

    fn lines(findings: Vec<Finding>) -> Vec<usize> {
        findings.into_iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn links_that_lead_nowhere_are_found() {
        let tree = tree(&[
            (
                "README.md",
                "# Let's Connect\n[a](docs/b.md) and [c](docs/c.md)\n[d](docs)\n[e](https://a.b)\n`[f](f)`\n```\n[g](g)\n```\n![h](h.svg \"h\")\n",
            ),
            ("docs/b.md", "[up](../README.md)\n[top](/README.md)\n[no](../../README.md)\n[b](b)\n"),
        ]);
        let found: Vec<_> = links(&tree).into_iter().map(|finding| (finding.path, finding.line)).collect();
        assert_eq!(found, [("README.md".to_owned(), 2), ("README.md".to_owned(), 9), ("docs/b.md".to_owned(), 4)]);
    }

    #[test]
    fn fragments_name_headings() {
        let text = "# The map\n## Add a domain actor: six steps\n```\n# no heading\n```\n[a](#the-map)\n[b](a.md#add-a-domain-actor-six-steps)\n[c](#no-heading)\n";
        assert_eq!(lines(links(&tree(&[("a.md", text)]))), [8]);
    }

    #[test]
    fn files_that_are_named_in_passing_exist() {
        let text = "// docs/errors.md.\n// docs/adr/0001\n// (docs/metrics.md, docs/adr/)\n// https://a.b/docs/x\n// edge/src/route.rs\n// edge/src/root.rs\n";
        let tree = tree(&[("edge/src/route.rs", text), ("docs/errors.md", ""), ("docs/adr/0001-slots.md", "")]);
        assert_eq!(lines(mentions(&tree)), [3, 6]);
    }
}
