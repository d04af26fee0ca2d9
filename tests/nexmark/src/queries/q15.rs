//! Q15: how many bids, bidders and auctions a day has, by rank of the price.
//!
//! ```sql
//! SELECT DATE_FORMAT(dateTime, 'yyyy-MM-dd') AS day,
//!        COUNT(*) AS total_bids,
//!        COUNT(*) FILTER (WHERE price < 10000) AS rank1_bids,
//!        COUNT(*) FILTER (WHERE price >= 10000 AND price < 1000000) AS rank2_bids,
//!        COUNT(*) FILTER (WHERE price >= 1000000) AS rank3_bids,
//!        COUNT(DISTINCT bidder) AS total_bidders, … the same filters …
//!        COUNT(DISTINCT auction) AS total_auctions, … the same filters …
//! FROM bid
//! GROUP BY DATE_FORMAT(dateTime, 'yyyy-MM-dd')
//! ```

use serde::Serialize;
use tidemill::{Calendar, Json, Kinesis, Pipeline, PipelineError};

use super::day::{Counts, day, rank1, rank2, rank3};
use crate::event::{ALL, Bid, Event, OUT_OF_ORDER};

#[derive(Serialize)]
struct Row {
    day: String,
    #[serde(flatten)]
    counts: Counts,
}

/// Bids, bidders and auctions per day. SQL tells them anew with each bid; here a day is told once it is over.
///
/// # Errors
/// None, as declared here.
pub fn q15() -> Result<Pipeline, PipelineError> {
    Pipeline::named("nexmark-q15")
        .source(Json::<Event<Bid>>::new())
        .event_time(|event| event.ts, OUT_OF_ORDER)
        .flat_map(|event| event.bid)
        .key_by_str(|_| ALL)
        .window(Calendar::days("UTC"))
        .aggregate(|over| {
            (
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
        .emit(|pane, (bids, bidders, auctions)| Row {
            day: day(pane.window.start),
            counts: Counts::of(bids, bidders, auctions),
        })
        .to(Kinesis::stream("results"))
        .build()
}
