//! State read from the journal at any point has the same future.

use proptest::prelude::*;
use serde_json::Value;
use tidemill::EventTime;
use tidemill::handler::{Handler, Limits, Work};
use tidemill_core::{Caps, Position, Record as Wired, SequenceNumber};
use tidemill_journal::{Deadline, Incarnation, Ring};
use tidemill_tests::{FaultyStore, Inbox};

use crate::cases;
use crate::naive::Record;
use crate::streams::{Damage, records, values};
use crate::windows::{Options, kinds, options, pipeline};
use crate::wire::{Driven, json};

const STREAM: &str = "arn:aws:kinesis:us-east-1:123456789012:stream/model";
const SHARD: &str = "shardId-000000000000";

/// What all results are in order, without a journal; how many records are late, and how many quarantined.
fn expected(options: &Options, records: &[Record]) -> (Vec<Value>, usize, usize) {
    let mut driver = Driven::new(pipeline(options));
    let mut steps: Vec<_> = records.iter().map(|record| driver.push(record, &record.key)).collect();
    steps.push(driver.drain());
    let late = steps.iter().map(|step| step.late.len()).sum();
    let bad = steps.iter().map(|step| step.bad.len()).sum();
    (steps.into_iter().flat_map(|step| step.sent).map(|sent| sent.value).collect(), late, bad)
}

/// The same through a handler that forgets everything behind each cut, with a journal of few slots and small commits.
async fn found(options: &Options, records: &[Record], cuts: &[usize]) -> (Vec<Value>, usize, usize) {
    let (store, inbox) = (FaultyStore::default(), Inbox::default());
    let caps = Caps { outputs: 3, ..Caps::default() };
    let limits = Limits { ring: Ring::of(5).expect("a ring"), caps, ..Limits::default() };
    let payloads: Vec<Vec<u8>> = records.iter().map(|record| json(record).to_string().into_bytes()).collect();
    let wired: Vec<Wired<'_>> = records.iter().zip(&payloads).map(|(record, payload)| wired(record, payload)).collect();
    let mut rest = wired.as_slice();
    for cut in cuts.iter().cycle() {
        let (batch, behind) = rest.split_at(rest.len().min(*cut));
        let mut handler = Handler::new(pipeline(options), &store, &inbox, limits, Box::new(|| Incarnation(1)));
        let work = if batch.is_empty() { Work::Drain } else { Work::Records(batch) };
        handler.handle(STREAM, SHARD, work, Deadline::NONE).await.expect("done");
        if batch.is_empty() {
            break;
        }
        rest = behind;
    }
    let received = inbox.received();
    let of = |sink: &str| received.events.get(sink).cloned().unwrap_or_default();
    (of("results"), of("late").len(), of("quarantine").len())
}

fn wired<'r>(record: &'r Record, payload: &'r [u8]) -> Wired<'r> {
    let sequence = SequenceNumber::parse(&record.id.to_string()).expect("a number");
    let partition_key = if record.trouble == crate::naive::Trouble::Misrouted { "elsewhere" } else { &record.key };
    Wired {
        shard: SHARD,
        position: Position { sequence, sub_sequence: 0 },
        partition_key,
        arrival: EventTime::LAST,
        payload,
        enriched: None,
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn a_restored_state_has_the_same_future(
        options in options(kinds()),
        records in records(values(), Damage::Some),
        cuts in proptest::collection::vec(1..12_usize, 1..6),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let found = runtime.block_on(found(&options, &records, &cuts));
        prop_assert_eq!(found, expected(&options, &records));
    }
}
