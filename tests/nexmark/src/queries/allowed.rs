//! Counts as in W1, W2 and W3 that wait for late bids: one that comes while lateness is allowed gives its windows' results
//! anew. Flink's DataStream API has that; windows of its SQL allow no lateness.

use std::time::Duration;

use serde::Serialize;
use tidemill::pipeline::Timed;
use tidemill::{EventTime, Json, Kinesis, Mapped, Pane, Pipeline, PipelineError, Session, Sliding, Tumbling};

use crate::event::{ALL, Bid, Event, OUT_OF_ORDER};

const TEN_SECONDS: Duration = Duration::from_secs(10);
const TWO_SECONDS: Duration = Duration::from_secs(2);

#[derive(Serialize)]
struct OfAuction {
    auction: u64,
    window_start: EventTime,
    window_end: EventTime,
    bid_count: u64,
}

impl OfAuction {
    fn of(pane: Pane<u64>, bid_count: u64) -> Self {
        Self { auction: pane.key, window_start: pane.window.start, window_end: pane.window.end, bid_count }
    }
}

#[derive(Serialize)]
struct OfBidder {
    bidder: u64,
    window_start: EventTime,
    window_end: EventTime,
    bid_count: u64,
}

impl OfBidder {
    fn of(pane: Pane<u64>, bid_count: u64) -> Self {
        Self { bidder: pane.key, window_start: pane.window.start, window_end: pane.window.end, bid_count }
    }
}

/// Bids per auction in tumbling windows of ten seconds, with lateness allowed.
///
/// # Errors
/// The lateness is out of range.
pub fn allowed_tumble(lateness: Duration) -> Result<Pipeline, PipelineError> {
    bids("nexmark-allowed-tumble")
        .key_by(|bid| bid.auction)
        .routed_by_constant(ALL)
        .window(Tumbling::every(TEN_SECONDS))
        .allowed_lateness(lateness)
        .late_to(Kinesis::stream("late"))
        .aggregate(|over| over.count())
        .emit(OfAuction::of)
        .to(Kinesis::stream("results"))
        .build()
}

/// Bids per auction in sliding windows of ten seconds by two, with lateness allowed.
///
/// # Errors
/// The lateness is out of range.
pub fn allowed_hop(lateness: Duration) -> Result<Pipeline, PipelineError> {
    bids("nexmark-allowed-hop")
        .key_by(|bid| bid.auction)
        .routed_by_constant(ALL)
        .window(Sliding::of(TEN_SECONDS, TWO_SECONDS))
        .allowed_lateness(lateness)
        .late_to(Kinesis::stream("late"))
        .aggregate(|over| over.count())
        .emit(OfAuction::of)
        .to(Kinesis::stream("results"))
        .build()
}

/// Bids per bidder in sessions of gap ten seconds, with lateness allowed.
///
/// # Errors
/// The lateness is out of range.
pub fn allowed_session(lateness: Duration) -> Result<Pipeline, PipelineError> {
    bids("nexmark-allowed-session")
        .key_by(|bid| bid.bidder)
        .routed_by_constant(ALL)
        .window(Session::gap(TEN_SECONDS))
        .allowed_lateness(lateness)
        .late_to(Kinesis::stream("late"))
        .aggregate(|over| over.count())
        .emit(OfBidder::of)
        .to(Kinesis::stream("results"))
        .build()
}

fn bids(name: &str) -> Timed<Mapped<Bid>> {
    Pipeline::named(name)
        .source(Json::<Event<Bid>>::new())
        .event_time(|event| event.ts, OUT_OF_ORDER)
        .flat_map(|event| event.bid)
}
