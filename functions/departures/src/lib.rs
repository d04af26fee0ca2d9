//! How many flights leave each New York airport in each hour, and how late they are.
//!
//! Flights come in the order in which they land; what counts is when they left. A flight of more than six hours may
//! therefore come after its hour has closed: it is late, and goes to a stream of its own. At night, after an hour without
//! a flight, ticks let the clock close the hours.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tidemill::{EventTime, Json, Kinesis, OutOfOrder, Pipeline, PipelineError, Tumbling};

/// A flight that has landed, as far as this pipeline reads it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Flight {
    /// The airport of departure; also the partition key.
    pub origin: String,
    /// When it left, epoch milliseconds.
    pub departed_at: i64,
    /// How many minutes after schedule; negative if before.
    pub delay_min: i64,
}

/// What left one airport in one hour.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Departures {
    /// The airport.
    pub origin: String,
    /// The hour's first instant.
    pub window_start: EventTime,
    /// The first instant behind it.
    pub window_end: EventTime,
    /// How many flights left.
    pub flights: u64,
    /// The sum of their delays, minutes.
    pub delay_min_total: i64,
    /// The longest delay, minutes.
    pub delay_min_max: i64,
}

/// The pipeline.
///
/// # Errors
/// None, as declared here.
pub fn departures() -> Result<Pipeline, PipelineError> {
    Pipeline::named("departures")
        .source(Json::<Flight>::new())
        .event_time(|f| f.departed_at, OutOfOrder::at_most(Duration::from_hours(6)).idle_after(Duration::from_hours(1)))
        .key_by(|f| f.origin.clone())
        .window(Tumbling::every(Duration::from_hours(1)))
        .late_to(Kinesis::stream("late-flights"))
        .aggregate(|over| (over.count(), over.sum(|f| f.delay_min), over.max(|f| f.delay_min)))
        .emit(|pane, (flights, total, max)| Departures {
            origin: pane.key,
            window_start: pane.window.start,
            window_end: pane.window.end,
            flights,
            delay_min_total: total,
            delay_min_max: max,
        })
        .to(Kinesis::stream("departures"))
        .build()
}

#[cfg(test)]
mod tests {
    use tidemill::testing::simulate;

    use super::*;

    #[test]
    fn no_fault_of_lambda_changes_a_result() {
        let origins = ["EWR", "JFK", "LGA"].into_iter().cycle();
        let minutes = (0..150).map(|n| n * 7).zip(origins);
        let flights = minutes.map(|(minute, origin)| Flight {
            origin: origin.to_owned(),
            // Every seventh comes nine hours late.
            departed_at: 1_356_998_400_000 + (minute - if minute % 49 == 0 { 540 } else { 0 }) * 60_000,
            delay_min: minute % 60 - 5,
        });
        let simulated = simulate(|| departures().expect("sound"), flights, 0..20).expect("no difference");
        assert!(simulated.counts["crashes"] > 0, "{simulated}");
    }
}
