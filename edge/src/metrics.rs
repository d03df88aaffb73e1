//! HTTP metrics: counted per route in plain atomics, shown in Prometheus' text format.
//!
//! A request costs one [`RouteMetrics::observe`]: a bucket is found by comparison, and two counters in the worker's own cache lines
//! are raised, 20 to 40 ns in all. Labels, sums and rates are made when somebody asks.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use http::StatusCode;
use parking_lot::RwLock;
use prometheus::core::{Collector, Desc};
use prometheus::proto::{Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType};
use prometheus::{Registry, TextEncoder};

use crate::server::{Reason, Stats};
use crate::system::Readings;

/// The content type of [`HttpMetrics::render`].
pub const CONTENT_TYPE: &str = prometheus::TEXT_FORMAT;

const MICROSECOND: u64 = 1_000;
const MILLISECOND: u64 = 1_000 * MICROSECOND;
const SECOND: u64 = 1_000 * MILLISECOND;

/// Upper bounds of the duration buckets in nanoseconds, from what a cached read takes to the limit of a request; steps of 2 to 3, so
/// that a quantile read from them is at most that factor off.
const BOUNDS_NANOS: [u64; 18] = [
    50 * MICROSECOND,
    100 * MICROSECOND,
    250 * MICROSECOND,
    500 * MICROSECOND,
    MILLISECOND,
    2_500 * MICROSECOND,
    5 * MILLISECOND,
    10 * MILLISECOND,
    25 * MILLISECOND,
    50 * MILLISECOND,
    100 * MILLISECOND,
    250 * MILLISECOND,
    500 * MILLISECOND,
    SECOND,
    2_500 * MILLISECOND,
    5 * SECOND,
    10 * SECOND,
    30 * SECOND,
];

const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];
const SUCCESS: usize = 1;
const SERVER_ERROR: usize = 4;

/// More workers than this share counters, which costs them time but no counts.
const SHARDS_MAX: usize = 16;

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
        let requests = RequestCollector {
            services: names,
            routes: routes.clone(),
            readings,
            began: Instant::now(),
            descs: descs(&SERVICE_FAMILIES, &["service"])
                .chain(descs(&[DURATION], &["service", "route", "method", "status_class"]))
                .collect(),
        };
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
        let descs = descs(&CONNECTION_FAMILIES, &[]).chain(descs(&[CONNECTIONS_ENDED], &["reason"])).collect();
        self.registry.register(Box::new(ConnectionCollector { stats, descs }))
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

/// One route's counters.
pub struct RouteMetrics {
    service: String,
    route: String,
    method: String,
    shards: Box<[Shard]>,
}

/// The counters that one worker raises; apart from its neighbours', since two workers raising counters in one cache line wait for
/// each other. 128 bytes, because processors fetch lines in pairs.
#[derive(Default)]
#[repr(align(128))]
struct Shard {
    classes: [Cells; CLASSES.len()],
}

#[derive(Default)]
struct Cells {
    buckets: [AtomicU64; BOUNDS_NANOS.len() + 1],
    sum_nanos: AtomicU64,
}

/// Counts read off at one moment.
#[derive(Clone, Copy, Default)]
struct Counts {
    buckets: [u64; BOUNDS_NANOS.len() + 1],
    sum_nanos: u64,
}

thread_local! {
    static SHARD: Cell<Option<usize>> = const { Cell::new(None) };
}

/// Gives this thread's number, counted from 0 in order of first use.
fn thread_number() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    SHARD.with(|shard| match shard.get() {
        Some(number) => number,
        None => {
            let number = NEXT.fetch_add(1, Relaxed);
            shard.set(Some(number));
            number
        }
    })
}

impl RouteMetrics {
    fn new(service: &str, route: &str, method: &str, shards: usize) -> Self {
        Self {
            service: service.to_owned(),
            route: route.to_owned(),
            method: method.to_owned(),
            shards: (0..shards).map(|_| Shard::default()).collect(),
        }
    }

