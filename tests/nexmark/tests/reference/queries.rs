//! The queries without windows of their own, and those whose windows all events come in time for: over all events at
//! once. Where SQL would update a result, this is the last state of it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

/// 2023-11-15T00:00:00Z: the input lies on both sides of this midnight.
const MIDNIGHT: u64 = 1_700_006_400_000;

fn of<'e>(kind: &str, events: &'e [Value]) -> impl Iterator<Item = &'e Value> {
    let kind = kind.to_owned();
    events.iter().filter_map(move |event| event.get(&kind))
}

fn number(value: &Value) -> u64 {
    value.as_u64().expect("a number")
}

/// Rows grouped by a key, each group in the order of the input.
fn grouped<'e, K: Ord>(
    rows: impl Iterator<Item = &'e Value>,
    key: impl Fn(&Value) -> K,
) -> BTreeMap<K, Vec<&'e Value>> {
    let mut groups: BTreeMap<K, Vec<&Value>> = BTreeMap::new();
    rows.for_each(|row| groups.entry(key(row)).or_default().push(row));
    groups
}

/// The fields of a row that are named, `(new, old)`.
fn renamed(row: &Value, names: &[(&str, &str)]) -> Value {
    names.iter().map(|(new, old)| ((*new).to_owned(), row[*old].clone())).collect()
}

fn joined(one: Value, other: Value) -> Value {
    let (Value::Object(mut one), Value::Object(other)) = (one, other) else { panic!("rows are objects") };
    one.extend(other);
    Value::Object(one)
}

const BID: [(&str, &str); 7] = [
    ("auction", "auction"),
    ("bidder", "bidder"),
    ("price", "price"),
    ("channel", "channel"),
    ("url", "url"),
    ("dateTime", "date_time"),
    ("extra", "extra"),
];

pub(super) fn q2(events: &[Value]) -> Vec<Value> {
    let wanted = of("bid", events).filter(|bid| number(&bid["auction"]).is_multiple_of(123));
    wanted.map(|bid| renamed(bid, &[("auction", "auction"), ("price", "price")])).collect()
}

pub(super) fn q3(events: &[Value]) -> Vec<Value> {
    let wanted = |person: &Value| ["OR", "ID", "CA"].map(Value::from).contains(&person["state"]);
    let people = grouped(of("person", events).filter(|person| wanted(person)), |person| number(&person["id"]));
    let auctions = of("auction", events).filter(|auction| auction["category"] == 10);
    let sold = auctions.filter_map(|auction| Some((auction, people.get(&number(&auction["seller"]))?)));
    sold.flat_map(|(auction, sellers)| {
        sellers.iter().map(|seller| {
            json!({"name": seller["name"], "city": seller["city"], "state": seller["state"], "id": auction["id"]})
        })
    })
    .collect()
}

pub(super) fn q8(events: &[Value]) -> Vec<Value> {
    let window = |row: &Value| number(&row["date_time"]) / 10_000 * 10_000;
    let sold: BTreeSet<(u64, u64)> =
        of("auction", events).map(|auction| (number(&auction["seller"]), window(auction))).collect();
    let new = of("person", events).filter(|person| sold.contains(&(number(&person["id"]), window(person))));
    new.map(|person| json!({"id": person["id"], "name": person["name"], "starttime": window(person)})).collect()
}

pub(super) fn q9(events: &[Value]) -> Vec<Value> {
    let bids = grouped(of("bid", events), |bid| number(&bid["auction"]));
    let auction = [
        ("id", "id"),
        ("itemName", "item_name"),
        ("description", "description"),
        ("initialBid", "initial_bid"),
        ("reserve", "reserve"),
        ("dateTime", "date_time"),
        ("expires", "expires"),
        ("seller", "seller"),
        ("category", "category"),
        ("extra", "extra"),
    ];
    let bid = [
        ("auction", "auction"),
        ("bidder", "bidder"),
        ("price", "price"),
        ("bid_dateTime", "date_time"),
        ("bid_extra", "extra"),
    ];
    let won = |sale: &Value| {
        let open = number(&sale["date_time"])..=number(&sale["expires"]);
        let bids = bids.get(&number(&sale["id"])).into_iter().flatten();
        let valid = bids.filter(|bid| open.contains(&number(&bid["date_time"])));
        let best = valid.min_by_key(|bid| (Reverse(number(&bid["price"])), number(&bid["date_time"])))?;
        Some(joined(renamed(sale, &auction), renamed(best, &bid)))
    };
    of("auction", events).filter_map(won).collect()
}

/// The day of a row, as SQL writes it.
fn day(row: &Value) -> &'static str {
    if number(&row["date_time"]) < MIDNIGHT { "2023-11-14" } else { "2023-11-15" }
}

