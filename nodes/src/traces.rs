//! Traces, on their way to whatever takes OTLP: which spans are taken, and who sends them.
//!
//! What cannot be sent is lost, counted, and told once: no request waits for it, and no file grows by it.

use crate::config::Config;
use actors::trace::TAKEN;
use anyhow::{Context as _, Result};
use edge::trace::Sampling;
use opentelemetry::{KeyValue, trace::TracerProvider as _};
use opentelemetry_otlp::{
    WithExportConfig, WithHttpConfig, WithTonicConfig,
    tonic_types::{metadata::MetadataMap, transport::ClientTlsConfig},
};
use opentelemetry_sdk::{
    Resource,
    error::{OTelSdkError, OTelSdkResult},
    trace::{BatchConfigBuilder, BatchSpanProcessor, SdkTracerProvider, Span, SpanData, SpanExporter, SpanProcessor},
};
use prometheus::{IntCounter, Registry};
use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::runtime::Handle;
use tracing::{Metadata, Subscriber, level_filters::LevelFilter, subscriber::Interest};
use tracing_subscriber::{
    Layer,
    layer::{Context, Filter},
    registry::LookupSpan,
};

/// Where the spans come from, as others see it.
const SERVICE: &str = "lets-connect";
/// Crates whose spans are taken, below one that is. Libraries have spans of their own, some of which never end.
const OURS: [&str; 5] = ["actors", "edge", "links", "nodes", "store"];
/// How long sending the last spans may take when the process ends.
const FINISH_MAX: Duration = Duration::from_secs(5);

/// What takes the spans of this process.
pub struct Traces {
    provider: SdkTracerProvider,
    sampling: Sampling,
    figures: Figures,
}

impl Traces {
    /// Starts what sends them, if the configuration names a collector. Whether one answers there shows later. To be called within the runtime.
    ///
    /// # Errors
    /// When the address makes no client: it was checked when it was read.
    pub fn start(config: &Config) -> Result<Option<Self>> {
        let settings = &config.traces;
        let Some(collector) = &settings.url else { return Ok(None) };
        // The clients take the process's provider of cryptography. That there is one already is well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let timeout = Duration::from_millis(settings.timeout_ms);
        let authorization = collector.expose_token().map(|token| format!("Bearer {token}"));
        let builder = opentelemetry_otlp::SpanExporter::builder();
        let exporter = if collector.is_grpc() {
            let mut metadata = MetadataMap::new();
            if let Some(authorization) = authorization {
                metadata.insert("authorization", authorization.parse().context("traces.url")?);
            }
            let builder = builder.with_tonic().with_endpoint(collector.url()).with_timeout(timeout).with_metadata(metadata);
            let is_secret = collector.url().starts_with("https:");
            if is_secret { builder.with_tls_config(ClientTlsConfig::new().with_enabled_roots()).build() } else { builder.build() }
        } else {
            let headers: HashMap<_, _> = authorization.map(|value| ("authorization".to_owned(), value)).into_iter().collect();
            let client =
                reqwest::Client::builder().timeout(timeout).redirect(reqwest::redirect::Policy::none()).build().context("traces.url")?;
            let builder = builder.with_http().with_http_client(client).with_headers(headers);
            builder.with_endpoint(collector.url()).with_timeout(timeout).build()
        };
        let figures = Figures::default();
        let (exporter, waiting) = (Arc::new(exporter.context("traces.url")?), Arc::new(AtomicUsize::new(0)));
        let sender = Sender {
            exporter,
            timeout,
            waiting: waiting.clone(),
            runtime: Handle::current(),
            figures: figures.clone(),
            is_losing: AtomicBool::new(false),
        };
        let batches = BatchConfigBuilder::default().with_max_queue_size(settings.queue_max).build();
        let batches = BatchSpanProcessor::builder(sender).with_batch_config(batches).build();
        let processor = Queue { batches, waiting, max: settings.queue_max, figures: figures.clone() };
        let provider = SdkTracerProvider::builder().with_resource(resource(config)).with_span_processor(processor).build();
        Ok(Some(Self { provider, sampling: Sampling { one_in: settings.one_in, trusts_proxies: settings.trust_proxies }, figures }))
    }

    /// Which requests are traced.
    #[must_use]
    pub const fn sampling(&self) -> Sampling {
        self.sampling
    }

    /// What takes the spans out of the subscriber's hands.
    #[must_use]
    pub fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'lookup> LookupSpan<'lookup> + Send + Sync,
    {
        let layer = tracing_opentelemetry::layer().with_tracer(self.provider.tracer(SERVICE));
        // Where a span is in the source, and on which thread, is asked of nobody who reads traces; each would cost every span.
        layer
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_context_activation(false)
            .with_filter(Taken)
    }

