//! Random streams.

use proptest::prelude::*;

use crate::naive::{Record, Trouble};

/// Shorter keys come first in CBOR: `b` before `aa`.
const KEYS: [&str; 3] = ["a", "b", "aa"];

/// How much of what goes wrong: none, or about a fifth of all records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Damage {
    None,
    Some,
}

fn trouble(damage: Damage) -> impl Strategy<Value = Trouble> {
    let damaged = if damage == Damage::Some { 4 } else { 0 };
    let odd = prop_oneof![
        Just(Trouble::Undecodable),
        Just(Trouble::NoTime),
        Just(Trouble::Misrouted),
        Just(Trouble::Failing),
        Just(Trouble::Filtered),
    ];
    let panicking = (damaged > 0).into();
    prop_oneof![20 => Just(Trouble::None), damaged => odd, panicking => Just(Trouble::Panicking)]
}

/// Up to 27 records whose times advance by `trend` a record and lie up to 40 units behind that or 20 before it.
pub(crate) fn records(
    values: impl Strategy<Value = i64> + Clone + 'static,
    damage: Damage,
) -> impl Strategy<Value = Vec<Record>> {
    (0..6_i64).prop_flat_map(move |trend| {
        let record = (0..KEYS.len(), -40..20_i64, values.clone(), 0..2_usize, trouble(damage));
        proptest::collection::vec(record, 1..28).prop_map(move |records| {
            let record = |(at, (key, jitter, value, input, trouble)): (usize, (usize, i64, i64, usize, Trouble))| {
                let at = i64::try_from(at).expect("few");
                let id = at.unsigned_abs() + 1;
                Record { id, key: KEYS[key].to_owned(), time: at * trend + jitter, value, input, trouble }
            };
            records.into_iter().enumerate().map(record).collect()
        })
    })
}

/// Small numbers, and now and then one of which two overflow.
pub(crate) fn values() -> impl Strategy<Value = i64> + Clone {
    prop_oneof![20 => -5..6_i64, 1 => Just(i64::MAX / 2 + 2), 1 => Just(i64::MIN / 2 - 2)]
}

/// The same stream elsewhere on the time line: each unit so long, from `base` on.
pub(crate) fn at(base: i64, unit: i64, records: &[Record]) -> Vec<Record> {
    records.iter().map(|record| Record { time: base + record.time * unit, ..record.clone() }).collect()
}

/// Where streams lie: about the epoch, and over both ends of the years 1 to 9999.
pub(crate) fn bases() -> impl Strategy<Value = i64> + Clone {
    prop_oneof![4 => Just(0), 1 => -200..200_i64, 1 => Just(-62_135_596_800_000_i64), 1 => Just(253_402_300_799_999_i64 - 60)]
}
