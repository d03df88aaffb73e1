//! What is to be thought of what was found.

use super::{Finding, is_taken};
use crate::config::Config;
use std::{collections::BTreeMap, io::ErrorKind, net::SocketAddr, path::Path, time::Duration};
use store::{Applied, postgres, redis, sqlite};

/// Less room than this on the data directory's disk is soon none.
const ROOM_BYTES_LOW: u64 = 1 << 30;
/// Less than this may be gone before anybody looks.
const ROOM_BYTES_MIN: u64 = 64 << 20;
/// Clocks that are further apart than this make instants that people wonder about. Nothing else depends on them.
const SKEW_MS_MAX: u64 = 2000;
/// Connections of this process beside the pools: the lease's, and one for migrating at its start.
const BESIDE_POOLS: u64 = 2;
/// Of a node: one for renewals, one for its other statements, the lease's until it has joined, and one for migrating.
const BESIDE_POOLS_OF_A_NODE: u64 = 4;

/// The disk's room; `None` where it cannot be told.
pub(super) fn room(bytes: Option<u64>) -> Finding {
    const SUBJECT: &str = "disk";
    let Some(bytes) = bytes else { return Finding::warning(SUBJECT, "its free space cannot be told", "look yourself") };
    let found = format!("{} MiB are free", bytes >> 20);
    match bytes {
        ..ROOM_BYTES_MIN => Finding::fault(SUBJECT, found, "make room: a full disk stops every write"),
        ROOM_BYTES_MIN..ROOM_BYTES_LOW => Finding::warning(SUBJECT, found, "make room: a full disk stops every write"),
        _ => Finding::ok(SUBJECT, found),
    }
}

/// A database of the data directory.
pub(super) fn embedded(examined: &Result<sqlite::Examined, sqlite::OpenError>) -> Finding {
    let examined = match examined {
        Ok(examined) => examined,
        Err(error) => return Finding::error("SQLite", error),
    };
    let subject = format!("SQLite {}", examined.database);
    match examined {
        sqlite::Examined { damage: Some(damage), .. } if !damage.is_empty() => {
            Finding::fault(subject, format!("the file is damaged: {}", damage.join(", ")), "restore a backup (`lets-connect restore`)")
        }
        sqlite::Examined { is_unfinished: true, .. } => unfinished(subject),
        sqlite::Examined { pending, .. } if !pending.is_empty() => Finding::ok(subject, format!("{}, at the next start", due(pending))),
        sqlite::Examined { damage: None, .. } => Finding::ok(subject, "it is at this release's schema; in use, it was not read through"),
        sqlite::Examined { .. } => Finding::ok(subject, "it is at this release's schema, and whole"),
    }
}

fn unfinished(subject: String) -> Finding {
    Finding::fault(subject, "an import is unfinished", "repeat `lets-connect import` with the same document, which goes on where it was")
}

fn due(pending: &[Applied]) -> String {
    let first = pending.first().map_or("", |step| step.name);
    format!("migrations are due from {first} on ({} of them)", pending.len())
}

/// The databases on servers, and whether the servers have room for the connections of all their pools.
pub(super) fn databases(found: &[Result<postgres::Examined, postgres::OpenError>], config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut servers = BTreeMap::<&str, (u64, u64)>::new();
    for examined in found {
        match examined {
            Err(error) => findings.push(Finding::error("PostgreSQL", error)),
            Ok(examined) => {
                findings.extend(database(examined));
                let server = servers.entry(&examined.server).or_insert((examined.connections_max, 0));
                server.1 += u64::from(config.postgres.connections_max) + u64::from(config.postgres.shared_connections);
            }
        }
    }
    for (server, (most, pools)) in servers {
        let beside = if config.cluster.listen.is_some() { BESIDE_POOLS_OF_A_NODE } else { BESIDE_POOLS };
        let (subject, needed) = (format!("PostgreSQL {server}"), pools + beside);
        let found = format!("this configuration has up to {needed} connections there, and the server gives ordinary roles {most}");
        findings.push(match needed > most {
            true => Finding::warning(subject, found, "raise the server's max_connections, or lower postgres.connections_max"),
            false => Finding::ok(subject, found),
        });
    }
    findings
}

