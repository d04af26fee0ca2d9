//! What a line of the input holds.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tidemill::OutOfOrder;

/// A line: when something happened, and what. One of the three is there.
///
/// A query names the kinds of event that it reads, by types with the fields that it reads. All else in the JSON is
/// skipped, which costs next to nothing. Event time is taken before that: every event raises the watermark, whichever
/// a query is about.
#[derive(Debug, Clone, Deserialize)]
pub struct Event<B = Skipped, A = Skipped, P = Skipped> {
    /// When it happened, epoch milliseconds.
    pub ts: i64,
    /// Somebody bids on an auction.
    pub bid: Option<B>,
    /// Somebody opens an auction.
    pub auction: Option<A>,
    /// Somebody registers.
    pub person: Option<P>,
}

/// A kind of event that a query does not read.
pub type Skipped = serde::de::IgnoredAny;

/// The numbers of a bid: what most queries read.
#[derive(Debug, Clone, Copy, Deserialize, Serialize)]
pub struct Bid {
    /// The auction's id.
    pub auction: u64,
    /// The id of the person who bids.
    pub bidder: u64,
    /// The price.
    pub price: u64,
}

/// How far behind the highest event time events may come: four seconds, as in Flink's run.
pub(crate) const OUT_OF_ORDER: OutOfOrder = OutOfOrder::at_most(Duration::from_secs(4));

/// The partition key under which all events come where a query's results depend on the watermark: Flink's run had one
/// watermark over all events, so one shard must see them all.
pub(crate) const ALL: &str = "all";
