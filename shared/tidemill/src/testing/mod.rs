//! Tests of a pipeline without AWS, emulators or async.

mod driver;
mod rebatch;
pub mod simulation;

pub use driver::Driver;
pub use rebatch::{Difference, rebatch};
pub use simulation::{Failure, Simulated, simulate};

/// A keyed pipeline's state without a journal, empty: to measure the step alone.
///
/// # Panics
/// If the pipeline has no key, and so no state.
pub fn bare_state(pipeline: &crate::Pipeline) -> Box<dyn tidemill_core::Shard> {
    assert!(pipeline.is_keyed(), "{pipeline} has no state");
    pipeline.open()
}

/// A pipeline for this crate's own tests: clicks per page in windows of ten seconds, late ones to `late`.
#[cfg(test)]
pub(crate) fn clicks() -> crate::Pipeline {
    use std::time::Duration;

    use crate::{Json, Kinesis, OutOfOrder, Pipeline, Tumbling};

    #[derive(serde::Deserialize)]
    struct Click {
        page: String,
        at: i64,
        #[serde(default)]
        weight: i64,
    }

    Pipeline::named("clicks")
        .source(Json::<Click>::new())
        .event_time(|click| click.at, OutOfOrder::at_most(Duration::from_secs(5)).max_ahead(Duration::from_hours(1)))
        .key_by(|click| click.page.clone())
        .window(Tumbling::every(Duration::from_secs(10)))
        .late_to(Kinesis::stream("late"))
        .aggregate(|over| (over.count(), over.sum(|click| click.weight)))
        .emit(|pane, (clicks, weight)| (pane.key, pane.window.start, clicks, weight))
        .to(Kinesis::stream("clicks-per-page"))
        .build()
        .expect("the pipeline is sound")
}
