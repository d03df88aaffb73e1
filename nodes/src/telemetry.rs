//! The log: one line an event on standard error, for a reader in a terminal and as JSON elsewhere.
//!
//! JSON lines use the names of the Elastic Common Schema. What users write, and secrets, are never logged: callers do
//! not pass them, fields whose name promises either are redacted whoever passes them, libraries that log headers and
//! frames at low levels are held above them whatever the filter says, and a panic is logged by its place.

use std::{
    backtrace::{Backtrace, BacktraceStatus},
    collections::BTreeMap,
    env,
    error::Error as StdError,
    fmt,
    io::{self, IsTerminal},
    panic::{self, PanicHookInfo},
    time::Duration,
};

use futures_util::future::BoxFuture;
use serde_json::Value;
use tracing::{
    Event, Level, Subscriber,
    field::{self, Field, Visit},
    level_filters::LevelFilter,
    subscriber,
};
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    field::MakeExt,
    filter::{FilterExt, Targets},
    fmt::{
        FmtContext, FormatEvent, FormatFields, FormattedFields, MakeWriter,
        format::{Format, Full, JsonFields, Writer, debug_fn, format},
        time::{FormatTime, SystemTime},
    },
    layer::SubscriberExt,
    registry::LookupSpan,
    reload,
};

use actors::trace;

use crate::{
    config::{Log, LogFilter, LogFormat},
    profile,
    traces::Traces,
};

/// What log lines say of the service, and the namespace of the fields that the schema does not name.
const SERVICE_NAME: &str = "lets-connect";
const NAMESPACE: &str = "lets_connect";

/// The version of the Elastic Common Schema whose names are used.
const ECS_VERSION: &str = "8.11.0";

/// Libraries that log what passes through them below this level, or have each message of an actor in a span that says which actor it is.
const HELD: [(&str, LevelFilter); 7] = [
    ("h2", LevelFilter::INFO),
    ("hyper", LevelFilter::INFO),
    ("hyper_util", LevelFilter::INFO),
    ("ractor", LevelFilter::WARN),
    ("rustls", LevelFilter::INFO),
    ("tokio_rustls", LevelFilter::INFO),
    ("warp", LevelFilter::INFO),
];

/// Names of fields whose value is never logged, alone or as the end of a longer name (`admin_token`, `http.cookie`).
const REDACTED: [&str; 12] =
    ["authorization", "bio", "body", "content", "cookie", "email", "hash", "password", "phone", "phone_number", "secret", "token"];

/// Why the log could not be started or changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A subscriber was installed before; there is one in a process.
    #[error("a log was started before")]
    Started(#[from] subscriber::SetGlobalDefaultError),
    /// The filter could not be exchanged because the log is gone.
    #[error("the log is gone")]
    Gone(#[from] reload::Error),
}

/// What the process tells of itself while it runs.
pub struct Telemetry {
    /// The log.
    pub log: Handle,
    /// What takes traces, if anything does.
    pub traces: Option<Traces>,
}

impl Telemetry {
    /// Sends what was not sent yet.
    pub fn finish(self) {
        if let Some(traces) = self.traces {
            traces.finish();
        }
    }
}

/// The running log. Cheap to clone; dropping it does not stop the log.
#[derive(Clone)]
pub struct Handle {
    filter: reload::Handle<EnvFilter, Registry>,
}

impl edge::dispatch::Process for Handle {
    fn log_filter(&self) -> String {
        self.filter().unwrap_or_default()
    }

    fn set_log_filter(&self, filter: &str) -> Result<(), String> {
        let filter = LogFilter::parse(filter).ok_or_else(LogFilter::form)?;
        self.set_filter(&filter).map_err(|error| error.to_string())
    }

    fn cpu_profile(&self, time: Duration) -> BoxFuture<'static, Result<String, String>> {
        Box::pin(profile::of_cpu(time))
    }
}

