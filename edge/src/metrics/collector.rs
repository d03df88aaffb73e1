//! What is shown, and how it is made of the counters. The names of all HTTP metrics are here.

use std::sync::Arc;
use std::time::Instant;

use prometheus::core::{Collector, Desc};
use prometheus::proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType};

use super::route::{CLASSES, MILLISECOND, RouteMetrics, SERVER_ERROR, SUCCESS};
use crate::server::{Reason, Stats};
use crate::system::Readings;

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
    counter("http_requests_total", "Requests answered, at all of a service's listeners."),
    counter("http_requests_errors_total", "Requests answered with a server error (5xx)."),
    gauge("http_request_duration_avg_ms", "Mean time to answer a request since the start, in milliseconds."),
    gauge("http_request_error_rate_percent", "Share of requests answered with a server error (5xx) since the start."),
    gauge("process_memory_heap_bytes", "Anonymous resident memory of the process: heap and stacks."),
    gauge("process_memory_rss_bytes", "Resident memory of the process."),
    gauge("system_memory_usage_percent", "Memory in use, of the machine's or of the container's limit if that is lower."),
    gauge("system_cpu_count", "Processors that the process may use."),
    gauge("system_load_average_1m", "Load average of the last minute."),
];

const DURATION: Family = Family {
    name: "http_request_duration_seconds",
    help: "Time to answer a request; `route` is the pattern, or `other` for health, metrics and unknown paths.",
    kind: MetricType::HISTOGRAM,
};

/// The families of a server's connections, in the order of [`ConnectionCollector::collect`].
const CONNECTION_FAMILIES: [Family; 4] = [
    gauge("http_connections_open", "Connections open, of all listeners."),
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
pub(super) struct RequestCollector {
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
    pub(super) fn new(services: Vec<String>, routes: Vec<Arc<RouteMetrics>>, readings: Arc<Readings>) -> Self {
        let durations = descs(&[DURATION], &["service", "route", "method", "status_class"]);
        let descs = descs(&SERVICE_FAMILIES, &["service"]).chain(durations).collect();
        Self { services, routes, readings, began: Instant::now(), descs }
    }

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
pub(super) struct ConnectionCollector {
    stats: Arc<Stats>,
    descs: Vec<Desc>,
}

impl ConnectionCollector {
    pub(super) fn new(stats: Arc<Stats>) -> Self {
        let descs = descs(&CONNECTION_FAMILIES, &[]).chain(descs(&[CONNECTIONS_ENDED], &["reason"])).collect();
        Self { stats, descs }
    }
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
