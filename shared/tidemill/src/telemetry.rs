//! Logs, and a way out for traces.
//!
//! Logs are JSON lines with the request, the shard and the commit of the spans that they stand in. What a record holds is
//! never told at level info or above, only where it lies.
//!
//! Traces are the `tracing` spans of the phases (`load`, `enrich`, `step`, `commit`, `flush`), at level debug within the
//! span `invocation`. Unless the program adds a layer nobody listens to them, and they cost nothing.

use std::sync::Arc;

use tracing::Level;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry};

/// The variable that sets the log level: error, warn, info (the default), debug or trace.
pub(crate) const LOG_LEVEL: &str = "TIDEMILL_LOG";

/// Where the spans of a function go.
///
/// With `tracing-opentelemetry` and any of OpenTelemetry's exporters: see `docs/operations/metrics.md`.
pub struct Traces {
    pub(crate) layer: Box<dyn Layer<Registry> + Send + Sync>,
    pub(crate) flush: Flush,
}

/// Sends what was collected.
pub(crate) type Flush = Arc<dyn Fn() + Send + Sync>;

impl Traces {
    /// Spans go to `layer`: the phases, and whatever else is of level info or above. `flush` is called before each
    /// answer, on a thread that may block: between invocations Lambda freezes the process, and what is not sent by then waits.
    pub fn new(layer: impl Layer<Registry> + Send + Sync, flush: impl Fn() + Send + Sync + 'static) -> Self {
        let of_phases = Targets::new().with_target("tidemill", Level::DEBUG).with_default(Level::INFO);
        Self { layer: layer.with_filter(of_phases).boxed(), flush: Arc::new(flush) }
    }
}

/// Logs to stdout, and spans to the layer if there is one. A subscriber that the program itself installed before stays.
pub(crate) fn start(traces: Option<Traces>) -> Option<Flush> {
    let level = std::env::var(LOG_LEVEL).ok().and_then(|level| level.parse().ok()).unwrap_or(Level::INFO);
    let logs = tracing_subscriber::fmt::layer().json().with_target(false);
    let logs = logs.with_filter(LevelFilter::from_level(level));
    let (layer, flush) = traces.map(|Traces { layer, flush }| (layer, flush)).unzip();
    let _ = tracing_subscriber::registry().with(layer).with(logs).try_init();
    flush
}
