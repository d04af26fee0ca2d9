//! Stages before the key, repeats, several inputs: a record counts as a whole or not at all.

use proptest::prelude::*;
use tidemill::{Kinesis, Session, Sliding, Tumbling};

use crate::cases;
use crate::naive::{Clock, Event, Kind, Record};
use crate::streams::{Damage, records, values};
use crate::windows::{model, options, with_keeping_windows};
use crate::wire::{Wire, check, check_under, millis, timed, timed_by_input};

fn keeping_kinds() -> impl Strategy<Value = Kind> {
    prop_oneof![
        Just(Kind::Tumbling { size: 10, offset: 3 }),
        Just(Kind::Sliding { size: 10, slide: 4, offset: 1 }),
        Just(Kind::Session { gap: 6 }),
    ]
}

/// A record is one to three events, each with another key and value.
fn split(id: u64, key: &str, value: i64) -> Vec<(String, i64)> {
    (0..=id % 3).map(|n| (["a", key, "c"][n as usize].to_owned(), value.saturating_add(n as i64))).collect()
}

fn split_record(record: &Record) -> Vec<Event> {
    let Record { id, time, .. } = *record;
    let event = |(key, value)| Event { id, key, time, value };
    split(id, &record.key, record.value).into_iter().map(event).collect()
}

fn split_wire(wire: Wire) -> Vec<(Wire, String, i64)> {
    let events = split(wire.id, &wire.key, wire.value);
    events.into_iter().map(|(key, value)| (wire.clone(), key, value)).collect()
}

macro_rules! summed {
    ($windowed:ident, $value:expr, $id:expr) => {
        $windowed
            .aggregate(|over| (over.count(), over.sum($value), over.collect($id)))
            .try_emit(|_, (count, sum, ids)| if count % 7 == 6 { Err("6 of 7") } else { Ok((count, sum, ids)) })
            .filter(|(count, ..)| count % 7 != 5)
    };
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn all_events_of_a_record_are_taken_or_none(
        options in options(keeping_kinds()),
        records in records(values(), Damage::Some),
    ) {
        let keyed = timed(options.bound)
            .try_map(|wire| wire.key().map(|_| wire))
            .flat_map(split_wire)
            .key_by(|(_, key, _)| key.clone())
            .routed_by_constant("all");
        let pipeline = with_keeping_windows!(&options, keyed, |windowed|
            summed!(windowed, |(_, _, value)| *value, |(wire, _, _)| wire.id));
        let mut model = model(&options);
        model.events = split_record;
        check_under(Some("all"), pipeline, model, &records)?;
    }

    #[test]
    fn repeats_are_dropped_until_the_horizon(
        options in options(keeping_kinds()),
        horizon in 1..60_i64,
        records in records(values(), Damage::Some),
    ) {
        let keyed = timed(options.bound).key_by(|wire| wire.key()).dedup_by(|wire| wire.value, millis(horizon));
        let pipeline = with_keeping_windows!(&options, keyed, |windowed|
            summed!(windowed, |wire| wire.value, |wire| wire.id));
        let mut model = model(&options);
        model.dedup = Some((horizon, |event| event.value));
        check(pipeline, model, &records)?;
    }

    #[test]
    fn the_slowest_input_makes_the_watermark(
        options in options(keeping_kinds()),
        records in records(values(), Damage::Some),
    ) {
        let keyed = timed_by_input(options.bound).key_by(|wire| wire.key());
        let pipeline = with_keeping_windows!(&options, keyed, |windowed|
            summed!(windowed, |wire| wire.value, |wire| wire.id));
        let mut model = model(&options);
        model.clock = Clock::new(options.bound, 2);
        check(pipeline, model, &records)?;
    }
}
