//! What the queries by day share: how times are written, and counts by rank of the price.

use serde::Serialize;
use tidemill::EventTime;

/// `2023-11-14`, in UTC.
pub(super) fn day(time: EventTime) -> String {
    time.to_string().chars().take(10).collect()
}

/// `23:59`, in UTC.
pub(super) fn minute(time: EventTime) -> String {
    time.to_string().chars().skip(11).take(5).collect()
}

/// Whether a price is of the first rank.
pub(super) const fn rank1(price: u64) -> bool {
    price < 10_000
}

/// Whether a price is of the second rank.
pub(super) const fn rank2(price: u64) -> bool {
    price >= 10_000 && price < 1_000_000
}

/// Whether a price is of the third rank.
pub(super) const fn rank3(price: u64) -> bool {
    price >= 1_000_000
}

/// In total, and of the first, second and third rank.
pub(super) type ByRank = (u64, u64, u64, u64);

/// How many bids, bidders and auctions there are.
#[derive(Serialize)]
pub(super) struct Counts {
    total_bids: u64,
    rank1_bids: u64,
    rank2_bids: u64,
    rank3_bids: u64,
    total_bidders: u64,
    rank1_bidders: u64,
    rank2_bidders: u64,
    rank3_bidders: u64,
    total_auctions: u64,
    rank1_auctions: u64,
    rank2_auctions: u64,
    rank3_auctions: u64,
}

impl Counts {
    pub(super) const fn of(bids: ByRank, bidders: ByRank, auctions: ByRank) -> Self {
        Self {
            total_bids: bids.0,
            rank1_bids: bids.1,
            rank2_bids: bids.2,
            rank3_bids: bids.3,
            total_bidders: bidders.0,
            rank1_bidders: bidders.1,
            rank2_bidders: bidders.2,
            rank3_bidders: bidders.3,
            total_auctions: auctions.0,
            rank1_auctions: auctions.1,
            rank2_auctions: auctions.2,
            rank3_auctions: auctions.3,
        }
    }
}
