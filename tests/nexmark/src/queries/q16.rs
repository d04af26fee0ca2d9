//! Q16: how many bids, bidders and auctions a channel has on a day, by rank of the price.
//!
//! ```sql
//! SELECT channel, DATE_FORMAT(dateTime, 'yyyy-MM-dd') AS day, MAX(DATE_FORMAT(dateTime, 'HH:mm')) AS minute,
//!        COUNT(*) AS total_bids,
//!        COUNT(*) FILTER (WHERE price < 10000) AS rank1_bids,
//!        COUNT(*) FILTER (WHERE price >= 10000 AND price < 1000000) AS rank2_bids,
//!        COUNT(*) FILTER (WHERE price >= 1000000) AS rank3_bids,
//!        COUNT(DISTINCT bidder) AS total_bidders, … the same filters …
//!        COUNT(DISTINCT auction) AS total_auctions, … the same filters …
//! FROM bid
//! GROUP BY channel, DATE_FORMAT(dateTime, 'yyyy-MM-dd')
//! ```

use serde::{Deserialize, Serialize};
use tidemill::{Calendar, EventTime, Json, Kinesis, Pipeline, PipelineError};

use super::day::{Counts, day, minute, rank1, rank2, rank3};
use crate::event::{ALL, Event, OUT_OF_ORDER};

#[derive(Deserialize)]
struct Bid {
    channel: String,
    auction: u64,
    bidder: u64,
    price: u64,
    date_time: EventTime,
}

#[derive(Serialize)]
struct Row {
    channel: String,
    day: String,
    minute: String,
    #[serde(flatten)]
    counts: Counts,
}

/// Bids, bidders and auctions per channel and day. SQL tells them anew with each bid; here a day is told once it is over.
///
/// # Errors
/// None, as declared here.
pub fn q16() -> Result<Pipeline, PipelineError> {
    Pipeline::named("nexmark-q16")
        .source(Json::<Event<Bid>>::new())
        .event_time(|event| event.ts, OUT_OF_ORDER)
        .flat_map(|event| event.bid)
        .key_by_str(|bid| &bid.channel)
        .routed_by_constant(ALL)
        .window(Calendar::days("UTC"))
        .aggregate(|over| {
            (
                over.max(|bid| bid.date_time),
                (
                    over.count(),
                    over.count().when(|bid| rank1(bid.price)),
                    over.count().when(|bid| rank2(bid.price)),
                    over.count().when(|bid| rank3(bid.price)),
                ),
                (
                    over.distinct(|bid| bid.bidder),
                    over.distinct(|bid| bid.bidder).when(|bid| rank1(bid.price)),
                    over.distinct(|bid| bid.bidder).when(|bid| rank2(bid.price)),
                    over.distinct(|bid| bid.bidder).when(|bid| rank3(bid.price)),
                ),
                (
                    over.distinct(|bid| bid.auction),
                    over.distinct(|bid| bid.auction).when(|bid| rank1(bid.price)),
                    over.distinct(|bid| bid.auction).when(|bid| rank2(bid.price)),
                    over.distinct(|bid| bid.auction).when(|bid| rank3(bid.price)),
                ),
            )
        })
        .emit(|pane, (last, bids, bidders, auctions)| Row {
            channel: pane.key,
            day: day(pane.window.start),
            minute: minute(last),
            counts: Counts::of(bids, bidders, auctions),
        })
        .to(Kinesis::stream("results"))
        .build()
}