    /// Counts one answered request.
    #[inline]
    pub fn observe(&self, status: StatusCode, elapsed: Duration) {
        // `http` admits 100 to 999; what is beyond 5xx counts as an error.
        let class = usize::from(status.as_u16() / 100 - 1).min(SERVER_ERROR);
        let nanos = elapsed.as_secs().saturating_mul(SECOND).saturating_add(u64::from(elapsed.subsec_nanos()));
        let bucket = BOUNDS_NANOS.partition_point(|bound| *bound < nanos);
        // The number of shards is a power of two.
        let shard = &self.shards[thread_number() & (self.shards.len() - 1)];
        let cells = &shard.classes[class];
        cells.buckets[bucket].fetch_add(1, Relaxed);
        cells.sum_nanos.fetch_add(nanos, Relaxed);
    }

    fn counts(&self, class: usize) -> Counts {
        let mut counts = Counts::default();
        for shard in &self.shards {
            let cells = &shard.classes[class];
            for (count, cell) in counts.buckets.iter_mut().zip(&cells.buckets) {
                *count += cell.load(Relaxed);
            }
            counts.sum_nanos = counts.sum_nanos.wrapping_add(cells.sum_nanos.load(Relaxed));
        }
        counts
    }
}

impl fmt::Debug for RouteMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.service, self.method, self.route)
    }
}

impl Counts {
    fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    fn histogram(&self) -> Histogram {
        let mut cumulative = 0;
        let buckets = BOUNDS_NANOS
            .iter()
            .zip(&self.buckets)
            .map(|(bound, count)| {
                cumulative += count;
                let mut bucket = Bucket::default();
                bucket.set_upper_bound(*bound as f64 / SECOND as f64);
                bucket.set_cumulative_count(cumulative);
                bucket
            })
            .collect();
        let mut histogram = Histogram::default();
        histogram.set_bucket(buckets);
        histogram.set_sample_count(self.count());
        histogram.set_sample_sum(self.sum_nanos as f64 / SECOND as f64);
        histogram
    }
}

/// A family's name and help; which is its only place in the code.
struct Family {
    name: &'static str,
    help: &'static str,
    kind: MetricType,
}

const fn gauge(name: &'static str, help: &'static str) -> Family {
    Family { name, help, kind: MetricType::GAUGE }
}

const fn counter(name: &'static str, help: &'static str) -> Family {
    Family { name, help, kind: MetricType::COUNTER }
}

/// The families that each service has one series of, in the order of [`RequestCollector::values`].
const SERVICE_FAMILIES: [Family; 10] = [
    gauge("service_uptime_seconds", "Time since the service started."),
    counter("http_requests_total", "Requests answered."),
    counter("http_requests_errors_total", "Requests answered with a server error (5xx)."),
    gauge("http_request_duration_avg_ms", "Mean time to answer a request since the start."),
    gauge("http_request_error_rate_percent", "Share of requests answered with a server error (5xx) since the start."),
    gauge("process_memory_heap_bytes", "Anonymous resident memory of the process: heap and stacks."),
    gauge("process_memory_rss_bytes", "Resident memory of the process."),
    gauge("system_memory_usage_percent", "Memory in use, of the machine's or of the container's limit if that is lower."),
    gauge("system_cpu_count", "Processors that the process may use."),
    gauge("system_load_average_1m", "Load average of the last minute."),
];

const DURATION: Family = Family { name: "http_request_duration_seconds", help: "Time to answer a request.", kind: MetricType::HISTOGRAM };

/// The families of a server's connections, in the order of [`ConnectionCollector::collect`].
const CONNECTION_FAMILIES: [Family; 4] = [
    gauge("http_connections_open", "Connections open."),
    counter("http_connections_accepted_total", "Connections accepted."),
    counter("http_connections_refused_total", "Connections refused because their listener was full."),
    counter("http_connections_accept_failures_total", "Failures to accept a connection."),
];

const CONNECTIONS_ENDED: Family = counter("http_connections_ended_total", "Connections that the server ended, by reason.");

fn descs(families: &[Family], labels: &[&str]) -> impl Iterator<Item = Desc> {
    families.iter().map(|family| {
        let labels = labels.iter().map(|label| (*label).to_owned()).collect();
        Desc::new(family.name.to_owned(), family.help.to_owned(), labels, Default::default()).expect("names and labels are well-formed")
    })
}

impl Family {
    fn of(&self, metrics: Vec<Metric>) -> MetricFamily {
        let mut family = MetricFamily::default();
        family.set_name(self.name.to_owned());
        family.set_help(self.help.to_owned());
        family.set_field_type(self.kind);
        family.set_metric(metrics);
        family
    }

