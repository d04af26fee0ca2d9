//! Q11: how many bids a person makes without a pause of ten seconds.
//!
//! ```sql
//! SELECT bidder, COUNT(*) AS bid_count,
//!        SESSION_START(dateTime, INTERVAL '10' SECOND) AS starttime,
//!        SESSION_END(dateTime, INTERVAL '10' SECOND) AS endtime
//! FROM bid
//! GROUP BY bidder, SESSION(dateTime, INTERVAL '10' SECOND)
//! ```

use std::time::Duration;

use serde::Serialize;
use tidemill::{EventTime, Json, Kinesis, Pipeline, PipelineError, Session};

use crate::event::{ALL, Bid, Event, OUT_OF_ORDER};

#[derive(Serialize)]
struct Row {
    bidder: u64,
    bid_count: u64,
    starttime: EventTime,
    endtime: EventTime,
}

/// Bids per bidder in sessions of gap ten seconds: W3, as Nexmark asks it.
///
/// # Errors
/// None, as declared here.
pub fn q11() -> Result<Pipeline, PipelineError> {
    Pipeline::named("nexmark-q11")
        .source(Json::<Event<Bid>>::new())
        .event_time(|event| event.ts, OUT_OF_ORDER)
        .flat_map(|event| event.bid)
        .key_by(|bid| bid.bidder)
        .routed_by_constant(ALL)
        .window(Session::gap(Duration::from_secs(10)))
        .aggregate(|over| over.count())
        .emit(|pane, bid_count| Row {
            bidder: pane.key,
            bid_count,
            starttime: pane.window.start,
            endtime: pane.window.end,
        })
        .to(Kinesis::stream("results"))
        .build()
}
