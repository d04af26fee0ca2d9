use std::time::Duration;

use tidemill::{Json, OutOfOrder, Pipeline};

#[derive(serde::Deserialize)]
struct Flight {
    departed_at: i64,
}

fn main() {
    let _ = Pipeline::named("flights")
        .source(Json::<Flight>::new())
        .filter(|f| f.departed_at > 0)
        .event_time(|f| f.departed_at, OutOfOrder::at_most(Duration::ZERO));
}
