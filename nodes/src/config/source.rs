//! What the process was given: a file, its environment, its command line. Nothing here is judged yet.

use std::{
    env,
    ffi::OsString,
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

use super::{
    fault::{Fault, Place},
    table::ENV_PREFIX,
};

/// The file that is read when none is named, if it exists.
const DEFAULT_FILE: &str = "lets-connect.toml";

/// The environment variable that names the file.
pub(super) const FILE_ENV: &str = "LETS_CONNECT_CONFIG";

/// In a build with deliberate defects, the variable that chooses one; no setting.
const SABOTAGE_ENV: &str = "LETS_CONNECT_SABOTAGE";

/// The largest file that is read: ten times what all settings with a comment each would take.
const FILE_BYTES_MAX: u64 = 64 << 10;

/// The options that configure the node, the same for every command.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
#[command(next_help_heading = "Configuration")]
pub struct Flags {
    /// Reads this file [env: LETS_CONNECT_CONFIG] [default: ./lets-connect.toml, if it exists]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Sets one setting, such as http.body_bytes_max=2MiB; may be repeated
    #[arg(long, value_name = "SECTION.NAME=VALUE")]
    pub set: Vec<String>,

    /// Keeps databases and files here: short for --set node.data_dir=DIR
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<String>,

    /// Relaxes what only a developer's own machine may: short for --set node.dev=true; loopback only
    #[arg(long)]
    pub dev: bool,

    /// Moves every listener that is on: the gateway to PORT, user to PORT+1, content +2, media +5, shop +6, admin +10; with 0 the
    /// system chooses each
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(..=PORT_BASE_MAX))]
    pub listen_port_base: Option<u16>,
}

/// The greatest base that leaves room for the last listener.
const PORT_BASE_MAX: i64 = 65_535 - 10;

impl Flags {
    /// Returns these options followed by others: of two that say the same, the later holds.
    pub fn then(mut self, later: Flags) -> Flags {
        self.set.extend(later.set);
        Flags {
            config: later.config.or(self.config),
            set: self.set,
            data_dir: later.data_dir.or(self.data_dir),
            dev: later.dev || self.dev,
            listen_port_base: later.listen_port_base.or(self.listen_port_base),
        }
    }
}

/// A configuration file as it was read.
#[derive(Debug, Clone)]
pub(super) struct File {
    pub(super) path: PathBuf,
    pub(super) text: String,
}

/// Everything that a configuration is made of, above the defaults.
#[derive(Debug, Clone, Default)]
pub(super) struct Sources {
    pub(super) file: Option<File>,
    /// The variables that are ours by their name.
    pub(super) env: Vec<(String, OsString)>,
    pub(super) flags: Flags,
}

impl Sources {
    /// Collects what this process was given. A file that cannot be read is a fault beside the others.
    pub(super) fn of_process(flags: Flags) -> (Sources, Option<Fault>) {
        let env: Vec<(String, OsString)> = env::vars_os()
            .map(|(name, value)| (name.to_string_lossy().into_owned(), value))
            .filter(|(name, _)| name.starts_with(ENV_PREFIX) && !(cfg!(feature = "sabotage") && name == SABOTAGE_ENV))
            .collect();
        let named_by_env = env.iter().find(|(name, _)| name == FILE_ENV).map(|(_, path)| PathBuf::from(path));
        let (path, place) = match (&flags.config, named_by_env) {
            (Some(path), _) => (path.clone(), Place::Flag("--config".to_owned())),
            (None, Some(path)) => (path, Place::Env(FILE_ENV.to_owned())),
            (None, None) => (PathBuf::from(DEFAULT_FILE), Place::Default),
        };
        match read(&path) {
            Ok(text) => (Sources { file: Some(File { path, text }), env, flags }, None),
            Err(error) if place == Place::Default && error.kind() == io::ErrorKind::NotFound => (Sources { file: None, env, flags }, None),
            Err(error) => {
                let place = match place {
                    Place::Default => Place::File { path: path.clone(), line: 1, column: 1 },
                    named => named,
                };
                let fault = Fault {
                    place,
                    setting: String::new(),
                    problem: format!("{} cannot be read: {error}", path.display()),
                    remedy: "name a readable TOML file".to_owned(),
                };
                (Sources { file: None, env, flags }, Some(fault))
            }
        }
    }
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    fs::File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 64 KiB"));
    }
    Ok(text)
}
