//! Q9: the winning bid of each auction: the highest while it was open, the earliest of equal ones.
//!
//! ```sql
//! SELECT id, itemName, description, initialBid, reserve, dateTime, expires, seller, category, extra,
//!        auction, bidder, price, bid_dateTime, bid_extra
//! FROM (SELECT A.*, B.auction, B.bidder, B.price, B.dateTime AS bid_dateTime, B.extra AS bid_extra,
//!              ROW_NUMBER() OVER (PARTITION BY A.id ORDER BY B.price DESC, B.dateTime ASC) AS rownum
//!       FROM auction A, bid B
//!       WHERE A.id = B.auction AND B.dateTime BETWEEN A.dateTime AND A.expires)
//! WHERE rownum <= 1
//! ```

use std::cmp::Reverse;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tidemill::{
    Context, EventTime, Json, KeyedProcess, Kinesis, List, Mapped, Pipeline, PipelineError, Reject, Side, Value,
};

use crate::event::{Event, OUT_OF_ORDER};

#[derive(Clone, Deserialize, Serialize)]
struct Auction {
    id: u64,
    item_name: String,
    description: String,
    initial_bid: u64,
    reserve: u64,
    date_time: EventTime,
    expires: EventTime,
    seller: u64,
    category: u64,
    extra: String,
}

#[derive(Clone, Deserialize, Serialize)]
struct Bid {
    auction: u64,
    bidder: u64,
    price: u64,
    date_time: EventTime,
    extra: String,
}

#[derive(Serialize)]
struct Row {
    id: u64,
    #[serde(rename = "itemName")]
    item_name: String,
    description: String,
    #[serde(rename = "initialBid")]
    initial_bid: u64,
    reserve: u64,
    #[serde(rename = "dateTime")]
    date_time: EventTime,
    expires: EventTime,
    seller: u64,
    category: u64,
    extra: String,
    auction: u64,
    bidder: u64,
    price: u64,
    #[serde(rename = "bid_dateTime")]
    bid_date_time: EventTime,
    bid_extra: String,
}

impl Row {
    fn of(won: Auction, bid: Bid) -> Self {
        Self {
            id: won.id,
            item_name: won.item_name,
            description: won.description,
            initial_bid: won.initial_bid,
            reserve: won.reserve,
            date_time: won.date_time,
            expires: won.expires,
            seller: won.seller,
            category: won.category,
            extra: won.extra,
            auction: bid.auction,
            bidder: bid.bidder,
            price: bid.price,
            bid_date_time: bid.date_time,
            bid_extra: bid.extra,
        }
    }
}

type Entry = Side<Auction, Bid>;

/// Waits for an auction's end, and then tells who won. SQL tells whenever somebody takes the lead.
struct WinningBid;

const AUCTION: Value<Auction> = Value::named("auction");
const LEADER: Value<Bid> = Value::named("leader");
/// Bids that came before their auction: they arrive out of order by seconds, and count only if they were made later.
const EARLY: List<Bid> = List::named("early").ttl(Duration::from_mins(1));

impl KeyedProcess<Mapped<Entry>, u64> for WinningBid {
    type Out = Row;

    fn name(&self) -> &'static str {
        "winning bid"
    }

    fn on_event(&self, entry: Entry, cx: &mut Context<'_, u64, Row>) -> Result<(), Reject> {
        match entry {
            Side::Left(auction) => {
                // A bid at the very end still counts, so the end is over one millisecond later.
                cx.set_timer(auction.expires.plus(1));
                cx.set(AUCTION, &auction)?;
                let early = cx.list(EARLY)?;
                cx.clear_list(EARLY);
                early.into_iter().try_for_each(|bid| lead(&auction, bid, cx))
            }
            Side::Right(bid) => match cx.get(AUCTION)? {
                Some(auction) => lead(&auction, bid, cx),
                None => cx.push(EARLY, &bid),
            },
        }
    }

    fn on_timer(&self, _: EventTime, cx: &mut Context<'_, u64, Row>) -> Result<(), Reject> {
        if let (Some(auction), Some(bid)) = (cx.get(AUCTION)?, cx.get(LEADER)?) {
            cx.emit(Row::of(auction, bid));
        }
        cx.clear(AUCTION);
        cx.clear(LEADER);
        Ok(())
    }
}

/// Takes the bid as the leading one if it was made while the auction was open, and beats the one that leads.
fn lead(auction: &Auction, bid: Bid, cx: &mut Context<'_, u64, Row>) -> Result<(), Reject> {
    let rank = |bid: &Bid| (bid.price, Reverse(bid.date_time));
    let open = (auction.date_time..=auction.expires).contains(&bid.date_time);
    let beaten = |leader: Bid| rank(&bid) > rank(&leader);
    if open && cx.get(LEADER)?.is_none_or(beaten) {
        cx.set(LEADER, &bid)?;
    }
    Ok(())
}

/// An auction or a bid.
fn entry(event: Event<Bid, Auction>) -> Option<Entry> {
    event.auction.map(Side::Left).or(event.bid.map(Side::Right))
}

/// Auctions with their winning bid.
///
/// # Errors
/// None, as declared here.
pub fn q9() -> Result<Pipeline, PipelineError> {
    Pipeline::named("nexmark-q9")
        .source(Json::<Event<Bid, Auction>>::new())
        .event_time(|event| event.ts, OUT_OF_ORDER)
        .flat_map(entry)
        .key_by(|entry| match entry {
            Side::Left(auction) => auction.id,
            Side::Right(bid) => bid.auction,
        })
        .process(WinningBid)
        .to(Kinesis::stream("results"))
        .build()
}
