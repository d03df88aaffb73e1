//! How the node and its process are.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Counter, IntGauge, IntGaugeVec, Opts, Registry};
use tokio::sync::Semaphore;

use crate::health::Stage;
use crate::system::{Reading, Readings};

/// What is read off when somebody looks.
pub struct Vitals {
    /// A permit for each request that may be in work.
    pub admission: Arc<Semaphore>,
    /// How many those are.
    pub inflight_max: usize,
    /// The number of the node's [`Stage`].
    pub stage: Arc<AtomicU8>,
    /// The process and its machine.
    pub readings: Arc<Readings>,
}

struct VitalsCollector {
    vitals: Vitals,
    in_flight: IntGauge,
    stages: IntGaugeVec,
    process: ProcessGauges,
}

/// The process, under the names that Prometheus' own clients use.
struct ProcessGauges {
    cpu: Counter,
    started: IntGauge,
    files: IntGauge,
    files_max: IntGauge,
}

impl ProcessGauges {
    fn new() -> prometheus::Result<Self> {
        Ok(Self {
            cpu: Counter::new("process_cpu_seconds_total", "Processor time that the process has taken, of user and system together.")?,
            started: IntGauge::new("process_start_time_seconds", "When the process started, as Unix time.")?,
            files: IntGauge::new("process_open_fds", "Files and sockets that the process has open.")?,
            files_max: IntGauge::new("process_max_fds", "How many files and sockets it may have open.")?,
        })
    }

    fn parts(&self) -> [&dyn Collector; 4] {
        [&self.cpu, &self.started, &self.files, &self.files_max]
    }

    fn take(&self, reading: &Reading) {
        let gauge = |gauge: &IntGauge, value: u64| gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        // A counter that could go down would be taken for another process.
        self.cpu.inc_by((reading.process_cpu.as_secs_f64() - self.cpu.get()).max(0.0));
        gauge(&self.started, reading.process_started_s);
        gauge(&self.files, reading.process_files.0 as u64);
        gauge(&self.files_max, reading.process_files.1 as u64);
    }
}

impl Vitals {
    pub(super) fn register(self, registry: &Registry) -> prometheus::Result<()> {
        let in_flight = IntGauge::new("http_requests_in_flight", "Requests in work, beyond those that memory answers.")?;
        let help = "How many there may be (`http.requests_in_flight_max`); beyond, requests are refused with 503.";
        let in_flight_max = IntGauge::new("http_requests_in_flight_max", help)?;
        in_flight_max.set(i64::try_from(self.inflight_max).unwrap_or(i64::MAX));
        registry.register(Box::new(in_flight_max))?;

        let build = IntGaugeVec::new(Opts::new("build_info", "1, for the release that runs."), &["version"])?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        registry.register(Box::new(build))?;

        let stages = Opts::new("node_stage", "1 for where the node is in its life, 0 for the other stages.");
        let stages = IntGaugeVec::new(stages, &["stage"])?;
        let process = ProcessGauges::new()?;
        registry.register(Box::new(VitalsCollector { vitals: self, in_flight, stages, process }))
    }
}

impl Collector for VitalsCollector {
    fn desc(&self) -> Vec<&Desc> {
        let own = [self.in_flight.desc(), self.stages.desc()].concat();
        own.into_iter().chain(self.process.parts().into_iter().flat_map(Collector::desc)).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let in_work = self.vitals.inflight_max.saturating_sub(self.vitals.admission.available_permits());
        self.in_flight.set(i64::try_from(in_work).unwrap_or(i64::MAX));
        let now = Stage::of(self.vitals.stage.load(Ordering::Acquire));
        for stage in Stage::ALL {
            self.stages.with_label_values(&[stage.name()]).set(i64::from(stage == now));
        }
        self.process.take(&self.vitals.readings.read());
        let own = [self.in_flight.collect(), self.stages.collect()].concat();
        own.into_iter().chain(self.process.parts().into_iter().flat_map(Collector::collect)).collect()
    }
}
