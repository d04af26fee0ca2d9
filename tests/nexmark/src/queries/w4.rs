//! W4: how many bids an auction has after two, four, … seconds of every ten.
//!
//! ```sql
//! SELECT auction, window_start, window_end, COUNT(*) AS bid_count
//! FROM TABLE(CUMULATE(TABLE bid, DESCRIPTOR(dateTime), INTERVAL '2' SECOND, INTERVAL '10' SECOND))
//! GROUP BY auction, window_start, window_end
//! ```

use std::time::Duration;

use serde::Serialize;
use tidemill::{Cumulative, EventTime, Json, Kinesis, Pipeline, PipelineError};

use crate::event::{ALL, Bid, Event, OUT_OF_ORDER};

#[derive(Serialize)]
struct Row {
    auction: u64,
    window_start: EventTime,
    window_end: EventTime,
    bid_count: u64,
}

/// Bids per auction in cumulative windows of up to ten seconds by two.
///
/// # Errors
/// None, as declared here.
pub fn w4() -> Result<Pipeline, PipelineError> {
    Pipeline::named("nexmark-w4")
        .source(Json::<Event<Bid>>::new())
        .event_time(|event| event.ts, OUT_OF_ORDER)
        .flat_map(|event| event.bid)
        .key_by(|bid| bid.auction)
        .routed_by_constant(ALL)
        .window(Cumulative::of(Duration::from_secs(10), Duration::from_secs(2)))
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
