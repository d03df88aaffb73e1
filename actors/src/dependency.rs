//! How the things are that this node depends on: looked at by the clock, for readiness, for metrics, and for one line of the log when it changes.

use crate::{clock::by_the_clock, node::Node, supervisor::Child};
use arc_swap::ArcSwap;
use futures_util::future::join_all;
use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};
use store::{Domain, StoreError, objects::Objects};

/// From one look's end to the next one.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long a dependency may take to say that it is well.
const ANSWER_MAX: Duration = Duration::from_secs(4);

/// How a dependency was at the last look.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// Whether it answered, and well.
    pub healthy: bool,
    /// What that means, for strangers to read.
    pub message: String,
    /// How long it took to answer.
    pub latency: Duration,
}

/// All of them by name; empty before the first look.
pub type Conditions = BTreeMap<String, Condition>;

/// What is known of the dependencies. At most five seconds old.
#[derive(Default)]
pub struct Dependencies {
    found: ArcSwap<Conditions>,
    objects: OnceLock<Objects>,
}

impl Dependencies {
    /// From now on object storage is looked at as well. Once.
    pub(crate) fn depend_on(&self, objects: Objects) {
        if self.objects.set(objects).is_err() {
            tracing::error!("this node has object storage already");
        }
    }

    /// What the last look found.
    #[must_use]
    pub fn conditions(&self) -> Arc<Conditions> {
        self.found.load_full()
    }
}

async fn database(domain: &dyn Domain) -> (String, Condition) {
    let asked = Instant::now();
    let answer = tokio::time::timeout(ANSWER_MAX, domain.ping()).await;
    let latency = asked.elapsed();
    let (healthy, message) = match answer {
        Ok(Ok(())) => (true, "it answers".to_owned()),
        Ok(Err(StoreError::Overloaded { .. })) => (false, "all of its connections are in use".to_owned()),
        Ok(Err(error)) => {
            tracing::debug!(%error, database = domain.database(), "a look failed");
            (false, "it does not answer".to_owned())
        }
        Err(_) => (false, format!("no answer within {} s", ANSWER_MAX.as_secs())),
    };
    (format!("database:{}", domain.database()), Condition { healthy, message, latency })
}

fn second_level(node: &Node) -> Option<(String, Condition)> {
    let redis = node.stores.second_level.as_ref()?;
    let condition = match redis.condition() {
        Ok(latency) => Condition { healthy: true, message: "it answers".to_owned(), latency },
        Err(reason) => Condition { healthy: false, message: reason, latency: Duration::ZERO },
    };
    Some(("redis".to_owned(), condition))
}

async fn objects(node: &Node) -> Option<(String, Condition)> {
    let objects = node.dependencies.objects.get()?;
    let asked = Instant::now();
    let answer = tokio::time::timeout(ANSWER_MAX, objects.ping()).await;
    let latency = asked.elapsed();
    let (healthy, message) = match answer {
        Ok(Ok(())) => (true, "it answers".to_owned()),
        Ok(Err(error)) => {
            tracing::debug!(%error, "a look failed");
            (false, "it does not answer".to_owned())
        }
        Err(_) => (false, format!("no answer within {} s", ANSWER_MAX.as_secs())),
    };
    Some((OBJECTS.to_owned(), Condition { healthy, message, latency }))
}

/// What object storage is called among the dependencies.
const OBJECTS: &str = "object_storage";

/// Looks at everything once. The tree does so by the clock; before a node serves, readiness must know.
pub async fn look(node: &Node) {
    let domains = node.stores.domains();
    let databases = join_all(domains.iter().map(|domain| database(&**domain)));
    let (found, objects) = tokio::join!(databases, objects(node));
    let now: Conditions = found.into_iter().chain(objects).chain(second_level(node)).collect();
    let before = node.dependencies.found.swap(Arc::new(now.clone()));
    for (name, condition) in &now {
        // Well is what is expected at the start.
        let was_healthy = before.get(name).is_none_or(|before| before.healthy);
        match (was_healthy, condition.healthy) {
            (true, false) => tracing::warn!(dependency = name, reason = condition.message, "degraded: {}", consequence(name)),
            (false, true) => tracing::info!(dependency = name, "well again"),
            _ => {}
        }
    }
}

const fn consequence(name: &str) -> &'static str {
    match name.as_bytes() {
        b"object_storage" => "files are neither taken nor served until it answers",
        b"redis" => "what it keeps is read from the databases, and limits are each edge's own, until it answers",
        _ => "only what is in memory is answered until it answers",
    }
}

/// The row of the supervision tree that looks.
#[must_use]
pub fn watch(node: &Arc<Node>) -> Child {
    let node = node.clone();
    by_the_clock("dependencies", LOOK_EVERY, move |_| {
        let node = node.clone();
        async move {
            look(&node).await;
            LOOK_EVERY
        }
    })
}
