//! The Rust source.

use super::{
    Finding,
    layer::{layer, of_family},
    tree::{Line, Tree},
};

/// Lines of a file beside its tests: over the first it is a smell, over the second a fault.
const LINES_SMELL: usize = 400;
const LINES_MAX: usize = 600;

/// Names that say nothing of what is inside.
const EMPTY_NAMES: [&str; 6] = ["common", "data", "helper", "info", "manager", "util"];

/// Something that must not be written.
struct Ban {
    what: &'static [&'static str],
    /// In tests, in what ships, or in both.
    tests: bool,
    ships: bool,
    /// Where it may be written all the same: files and folders, each for a reason.
    except: &'static [&'static str],
    /// A comment that excuses a place, on its line or the one above, if it goes on with the reason.
    excuse: Option<&'static str>,
    remedy: &'static str,
}

const BANS: &[Ban] = &[
    Ban {
        what: &["env::var", "env::set_var", "env::remove_var"],
        tests: false,
        ships: true,
        except: &[
            "nodes/src/config/",
            // It asks for NO_COLOR, which is the terminal's matter, before there is a configuration.
            "nodes/src/telemetry.rs",
            // Only in builds with deliberate defects.
            "actors/src/sabotage.rs",
            // It takes the platform's variables out of the environment of servers that it starts.
            "loadtest/src/platform.rs",
            // It is compared with the platform, and no part of it.
            "loadtest/peers/axum/",
            // Cargo speaks to build scripts by it.
            "web/embed/build.rs",
            // It looks for the programs of servers, for tests only.
            "testbed/src/postgres.rs",
        ],
        excuse: None,
        remedy: "the environment is read in nodes/src/config only: make it a setting, and pass its value",
    },
    Ban {
        what: &["todo!", "unimplemented!", "dbg!"],
        tests: true,
        ships: true,
        except: &[],
        excuse: None,
        remedy: "finish it, or take it out",
    },
    Ban {
        what: &["#[ignore"],
        tests: true,
        ships: true,
        except: &[],
        excuse: None,
        remedy: "a test that does not run tests nothing: mend it, or delete it",
    },
    Ban {
        what: &["sleep(", "sleep_until("],
        tests: true,
        ships: false,
        except: &[],
        excuse: Some("// paced: "),
        remedy: "wait for the condition instead (`eventually`); where time itself is what is played, say why in a comment `// paced: …`",
    },
];

/// Nothing is written that the house bans.
pub fn bans(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in tree.sources() {
        for ban in BANS.iter().filter(|ban| !ban.except.iter().any(|path| source.file.path.starts_with(path))) {
            let excused = |line: &Line<'_>| ban.excuse.is_some_and(|excuse| line.comment.trim_end().starts_with(excuse));
            let mut above = false;
            for line in &source.lines {
                let here = excused(line);
                let concerned = if line.test { ban.tests } else { ban.ships };
                if concerned && !here && !above && ban.what.iter().any(|what| has_word(line.code, what)) {
                    findings.push(Finding::new(source.file, line.number, ban.remedy));
                }
                // A reason may go on over several lines.
                above = (here || above) && line.code.trim().is_empty() && !line.comment.is_empty();
            }
        }
    }
    findings
}

/// No layer names what it must not know, not even by way of another crate.
pub fn absences(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in tree.sources() {
        let Some(layer) = layer(source.file.top()) else { continue };
        for line in &source.lines {
            let named = paths(line.code).find_map(|name| layer.never.iter().find(|family| of_family(name, family)));
            if let Some(family) = named {
                let remark = format!(
                    "{} must not know {family}: leave that to the layer whose business it is (xtask/src/tidy/layer.rs)",
                    layer.name
                );
                findings.push(Finding::new(source.file, line.number, remark));
            }
        }
    }
    findings
}

/// Files and modules are named after what is in them.
pub fn names(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files.iter().filter(|file| file.path.ends_with(".rs")) {
        let words = file.path.trim_end_matches(".rs").split(['/', '_', '-']);
        if let Some(word) = words.into_iter().find(|word| is_empty_name(word)) {
            findings.push(Finding::new(file, 1, format!("`{word}` does not say what is in it: name it after that")));
        }
    }
    for source in tree.sources() {
        for line in &source.lines {
            let name = line.code.trim().trim_start_matches("pub ").strip_prefix("mod ").and_then(|rest| rest.strip_suffix(" {"));
            if let Some(name) = name.filter(|name| name.split('_').any(is_empty_name)) {
                findings.push(Finding::new(source.file, line.number, format!("`{name}` does not say what is in it: name it after that")));
            }
        }
    }
    findings
}

