//! A function whose spans go to a layer of its own: here each becomes a line on stderr when it ends. An exporter of
//! OpenTelemetry takes the same place (`docs/operations/metrics.md`).

use tidemill::lambda::{Traces, run_traced};
use tracing::{Subscriber, span};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

struct Lines;

impl<S: Subscriber + for<'l> LookupSpan<'l>> Layer<S> for Lines {
    fn on_close(&self, id: span::Id, context: Context<'_, S>) {
        if let Some(span) = context.span(&id) {
            let parent = span.parent().map_or("nothing", |parent| parent.name());
            eprintln!("span {} in {parent}", span.name());
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), tidemill::Error> {
    run_traced(departures::departures()?, Traces::new(Lines, || eprintln!("flushed"))).await
}
