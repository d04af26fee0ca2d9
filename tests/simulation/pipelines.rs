//! The pipelines under test, and one behind them.

use std::time::Duration;

use serde_json::Value;
use tidemill::{EventTime, Json, Kinesis, OutOfOrder, Pipeline, Session, Sliding, Tumbling, Upstream};

#[derive(serde::Deserialize)]
struct Flown {
    origin: String,
    departed_at: i64,
    delay_min: i64,
}

/// How late a punctual record is at most is less: 4 minutes.
fn out_of_order() -> OutOfOrder {
    OutOfOrder::at_most(Duration::from_mins(5)).idle_after(Duration::from_mins(2))
}

/// How many pipelines there are.
pub(crate) const PIPELINES: usize = 4;

/// The pipeline of this number.
pub(crate) fn pipeline(number: usize) -> Pipeline {
    let built = match number {
        0 => sessions(),
        1 => sliding(),
        2 => tumbling(),
        _ => routed(),
    };
    built.expect("sound")
}

/// Without key, so without journal.
fn routed() -> Result<Pipeline, tidemill::PipelineError> {
    Pipeline::named("routed")
        .source(Json::<Flown>::new())
        .map(|flight| (flight.origin, flight.delay_min))
        .partitioned_by(|(origin, _)| origin.clone())
        .to(Kinesis::stream("out"))
        .build()
}

fn sessions() -> Result<Pipeline, tidemill::PipelineError> {
    Pipeline::named("sessions")
        .source(Json::<Flown>::new())
        .event_time(|flight| flight.departed_at, out_of_order())
        .key_by(|flight| flight.origin.clone())
        .window(Session::gap(Duration::from_mins(2)))
        .late_to(Kinesis::stream("late"))
        .aggregate(|over| (over.count(), over.collect(|flight| flight.delay_min)))
        .emit(|pane, (count, mut all)| {
            all.sort_unstable();
            (pane.key, pane.window.start, pane.window.end, count, all)
        })
        .to(Kinesis::stream("out"))
        .build()
}

fn sliding() -> Result<Pipeline, tidemill::PipelineError> {
    Pipeline::named("sliding")
        .source(Json::<Flown>::new())
        .event_time(|flight| flight.departed_at, out_of_order())
        .key_by(|flight| flight.origin.clone())
        .window(Sliding::of(Duration::from_mins(3), Duration::from_mins(1)))
        .late_to(Kinesis::stream("late"))
        .aggregate(|over| (over.count(), over.sum(|flight| flight.delay_min)))
        .emit(|pane, (count, sum)| (pane.key, pane.window.start, pane.window.end, count, sum))
        .to(Kinesis::stream("out"))
        .build()
}

fn tumbling() -> Result<Pipeline, tidemill::PipelineError> {
    Pipeline::named("tumbling")
        .source(Json::<Flown>::new())
        .event_time(|flight| flight.departed_at, out_of_order())
        .key_by(|flight| flight.origin.clone())
        .window(Tumbling::every(Duration::from_mins(1)))
        .allowed_lateness(Duration::from_mins(2))
        .late_to(Kinesis::stream("late"))
        .aggregate(|over| (over.count(), over.collect(|flight| flight.delay_min)))
        .emit(|pane, (count, mut all)| {
            all.sort_unstable();
            (pane.key, pane.window.start, pane.window.end, count, all)
        })
        .to(Kinesis::stream("out"))
        .build()
}

/// A pipeline behind any of them: what it takes, by key, as text.
pub(crate) fn downstream() -> Pipeline {
    Pipeline::named("downstream")
        .source(Upstream::of(Json::<Value>::new()))
        .event_time(|_| EventTime::from_millis(0), OutOfOrder::at_most(Duration::from_mins(1)))
        .key_by(|result| result[0].as_str().unwrap_or_default().to_owned())
        .window(Tumbling::every(Duration::from_hours(1)))
        .aggregate(|over| over.collect(|result| result.to_string()))
        .emit(|_, all| all)
        .to(Kinesis::stream("further"))
        .build()
        .expect("sound")
}