impl Handle {
    /// Logs by this filter from now on, in all threads.
    ///
    /// # Errors
    ///
    /// [`Error::Gone`] if the log no longer exists; another try will not help.
    pub fn set_filter(&self, filter: &LogFilter) -> Result<(), Error> {
        Ok(self.filter.reload(env_filter(filter))?)
    }

    /// Returns the filter in force, as the library writes it.
    ///
    /// # Errors
    ///
    /// [`Error::Gone`] if the log no longer exists.
    pub fn filter(&self) -> Result<String, Error> {
        Ok(self.filter.with_current(EnvFilter::to_string)?)
    }
}

/// Starts the log of this process, on standard error, and logs panics from now on. Spans go to `traces`, if there is something that takes them.
///
/// # Errors
///
/// [`Error::Started`] if the process has a log.
pub fn start(log: &Log, traces: Option<Traces>) -> Result<Telemetry, Error> {
    let terminal = io::stderr().is_terminal();
    let style = match log.format {
        LogFormat::Json => Style::Json,
        LogFormat::Auto if !terminal => Style::Json,
        LogFormat::Auto | LogFormat::Human => Style::Human { colour: terminal && !no_colour() },
    };
    let (subscriber, handle) = subscriber(&log.filter, style, io::stderr);
    subscriber::set_global_default(subscriber.with(traces.as_ref().map(Traces::layer)))?;
    panic::set_hook(Box::new(log_panic));
    Ok(Telemetry { log: handle, traces })
}

/// Whether the user wants no colour (<https://no-color.org>).
fn no_colour() -> bool {
    env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

#[derive(Clone, Copy)]
enum Style {
    Human { colour: bool },
    Json,
}

fn subscriber<W>(filter: &LogFilter, style: Style, writer: W) -> (impl Subscriber + for<'lookup> LookupSpan<'lookup> + Send + Sync, Handle)
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let (filter, handle) = reload::Layer::new(env_filter(filter));
    let held = Targets::new().with_default(LevelFilter::TRACE).with_targets(HELD);
    let lines = tracing_subscriber::fmt::layer().with_writer(writer);
    let lines = match style {
        Style::Json => lines.fmt_fields(JsonFields::new()).event_format(EcsLine).boxed(),
        Style::Human { colour } => lines
            .with_ansi(colour)
            .fmt_fields(debug_fn(write_field).delimited(" "))
            .event_format(HumanLine(format().with_ansi(colour)))
            .boxed(),
    };
    // As one filter: of two, the library asks both for each event and span that one has no use for, instead of never again.
    (Registry::default().with(lines.with_filter(filter.and(held))), Handle { filter: handle })
}

/// Makes the library's filter. What the directives leave out is logged from `warn` on: left to itself the library would
/// be silent there, and a panic would pass unseen.
fn env_filter(filter: &LogFilter) -> EnvFilter {
    EnvFilter::try_new(format!("warn,{}", filter.as_str())).expect("a LogFilter is known to parse")
}

/// Whether the value of a field so named must not be logged.
fn is_redacted(field: &str) -> bool {
    let last = field.rsplit('.').next().unwrap_or(field);
    let ends_with = |word: &str| last.strip_suffix(word).is_some_and(|rest| rest.is_empty() || rest.ends_with('_'));
    REDACTED.into_iter().any(ends_with)
}

/// The field of a backtrace, in the schema's name.
const STACK_TRACE: &str = "error.stack_trace";

const REDACTED_VALUE: &str = "[redacted]";

/// Writes a field for a reader. Control characters are escaped, so that a value can neither forge a line nor steer the
/// terminal.
fn write_field(writer: &mut Writer<'_>, field: &Field, value: &dyn fmt::Debug) -> fmt::Result {
    let name = field.name();
    if is_redacted(name) {
        return write!(writer, "{name}={REDACTED_VALUE}");
    }
    if name != "message" {
        write!(writer, "{name}=")?;
    }
    if name == STACK_TRACE {
        // Names of functions and files only, and worth reading as it is laid out.
        return write!(writer, "\n{value:?}");
    }
    for character in format!("{value:?}").chars() {
        match character.is_control() {
            true => write!(writer, "{}", character.escape_default())?,
            false => writer.write_char(character)?,
        }
    }
    Ok(())
}

