use std::time::Duration;

use tidemill::{Json, OutOfOrder, Pipeline, Tumbling, aggregate::Sum};

#[derive(serde::Deserialize)]
struct Flight {
    origin: String,
    departed_at: i64,
}

fn length(text: &String) -> u64 {
    text.len() as u64
}

fn main() {
    let _ = Pipeline::named("flights")
        .source(Json::<Flight>::new())
        .event_time(|f| f.departed_at, OutOfOrder::at_most(Duration::from_hours(6)))
        .key_by(|f| f.origin.clone())
        .window(Tumbling::every(Duration::from_hours(1)))
        .aggregate_with(Sum::of(length));
}
