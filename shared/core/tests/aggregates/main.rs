//! The laws of the aggregates, over events that borrow from their payload.
//!
//! Each is tried with 1,000 random inputs; `PROPTEST_CASES` raises that.

mod laws;
mod naive;
mod stored;
mod values;

use proptest::prelude::*;
use tidemill_core::aggregate::Over;
use tidemill_core::{EventTime, Format, Reject};

/// A trade whose symbol borrows from the payload.
#[derive(Clone, Copy, Debug)]
struct Trade<'a> {
    symbol: &'a str,
    price: f64,
    items: i64,
    units: u8,
}

/// Nothing here decodes: it names the family of [`Trade`].
struct Trades;

impl Format for Trades {
    type Event<'a> = Trade<'a>;

    fn decode<'a>(&self, _: &'a [u8]) -> Result<Trade<'a>, Reject> {
        unreachable!("trades are made by the tests")
    }
}

const OVER: Over<Trades> = Over::new();

/// A trade that owns its symbol, at a time.
#[derive(Clone, Debug)]
struct Made {
    at: i64,
    symbol: String,
    price: f64,
    items: i64,
    units: u8,
}

impl Made {
    const fn time(&self) -> EventTime {
        EventTime::from_millis(self.at)
    }

    fn trade(&self) -> Trade<'_> {
        Trade { symbol: &self.symbol, price: self.price, items: self.items, units: self.units }
    }
}

/// Few different times, symbols and units, so that equals are common; prices of every kind.
fn made() -> impl Strategy<Value = Made> {
    let price = prop_oneof![
        4 => -1e3..1e3,
        2 => any::<i8>().prop_map(f64::from),
        1 => proptest::sample::select(vec![f64::NAN, -f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, 5e-324, f64::MAX]),
    ];
    let symbol = "[a-e]{0,2}";
    (0..8_i64, symbol, price, -1_000..1_000_i64, 0..6_u8).prop_map(|(at, symbol, price, items, units)| Made {
        at,
        symbol,
        price,
        items,
        units,
    })
}

fn trades() -> impl Strategy<Value = Vec<Made>> {
    proptest::collection::vec(made(), 0..40)
}

/// At least 1,000 cases a test.
fn cases() -> ProptestConfig {
    let asked = ProptestConfig::default();
    ProptestConfig { cases: asked.cases.max(1_000), failure_persistence: None, ..asked }
}
