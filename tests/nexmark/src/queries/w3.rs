//! W3: how many bids a person makes without a pause of ten seconds.
//!
//! ```sql
//! SELECT bidder, window_start, window_end, COUNT(*) AS bid_count
//! FROM TABLE(SESSION(TABLE bid PARTITION BY bidder, DESCRIPTOR(dateTime), INTERVAL '10' SECOND))
//! GROUP BY bidder, window_start, window_end
//! ```

use std::time::Duration;

use serde::Serialize;
use tidemill::{EventTime, Json, Kinesis, Pipeline, PipelineError, Session};

use crate::event::{ALL, Bid, Event, OUT_OF_ORDER};

#[derive(Serialize)]
struct Row {
    bidder: u64,
    window_start: EventTime,
    window_end: EventTime,
    bid_count: u64,
}

/// Bids per bidder in sessions of gap ten seconds.
///
/// # Errors
/// None, as declared here.
pub fn w3() -> Result<Pipeline, PipelineError> {
    Pipeline::named("nexmark-w3")
        .source(Json::<Event<Bid>>::new())
        .event_time(|event| event.ts, OUT_OF_ORDER)
        .flat_map(|event| event.bid)
        .key_by(|bid| bid.bidder)
        .routed_by_constant(ALL)
        .window(Session::gap(Duration::from_secs(10)))
        .late_to(Kinesis::stream("late"))
        .aggregate(|over| over.count())
        .emit(|pane, bid_count| Row {
            bidder: pane.key,
            window_start: pane.window.start,
            window_end: pane.window.end,
            bid_count,
        })
        .to(Kinesis::stream("results"))
        .build()
}