    fn metric(&self, labels: &[(&str, &str)], value: f64) -> Metric {
        let mut metric = Metric::from_label(pairs(labels));
        match self.kind {
            MetricType::COUNTER => {
                let mut counter = Counter::default();
                counter.set_value(value);
                metric.set_counter(counter);
            }
            _ => {
                let mut gauge = Gauge::default();
                gauge.set_value(value);
                metric.set_gauge(gauge);
            }
        }
        metric
    }
}

fn pairs(labels: &[(&str, &str)]) -> Vec<LabelPair> {
    labels
        .iter()
        .map(|(name, value)| {
            let mut pair = LabelPair::default();
            pair.set_name((*name).to_owned());
            pair.set_value((*value).to_owned());
            pair
        })
        .collect()
}

/// Shows the counters of the routes, and what is made of them.
struct RequestCollector {
    services: Vec<String>,
    routes: Vec<Arc<RouteMetrics>>,
    readings: Arc<Readings>,
    began: Instant,
    descs: Vec<Desc>,
}

/// The requests of one service.
#[derive(Clone, Copy, Default)]
struct Totals {
    requests: u64,
    errors: u64,
    nanos: u64,
}

impl RequestCollector {
    fn totals(&self, service: &str) -> Totals {
        let mut totals = Totals::default();
        for route in self.routes.iter().filter(|route| route.service == service) {
            for class in 0..CLASSES.len() {
                let counts = route.counts(class);
                totals.requests += counts.count();
                totals.nanos = totals.nanos.wrapping_add(counts.sum_nanos);
                if class == SERVER_ERROR {
                    totals.errors += counts.count();
                }
            }
        }
        totals
    }

    fn values(&self, service: &str) -> [f64; SERVICE_FAMILIES.len()] {
        let totals = self.totals(service);
        let reading = self.readings.read();
        let requests = totals.requests.max(1) as f64;
        [
            self.began.elapsed().as_secs_f64(),
            totals.requests as f64,
            totals.errors as f64,
            totals.nanos as f64 / MILLISECOND as f64 / requests,
            100.0 * totals.errors as f64 / requests,
            reading.process_heap_bytes as f64,
            reading.process_rss_bytes as f64,
            reading.memory_used_percent,
            reading.cpus as f64,
            reading.load_1m,
        ]
    }

    /// The histograms of a route: of successes always, of other classes once there are any.
    fn durations(route: &RouteMetrics) -> impl Iterator<Item = Metric> + '_ {
        CLASSES.iter().enumerate().filter_map(|(class, name)| {
            let counts = route.counts(class);
            if counts.count() == 0 && class != SUCCESS {
                return None;
            }
            let mut metric = Metric::from_label(pairs(&[
                ("method", &route.method),
                ("route", &route.route),
                ("service", &route.service),
                ("status_class", name),
            ]));
            metric.set_histogram(counts.histogram());
            Some(metric)
        })
    }
}

impl Collector for RequestCollector {
    fn desc(&self) -> Vec<&Desc> {
        self.descs.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let values: Vec<_> = self.services.iter().map(|service| (service, self.values(service))).collect();
        let mut families: Vec<_> = SERVICE_FAMILIES
            .iter()
            .enumerate()
            .map(|(index, family)| {
                let metric =
                    |(service, values): &(&String, [f64; SERVICE_FAMILIES.len()])| family.metric(&[("service", service)], values[index]);
                family.of(values.iter().map(metric).collect())
            })
            .collect();
        let durations = self.routes.iter().flat_map(|route| Self::durations(route));
        families.push(DURATION.of(durations.collect()));
        families
    }
}

/// Shows a server's counts of connections.
struct ConnectionCollector {
    stats: Arc<Stats>,
    descs: Vec<Desc>,
}

impl Collector for ConnectionCollector {
    fn desc(&self) -> Vec<&Desc> {
        self.descs.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let stats = &self.stats;
        let values = [stats.open(), stats.accepted(), stats.refused(), stats.accept_failures()];
        let mut families: Vec<_> =
            CONNECTION_FAMILIES.iter().zip(values).map(|(family, value)| family.of(vec![family.metric(&[], value as f64)])).collect();
        let ended = Reason::ALL.map(|reason| {
            let labels = [("reason", reason.label())];
            CONNECTIONS_ENDED.metric(&labels, stats.ended(reason) as f64)
        });
        families.push(CONNECTIONS_ENDED.of(ended.into()));
        families
    }
}
