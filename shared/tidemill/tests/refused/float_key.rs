use std::time::Duration;

use tidemill::{Json, OutOfOrder, Pipeline};

#[derive(serde::Deserialize)]
struct Flight {
    delay: f64,
    departed_at: i64,
}

fn main() {
    let _ = Pipeline::named("flights")
        .source(Json::<Flight>::new())
        .event_time(|f| f.departed_at, OutOfOrder::at_most(Duration::from_hours(6)))
        .key_by(|f| f.delay);
}
