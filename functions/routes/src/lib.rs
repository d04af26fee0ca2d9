//! How many flights left for each destination in the last six hours, every hour. The stream is partitioned by origin,
//! which is coarser than the route.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tidemill::{EventTime, Json, Kinesis, OutOfOrder, Pipeline, PipelineError, Sliding};

/// A flight that has landed, as far as this pipeline reads it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Flight {
    /// The airport of departure; also the partition key.
    pub origin: String,
    /// The airport of arrival.
    pub dest: String,
    /// When it left, epoch milliseconds.
    pub departed_at: i64,
    /// How many minutes after schedule; negative if before.
    pub delay_min: i64,
}

/// What left on one route in six hours.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Route {
    /// The airport of departure.
    pub origin: String,
    /// The airport of arrival.
    pub dest: String,
    /// The first instant of the six hours.
    pub window_start: EventTime,
    /// The first instant behind them.
    pub window_end: EventTime,
    /// How many flights left.
    pub flights: u64,
    /// The sum of their delays, minutes.
    pub delay_min_total: i64,
}

/// The pipeline.
///
/// # Errors
/// None, as declared here.
pub fn routes() -> Result<Pipeline, PipelineError> {
    Pipeline::named("routes")
        .source(Json::<Flight>::new())
        .event_time(|f| f.departed_at, OutOfOrder::at_most(Duration::from_hours(6)))
        .key_by(|f| (f.origin.clone(), f.dest.clone()))
        .routed_by(|(origin, _)| origin)
        .window(Sliding::of(Duration::from_hours(6), Duration::from_hours(1)))
        .aggregate(|over| (over.count(), over.sum(|f| f.delay_min)))
        .emit(|pane, (flights, delay_min_total)| Route {
            origin: pane.key.0,
            dest: pane.key.1,
            window_start: pane.window.start,
            window_end: pane.window.end,
            flights,
            delay_min_total,
        })
        .to(Kinesis::stream("routes"))
        .build()
}
