use std::time::Duration;

use tidemill::{Json, OutOfOrder, Pipeline, Sliding};

#[derive(serde::Deserialize)]
struct Flight {
    origin: String,
    departed_at: i64,
}

fn longest(so_far: i64, flight: &Flight) -> i64 {
    so_far.max(flight.departed_at)
}

fn main() {
    let _ = Pipeline::named("flights")
        .source(Json::<Flight>::new())
        .event_time(|f| f.departed_at, OutOfOrder::at_most(Duration::from_hours(6)))
        .key_by(|f| f.origin.clone())
        .window(Sliding::of(Duration::from_hours(6), Duration::from_hours(1)))
        .aggregate(|over| (over.count(), over.fold(0, longest)));
}