/// The schema's name for the trace that a line is told of.
const TRACE_ID: &str = "trace.id";

/// A trace's id as refusals tell it.
fn shown_id(id: u128) -> String {
    format!("{id:032x}")
}

/// Writes an event as the library does, and behind it for which request it was, where no span says that.
struct HumanLine(Format<Full, SystemTime>);

impl<S, F> FormatEvent<S, F> for HumanLine
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
    F: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, F>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let known = trace::trace_id()
            .filter(|_| context.event_scope().is_none_or(|mut scope| scope.all(|span| span.fields().field("trace_id").is_none())));
        let Some(id) = known else { return self.0.format_event(context, writer, event) };
        let mut line = String::new();
        self.0.format_event(context, Writer::new(&mut line), event)?;
        writeln!(writer, "{} trace_id={}", line.trim_end_matches('\n'), shown_id(id))
    }
}

/// Writes an event as one JSON object with the names of the Elastic Common Schema, dotted. Fields of the event and of
/// the spans around it stand at the top; the inner one wins. A field without a dot in its name, which the schema could
/// use otherwise, is put under our namespace.
struct EcsLine;

impl<S> FormatEvent<S, JsonFields> for EcsLine
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
{
    fn format_event(&self, context: &FmtContext<'_, S, JsonFields>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut fields = Fields::default();
        for span in context.event_scope().into_iter().flat_map(|scope| scope.from_root()) {
            let extensions = span.extensions();
            // A span's fields come as text since the library keeps them so; it wrote them itself, as an object.
            let recorded = extensions.get::<FormattedFields<JsonFields>>();
            let recorded = recorded.and_then(|recorded| serde_json::from_str(recorded.as_str()).ok());
            let recorded: BTreeMap<String, Value> = recorded.unwrap_or_default();
            recorded.into_iter().for_each(|(name, value)| fields.insert(&name, value));
        }
        event.record(&mut fields);
        if let (Some(id), false) = (trace::trace_id(), fields.0.contains_key(TRACE_ID)) {
            fields.0.insert(TRACE_ID.to_owned(), shown_id(id).into());
        }

        let metadata = event.metadata();
        let message = fields.0.remove("message").unwrap_or_else(|| metadata.name().into());
        let mut timestamp = String::new();
        SystemTime.format_time(&mut Writer::new(&mut timestamp))?;
        let head = [
            ("@timestamp", timestamp.into()),
            ("log.level", level_name(metadata.level()).into()),
            ("message", message),
            ("ecs.version", ECS_VERSION.into()),
            ("service.name", SERVICE_NAME.into()),
            ("service.version", env!("CARGO_PKG_VERSION").into()),
            ("log.logger", metadata.target().into()),
        ];
        let mut separator = '{';
        for (name, value) in &head {
            fields.0.remove(*name);
            write!(writer, "{separator}\"{name}\":{value}")?;
            separator = ',';
        }
        for (name, value) in fields.0 {
            write!(writer, ",{}:{value}", Value::from(name))?;
        }
        writer.write_str("}\n")
    }
}

fn level_name(level: &Level) -> &'static str {
    match *level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}

/// Fields by their name in the schema.
#[derive(Default)]
struct Fields(BTreeMap<String, Value>);