/// A database on a server: one finding that it is well, or one for each thing that is not.
fn database(examined: &postgres::Examined) -> Vec<Finding> {
    let subject = || format!("PostgreSQL {}", examined.database);
    let role = &examined.role;
    let mut findings = Vec::new();
    let mut warn = |found: String, remedy: String| findings.push(Finding::warning(subject(), found, remedy));
    if !examined.is_encrypted && !examined.is_local {
        let remedy = "turn TLS on at the server, and say ?sslmode=verify-full in the URL".to_owned();
        warn(format!("the way to {} is not encrypted", examined.server), remedy);
    }
    if !examined.is_durable {
        warn("fsync is off: a power cut takes what was acknowledged".to_owned(), "turn it on at the server".to_owned());
    }
    if examined.skew_ms > SKEW_MS_MAX {
        warn(format!("the server's clock is {} ms from this machine's", examined.skew_ms), "set both by NTP".to_owned());
    }
    if examined.left_open.0 > 0 {
        let (count, oldest) = examined.left_open;
        let remedy = "end them (pg_terminate_backend), or set idle_in_transaction_session_timeout".to_owned();
        warn(format!("{count} transactions were left open, the oldest for {oldest} s: they hold back vacuum"), remedy);
    }
    if !examined.invalid_indexes.is_empty() {
        let indexes = examined.invalid_indexes.join(", ");
        warn(format!("indexes were not built to their end: {indexes}"), "run `lets-connect migrate --online`, or drop them".to_owned());
    }
    if examined.may_define && examined.pending.is_empty() {
        let remedy =
            "migrate as the owner with `lets-connect migrate --grant ROLE`, and serve as that role, which may only write rows".to_owned();
        warn(format!("{role} may change the schema, which a running platform does not need"), remedy);
    }
    if examined.is_unfinished {
        findings.push(unfinished(subject()));
    }
    findings.extend(rights(examined));
    if let Some(holder) = &examined.holder {
        findings.push(Finding::ok("instance lease", format!("{holder} has it")));
    } else if examined.database == "users" {
        findings.push(Finding::ok("instance lease", "nobody has it"));
    }
    let way = if examined.is_encrypted { "encrypted" } else { "not encrypted" };
    let schema = if examined.pending.is_empty() { "at this release's schema" } else { "to be migrated" };
    let found = format!("{} answers {role} with release {}, {way}; {schema}", examined.server, examined.version);
    findings.insert(0, Finding::ok(subject(), found));
    findings
}

/// Whether the role may do what is to be done.
fn rights(examined: &postgres::Examined) -> Option<Finding> {
    let (subject, role) = (format!("PostgreSQL {}", examined.database), &examined.role);
    let grant = || format!("run `lets-connect migrate --grant {role}` with the URL of the role that owns the database");
    if !examined.pending.is_empty() {
        let due = due(&examined.pending);
        return Some(match examined.may_define {
            true => Finding::warning(subject, due, "run `lets-connect migrate`, or leave that to the next start"),
            false => Finding::fault(subject, format!("{due}, and {role} may not apply them"), grant()),
        });
    }
    let forbidden = &examined.forbidden;
    (!forbidden.is_empty()).then(|| Finding::fault(subject, format!("{role} may not write rows of {}", forbidden.join(", ")), grant()))
}

/// Redis, which may be lost: what is wrong with it is never a fault.
pub(super) fn second_level(examined: Result<redis::Examined, String>, answer_max: Duration) -> Finding {
    const SUBJECT: &str = "Redis";
    let examined = match examined {
        Ok(examined) => examined,
        Err(reason) => {
            return Finding::warning(
                SUBJECT,
                format!("it cannot be used ({reason})"),
                "start it, or correct redis.url; without it more is asked of PostgreSQL",
            );
        }
    };
    let found = format!("release {} answered in {} µs", examined.version, examined.answer.as_micros());
    if examined.answer > answer_max {
        return Finding::warning(SUBJECT, found, "bring it nearer, or raise redis.timeout_ms: what takes longer is not waited for");
    }
    match examined.policy.as_deref() {
        Some("noeviction") => {
            let remedy = "set maxmemory-policy to allkeys-lru: nothing in it needs to stay";
            Finding::warning(SUBJECT, format!("{found}, and takes nothing more when its memory is full"), remedy)
        }
        _ => Finding::ok(SUBJECT, found),
    }
}

