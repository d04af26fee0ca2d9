//! W2: how many bids an auction has in ten seconds, every two seconds anew.
//!
//! ```sql
//! SELECT auction, window_start, window_end, COUNT(*) AS bid_count
//! FROM TABLE(HOP(TABLE bid, DESCRIPTOR(dateTime), INTERVAL '2' SECOND, INTERVAL '10' SECOND))
//! GROUP BY auction, window_start, window_end
//! ```

use std::time::Duration;

use serde::Serialize;
use tidemill::{EventTime, Json, Kinesis, Pipeline, PipelineError, Sliding};

use crate::event::{ALL, Bid, Event, OUT_OF_ORDER};

#[derive(Serialize)]
struct Row {
    auction: u64,
    window_start: EventTime,
    window_end: EventTime,
    bid_count: u64,
}

/// Bids per auction in sliding windows of ten seconds by two.
///
/// # Errors
/// None, as declared here.
pub fn w2() -> Result<Pipeline, PipelineError> {
    Pipeline::named("nexmark-w2")
        .source(Json::<Event<Bid>>::new())
        .event_time(|event| event.ts, OUT_OF_ORDER)
        .flat_map(|event| event.bid)
        .key_by(|bid| bid.auction)
        .routed_by_constant(ALL)
        .window(Sliding::of(Duration::from_secs(10), Duration::from_secs(2)))
        .late_to(Kinesis::stream("late"))
        .aggregate(|over| over.count())
        .emit(|pane, bid_count| Row {
            auction: pane.key,
            window_start: pane.window.start,
            window_end: pane.window.end,
            bid_count,
        })
        .to(Kinesis::stream("results"))
        .build()
}
