//! Builds the front-end with npm, and writes down its files for `lib.rs` to take into the binary.
//!
//! Everything is made within Cargo's output folder, of copies of the sources, so that the checkout stays as it is and two profiles do not meet. The lock file
//! decides about every package; none of them runs a script of its own. Without Node.js what was built into `web/dist` before is taken, and without that a page
//! that says what is missing: the platform's API needs none of this. Where `CI` is `true` a front-end that cannot be built fails the build instead.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::Command,
};

/// What the front-end is made of: files and folders of `web/`.
const SOURCES: [&str; 7] = ["index.html", "package.json", "package-lock.json", ".npmrc", "vite.config.ts", "public", "src"];
/// The oldest Node.js that Vite runs on.
const NODE_MIN: (u32, u32) = (20, 19);
/// What browsers are told that a file is. An extension that is not here fails the build: whoever adds one says what it is.
const MEDIA_TYPES: [(&str, &str); 6] = [
    ("html", "text/html; charset=utf-8"),
    ("js", "text/javascript; charset=utf-8"),
    ("css", "text/css; charset=utf-8"),
    ("svg", "image/svg+xml"),
    ("webp", "image/webp"),
    ("woff2", "font/woff2"),
];
/// The page that is there instead of a front-end.
const MISSING: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Let\u{2019}s Connect</title><h1>Let\u{2019}s Connect</h1>\
<p>This build has no front-end: Node.js 20.19 or newer was not there when it was made. Install it, run <code>cargo clean -p lets-connect-web</code>, and build again.\
<p>The platform itself is whole: <a href=\"/docs\">its API</a>.</html>\n";

fn main() {
    for source in SOURCES {
        println!("cargo::rerun-if-changed={source}");
    }
    for variable in ["CI", "PATH"] {
        println!("cargo::rerun-if-env-changed={variable}");
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("Cargo says where output goes"));
    let built = match build(&out) {
        Ok(dist) => Some(dist),
        Err(why) if env::var("CI").is_ok_and(|ci| ci == "true") => panic!("the front-end cannot be built: {why}"),
        Err(_) if Path::new("dist/index.html").exists() => {
            println!("cargo::rerun-if-changed=dist");
            Some(PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("Cargo says where the crate is")).join("dist"))
        }
        Err(why) => {
            println!(
                "cargo::warning=the binary will have NO FRONT-END: {why}. Mend that, run `cargo clean -p lets-connect-web`, and build again"
            );
            None
        }
    };
    let files = built.map_or_else(|| missing(&out), |dist| found(&dist, &dist));
    let site = site(&files.expect("the output folder can be read and written"));
    fs::write(out.join("site.rs"), site).expect("the output folder can be written");
}

/// Has npm and Vite make the front-end; answers the folder that it is in, or what is wrong in a few words.
fn build(out: &Path) -> Result<PathBuf, String> {
    let said = run(Command::new("node").arg("--version")).map_err(|_| "Node.js is not installed".to_owned())?;
    if version(&said).is_none_or(|version| version < NODE_MIN) {
        return Err(format!("Node.js {} is too old: it takes {}.{} or newer", said.trim(), NODE_MIN.0, NODE_MIN.1));
    }
    let (work, dist) = (out.join("web"), out.join("dist"));
    copy(&work).map_err(|error| format!("its sources cannot be copied: {error}"))?;
    let lock = fs::read(work.join("package-lock.json")).map_err(|error| error.to_string())?;
    // Beside the packages, so that it goes when they go.
    let installed = work.join("node_modules/.installed-by");
    if fs::read(&installed).ok().as_ref() != Some(&lock) {
        run(Command::new("npm").args(["ci", "--omit=dev", "--ignore-scripts"]).current_dir(&work))?;
        fs::write(&installed, &lock).map_err(|error| error.to_string())?;
    }
    let vite = ["node_modules/vite/bin/vite.js", "build", "--emptyOutDir", "--outDir"];
    run(Command::new("node").args(vite).arg(&dist).env("NODE_ENV", "production").current_dir(&work))?;
    Ok(dist)
}