/// Object storage: the bucket, or the folder where there is none.
pub(super) fn objects(answers: Option<Result<(), String>>, data_dir: &Path, is_clustered: bool) -> Finding {
    const SUBJECT: &str = "object storage";
    let folder = data_dir.join("media");
    match answers {
        Some(Ok(())) => Finding::ok(SUBJECT, "the bucket answers"),
        Some(Err(reason)) => Finding::fault(
            SUBJECT,
            format!("the bucket cannot be used ({reason})"),
            "make it, give its user the right to read, write, list and delete there, or correct media.storage_url; until then uploads are refused",
        ),
        None if is_clustered => Finding::warning(
            SUBJECT,
            format!("files are in {}, which may be this node's alone", folder.display()),
            "name a bucket in media.storage_url, or mount one folder there on all nodes: each serves what any of them took",
        ),
        None => Finding::ok(SUBJECT, format!("files are in {}", folder.display())),
    }
}

/// An address to listen on. Where these data are served already, it is likely that server that has it.
pub(super) fn listener(name: &str, address: SocketAddr, bound: Result<(), ErrorKind>, is_served: bool) -> Finding {
    let (subject, setting) = (format!("listener {name}"), format!("listen.{name}"));
    match bound {
        Ok(()) => Finding::ok(subject, format!("{address} is free")),
        Err(kind) if is_taken(kind) && is_served => Finding::ok(subject, format!("{address} is taken, likely by the server that runs")),
        Err(kind) if is_taken(kind) => Finding::fault(
            subject,
            format!("{address} is taken by another program"),
            format!("stop that, or choose another address ({setting})"),
        ),
        Err(ErrorKind::PermissionDenied) => {
            let remedy = format!("choose a port from 1024 on ({setting}), or give the process CAP_NET_BIND_SERVICE");
            Finding::fault(subject, format!("this user may not listen on {address}"), remedy)
        }
        Err(kind) => Finding::fault(
            subject,
            format!("nobody can listen on {address} ({kind})"),
            format!("choose an address of this machine ({setting})"),
        ),
    }
}

/// Open files: with `needed` one listener can be full, with `wanted` all of them.
pub(super) fn open_files(most: u64, needed: u64, wanted: u64) -> Finding {
    const SUBJECT: &str = "open files";
    let found = format!("{most} are allowed; {needed} are needed with one listener full, {wanted} with all of them");
    match most < needed {
        true => Finding::warning(SUBJECT, found, "raise the hard limit (ulimit -Hn), or lower http.connections_max"),
        false => Finding::ok(SUBJECT, found),
    }
}

/// What a node of a cluster shows the others.
pub(super) fn credentials(name: &str, examined: Result<(), String>) -> Finding {
    const SUBJECT: &str = "cluster credentials";
    match examined {
        Ok(()) => Finding::ok(SUBJECT, format!("{name} can show them to the other nodes")),
        Err(reason) => Finding::fault(
            SUBJECT,
            format!("{name} cannot use them ({reason})"),
            "make them by `lets-connect certs`, and name the folder in cluster.credentials",
        ),
    }
}

