//! The repository's files, read once.

use anyhow::{Context, ensure};
use std::{collections::HashSet, fs, io::ErrorKind, path::Path, process::Command};

/// The rules name what they forbid, and their tests break them.
const RULES: &str = "xtask/src/tidy/";

/// A file, by its path from the root.
pub struct File {
    pub path: String,
    /// Empty where the file is not UTF-8.
    pub text: String,
}

impl File {
    /// Its lines, numbered from 1.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.text.lines())
    }

    /// The folder at the root that it is in: of a Rust file, its crate.
    pub fn top(&self) -> &str {
        self.path.split_once('/').map_or("", |(top, _)| top)
    }

    /// The line that a byte of the text is on.
    pub fn line_of(&self, byte: usize) -> usize {
        1 + self.text.bytes().take(byte).filter(|b| *b == b'\n').count()
    }
}

/// All files that are, or are about to be, under version control.
pub struct Tree {
    pub files: Vec<File>,
}

impl Tree {
    /// Reads what git does not ignore.
    pub fn read(root: &Path) -> anyhow::Result<Self> {
        let mut list = Command::new("git");
        list.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"]).current_dir(root);
        let listed = list.output().context("starting git, which lists the files")?;
        ensure!(listed.status.success(), "git cannot list the files: {}", String::from_utf8_lossy(&listed.stderr));
        let paths = String::from_utf8(listed.stdout).context("a file's name is not UTF-8")?;
        let mut files = Vec::new();
        for path in paths.split_terminator('\0') {
            match fs::read(root.join(path)) {
                Ok(bytes) => files.push(File { path: path.to_owned(), text: String::from_utf8(bytes).unwrap_or_default() }),
                // Removed, but not yet from the index; or a link to a folder.
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::IsADirectory) => {}
                Err(error) => return Err(error).with_context(|| format!("reading {path}")),
            }
        }
        Ok(Self { files })
    }

    /// Whether there is such a file or folder.
    pub fn has(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        path.is_empty()
            || self.files.iter().any(|file| file.path.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
    }

    /// The files that the rules apply to.
    pub fn subject_to_rules(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| !file.path.starts_with(RULES))
    }

    /// The Rust files that the rules apply to.
    pub fn sources(&self) -> Vec<Source<'_>> {
        let rust = || self.files.iter().filter(|file| file.path.ends_with(".rs"));
        let only_tests: HashSet<String> = rust().flat_map(test_modules).collect();
        let is_test =
            |file: &File| only_tests.contains(file.path.trim_end_matches(".rs").trim_end_matches("/mod")) || file.path.contains("/tests/");
        self.subject_to_rules().filter(|file| file.path.ends_with(".rs")).map(|file| Source::new(file, is_test(file))).collect()
    }
}

/// A Rust file, line by line.
pub struct Source<'a> {
    pub file: &'a File,
    pub lines: Vec<Line<'a>>,
}

/// A line of a Rust file.
pub struct Line<'a> {
    pub number: usize,
    pub code: &'a str,
    pub comment: &'a str,
    pub test: bool,
}

impl<'a> Source<'a> {
    fn new(file: &'a File, only_tests: bool) -> Self {
        let (mut within_tests, mut announced) = (false, false);
        let lines = file.lines().map(|(number, text)| {
            let (code, comment) = text.split_at(comment_start(text));
            within_tests |= announced && code.starts_with("mod ") && code.ends_with('{');
            let test = only_tests || within_tests || announced;
            // Formatted source: what begins in the first column ends there.
            within_tests &= code != "}";
            announced = code == "#[cfg(test)]";
            Line { number, code, comment, test }
        });
        Self { file, lines: lines.collect() }
    }
}

/// Where a line's comment starts; good enough for formatted source: `//` that is not part of an address.
fn comment_start(line: &str) -> usize {
    line.match_indices("//").find(|(at, _)| !line[..*at].ends_with(':')).map_or(line.len(), |(at, _)| at)
}

/// The modules that a file declares for tests only, as paths without the extension.
fn test_modules(file: &File) -> Vec<String> {
    let folder = file.path.trim_end_matches(".rs");
    let folder = ["/mod", "/lib", "/main"].iter().find_map(|end| folder.strip_suffix(end)).unwrap_or(folder);
    let lines: Vec<&str> = file.text.lines().collect();
    let declared = lines.windows(2).filter(|pair| pair[0] == "#[cfg(test)]");
    declared.filter_map(|pair| pair[1].strip_prefix("mod ")?.strip_suffix(';')).map(|name| format!("{folder}/{name}")).collect()
}

/// A tree for a test.
#[cfg(test)]
pub fn tree(files: &[(&str, &str)]) -> Tree {
    Tree { files: files.iter().map(|(path, text)| File { path: (*path).to_owned(), text: (*text).to_owned() }).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tests_of(tree: &Tree, path: &str) -> Vec<bool> {
        let sources = tree.sources();
        let source = sources.iter().find(|source| source.file.path == path).expect("the file");
        source.lines.iter().map(|line| line.test).collect()
    }

    #[test]
    fn tests_are_told_from_what_ships() {
        let module = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {\n    }\n}\nfn c() {}\n";
        let tree = tree(&[
            ("a/src/lib.rs", "#[cfg(test)]\nmod plan;\nmod plain;\n"),
            ("a/src/plan.rs", "fn x() {}\n"),
            ("a/src/plain.rs", module),
            ("a/src/deep/mod.rs", "#[cfg(test)]\nmod plan;\n"),
            ("a/src/deep/plan/mod.rs", "fn x() {}\n"),
            ("a/src/flat.rs", "#[cfg(test)]\nmod tests;\n"),
            ("a/src/flat/tests.rs", "fn x() {}\n"),
            ("a/tests/it/main.rs", "fn x() {}\n"),
        ]);
        assert_eq!(tests_of(&tree, "a/src/lib.rs"), [false, true, false]);
        assert_eq!(tests_of(&tree, "a/src/plan.rs"), [true]);
        assert_eq!(tests_of(&tree, "a/src/plain.rs"), [false, false, true, true, true, true, false]);
        for path in ["a/src/deep/plan/mod.rs", "a/src/flat/tests.rs", "a/tests/it/main.rs"] {
            assert_eq!(tests_of(&tree, path), [true], "{path}");
        }
    }

    #[test]
    fn comments_are_told_from_code() {
        let tree = tree(&[("a/src/lib.rs", "let x = \"http://a\"; // why\n//! all\n")]);
        let sources = tree.sources();
        let lines: Vec<_> = sources[0].lines.iter().map(|line| (line.code, line.comment)).collect();
        assert_eq!(lines, [("let x = \"http://a\"; ", "// why"), ("", "//! all")]);
    }

    #[test]
    fn folders_and_files_are_there_and_parts_of_names_are_not() {
        let tree = tree(&[("docs/adr/README.md", "")]);
        assert!(["", "docs", "docs/", "docs/adr", "docs/adr/README.md"].iter().all(|path| tree.has(path)));
        assert!(!["doc", "docs/adr/README", "adr"].iter().any(|path| tree.has(path)));
    }

    #[test]
    fn this_repository_can_be_read() {
        let tree = Tree::read(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))).expect("a checkout");
        assert!(tree.has("xtask/src/tidy/tree.rs") && tree.has("Cargo.toml"));
        assert!(!tree.has(".git") && !tree.has("target"));
    }
}
