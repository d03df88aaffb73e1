//! HTTP metrics: counted per route in plain atomics, shown in Prometheus' text format.
//!
//! A request costs one [`RouteMetrics::observe`]: a bucket is found by comparison, and two counters in the worker's own cache lines
//! are raised, 20 to 40 ns in all. Labels, sums and rates are made when somebody asks.

mod collector;
mod route;
mod vital;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use parking_lot::RwLock;
use prometheus::proto::{Metric, MetricFamily};
use prometheus::{Registry, TextEncoder};

use crate::server::Stats;
use crate::system::Readings;
use collector::{ConnectionCollector, RequestCollector};

pub use route::RouteMetrics;
pub use vital::Vitals;

/// More workers than this share counters, which costs them time but no counts.
const SHARDS_MAX: usize = 16;

/// The content type of [`HttpMetrics::render`].
pub const CONTENT_TYPE: &str = prometheus::TEXT_FORMAT;

/// The metrics of all services and their routes.
pub struct HttpMetrics {
    routes: Vec<Arc<RouteMetrics>>,
    registry: Registry,
    included: RwLock<Vec<Registry>>,
}

impl HttpMetrics {
    /// Makes the metrics of these services and of routes given as (service, route, method). Every series of a service is there from
    /// the start, at 0. A route's place in the list is its number in [`route`](Self::route); a service that only routes name is
    /// added.
    ///
    /// Routes are patterns (`/profile/:userId`), never paths: each is a series for ever. Requests that match none belong to a route
    /// of their own, which the caller lists too.
    pub fn new(services: &[&str], routes: &[(&str, &str, &str)], readings: Arc<Readings>) -> Self {
        let mut names: Vec<String> = Vec::new();
        for service in services.iter().chain(routes.iter().map(|(service, ..)| service)) {
            if !names.iter().any(|name| name == service) {
                names.push((*service).to_owned());
            }
        }
        let shards = std::thread::available_parallelism().map_or(1, usize::from).next_power_of_two().min(SHARDS_MAX);
        let routes: Vec<_> =
            routes.iter().map(|(service, route, method)| Arc::new(RouteMetrics::new(service, route, method, shards))).collect();
        let registry = Registry::new();
        let requests = RequestCollector::new(names, routes.clone(), readings);
        registry.register(Box::new(requests)).expect("the registry is empty");
        Self { routes, registry, included: RwLock::default() }
    }

    /// Gives the metrics of the route with that number, to be kept by whoever answers it.
    ///
    /// # Panics
    /// If there is no such route.
    pub fn route(&self, index: usize) -> &Arc<RouteMetrics> {
        &self.routes[index]
    }

    /// Gives the registry for further collectors of this process. Those without a `service` label appear on the admin listener
    /// alone.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Shows another registry's metrics as well. A name that both have is shown once, with the series of both.
    pub fn include(&self, registry: Registry) {
        self.included.write().push(registry);
    }

    /// Shows a server's counts of connections as well.
    ///
    /// # Errors
    /// If a server's counts are shown already.
    pub fn include_connections(&self, stats: Arc<Stats>) -> prometheus::Result<()> {
        self.registry.register(Box::new(ConnectionCollector::new(stats)))
    }

    /// Shows how the node and its process are as well.
    ///
    /// # Errors
    /// If that is shown already.
    pub fn include_vitals(&self, vitals: Vitals) -> prometheus::Result<()> {
        vitals.register(&self.registry)
    }

    /// Shows the metrics as text: one service's series, or all.
    pub fn render(&self, service: Option<&str>) -> String {
        let mut families: BTreeMap<String, MetricFamily> = BTreeMap::new();
        let included = self.included.read();
        for registry in std::iter::once(&self.registry).chain(included.iter()) {
            for mut family in registry.gather() {
                match families.get_mut(family.name()) {
                    Some(known) => known.mut_metric().append(family.mut_metric()),
                    None => {
                        families.insert(family.name().to_owned(), family);
                    }
                }
            }
        }
        drop(included);
        let mut shown: Vec<MetricFamily> = families.into_values().collect();
        if let Some(service) = service {
            for family in &mut shown {
                family.mut_metric().retain(|metric| belongs_to(metric, service));
            }
        }
        shown.retain(|family| !family.get_metric().is_empty());
        let mut text = String::new();
        if let Err(error) = TextEncoder::new().encode_utf8(&shown, &mut text) {
            tracing::error!(error = %error, "metrics cannot be shown");
        }
        text
    }
}

impl fmt::Debug for HttpMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HttpMetrics({} routes)", self.routes.len())
    }
}

fn belongs_to(metric: &Metric, service: &str) -> bool {
    metric.get_label().iter().any(|label| label.name() == "service" && label.value() == service)
}
