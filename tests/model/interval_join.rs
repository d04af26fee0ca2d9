//! Joins of events near each other.

use proptest::prelude::*;
use tidemill::{Kinesis, Side};

use crate::cases;
use crate::naive::{Clock, IntervalJoin, Shard};
use crate::streams::{Damage, at, bases, records};
use crate::wire::{Wire, check, millis, timed};

fn side(record: &Wire) -> Option<Side<u64, u64>> {
    (record.value % 3 != 0).then_some(if record.value % 2 == 0 {
        Side::Left(record.id)
    } else {
        Side::Right(record.id)
    })
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn pairs_are_the_models(
        (before, after, bound) in (0..15_i64, 0..15_i64, 0..25_i64),
        base in bases(),
        records in records(-5..6_i64, Damage::Some),
    ) {
        let pipeline = timed(bound)
            .key_by(|record| record.key())
            .interval_join(side, millis(before), millis(after))
            .late_to(Kinesis::stream("late"))
            .emit(|_, left, right| (*left, *right))
            .to(Kinesis::stream("results"))
            .build()
            .expect("the pipeline is sound");
        let model = IntervalJoin { before, after, kept: Vec::new() };
        check(pipeline, Shard::of(Clock::new(bound, 1), model), &at(base, 1, &records))?;
    }
}
