//! A bid with all that it has, as Q18, Q19 and Q20 give it back.

use serde::{Deserialize, Serialize};
use tidemill::EventTime;

/// A bid. Its time has another name in the input than in results; it is read under both.
#[derive(Clone, Deserialize, Serialize)]
pub(super) struct WholeBid {
    pub(super) auction: u64,
    pub(super) bidder: u64,
    pub(super) price: u64,
    channel: String,
    url: String,
    #[serde(rename = "dateTime", alias = "date_time")]
    date_time: EventTime,
    extra: String,
}
