//! Joins of two sides' events of a window.

use proptest::prelude::*;
use serde_json::{Value, json};
use tidemill::{Kinesis, Session, Side, Sliding, Tumbling};

use crate::cases;
use crate::naive::{Event, Kind};
use crate::streams::{Damage, records};
use crate::windows::{Options, options, with_keeping_windows};
use crate::wire::{Wire, check, millis, timed};

/// An event with a value divisible by 3 is on no side, an odd one on the right.
fn side(record: &Wire) -> Option<Side<u64, u64>> {
    (record.value % 3 != 0).then_some(if record.value % 2 == 0 {
        Side::Left(record.id)
    } else {
        Side::Right(record.id)
    })
}

fn sides(events: &[Event]) -> (Vec<u64>, Vec<u64>) {
    let on_a_side = events.iter().filter(|event| event.value % 3 != 0);
    let (left, right): (Vec<&Event>, Vec<&Event>) = on_a_side.partition(|event| event.value % 2 == 0);
    let ids = |events: Vec<&Event>| events.into_iter().map(|event| event.id).collect();
    (ids(left), ids(right))
}

fn pairs(events: &[Event]) -> Vec<Value> {
    let (left, right) = sides(events);
    left.iter().flat_map(|left| right.iter().map(move |right| json!([left, right]))).collect()
}

fn inner(events: &[Event]) -> Option<Vec<Value>> {
    Some(pairs(events))
}

/// Without a right one no left one has a partner.
fn left(events: &[Event]) -> Option<Vec<Value>> {
    let (left, right) = sides(events);
    let alone = left.iter().filter(|_| right.is_empty()).map(|left| json!([left, null]));
    Some(pairs(events).into_iter().chain(alone).collect())
}

fn full(events: &[Event]) -> Option<Vec<Value>> {
    let (left_ids, right_ids) = sides(events);
    let alone = right_ids.iter().filter(|_| left_ids.is_empty()).map(|right| json!([null, right]));
    Some(left(events)?.into_iter().chain(alone).collect())
}

fn joined() -> impl Strategy<Value = Options> {
    options(prop_oneof![
        Just(Kind::Tumbling { size: 10, offset: 3 }),
        Just(Kind::Sliding { size: 10, slide: 4, offset: 1 }),
        Just(Kind::Session { gap: 6 }),
    ])
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn joined_windows_are_the_models(
        options in joined(),
        how in 0..3_usize,
        records in records(-5..6_i64, Damage::None),
    ) {
        let keyed = || timed(options.bound).key_by(|record| record.key());
        let pipeline = match how {
            0 => with_keeping_windows!(&options, keyed(), |windowed| windowed.join(side)
                .inner(|_, left, right| (*left, *right))),
            1 => with_keeping_windows!(&options, keyed(), |windowed| windowed.join(side)
                .left(|_, left, right| (*left, right.copied()))),
            _ => with_keeping_windows!(&options, keyed(), |windowed| windowed.join(side)
                .full(|_, left, right| (left.copied(), right.copied()))),
        };
        check(pipeline, options.model([inner, left, full][how]), &records)?;
    }
}
