//! First, last and best events of a key.

use proptest::prelude::*;
use tidemill::Kinesis;
use tidemill::pipeline::Complete;

use crate::cases;
use crate::naive::{Clock, Kept, Shard, Which};
use crate::streams::{Damage, records};
use crate::wire::{Wire, check, millis, timed};

fn pipeline(which: Which, ttl: Option<i64>, bound: i64) -> Complete {
    let keyed = timed(bound).key_by(|record| record.key());
    let take = |record: Wire| (record.value, record.id);
    let kept = match which {
        Which::First => keyed.keep_first(take),
        Which::Last => keyed.keep_last(take),
        Which::Top(most) => keyed.top(most, take, |a, b| a.0.cmp(&b.0)),
    };
    let kept = if let Some(ttl) = ttl { kept.ttl(millis(ttl)) } else { kept };
    kept.emit(|_, rank, (_, id)| (rank, *id)).to(Kinesis::stream("results"))
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn what_is_kept_is_the_models(
        which in prop_oneof![Just(Which::First), Just(Which::Last), (1..4_usize).prop_map(Which::Top)],
        ttl in proptest::option::of(1..40_i64),
        bound in 0..25_i64,
        records in records(-3..4_i64, Damage::Some),
    ) {
        let model = Kept { which, ttl, keys: Vec::new() };
        let pipeline = pipeline(which, ttl, bound).build().expect("the pipeline is sound");
        check(pipeline, Shard::of(Clock::new(bound, 1), model), &records)?;
    }
}
