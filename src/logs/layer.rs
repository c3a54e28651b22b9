//! `layer`: the layer of `tracing-subscriber` that sends the lines of runs.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::Attributes;
use tracing::{Event, Id, Metadata, Subscriber};
use tracing_log::NormalizeEvent as _;
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;
use uuid::Uuid;

use super::line::{Message, number};
use super::shipper::Shipper;
use crate::client::Client;

/// The target of the SDK's own lines and spans that belong to a run.
const RUN_TARGET: &str = "prefect_sdk::run";

/// The targets of what takes part in sending lines: what these write is not sent.
const OWN_TARGETS: [&str; 8] = [
    "prefect_sdk",
    "reqwest",
    "hyper",
    "hyper_util",
    "h2",
    "rustls",
    "tokio_websockets",
    "mio",
];

tokio::task_local! {
    /// The run and the task run whose function is being polled.
    static SCOPE: (Uuid, Option<Uuid>);
}

/// A layer of `tracing-subscriber` that sends the log lines of flow runs and task runs to the server: `POST /logs/`.
///
/// A line belongs to the run of the [`flow`](crate::flow) in whose function, or in whose
/// [span](crate::flow::Run::span), it is written, and to the task likewise. Lines outside of runs are not sent, and neither
/// are those of the SDK and of the HTTP client in it. Lines of the `log` crate come through `tracing-log`, which
/// `tracing-subscriber` installs by its default features.
///
/// Writing a line never waits. Lines wait for others for 2 s, or until they have 4 MB; they are sent by the client's own
/// thread, at the latest before the end of their run is reported, and each has a later time than the one before it, because
/// the server orders them by nothing else. While the server is out of reach up to 64 MB are kept; of those beyond, the last
/// line of the run says how many there were. A line of more than 1 MB is cut (of 25 kB on Prefect Cloud).
///
/// The client's settings (`PREFECT_LOGGING_…`, see [`Settings`](crate::Settings)) set the level and the sizes, and may
/// switch it off.
///
/// ```no_run
/// # fn example(client: prefect_sdk::Client) {
/// use tracing_subscriber::layer::SubscriberExt as _;
/// use tracing_subscriber::util::SubscriberInitExt as _;
///
/// tracing_subscriber::registry()
///     .with(tracing_subscriber::fmt::layer())
///     .with(prefect_sdk::logs::layer(&client))
///     .init();
/// # }
/// ```
#[must_use = "a layer does nothing until it is part of a subscriber"]
pub fn layer(client: &Client) -> LogLayer {
    let settings = client.participant();
    let is_enabled = settings.logs_enabled != Some(false);
    let missing = settings.missing_flow.as_deref().map(str::to_lowercase);
    LogLayer {
        // A client that is shut down sends nothing.
        shipper: Shipper::of(client).ok().filter(|_| is_enabled),
        max_level: settings
            .log_level
            .as_deref()
            .map_or(LevelFilter::INFO, level),
        missing_run: match missing.as_deref() {
            Some("warn") => MissingRun::Warn,
            Some("error") => MissingRun::Error,
            _ => MissingRun::Ignore,
        },
        has_warned: AtomicBool::new(false),
    }
}

/// The layer that [`layer`] returns.
pub struct LogLayer {
    shipper: Option<Arc<Shipper>>,
    max_level: LevelFilter,
    missing_run: MissingRun,
    has_warned: AtomicBool,
}

/// What happens to a line that belongs to no run. It is never sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum MissingRun {
    /// Nothing.
    #[default]
    Ignore,
    /// The first of them makes a warning, for other layers.
    Warn,
    /// Each of them makes an error, for other layers.
    Error,
}

impl LogLayer {
    /// Sets the least important level of lines that are sent. Default: `PREFECT_LOGGING_LEVEL`, or INFO.
    pub fn max_level(mut self, level: impl Into<LevelFilter>) -> Self {
        self.max_level = level.into();
        self
    }

    /// Sets what happens to lines outside of runs. Default: `PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW`, or nothing.
    pub fn missing_run(mut self, rule: MissingRun) -> Self {
        self.missing_run = rule;
        self
    }

    fn miss(&self, metadata: &Metadata<'_>) {
        let target = metadata.target();
        match self.missing_run {
            MissingRun::Ignore => {}
            MissingRun::Warn if self.has_warned.swap(true, Ordering::Relaxed) => {}
            MissingRun::Warn => {
                tracing::warn!(line = target, "log lines outside of runs are not sent")
            }
            MissingRun::Error => {
                tracing::error!(line = target, "a log line outside of runs is not sent")
            }
        }
    }
}

/// Runs a future so that the lines it writes belong to a run.
#[cfg(feature = "flows")]
pub(crate) fn scope<F: Future>(
    ids: (Uuid, Option<Uuid>),
    future: F,
) -> impl Future<Output = F::Output> {
    SCOPE.scope(ids, future)
}

