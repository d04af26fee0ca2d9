//! Golden bytes and schema texts: journals hold them, so they stay what they are.

use tidemill_core::aggregate::{Add, Aggregate};
use tidemill_core::{EventTime, codec};

use crate::{OVER, Trade};

/// Checks the schema and the CBOR bytes, in hex, of a state of three trades; and that the bytes read back.
fn check<A: Aggregate + for<'a> Add<Trade<'a>>>(aggregate: &A, schema: &str, golden: &str) {
    let mut state = aggregate.empty();
    for (at, symbol, price, items, units) in [(7, "b", 2.5, -3, 1), (3, "a", 0.1, 500, 2), (7, "b", 2.5, 70_000, 1)] {
        let trade = Trade { symbol, price, items, units };
        aggregate.add(&mut state, &trade, EventTime::from_millis(at)).expect("adds");
    }
    let bytes = codec::encode(&state).expect("encodes");
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!((aggregate.schema().as_ref(), hex.as_str()), (schema, golden));
    let read: A::State = codec::decode(&bytes).expect("decodes");
    assert_eq!(codec::encode(&read).expect("encodes"), bytes);
}

#[test]
fn states_of_the_first_version_stay_what_they_are() {
    check(&OVER.count(), "count", "03");
    check(&OVER.sum(|t| t.items), "sum i64", "1a00011361");
    check(&OVER.sum(|t| t.units), "sum u64", "04");
    check(&OVER.mean(|t| t.units), "mean u64", "a26373756d0465636f756e7403");
    check(&OVER.min(|t| t.price), "min f64", "fb3fb999999999999a");
    check(&OVER.max(|t| t.symbol.to_owned()), "max string", "6162");
    check(&(OVER.count(), OVER.max(|t| t.units)), "(count, max u8)", "820302");
}

#[test]
fn states_of_single_values_stay_what_they_are() {
    check(&OVER.first(|t| t.items), "first", "a26474696d65036576616c75651901f4");
    check(&OVER.last(|t| t.items), "last", "a26474696d65076576616c75651a00011170");
    check(&OVER.reduce(|t| t.items, |a, b| a + b), "reduce", "a16576616c75651a00011361");
    check(&OVER.fold(0_i64, |n, t| n + t.items), "fold", "1a00011361");
    check(&OVER.count().when(|t| t.units == 1), "count when", "02");
    check(&OVER.min(|t| t.items).when(|t| t.units > 2), "min i64 when", "f6");
}

#[test]
fn states_of_many_values_stay_what_they_are() {
    check(&OVER.top(2, |t| (t.units, t.symbol.to_owned())), "top 2 (u8, string)", "828202616182016162");
    check(&OVER.collect(|t| t.symbol.to_owned()), "collect", "83616261616162");
    check(&OVER.distinct(|t| t.symbol.to_owned()), "distinct string", "8261616162");
    check(&OVER.distinct(|t| t.price), "distinct f64", "82fb3fb999999999999af94100");
    check(
        &OVER.distinct_approx(|t| t.symbol.to_owned()),
        "distinct approx 12 string",
        "a166737061727365481b4921425439b8c3",
    );
    check(
        &OVER.distinct_approx(|t| t.units).precision(4),
        "distinct approx 4 u8",
        "a1667370617273654864fa170170977cc1",
    );
    check(&OVER.quantiles([0.5], |t| t.price), "quantiles 6 bits", "a2646b6579738219fee619012a66636f756e7473820102");
    check(
        &OVER.quantiles([0.5], |t| t.items).accuracy(0.001),
        "quantiles 9 bits",
        "a2646b657973833a000800ff1a001010e8190e3a66636f756e747383010101",
    );
}
