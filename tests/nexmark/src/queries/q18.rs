//! Q18: the last bid of each bidder on each auction.
//!
//! ```sql
//! SELECT auction, bidder, price, channel, url, dateTime, extra
//! FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY bidder, auction ORDER BY dateTime DESC) AS rank_number FROM bid)
//! WHERE rank_number <= 1
//! ```

use tidemill::{Json, Kinesis, Pipeline, PipelineError};

use super::whole_bid::WholeBid;
use crate::event::{Event, OUT_OF_ORDER};

/// The last bid of a bidder on an auction. Each later one is told: the last result per bidder and auction holds.
///
/// # Errors
/// None, as declared here.
pub fn q18() -> Result<Pipeline, PipelineError> {
    Pipeline::named("nexmark-q18")
        .source(Json::<Event<WholeBid>>::new())
        .event_time(|event| event.ts, OUT_OF_ORDER)
        .flat_map(|event| event.bid)
        .key_by(|bid| (bid.bidder, bid.auction))
        .routed_by(|(_, auction)| auction)
        .keep_last(|bid| bid)
        .emit(|_, _, bid| bid.clone())
        .to(Kinesis::stream("results"))
        .build()
}