/// Runs a program; answers what it said, or what it said last if it failed.
fn run(command: &mut Command) -> Result<String, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("{name} cannot be started: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let last: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).rev().take(5).collect();
    Err(format!("{name} failed: {}", last.into_iter().rev().collect::<Vec<_>>().join(" / ")))
}

/// The first two numbers of what `node --version` says, such as `v20.19.1`.
fn version(said: &str) -> Option<(u32, u32)> {
    let mut numbers = said.trim().strip_prefix('v')?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// Copies the sources. What was removed from them is not to be built any more; packages stay.
fn copy(work: &Path) -> io::Result<()> {
    for source in SOURCES {
        let (from, to) = (Path::new(source), work.join(source));
        if from.is_dir() {
            if to.exists() {
                fs::remove_dir_all(&to)?;
            }
            copy_folder(from, &to)?;
        } else {
            fs::create_dir_all(work)?;
            fs::copy(from, to)?;
        }
    }
    Ok(())
}

fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &to.join(entry.file_name()))?;
        } else {
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

/// A file of the site: its address, and where it is.
struct Found {
    address: String,
    path: PathBuf,
}

/// The files below a folder, in one order everywhere. Names that begin with a dot are notes of the build, and no part of the site.
fn found(root: &Path, folder: &Path) -> io::Result<Vec<Found>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let within = path.strip_prefix(root).unwrap_or(&path);
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.')) {
            continue;
        }
        if path.is_dir() {
            files.extend(found(root, &path)?);
        } else {
            let words: Vec<_> = within.iter().map(|word| word.to_string_lossy()).collect();
            files.push(Found { address: format!("/{}", words.join("/")), path });
        }
    }
    files.sort_by(|a, b| a.address.cmp(&b.address));
    Ok(files)
}

fn missing(out: &Path) -> io::Result<Vec<Found>> {
    let path = out.join("missing.html");
    fs::write(&path, MISSING)?;
    Ok(vec![Found { address: "/index.html".to_owned(), path }])
}

/// The site as Rust: its files with their compressed forms, and the addresses of its screens.
fn site(files: &[Found]) -> String {
    let mut rust = String::from("/// Every file of the site, by its address.\npub static ASSETS: &[Asset] = &[\n");
    for Found { address, path } in files.iter().filter(|file| !file.address.ends_with(".br") && !file.address.ends_with(".gz")) {
        let extension = address.rsplit_once('.').map_or("", |(_, extension)| extension);
        let known = MEDIA_TYPES.iter().find(|(known, _)| *known == extension);
        let media_type = known.unwrap_or_else(|| panic!("say in MEDIA_TYPES what {address} is")).1;
        let bytes = |path: &Path| format!("include_bytes!({path:?})");
        let form = |end: &str| {
            let form = path.with_file_name(format!("{}.{end}", path.file_name().unwrap_or_default().to_string_lossy()));
            if form.exists() { format!("Some({})", bytes(&form)) } else { "None".to_owned() }
        };
        rust += &format!(
            "    Asset {{ path: {address:?}, media_type: {media_type:?}, bytes: {}, brotli: {}, gzip: {} }},\n",
            bytes(path),
            form("br"),
            form("gz")
        );
    }
    rust += &format!(
        "];\n\n/// The addresses of its screens: `:` begins what stands for any word.\nstatic SCREENS: &[&str] = &{:?};\n",
        screens()
    );
    rust
}

/// The paths in the table of `src/routes.ts`, so that what is no screen is not found.
fn screens() -> Vec<String> {
    let table = fs::read_to_string("src/routes.ts").expect("the table of screens");
    let rows = table.lines().filter_map(|line| line.trim().strip_prefix("row('")?.split_once('\''));
    rows.map(|(path, _)| path.to_owned()).filter(|path| path.starts_with('/')).collect()
}