/// Mail.
pub(super) fn mail(reached: Option<Result<(), String>>, data_dir: &Path) -> Finding {
    const SUBJECT: &str = "mail";
    match reached {
        None => Finding::ok(SUBJECT, format!("without mail.smtp_url it is written to files in {}", data_dir.join("mail").display())),
        Some(Ok(())) => Finding::ok(SUBJECT, "the SMTP server answers"),
        Some(Err(reason)) => Finding::warning(
            SUBJECT,
            format!("the SMTP server cannot be used ({reason})"),
            "correct mail.smtp_url; mail waits and is tried again",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Level;

    fn examined() -> postgres::Examined {
        postgres::Examined {
            database: "content",
            server: "db.example:5432".to_owned(),
            is_local: false,
            role: "app".to_owned(),
            version: "15.4".to_owned(),
            is_encrypted: true,
            is_durable: true,
            skew_ms: 3,
            connections_max: 97,
            may_define: false,
            forbidden: Vec::new(),
            pending: Vec::new(),
            invalid_indexes: Vec::new(),
            is_unfinished: false,
            left_open: (0, 0),
            holder: None,
        }
    }

    #[test]
    fn each_thing_that_is_not_well_is_said_with_what_to_do() {
        let step = Applied { database: "content", version: 9, name: "0009_more" };
        type Change = fn(&mut postgres::Examined);
        let changes: [(&str, Level, Change); 10] = [
            ("not encrypted", Level::Warning, |e| e.is_encrypted = false),
            ("fsync", Level::Warning, |e| e.is_durable = false),
            ("clock", Level::Warning, |e| e.skew_ms = 2001),
            ("left open", Level::Warning, |e| e.left_open = (1, 61)),
            ("post_public", Level::Warning, |e| e.invalid_indexes = vec!["post_public".to_owned()]),
            ("may change the schema", Level::Warning, |e| e.may_define = true),
            ("import is unfinished", Level::Fault, |e| e.is_unfinished = true),
            ("may not write rows of post", Level::Fault, |e| e.forbidden = vec!["post".to_owned()]),
            ("", Level::Ok, |e| (e.is_encrypted, e.is_local) = (false, true)),
            ("", Level::Ok, |e| e.skew_ms = 2000),
        ];
        assert_eq!(database(&examined()).len(), 1);
        for (said, level, change) in changes {
            let mut examined = examined();
            change(&mut examined);
            let findings = database(&examined);
            assert_eq!(crate::doctor::worst(&findings), level, "{findings:?}");
            assert!(findings.iter().any(|f| f.found.contains(said) && (level == Level::Ok) == f.remedy.is_none()), "{said}: {findings:?}");
        }
        let due = postgres::Examined { pending: vec![step], ..examined() };
        assert!(rights(&due).is_some_and(|f| f.level == Level::Fault && f.remedy.is_some_and(|remedy| remedy.contains("--grant app"))));
        assert!(rights(&postgres::Examined { may_define: true, ..due }).is_some_and(|f| f.level == Level::Warning));
    }

    #[test]
    fn the_pools_of_all_databases_share_a_servers_connections() {
        let config = Config::default();
        let three = |connections_max| (0..3).map(|_| Ok(postgres::Examined { connections_max, ..examined() })).collect();
        let last = |found: Vec<_>| databases(&found, &config).pop().expect("a finding").level;
        let needed = 3 * u64::from(config.postgres.connections_max + config.postgres.shared_connections) + BESIDE_POOLS;
        assert_eq!((last(three(needed)), last(three(needed - 1))), (Level::Ok, Level::Warning));
    }

    #[test]
    fn a_port_is_free_taken_by_our_own_server_or_a_fault() {
        let address = ([127, 0, 0, 1], 80).into();
        let level = |bound, is_served| listener("gateway", address, bound, is_served).level;
        assert_eq!(level(Ok(()), false), Level::Ok);
        assert_eq!(level(Err(ErrorKind::AddrInUse), true), Level::Ok);
        for kind in [ErrorKind::AddrInUse, ErrorKind::PermissionDenied, ErrorKind::AddrNotAvailable] {
            assert_eq!(level(Err(kind), false), Level::Fault);
        }
    }

    #[test]
    fn a_disk_is_judged_by_its_room() {
        for (bytes, level) in [(10 << 20, Level::Fault), (100 << 20, Level::Warning), (1 << 30, Level::Ok)] {
            assert_eq!(room(Some(bytes)).level, level);
        }
        assert_eq!(open_files(10, 11, 20).level, Level::Warning);
        assert_eq!(open_files(11, 11, 20).level, Level::Ok);
    }

    #[test]
    fn what_is_wrong_with_redis_is_never_a_fault() {
        let well = redis::Examined { version: "7".to_owned(), answer: Duration::from_millis(1), policy: None };
        let level = |examined| second_level(examined, Duration::from_millis(50)).level;
        assert_eq!(level(Ok(well.clone())), Level::Ok);
        assert_eq!(level(Ok(redis::Examined { policy: Some("noeviction".to_owned()), ..well.clone() })), Level::Warning);
        assert_eq!(level(Ok(redis::Examined { answer: Duration::from_millis(51), ..well })), Level::Warning);
        assert_eq!(level(Err("away".to_owned())), Level::Warning);
    }
}