/// The minute of a row, as SQL writes it. The input has no other ones.
fn minute(row: &Value) -> &'static str {
    if number(&row["date_time"]) < MIDNIGHT { "23:59" } else { "00:00" }
}

/// The bids of each rank: all of them, then by price.
fn ranks<'e>(bids: &[&'e Value]) -> [(&'static str, Vec<&'e Value>); 4] {
    let between = |low, high| bids.iter().copied().filter(|bid| (low..high).contains(&number(&bid["price"]))).collect();
    [
        ("total", bids.to_vec()),
        ("rank1", between(0, 10_000)),
        ("rank2", between(10_000, 1_000_000)),
        ("rank3", between(1_000_000, u64::MAX)),
    ]
}

fn bid_counts(bids: &[&Value]) -> Value {
    ranks(bids).into_iter().map(|(rank, bids)| (format!("{rank}_bids"), json!(bids.len()))).collect()
}

fn distinct_counts(bids: &[&Value], field: &str) -> Value {
    let distinct = |bids: &[&Value]| bids.iter().map(|bid| number(&bid[field])).collect::<BTreeSet<_>>().len();
    ranks(bids).into_iter().map(|(rank, bids)| (format!("{rank}_{field}s"), json!(distinct(&bids)))).collect()
}

fn all_counts(bids: &[&Value]) -> Value {
    let people = joined(distinct_counts(bids, "bidder"), distinct_counts(bids, "auction"));
    joined(bid_counts(bids), people)
}

pub(super) fn q15(events: &[Value]) -> Vec<Value> {
    let days = grouped(of("bid", events), day);
    days.into_iter().map(|(day, bids)| joined(json!({"day": day}), all_counts(&bids))).collect()
}

pub(super) fn q16(events: &[Value]) -> Vec<Value> {
    let groups = grouped(of("bid", events), |bid| (bid["channel"].to_string(), day(bid)));
    let row = |((_, day), bids): ((String, &str), Vec<&Value>)| {
        let last = bids.iter().map(|bid| minute(bid)).max();
        joined(json!({"channel": bids[0]["channel"], "day": day, "minute": last}), all_counts(&bids))
    };
    groups.into_iter().map(row).collect()
}

pub(super) fn q17(events: &[Value]) -> Vec<Value> {
    let groups = grouped(of("bid", events), |bid| (number(&bid["auction"]), day(bid)));
    let row = |((auction, day), bids): ((u64, &str), Vec<&Value>)| {
        let prices: Vec<u64> = bids.iter().map(|bid| number(&bid["price"])).collect();
        let sum: u64 = prices.iter().sum();
        let prices = json!({
            "auction": auction,
            "day": day,
            "min_price": prices.iter().min(),
            "max_price": prices.iter().max(),
            // Of integers: rounded down.
            "avg_price": sum / prices.len() as u64,
            "sum_price": sum,
        });
        joined(prices, bid_counts(&bids))
    };
    groups.into_iter().map(row).collect()
}

pub(super) fn q18(events: &[Value]) -> Vec<Value> {
    let groups = grouped(of("bid", events), |bid| (number(&bid["bidder"]), number(&bid["auction"])));
    // Of equals the one that came last.
    let last =
        |bids: Vec<&Value>| bids.into_iter().max_by_key(|bid| number(&bid["date_time"])).map(|bid| renamed(bid, &BID));
    groups.into_values().filter_map(last).collect()
}

pub(super) fn q19(events: &[Value]) -> Vec<Value> {
    let best = |mut bids: Vec<&Value>| {
        // Stable: of equals the one that came first.
        bids.sort_by_key(|bid| Reverse(number(&bid["price"])));
        let ranked = bids.into_iter().take(10).zip(1_u64..);
        ranked.map(|(bid, rank)| joined(renamed(bid, &BID), json!({"rank_number": rank}))).collect::<Vec<_>>()
    };
    grouped(of("bid", events), |bid| number(&bid["auction"])).into_values().flat_map(best).collect()
}

pub(super) fn q20(events: &[Value]) -> Vec<Value> {
    let wanted = of("auction", events).filter(|auction| auction["category"] == 10);
    let auctions = grouped(wanted, |auction| number(&auction["id"]));
    let item = [
        ("itemName", "item_name"),
        ("description", "description"),
        ("initialBid", "initial_bid"),
        ("reserve", "reserve"),
        ("dateTime0", "date_time"),
        ("expires", "expires"),
        ("seller", "seller"),
        ("category", "category"),
        ("extra0", "extra"),
    ];
    let rows = |bid: &Value| -> Vec<Value> {
        let of_bid = auctions.get(&number(&bid["auction"])).into_iter().flatten();
        of_bid.map(|auction| joined(renamed(bid, &BID), renamed(auction, &item))).collect()
    };
    of("bid", events).flat_map(rows).collect()
}
