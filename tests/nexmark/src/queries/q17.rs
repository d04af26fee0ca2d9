//! Q17: how many bids an auction has on a day, by rank of the price, and what its prices are.
//!
//! ```sql
//! SELECT auction, DATE_FORMAT(dateTime, 'yyyy-MM-dd') AS day,
//!        COUNT(*) AS total_bids,
//!        COUNT(*) FILTER (WHERE price < 10000) AS rank1_bids,
//!        COUNT(*) FILTER (WHERE price >= 10000 AND price < 1000000) AS rank2_bids,
//!        COUNT(*) FILTER (WHERE price >= 1000000) AS rank3_bids,
//!        MIN(price) AS min_price, MAX(price) AS max_price, AVG(price) AS avg_price, SUM(price) AS sum_price
//! FROM bid
//! GROUP BY auction, DATE_FORMAT(dateTime, 'yyyy-MM-dd')
//! ```

use serde::Serialize;
use tidemill::{Calendar, Json, Kinesis, Pipeline, PipelineError};

use super::day::{day, rank1, rank2, rank3};
use crate::event::{ALL, Bid, Event, OUT_OF_ORDER};

#[derive(Serialize)]
struct Row {
    auction: u64,
    day: String,
    total_bids: u64,
    rank1_bids: u64,
    rank2_bids: u64,
    rank3_bids: u64,
    min_price: u64,
    max_price: u64,
    /// Rounded down, as SQL has it for integers.
    avg_price: u64,
    sum_price: u64,
}

/// Bids and prices per auction and day. SQL tells them anew with each bid; here a day is told once it is over.
///
/// # Errors
/// None, as declared here.
pub fn q17() -> Result<Pipeline, PipelineError> {
    Pipeline::named("nexmark-q17")
        .source(Json::<Event<Bid>>::new())
        .event_time(|event| event.ts, OUT_OF_ORDER)
        .flat_map(|event| event.bid)
        .key_by(|bid| bid.auction)
        .routed_by_constant(ALL)
        .window(Calendar::days("UTC"))
        .aggregate(|over| {
            (
                over.count(),
                over.count().when(|bid| rank1(bid.price)),
                over.count().when(|bid| rank2(bid.price)),
                over.count().when(|bid| rank3(bid.price)),
                over.min(|bid| bid.price),
                over.max(|bid| bid.price),
                over.sum(|bid| bid.price),
            )
        })
        .emit(|pane, (total_bids, rank1_bids, rank2_bids, rank3_bids, min_price, max_price, sum_price)| Row {
            auction: pane.key,
            day: day(pane.window.start),
            total_bids,
            rank1_bids,
            rank2_bids,
            rank3_bids,
            min_price,
            max_price,
            avg_price: sum_price / total_bids,
            sum_price,
        })
        .to(Kinesis::stream("results"))
        .build()
}
