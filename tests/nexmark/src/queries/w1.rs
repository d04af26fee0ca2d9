//! W1: how many bids an auction has in ten seconds, and the highest price.
//!
//! ```sql
//! SELECT auction, window_start, window_end, window_time, COUNT(*) AS bid_count, MAX(price) AS max_price
//! FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(dateTime), INTERVAL '10' SECOND))
//! GROUP BY auction, window_start, window_end, window_time
//! ```

use std::time::Duration;

use serde::Serialize;
use tidemill::{EventTime, Json, Kinesis, Pipeline, PipelineError, Tumbling};

use crate::event::{ALL, Bid, Event, OUT_OF_ORDER};

#[derive(Serialize)]
struct Row {
    auction: u64,
    window_start: EventTime,
    window_end: EventTime,
    /// The window's last millisecond.
    window_time: EventTime,
    bid_count: u64,
    max_price: u64,
}

/// Bids and highest price per auction in tumbling windows of ten seconds.
///
/// # Errors
/// None, as declared here.
pub fn w1() -> Result<Pipeline, PipelineError> {
    Pipeline::named("nexmark-w1")
        .source(Json::<Event<Bid>>::new())
        .event_time(|event| event.ts, OUT_OF_ORDER)
        .flat_map(|event| event.bid)
        .key_by(|bid| bid.auction)
        .routed_by_constant(ALL)
        .window(Tumbling::every(Duration::from_secs(10)))
        .late_to(Kinesis::stream("late"))
        .aggregate(|over| (over.count(), over.max(|bid| bid.price)))
        .emit(|pane, (bid_count, max_price)| Row {
            auction: pane.key,
            window_start: pane.window.start,
            window_end: pane.window.end,
            window_time: pane.window.end.plus(-1),
            bid_count,
            max_price,
        })
        .to(Kinesis::stream("results"))
        .build()
}
