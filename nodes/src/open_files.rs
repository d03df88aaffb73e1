//! The limit on open files, of which every connection is one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// How many files a process of this user may open at most.
#[must_use]
pub fn most() -> u64 {
    getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX)
}

/// Lets this process open `wanted` files, or as many as its hard limit allows; the log says so if these are fewer than `needed`. Processes are
/// started with a soft limit of 1024 or less for the sake of select(2), which nothing here uses: a thousand idle clients would keep out all others.
pub fn allow(wanted: u64, needed: u64) {
    let limit = getrlimit(Resource::Nofile);
    let current = limit.current.unwrap_or(u64::MAX);
    let raised = limit.maximum.map_or(wanted, |maximum| maximum.min(wanted)).max(current);
    let allowed = match setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum: limit.maximum }) {
        Ok(()) => raised,
        Err(_) => current,
    };
    if allowed < needed {
        tracing::warn!(
            allowed,
            needed,
            "fewer connections can be open than http.connections_max: raise the hard limit on open files (ulimit -Hn)"
        );
    }
}
