//! Q2: bids on some auctions.
//!
//! ```sql
//! SELECT auction, price FROM bid WHERE MOD(auction, 123) = 0
//! ```

use serde::{Deserialize, Serialize};
use tidemill::{Json, Kinesis, Pipeline, PipelineError};

use crate::event::Event;

#[derive(Deserialize, Serialize)]
struct Bid {
    auction: u64,
    price: u64,
}

/// Bids on every 123rd auction. A relay: no key, no state, any partition key.
///
/// # Errors
/// None, as declared here.
pub fn q2() -> Result<Pipeline, PipelineError> {
    Pipeline::named("nexmark-q2")
        .source(Json::<Event<Bid>>::new())
        .flat_map(|event| event.bid)
        .filter(|bid| bid.auction.is_multiple_of(123))
        .to(Kinesis::stream("results"))
        .build()
}