/// The runs that a span belongs to, among its extensions.
#[derive(Clone, Copy)]
struct SpanIds(Uuid, Option<Uuid>);

impl<S> Layer<S> for LogLayer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if attributes.metadata().target() != RUN_TARGET {
            return;
        }
        let mut ids = IdFields::default();
        attributes.record(&mut ids);
        if let (Some(flow_run), Some(span)) = (ids.flow_run, context.span(id)) {
            span.extensions_mut()
                .insert(SpanIds(flow_run, ids.task_run));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let Some(shipper) = &self.shipper else {
            return;
        };
        let normalized = event.normalized_metadata();
        let metadata = normalized.as_ref().unwrap_or_else(|| event.metadata());
        if *metadata.level() > self.max_level || is_own(metadata.target()) {
            return;
        }
        let spans = context.event_scope(event).into_iter().flatten();
        let ids = spans.filter_map(|span| {
            let ids = span.extensions().get::<SpanIds>().copied();
            ids.map(|SpanIds(flow_run, task_run)| (flow_run, task_run))
        });
        let ids = { ids }.next().or_else(|| SCOPE.try_get().ok());
        let Some(ids) = ids else {
            return self.miss(metadata);
        };
        let name = match (metadata.target(), ids.1) {
            (RUN_TARGET, None) => "prefect.flow_runs",
            (RUN_TARGET, Some(_)) => "prefect.task_runs",
            (target, _) => target,
        };
        let mut message = Message::default();
        event.record(&mut message);
        let queue = shipper.queue();
        queue.push(name, number(metadata.level()), message.finish(), ids);
    }
}

/// Whether lines of this target are not sent.
fn is_own(target: &str) -> bool {
    target != RUN_TARGET
        && OWN_TARGETS.iter().any(|own| {
            let rest = target.strip_prefix(own);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
        })
}

/// The level of Prefect's name or number.
fn level(name: &str) -> LevelFilter {
    let number = match name.trim().to_uppercase().as_str() {
        "CRITICAL" | "FATAL" => 50,
        "WARNING" => 30,
        "NOTSET" => 0,
        other => {
            return match (other.parse::<u32>(), LevelFilter::from_str(other)) {
                (Ok(number), _) => by_number(number),
                (_, Ok(level)) => level,
                _ => LevelFilter::INFO,
            };
        }
    };
    by_number(number)
}

fn by_number(number: u32) -> LevelFilter {
    match number {
        0..=9 => LevelFilter::TRACE,
        10..=19 => LevelFilter::DEBUG,
        20..=29 => LevelFilter::INFO,
        30..=39 => LevelFilter::WARN,
        40..=49 => LevelFilter::ERROR,
        _ => LevelFilter::OFF,
    }
}

/// Reads the ids of a span.
#[derive(Default)]
struct IdFields {
    flow_run: Option<Uuid>,
    task_run: Option<Uuid>,
}

impl Visit for IdFields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let id = match field.name() {
            "flow_run_id" => &mut self.flow_run,
            "task_run_id" => &mut self.task_run,
            _ => return,
        };
        *id = format!("{value:?}").parse().ok();
    }
}

impl fmt::Debug for LogLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogLayer")
            .field("is_enabled", &self.shipper.is_some())
            .field("max_level", &self.max_level)
            .field("missing_run", &self.missing_run)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[test]
    fn a_line_in_the_span_of_a_run_belongs_to_it() {
        let client = Client::builder()
            .api_url("http://127.0.0.1:9/api")
            .build()
            .expect("a client");
        let layer = layer(&client);
        let queue = std::sync::Arc::clone(layer.shipper.as_ref().expect("on").queue());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            let id = Uuid::new_v4();
            let span = tracing::error_span!(target: "prefect_sdk::run", parent: None, "flow_run", flow_run_id = %id);
            span.in_scope(|| tracing::error!(target: "app", "inside"));
            tracing::error!(target: "app", "outside");
        });
        assert_eq!(queue.waiting(), 1);
    }

    #[test]
    fn levels_have_prefects_names_or_numbers() {
        for (name, expected) in [
            ("DEBUG", LevelFilter::DEBUG),
            ("warning", LevelFilter::WARN),
            ("CRITICAL", LevelFilter::OFF),
            ("25", LevelFilter::INFO),
            ("5", LevelFilter::TRACE),
            ("nonsense", LevelFilter::INFO),
        ] {
            assert_eq!(level(name), expected, "{name}");
        }
    }

    #[test]
    fn what_sends_lines_does_not_write_them() {
        assert!(is_own("prefect_sdk::transport") && is_own("hyper") && is_own("h2::proto"));
        assert!(!is_own("prefect_sdk::run") && !is_own("hyperspace") && !is_own("my_app"));
    }
}
