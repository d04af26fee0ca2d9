use std::time::Duration;

use tidemill::{Json, OutOfOrder, Pipeline};

#[derive(serde::Deserialize)]
struct Flight {
    delay: f64,
}

fn main() {
    let _ = Pipeline::named("flights")
        .source(Json::<Flight>::new())
        .event_time(|f| f.delay, OutOfOrder::at_most(Duration::ZERO));
}
