//! Q20: bids together with their auction, for auctions of category 10.
//!
//! ```sql
//! SELECT auction, bidder, price, channel, url, B.dateTime, B.extra,
//!        itemName, description, initialBid, reserve, A.dateTime, expires, seller, category, A.extra
//! FROM bid AS B INNER JOIN auction AS A ON B.auction = A.id
//! WHERE A.category = 10
//! ```

use serde::{Deserialize, Serialize};
use tidemill::{
    Context, EventTime, Json, KeyedProcess, Kinesis, List, Mapped, Pipeline, PipelineError, Reject, Side, Value,
};

use super::whole_bid::WholeBid;
use crate::event::{Event, OUT_OF_ORDER};

/// An auction as it is in the input.
#[derive(Deserialize)]
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

/// What a bid's row says of its auction: the columns of both that have one name get a `0` here.
#[derive(Clone, Deserialize, Serialize)]
struct Item {
    #[serde(rename = "itemName")]
    item_name: String,
    description: String,
    #[serde(rename = "initialBid")]
    initial_bid: u64,
    reserve: u64,
    #[serde(rename = "dateTime0")]
    date_time: EventTime,
    expires: EventTime,
    seller: u64,
    category: u64,
    extra0: String,
}

#[derive(Serialize)]
struct Row {
    #[serde(flatten)]
    bid: WholeBid,
    #[serde(flatten)]
    item: Item,
}

type Entry = Side<Auction, WholeBid>;

/// Joins each bid with its auction, whichever comes first. SQL's join has no bound in time, nor has this one: what an
/// auction is stays known for ever, and bids wait for it as long.
struct Expand;

/// `None` for an auction of another category: its bids need not wait.
const ITEM: Value<Option<Item>> = Value::named("item");
const WAITING: List<WholeBid> = List::named("waiting");

impl KeyedProcess<Mapped<Entry>, u64> for Expand {
    type Out = Row;

    fn name(&self) -> &'static str {
        "expand bids"
    }

    fn on_event(&self, entry: Entry, cx: &mut Context<'_, u64, Row>) -> Result<(), Reject> {
        match entry {
            Side::Left(auction) => {
                let item = wanted(auction);
                cx.set(ITEM, &item)?;
                let waiting = cx.list(WAITING)?;
                cx.clear_list(WAITING);
                waiting.into_iter().for_each(|bid| expand(bid, item.clone(), cx));
            }
            Side::Right(bid) => match cx.get(ITEM)? {
                Some(item) => expand(bid, item, cx),
                None => cx.push(WAITING, &bid)?,
            },
        }
        Ok(())
    }
}

fn wanted(auction: Auction) -> Option<Item> {
    (auction.category == 10).then_some(Item {
        item_name: auction.item_name,
        description: auction.description,
        initial_bid: auction.initial_bid,
        reserve: auction.reserve,
        date_time: auction.date_time,
        expires: auction.expires,
        seller: auction.seller,
        category: auction.category,
        extra0: auction.extra,
    })
}

fn expand(bid: WholeBid, item: Option<Item>, cx: &mut Context<'_, u64, Row>) {
    if let Some(item) = item {
        cx.emit(Row { bid, item });
    }
}

fn entry(event: Event<WholeBid, Auction>) -> Option<Entry> {
    event.auction.map(Side::Left).or(event.bid.map(Side::Right))
}

/// Bids on auctions of category 10, with the auction.
///
/// # Errors
/// None, as declared here.
pub fn q20() -> Result<Pipeline, PipelineError> {
    Pipeline::named("nexmark-q20")
        .source(Json::<Event<WholeBid, Auction>>::new())
        .event_time(|event| event.ts, OUT_OF_ORDER)
        .flat_map(entry)
        .key_by(|entry| match entry {
            Side::Left(auction) => auction.id,
            Side::Right(bid) => bid.auction,
        })
        .process(Expand)
        .to(Kinesis::stream("results"))
        .build()
}
