//! `lets-connect doctor`: looks at everything that a server of this configuration depends on, and says what to do.
//!
//! One function for each dependency asks (here), and one judges what it was told (`judge`, which does no I/O). Secrets are in no finding: of a URL only
//! host and port are shown.

mod judge;

use crate::{
    cluster,
    config::{Config, Faults},
    mail, node, open_files, storage,
};
use serde::Serialize;
use std::{
    fs,
    io::ErrorKind,
    net::TcpListener,
    path::{Path, PathBuf},
    time::Duration,
};
use store::{redis, sqlite};

/// How long a server that does not answer is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// How well it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Ok,
    /// It serves, and something is not as it should be.
    Warning,
    /// It does not serve, or not all of it.
    Fault,
}

/// What was found of one dependency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// How well it is.
    pub level: Level,
    /// The dependency.
    pub subject: String,
    /// What was found.
    pub found: String,
    /// What to do, where that is not nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl Finding {
    fn ok(subject: impl Into<String>, found: impl Into<String>) -> Self {
        Self { level: Level::Ok, subject: subject.into(), found: found.into(), remedy: None }
    }

    fn warning(subject: impl Into<String>, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { level: Level::Warning, remedy: Some(remedy.into()), ..Self::ok(subject, found) }
    }

    fn fault(subject: impl Into<String>, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { level: Level::Fault, remedy: Some(remedy.into()), ..Self::ok(subject, found) }
    }

    /// One of an error whose text says what to do.
    fn error(subject: impl Into<String>, error: &dyn std::error::Error) -> Self {
        let causes = std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string);
        Self { level: Level::Fault, ..Self::ok(subject, causes.collect::<Vec<_>>().join(": ")) }
    }
}

/// The level of the worst of them.
#[must_use]
pub fn worst(findings: &[Finding]) -> Level {
    findings.iter().map(|finding| finding.level).max().unwrap_or(Level::Ok)
}

/// A line for each, for people.
#[must_use]
pub fn text(findings: &[Finding]) -> String {
    let line = |finding: &Finding| {
        let level = match finding.level {
            Level::Ok => "ok",
            Level::Warning => "warning",
            Level::Fault => "fault",
        };
        let remedy = finding.remedy.as_ref().map(|remedy| format!("; {remedy}")).unwrap_or_default();
        format!("{level:<8} {}: {}{remedy}\n", finding.subject, finding.found)
    };
    findings.iter().map(line).collect()
}

/// All of them as JSON, for programs.
#[must_use]
pub fn json(findings: &[Finding]) -> String {
    let document = serde_json::json!({ "level": worst(findings), "findings": findings });
    format!("{document:#}\n")
}

/// What there is to say where the configuration is refused: nothing else can be looked at.
#[must_use]
pub fn refused(faults: &Faults) -> Vec<Finding> {
    faults.as_slice().iter().map(|fault| Finding::fault("configuration", fault.to_string(), "nothing else was looked at")).collect()
}

/// Looks at everything.
pub async fn look(config: &Config) -> Vec<Finding> {
    let mut findings = vec![Finding::ok("configuration", "it is sound")];
    let databases = storage::examine(config).await;
    let holder = sqlite::holder(&config.node.data_dir);
    // Somebody serves these data already, perhaps on these ports.
    let is_served = match &databases {
        Some(found) => found.iter().flatten().any(|database| database.holder.is_some()),
        None => matches!(holder, Ok(Some(_))),
    };
    findings.extend(directory(&config.node.data_dir));
    match &databases {
        None => findings.extend(embedded(&config.node.data_dir, holder)),
        Some(found) => findings.extend(judge::databases(found, config)),
    }
    findings.extend(second_level(config).await);
    findings.push(objects(config).await);
    if let (Some(_), Some(name), Some(folder)) = (config.cluster.listen, &config.cluster.name, &config.cluster.credentials) {
        let examined = cluster::examine(name.as_str(), folder).map_err(|error| format!("{error:#}"));
        findings.push(judge::credentials(name.as_str(), examined));
    }
    findings.extend(config.listeners().into_iter().map(|(name, address)| {
        let bound = TcpListener::bind(address).map(drop);
        judge::listener(name, address, bound.map_err(|error| error.kind()), is_served)
    }));
    findings.push(judge::open_files(open_files::most(), node::open_files(config, 1), node::open_files(config, config.listeners().len())));
    findings.push(judge::mail(mail::reach(config, PATIENCE).await, &config.node.data_dir));
    findings
}

/// The data directory: whether it can be written, and how much more fits.
fn directory(dir: &Path) -> Vec<Finding> {
    const SUBJECT: &str = "data directory";
    let shown = dir.display();
    // Where it is not there yet, what matters is the folder that it will be made in.
    let Some(there) = existing(dir) else {
        return vec![Finding::fault(SUBJECT, format!("{shown} cannot be reached"), "name another one (node.data_dir)")];
    };
    if !there.is_dir() {
        return vec![Finding::fault(SUBJECT, format!("{} is no directory", there.display()), "name another one (node.data_dir)")];
    }
    let may_write = rustix::fs::access(&there, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK).is_ok();
    if !may_write {
        let remedy = "give it to the user that runs the platform, or name another one (node.data_dir)";
        return vec![Finding::fault(SUBJECT, format!("{} cannot be written", there.display()), remedy)];
    }
    let whole = if there == dir { format!("{shown} can be written") } else { format!("{shown} is not there yet, and will be made") };
    let room = rustix::fs::statvfs(&there).map(|system| system.f_bavail.saturating_mul(system.f_frsize));
    vec![Finding::ok(SUBJECT, whole), judge::room(room.ok())]
}

fn existing(dir: &Path) -> Option<PathBuf> {
    let whole = std::path::absolute(dir).ok()?;
    whole
        .ancestors()
        .find(|path| fs::symlink_metadata(path).is_ok())
        .map(|found| if found == whole { dir.to_owned() } else { found.to_owned() })
}

/// The embedded databases. While a server uses them their files are not read from end to end.
fn embedded(dir: &Path, holder: Result<Option<Option<u32>>, sqlite::OpenError>) -> Vec<Finding> {
    let (lock, is_free) = match holder {
        Ok(None) => (Finding::ok("data directory's lock", "nobody uses the directory"), true),
        Ok(Some(pid)) => {
            let who = pid.map_or_else(|| "a process".to_owned(), |pid| format!("process {pid}"));
            (Finding::ok("data directory's lock", format!("{who} uses the directory, and no second one can")), false)
        }
        Err(error) => (Finding::error("data directory's lock", &error), false),
    };
    let databases = sqlite::examine(dir, is_free);
    [lock].into_iter().chain(databases.iter().map(judge::embedded)).collect()
}

/// Redis.
async fn second_level(config: &Config) -> Option<Finding> {
    let url = config.redis.url.as_ref()?;
    Some(judge::second_level(redis::examine(url.expose(), PATIENCE).await, Duration::from_millis(config.redis.timeout_ms)))
}

/// Where the bytes of files are.
async fn objects(config: &Config) -> Finding {
    let answers = match &config.media.storage_url {
        None => None,
        Some(_) => Some(match storage::objects(config, &prometheus::Registry::new()) {
            Ok(objects) => objects.ping().await.map_err(|error| error.reason),
            Err(error) => Err(format!("{error:#}")),
        }),
    };
    judge::objects(answers, &config.node.data_dir, config.cluster.listen.is_some())
}

/// Whether somebody else has the address.
fn is_taken(kind: ErrorKind) -> bool {
    kind == ErrorKind::AddrInUse
}
