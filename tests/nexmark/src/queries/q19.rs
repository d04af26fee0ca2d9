//! Q19: the ten highest bids on each auction.
//!
//! ```sql
//! SELECT *
//! FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY auction ORDER BY price DESC) AS rank_number FROM bid)
//! WHERE rank_number <= 10
//! ```

use serde::Serialize;
use tidemill::{Json, Kinesis, Pipeline, PipelineError};

use super::whole_bid::WholeBid;
use crate::event::{Event, OUT_OF_ORDER};

#[derive(Serialize)]
struct Row {
    #[serde(flatten)]
    bid: WholeBid,
    /// From 1, the highest.
    rank_number: usize,
}

/// The ten highest bids on an auction. Each change of a rank is told: the last result per auction and rank holds.
///
/// # Errors
/// None, as declared here.
pub fn q19() -> Result<Pipeline, PipelineError> {
    Pipeline::named("nexmark-q19")
        .source(Json::<Event<WholeBid>>::new())
        .event_time(|event| event.ts, OUT_OF_ORDER)
        .flat_map(|event| event.bid)
        .key_by(|bid| bid.auction)
        .top(10, |bid| bid, |one, other| one.price.cmp(&other.price))
        .emit(|_, rank_number, bid| Row { bid: bid.clone(), rank_number })
        .to(Kinesis::stream("results"))
        .build()
}