    /// Sends what is left, for at most five seconds.
    pub fn finish(self) {
        if let Err(error) = self.provider.shutdown_with_timeout(FINISH_MAX) {
            tracing::warn!(%error, "the last traces may not have been sent");
        }
    }
}

/// Who the spans are of. What the environment says by `OTEL_RESOURCE_ATTRIBUTES` is added.
fn resource(config: &Config) -> Resource {
    let node = config.cluster.name.as_ref().map(|name| KeyValue::new("service.instance.id", name.as_str().to_owned()));
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    Resource::builder().with_service_name(SERVICE).with_attribute(version).with_attributes(node).build()
}

/// Takes the span that a taken trace begins with on this node, and what of ours is within one that is taken.
struct Taken;

impl<S> Filter<S> for Taken
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
{
    fn enabled(&self, metadata: &Metadata<'_>, context: &Context<'_, S>) -> bool {
        metadata.is_span() && (metadata.target() == TAKEN || (is_ours(metadata) && context.lookup_current().is_some()))
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        match metadata.is_span() && (metadata.target() == TAKEN || is_ours(metadata)) {
            true => Interest::sometimes(),
            false => Interest::never(),
        }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::DEBUG)
    }
}

fn is_ours(metadata: &Metadata<'_>) -> bool {
    let module = metadata.target().split("::").next().unwrap_or_default();
    *metadata.level() <= tracing::Level::DEBUG && OURS.contains(&module)
}

/// What is counted of traces. docs/metrics.md is generated from what is served.
#[derive(Clone, Debug)]
pub struct Figures {
    sent: IntCounter,
    lost: IntCounter,
}

impl Default for Figures {
    fn default() -> Self {
        let counter = |name, help| IntCounter::new(name, help).expect("names are sound");
        Self {
            sent: counter("traces_spans_sent_total", "Spans of traces that a collector took."),
            lost: counter("traces_spans_lost_total", "Spans of traces that no collector took, or not in time."),
        }
    }
}

impl Figures {
    /// Shows them, whether anything takes traces or nothing.
    ///
    /// # Errors
    /// Where they are shown already.
    pub fn register(traces: Option<&Traces>, registry: &Registry) -> prometheus::Result<()> {
        let figures = traces.map(|traces| traces.figures.clone()).unwrap_or_default();
        registry.register(Box::new(figures.sent))?;
        registry.register(Box::new(figures.lost))
    }
}

/// The library's queue, with a count of what it has no room for: of that the library tells nobody.
#[derive(Debug)]
struct Queue {
    batches: BatchSpanProcessor,
    waiting: Arc<AtomicUsize>,
    max: usize,
    figures: Figures,
}

impl SpanProcessor for Queue {
    fn on_start(&self, span: &mut Span, context: &opentelemetry::Context) {
        self.batches.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        if self.waiting.fetch_add(1, Ordering::Relaxed) < self.max {
            return self.batches.on_end(span);
        }
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        self.figures.lost.inc();
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.batches.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.batches.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.batches.set_resource(resource);
    }
}

/// Sends batches on the runtime: the clients need it, and the library's thread, which asks for it, is none of it.
struct Sender {
    exporter: Arc<opentelemetry_otlp::SpanExporter>,
    timeout: Duration,
    /// Spans that are in the queue, or are about to be.
    waiting: Arc<AtomicUsize>,
    runtime: Handle,
    figures: Figures,
    /// Whether the last batch was lost, for one line of the log when that changes.
    is_losing: AtomicBool,
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sender")
    }
}

impl SpanExporter for Sender {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let (exporter, spans) = (self.exporter.clone(), batch.len() as u64);
        self.waiting.fetch_sub(batch.len(), Ordering::Relaxed);
        let timeout = self.timeout;
        // The clients have times of their own for parts of it, and not for all.
        let sent = self.runtime.spawn(async move {
            tokio::time::timeout(timeout, exporter.export(batch)).await.unwrap_or(Err(OTelSdkError::Timeout(timeout)))
        });
        match sent.await.unwrap_or(Err(OTelSdkError::AlreadyShutdown)) {
            Ok(()) => {
                self.figures.sent.inc_by(spans);
                if self.is_losing.swap(false, Ordering::Relaxed) {
                    tracing::info!("traces are taken again");
                }
            }
            Err(error) => {
                self.figures.lost.inc_by(spans);
                if !self.is_losing.swap(true, Ordering::Relaxed) {
                    tracing::warn!(%error, "traces are not taken: they are lost until they are");
                }
            }
        }
        // It is told here, once; the library would tell it for every batch.
        Ok(())
    }

    fn set_resource(&mut self, resource: &Resource) {
        if let Some(exporter) = Arc::get_mut(&mut self.exporter) {
            exporter.set_resource(resource);
        }
    }
}