fn is_empty_name(word: &str) -> bool {
    EMPTY_NAMES.contains(&word) || word.strip_suffix('s').is_some_and(|singular| EMPTY_NAMES.contains(&singular))
}

/// A file fits into a reader's head.
pub fn length(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in tree.sources() {
        let count = source.lines.iter().filter(|line| !line.test).count();
        if count > LINES_SMELL {
            let limit = if count > LINES_MAX { LINES_MAX } else { LINES_SMELL };
            let remark = format!("{count} lines without tests, over {limit}: split it by what it is about");
            findings.push(Finding { smell: count <= LINES_MAX, ..Finding::new(source.file, limit, remark) });
        }
    }
    findings
}

/// Whether code has this, not as the end of a longer word.
fn has_word(code: &str, what: &str) -> bool {
    code.match_indices(what).any(|(at, _)| !what.starts_with(is_of_name) || !code[..at].ends_with(is_of_name))
}

/// The names in code that paths begin with or go through: `a` and `b` of `a::b::c`.
fn paths(code: &str) -> impl Iterator<Item = &str> {
    code.match_indices("::").filter_map(|(at, _)| code[..at].rsplit(|c| !is_of_name(c)).next())
}

fn is_of_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::super::tree::tree;
    use super::*;

    /// The lines of a file that a check finds fault with.
    fn lines(check: fn(&Tree) -> Vec<Finding>, path: &str, text: &str) -> Vec<usize> {
        check(&tree(&[(path, text)])).into_iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn the_environment_is_read_in_its_one_place() {
        let text = "let a = std::env::var(\"A\");\nlet b = env::vars_os();\nlet c = std::env::args();\n#[cfg(test)]\nmod tests {\n    env::var(\"T\");\n}\n";
        assert_eq!(lines(bans, "edge/src/lib.rs", text), [1, 2]);
        assert_eq!(lines(bans, "nodes/src/config/source.rs", text), [0; 0]);
    }

    #[test]
    fn unfinished_and_switched_off_things_are_found() {
        let text = "fn a() { todo!() }\n// todo!\nfn b() { my_dbg!(1) }\n#[ignore = \"slow\"]\nfn c() { dbg!(1) }\n";
        assert_eq!(lines(bans, "edge/src/lib.rs", text), [1, 5, 4]);
    }

    #[test]
    fn a_test_that_sleeps_says_why() {
        let text = "sleep(a).await;\ntokio::time::sleep(a).await; // paced: the client is slow.\n// paced: the server stalls,\n// as slow ones do.\nsleep(a).await;\n\
                    sleep(b).await; // paced: b.\nsleep(c).await;\n// paced:\nsleep_until(c).await;\nno_sleep(d);\n";
        assert_eq!(lines(bans, "edge/tests/it/main.rs", text), [1, 7, 9]);
        assert_eq!(lines(bans, "edge/src/lib.rs", text), [0; 0]);
    }

    #[test]
    fn a_layer_that_names_what_it_must_not_know_is_found() {
        let text = "use hyper_util::rt;\nlet s = actors::http::Status;\nlet a = \"http://a\"; // http::Status\nlet h = hyper::Body;\nuse ractor::Actor;\n";
        assert_eq!(lines(absences, "actors/src/lib.rs", text), [1, 2, 4]);
        assert_eq!(lines(absences, "protocol/src/lib.rs", text), [1, 2, 4, 5]);
        assert_eq!(lines(absences, "edge/src/lib.rs", text), [0; 0]);
    }

    #[test]
    fn names_that_say_nothing_are_found() {
        for path in ["edge/src/utils.rs", "edge/tests/common/mod.rs", "edge/src/actor_manager.rs"] {
            assert_eq!(lines(names, path, ""), [1], "{path}");
        }
        assert_eq!(lines(names, "store/src/sqlite/database.rs", "pub mod metadata {\n}\n"), [0; 0]);
        assert_eq!(lines(names, "edge/src/lib.rs", "\npub mod helpers {\n}\n"), [2]);
    }

    #[test]
    fn length_counts_what_ships() {
        let smells = |shipped: usize, tests: usize| {
            let text =
                format!("{}#[cfg(test)]\nmod tests {{\n{}}}\n", "let a = 1;\n".repeat(shipped - 1), "    let a = 1;\n".repeat(tests));
            length(&tree(&[("edge/src/lib.rs", &text)])).into_iter().map(|finding| finding.smell).collect::<Vec<_>>()
        };
        assert_eq!(smells(400, 900), [false; 0]);
        assert_eq!(smells(401, 0), [true]);
        assert_eq!(smells(600, 900), [true]);
        assert_eq!(smells(601, 0), [false]);
    }
}