impl Fields {
    fn insert(&mut self, name: &str, value: Value) {
        // What only traces are told.
        if name.starts_with("otel.") {
            return;
        }
        let value = if is_redacted(name) { REDACTED_VALUE.into() } else { value };
        let name = match name {
            "message" => "message".to_owned(),
            "error" | "err" => "error.message".to_owned(),
            "trace_id" => TRACE_ID.to_owned(),
            "span_id" => "span.id".to_owned(),
            dotted if dotted.contains('.') => dotted.to_owned(),
            own => format!("{NAMESPACE}.{own}"),
        };
        self.0.insert(name, value);
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.insert(field.name(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.insert(field.name(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.insert(field.name(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.insert(field.name(), value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.insert(field.name(), value.into());
    }

    fn record_error(&mut self, field: &Field, error: &(dyn StdError + 'static)) {
        self.insert(field.name(), with_sources(error).into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.insert(field.name(), format!("{value:?}").into());
    }
}

/// Writes an error and what caused it, outermost first.
fn with_sources(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

/// Logs a panic: where it was, and its message only if that is fixed text. A formatted one may quote what a user wrote:
/// slicing a string between two bytes of a character, for one, prints the string.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let (file, line) = panic.location().map_or(("unknown", 0), |location| (location.file(), location.line()));
    let reason = panic.payload().downcast_ref::<&'static str>().copied().unwrap_or("a formatted message, withheld");
    let backtrace = Backtrace::capture();
    let stack_trace = (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
    tracing::error!(
        target: "panic",
        {
            "error.type" = "panic",
            "error.message" = reason,
            "error.stack_trace" = stack_trace.map(field::display),
        },
        "panicked at {file}:{line}"
    );
}

#[cfg(test)]
mod tests {
    use std::{
        mem,
        sync::{Arc, Mutex},
    };

    use actors::trace::Cause;
    use serde_json::json;
    use tracing::{Span, info, info_span, subscriber::with_default, warn};

    use super::*;

    /// A place to write to that a test can read.
    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Written {
        fn take(&self) -> String {
            let bytes = mem::take(&mut *self.0.lock().expect("no test panics while it writes"));
            String::from_utf8(bytes).expect("log lines are text")
        }
    }

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("no test panics while it writes").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Returns what is written while `events` happen under the filter.
    fn log(filter: &str, style: Style, events: impl FnOnce(&Handle)) -> String {
        let written = Written::default();
        let writer = written.clone();
        let filter = LogFilter::parse(filter).expect("a filter");
        let (subscriber, handle) = subscriber(&filter, style, move || writer.clone());
        with_default(subscriber, || events(&handle));
        written.take()
    }

    const HUMAN: Style = Style::Human { colour: false };

    /// Returns the one JSON line as an object, without the time, which must be there.
    fn json_line(events: impl FnOnce()) -> Value {
        let text = log("info", Style::Json, |_| events());
        assert_eq!(text.lines().count(), 1, "{text}");
        let mut line: Value = serde_json::from_str(&text).expect("JSON");
        let timestamp = line.as_object_mut().and_then(|line| line.remove("@timestamp"));
        let timestamp = timestamp.as_ref().and_then(Value::as_str).expect("a time").to_owned();
        assert!(timestamp.ends_with('Z') && timestamp.len() == "2026-01-01T00:00:00.000000Z".len(), "{timestamp}");
        line
    }

    #[test]
    fn a_json_line_has_the_names_of_the_schema() {
        let line = json_line(|| {
            let outer = info_span!("request", trace_id = "4bf9", http.route = "/x", slot = 1);
            let inner = info_span!(parent: &outer, "owner", slot = 2, late = field::Empty);
            let _in_span = inner.enter();
            inner.record("late", true);
            let cause = io::Error::other("disk is full");
            warn!(error = &cause as &(dyn StdError + 'static), count = 3_u64, "cannot {}", "write");
        });
        let expected = json!({
            "log.level": "warn",
            "message": "cannot write",
            "ecs.version": "8.11.0",
            "service.name": "lets-connect",
            "service.version": env!("CARGO_PKG_VERSION"),
            "log.logger": module_path!(),
            "trace.id": "4bf9",
            "http.route": "/x",
            "lets_connect.slot": 2,
            "lets_connect.late": true,
            "lets_connect.count": 3,
            "error.message": "disk is full",
        });
        assert_eq!(line, expected);
    }

    #[test]
    fn a_json_line_starts_with_time_level_and_message_and_no_field_replaces_them() {
        let text = log("info", Style::Json, |_| info!("log.level" = "forged", "service.name" = "forged", "said"));
        let start = text.find("\",\"log.level\":\"info\",\"message\":\"said\",").expect("level and message");
        assert!(text.starts_with("{\"@timestamp\":\"2") && start < 50, "{text}");
        assert!(!text.contains("forged"), "{text}");
    }

    #[test]
    fn a_line_names_the_trace_of_what_is_worked_for() {
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        let cause = Cause::new(u128::from_str_radix(id, 16).expect("a number"), Span::none());
        for style in [HUMAN, Style::Json] {
            let text = log("info", style, |_| {
                let _working = cause.enter();
                info!("asked");
            });
            assert!(text.lines().count() == 1 && text.contains(id), "{text}");
            assert!(!log("info", style, |_| info!("asked")).contains(id));
        }
    }

    #[test]
    fn an_error_is_logged_with_its_sources() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot load")]
        struct Load(#[source] io::Error);

        let line = json_line(|| {
            let error = Load(io::Error::other("disk is full"));
            warn!(error = &error as &(dyn StdError + 'static));
        });
        assert_eq!(line["error.message"], "cannot load: disk is full");
    }

    #[test]
    fn secrets_and_content_are_redacted_by_the_name_of_their_field() {
        let events = |_: &Handle| {
            let span = info_span!("request", password = "leak");
            let _in_span = span.enter();
            info!(admin_token = "leak", post.content = "leak", email = ?Some("leak"), content_bytes = 7, "made");
        };
        for style in [HUMAN, Style::Json] {
            let text = log("info", style, events);
            assert!(!text.contains("leak"), "{text}");
            assert_eq!(text.matches("[redacted]").count(), 4, "{text}");
            assert!(text.contains("content_bytes"), "{text}");
        }
    }

    #[test]
    fn no_value_forges_a_line_or_steers_the_terminal() {
        for style in [HUMAN, Style::Json] {
            let text = log("info", style, |_| info!(name = "a\nb", path = %"c\r\u{1b}[2J", "d\n{}", "e\u{9b}"));
            assert_eq!(text.lines().count(), 1, "{text}");
            let control = |c: char| c.is_control() && c != '\n';
            assert!(!text.contains(control) || matches!(style, Style::Json), "{text:?}");
        }
    }

    #[test]
    fn the_filter_changes_at_run_time() {
        let text = log("info", HUMAN, |handle| {
            tracing::debug!("before");
            handle.set_filter(&LogFilter::parse("debug").expect("a filter")).expect("the log runs");
            tracing::debug!("after");
            assert_eq!(handle.filter().expect("the log runs"), "debug");
        });
        assert!(!text.contains("before") && text.contains("after"), "{text}");
    }

    #[test]
    fn a_filter_for_one_module_leaves_warnings_of_the_others() {
        let text = log("edge=debug", HUMAN, |_| {
            tracing::debug!(target: "edge", "one");
            tracing::info!(target: "store", "two");
            tracing::warn!(target: "store", "three");
        });
        assert!(text.contains("one") && !text.contains("two") && text.contains("three"), "{text}");
    }

    #[test]
    fn libraries_that_log_what_passes_through_them_are_held_whatever_the_filter() {
        let text = log("trace,h2=trace", HUMAN, |_| {
            tracing::trace!(target: "h2::hpack", "frame");
            tracing::info!(target: "hyper::server", "started");
            tracing::trace!(target: "edge", "ours");
        });
        assert!(!text.contains("frame") && text.contains("started") && text.contains("ours"), "{text}");
    }

    #[test]
    fn a_panic_is_logged_by_its_place_and_without_what_a_user_wrote() {
        let before = panic::take_hook();
        panic::set_hook(Box::new(log_panic));
        let text = log("info", HUMAN, |_| {
            let written = "péché".to_owned();
            assert!(panic::catch_unwind(|| written[2..].len()).is_err());
            assert!(panic::catch_unwind(|| panic!("fixed text")).is_err());
        });
        panic::set_hook(before);
        assert_eq!(text.matches(concat!("panicked at ", file!(), ":")).count(), 2, "{text}");
        assert!(text.contains("withheld") && text.contains("fixed text") && !text.contains("péché"), "{text}");
    }
}
