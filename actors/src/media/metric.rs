//! What media counts. docs/metrics.md is generated from what is served.

use prometheus::{Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts, Registry, exponential_buckets};

/// What a job came to.
#[derive(Clone, Copy)]
pub(super) enum Outcome {
    /// It is done, or was before.
    Done,
    /// The image cannot be made into variants.
    Failed,
    /// Something that it needs is away: it is taken up again.
    Later,
    /// Too many waited.
    Discarded,
}

/// The stages of a job.
#[derive(Clone, Copy)]
pub(super) enum Stage {
    /// Decoding, the four sizes, placeholder and colour.
    Sizes,
    /// The full size.
    FullSize,
    /// One variant that was asked for.
    Variant,
}

const OUTCOMES: [&str; 4] = ["done", "failed", "later", "discarded"];
const STAGES: [&str; 3] = ["sizes", "full_size", "variant"];

pub(super) struct Metrics {
    jobs: IntCounterVec,
    pub(super) waiting: IntGauge,
    pub(super) running: IntGauge,
    pub(super) wait: Histogram,
    stages: [Histogram; STAGES.len()],
    /// By whether the caches did it.
    purges: [IntCounter; 2],
}

impl Metrics {
    /// Makes the series, all of them from the start, and registers them; refused where they are registered already.
    pub(super) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let jobs = IntCounterVec::new(
            Opts::new(
                "media_jobs_total",
                "Jobs on images: `done`, `failed` (the image's fault), `later` (something was away), `discarded` (no room).",
            ),
            &["outcome"],
        )?;
        OUTCOMES.iter().for_each(|outcome| jobs.with_label_values(&[outcome]).inc_by(0));
        let waiting = IntGauge::new("media_jobs_waiting", "Jobs that wait for a worker.")?;
        let running = IntGauge::new("media_jobs_running", "Jobs that a worker has.")?;
        let buckets = exponential_buckets(0.005, 2.5, 10)?;
        let wait = Histogram::with_opts(
            HistogramOpts::new("media_job_wait_seconds", "How long jobs waited for a worker.").buckets(buckets.clone()),
        )?;
        let stage = HistogramOpts::new(
            "media_stage_duration_seconds",
            "How long the stages of a job took on their thread: decoding and `sizes`, the `full_size`, a `variant` that was asked for.",
        )
        .buckets(buckets);
        let stages = HistogramVec::new(stage, &["stage"])?;
        let purge = Opts::new("media_cache_purges_total", "Contents that caches in front of the platform were told to forget.");
        let purges = IntCounterVec::new(purge, &["outcome"])?;
        registry.register(Box::new(purges.clone()))?;
        registry.register(Box::new(jobs.clone()))?;
        registry.register(Box::new(waiting.clone()))?;
        registry.register(Box::new(running.clone()))?;
        registry.register(Box::new(wait.clone()))?;
        registry.register(Box::new(stages.clone()))?;
        let purges = ["failed", "done"].map(|outcome| purges.with_label_values(&[outcome]));
        Ok(Self { jobs, waiting, running, wait, stages: STAGES.map(|stage| stages.with_label_values(&[stage])), purges })
    }

    pub(super) fn purged(&self, contents: usize, is_done: bool) {
        self.purges[usize::from(is_done)].inc_by(contents as u64);
    }

    pub(super) fn job(&self, outcome: Outcome) {
        self.jobs.with_label_values(&[OUTCOMES[outcome as usize]]).inc();
    }

    pub(super) fn stage(&self, stage: Stage) -> &Histogram {
        &self.stages[stage as usize]
    }
}
