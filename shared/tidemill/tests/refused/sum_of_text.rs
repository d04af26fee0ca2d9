use std::time::Duration;

use tidemill::{Json, OutOfOrder, Pipeline, Tumbling};

#[derive(serde::Deserialize)]
struct Flight {
    origin: String,
    departed_at: i64,
}

fn origin(flight: &Flight) -> String {
    flight.origin.clone()
}

fn main() {
    let _ = Pipeline::named("flights")
        .source(Json::<Flight>::new())
        .event_time(|f| f.departed_at, OutOfOrder::at_most(Duration::from_hours(6)))
        .key_by(|f| f.origin.clone())
        .window(Tumbling::every(Duration::from_hours(1)))
        .aggregate(|over| over.sum(origin));
}
