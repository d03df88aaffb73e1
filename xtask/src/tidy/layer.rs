//! The house: which crate may use which of ours, and which libraries it must never know.
//!
//! ```text
//! nodes → edge → actors → { store, links } → cluster → protocol
//! ```
//!
//! Beside it stand `testbed`, which only tests may use, `images`, which knows only bytes, `web`, which holds the front-end's files, and `simulation`, which judges
//! `cluster`.

/// A crate of ours.
pub struct Layer {
    /// Its folder, which is also its name in the workspace's table of dependencies.
    pub name: &'static str,
    /// Ours that it may use.
    pub uses: &'static [&'static str],
    /// Ours that its tests may use beside those.
    pub tests_use: &'static [&'static str],
    /// Libraries that it must not know; each name stands for its family, `hyper` for `hyper-util` too.
    pub never: &'static [&'static str],
}

/// Every crate of ours, from the bottom to the top.
pub const LAYERS: &[Layer] = &[
    // It knows servers, is one where there is none to start, and knows nothing of ours.
    Layer { name: "testbed", uses: &[], tests_use: &[], never: &["ractor", "rusqlite", "warp"] },
    // The front-end's files: who serves them brings HTTP.
    Layer { name: "web", uses: &[], tests_use: &[], never: &["http", "hyper", "ractor", "rusqlite", "tokio", "warp"] },
    // The vocabulary: no I/O, no actors.
    Layer {
        name: "protocol",
        uses: &[],
        tests_use: &[],
        never: &["bb8", "http", "hyper", "postgres", "ractor", "rusqlite", "tokio", "warp"],
    },
    // Bytes in, bytes out: who calls brings files, threads and time.
    Layer {
        name: "images",
        uses: &[],
        tests_use: &[],
        never: &["bb8", "http", "hyper", "postgres", "ractor", "rayon", "rusqlite", "tokio", "tracing", "warp"],
    },
    // Decisions alone: who runs them brings time, the network and the store.
    Layer {
        name: "cluster",
        uses: &["protocol"],
        tests_use: &[],
        never: &["bb8", "http", "hyper", "postgres", "rand", "ractor", "rusqlite", "tokio", "tracing", "warp"],
    },
    Layer {
        name: "simulation",
        uses: &["protocol", "cluster"],
        tests_use: &[],
        never: &["bb8", "http", "hyper", "postgres", "ractor", "rusqlite", "tokio", "warp"],
    },
    Layer {
        name: "store",
        uses: &["protocol", "cluster"],
        tests_use: &["testbed", "simulation"],
        never: &["http", "hyper", "ractor", "warp"],
    },
    // Bytes from node to node: neither what owners do with them, nor where anything is kept.
    Layer {
        name: "links",
        uses: &["protocol"],
        tests_use: &[],
        never: &["bb8", "http", "hyper", "postgres", "rusqlite", "tokio-postgres", "warp"],
    },
    // Owners know neither the wire above them nor the SQL below.
    Layer {
        name: "actors",
        uses: &["protocol", "images", "cluster", "links", "store"],
        tests_use: &["testbed"],
        never: &["bb8", "http", "hyper", "rusqlite", "tokio-postgres", "warp"],
    },
    // It reaches the store only through the owners; its tests give it a real one, and Redis.
    Layer {
        name: "edge",
        uses: &["web", "protocol", "images", "actors"],
        tests_use: &["store", "testbed"],
        never: &["bb8", "rusqlite", "tokio-postgres"],
    },
    Layer {
        name: "nodes",
        uses: &["protocol", "images", "cluster", "links", "store", "actors", "edge"],
        tests_use: &["testbed"],
        never: &["bb8", "rusqlite", "tokio-postgres"],
    },
    // They judge the platform from outside, so they share none of its code.
    Layer { name: "loadtest", uses: &[], tests_use: &[], never: &["ractor", "rusqlite", "warp"] },
    Layer { name: "xtask", uses: &[], tests_use: &[], never: &["ractor", "rusqlite", "tokio", "warp"] },
];

/// The layer in a folder.
pub fn layer(folder: &str) -> Option<&'static Layer> {
    LAYERS.iter().find(|layer| layer.name == folder)
}

/// Whether a library is of the family.
pub fn of_family(library: &str, family: &str) -> bool {
    library.strip_prefix(family).is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '_']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_arrow_runs_back() {
        for (number, layer) in LAYERS.iter().enumerate() {
            let below: Vec<_> = LAYERS[..number].iter().map(|below| below.name).collect();
            assert!(layer.uses.iter().chain(layer.tests_use).all(|used| below.contains(used)), "{}", layer.name);
        }
    }

    #[test]
    fn a_family_is_known_by_its_first_word() {
        assert!(of_family("hyper", "hyper") && of_family("hyper-util", "hyper") && of_family("http_body", "http"));
        assert!(!of_family("hyperloglog", "hyper") && !of_family("http", "hyper"));
    }
}
