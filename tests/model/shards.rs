//! Without records behind the watermark results do not depend on the number of shards.

use proptest::prelude::*;

use crate::cases;
use crate::naive::{Kind, Record, Sent};
use crate::streams::{Damage, records};
use crate::windows::{Options, kinds, options, pipeline};
use crate::wire::Driven;

/// The results of so many shards, in an order of their own.
fn results(options: &Options, shards: usize, records: &[Record]) -> Vec<Sent> {
    let mut drivers: Vec<Driven> = (0..shards).map(|_| Driven::new(pipeline(options))).collect();
    let mut sent = Vec::new();
    for record in records {
        let hash: usize = record.key.bytes().map(usize::from).sum();
        let step = drivers[hash % shards].push(record, &record.key);
        assert!(step.late.is_empty(), "none is late");
        sent.extend(step.sent);
    }
    sent.extend(drivers.iter_mut().flat_map(|driver| driver.drain().sent));
    sent.sort_by_key(|sent| format!("{sent:?}"));
    sent
}

/// The smallest bound under which no record lies behind the watermark.
fn bound(records: &[Record]) -> i64 {
    let highest = records.iter().scan(i64::MIN, |highest, record| {
        *highest = record.time.max(*highest);
        Some(*highest)
    });
    highest.zip(records).map(|(highest, record)| highest - record.time).max().unwrap_or(0)
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn the_union_of_results_is_the_same(
        options in options(kinds()),
        records in records(0..1_i64, Damage::None),
    ) {
        // A session closes when W reaches its end, and a record just there still touches it: one more millisecond. (Flink
        // does the same.) Early results by event time follow each shard's own.
        let at_its_end = i64::from(matches!(options.kind, Kind::Session { .. }));
        let options = Options { bound: bound(&records) + at_its_end, early_interval: None, ..options };
        let one = results(&options, 1, &records);
        for shards in [2, 5] {
            prop_assert_eq!(&results(&options, shards, &records), &one, "{} shards", shards);
        }
    }
}
