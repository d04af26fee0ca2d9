//! The pipelines under test.

use std::time::Duration;

use tidemill::{Json, Kinesis, OutOfOrder, Pipeline, Session, Sliding, Tumbling};

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

/// The pipeline of this number.
pub(crate) fn pipeline(number: usize) -> Pipeline {
    let built = match number % 3 {
        0 => sessions(),
        1 => sliding(),
        _ => tumbling(),
    };
    built.expect("sound")
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
