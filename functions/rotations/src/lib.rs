//! What each aircraft flew without a day of rest: sessions of its tail number. The stream is partitioned by tail number,
//! as the function `by-tail` writes it; flights that it sent twice are dropped.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tidemill::{EventTime, Json, Kinesis, OutOfOrder, Pipeline, PipelineError, Session, Upstream};

/// A flight that has landed, as far as this pipeline reads it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Flight {
    /// The aircraft's tail number; also the partition key.
    pub tail: String,
    /// When it left, epoch milliseconds.
    pub departed_at: i64,
    /// How far it flew, miles.
    pub distance_mi: i64,
}

/// What one aircraft flew without a day of rest.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Rotation {
    /// The aircraft.
    pub tail: String,
    /// When the first flight left.
    pub window_start: EventTime,
    /// A day after the last one left.
    pub window_end: EventTime,
    /// How many flights.
    pub flights: u64,
    /// How far they flew, miles.
    pub distance_mi: i64,
}

/// The pipeline.
///
/// # Errors
/// None, as declared here.
pub fn rotations() -> Result<Pipeline, PipelineError> {
    Pipeline::named("rotations")
        .source(Upstream::of(Json::<Flight>::new()))
        .event_time(|f| f.departed_at, OutOfOrder::at_most(Duration::from_hours(6)))
        .key_by(|f| f.tail.clone())
        .window(Session::gap(Duration::from_hours(24)))
        .aggregate(|over| (over.count(), over.sum(|f| f.distance_mi)))
        .emit(|pane, (flights, distance_mi)| Rotation {
            tail: pane.key,
            window_start: pane.window.start,
            window_end: pane.window.end,
            flights,
            distance_mi,
        })
        .to(Kinesis::stream("rotations"))
        .build()
}
