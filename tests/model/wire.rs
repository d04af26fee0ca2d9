//! Records on the wire, and what a pipeline makes of each.

use std::time::Duration;

use proptest::prelude::{TestCaseError, prop_assert_eq};
use proptest::test_runner::TestCaseResult;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidemill::testing::{Driver, rebatch};
use tidemill::{EventTime, Json, OutOfOrder, Pipeline, Timing, pipeline::Timed};
use tidemill_core::{self as core, Origin};

use crate::naive::{Bad, Cause, Operator, Outcome, Record, Sent, Shard, Span, Trouble};

/// A record as the pipeline reads it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Wire {
    pub(crate) id: u64,
    pub(crate) key: String,
    at: Option<i64>,
    pub(crate) value: i64,
    pub(crate) input: usize,
    fails: bool,
    panics: bool,
    filtered: bool,
}

impl Wire {
    fn of(record: &Record) -> Self {
        let Record { id, key, time, value, input, trouble } = record.clone();
        let at = (trouble != Trouble::NoTime).then_some(time);
        let [fails, panics, filtered] =
            [Trouble::Failing, Trouble::Panicking, Trouble::Filtered].map(|other| trouble == other);
        Self { id, key, at, value, input, fails, panics, filtered }
    }

    /// The key, in a closure that fails if the record is to fail there.
    pub(crate) fn key(&self) -> Result<String, &'static str> {
        assert!(!self.panics, "the record is to panic");
        if self.fails { Err("the record is to fail") } else { Ok(self.key.clone()) }
    }
}

/// A record as JSON. One that does not decode is a text where an object is due.
pub(crate) fn json(record: &Record) -> Value {
    match record.trouble {
        Trouble::Undecodable => Value::from("no event"),
        _ => serde_json::to_value(Wire::of(record)).expect("serialises"),
    }
}

/// A pipeline over such records, up to event time and filter.
pub(crate) fn timed(bound: i64) -> Timed<Json<Wire>> {
    Pipeline::named("model")
        .source(Json::<Wire>::new())
        .event_time(|record| record.at, OutOfOrder::at_most(millis(bound)))
        .filter(|record| !record.filtered)
}

/// The same, with the watermark of the slower of two inputs.
pub(crate) fn timed_by_input(bound: i64) -> Timed<Json<Wire>> {
    let input = |record: &Wire| (["zero", "one"][record.input], record.at);
    Pipeline::named("model")
        .source(Json::<Wire>::new())
        .event_time_by(["zero", "one"], input, OutOfOrder::at_most(millis(bound)))
        .filter(|record| !record.filtered)
}

pub(crate) fn millis(n: i64) -> Duration {
    Duration::from_millis(n.unsigned_abs())
}

/// What came of one record, or of the end of input.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Step {
    pub(crate) sent: Vec<Sent>,
    pub(crate) late: Vec<u64>,
    pub(crate) bad: Vec<Bad>,
}

impl From<Vec<Outcome>> for Step {
    fn from(outcomes: Vec<Outcome>) -> Self {
        let mut step = Self::default();
        for outcome in outcomes {
            match outcome {
                Outcome::Sent(sent) => step.sent.push(sent),
                Outcome::Late(id) => step.late.push(id),
                Outcome::Bad(bad) => step.bad.push(bad),
            }
        }
        step
    }
}

/// A driver, and how much of what came out was looked at.
pub(crate) struct Driven {
    driver: Driver,
    sent: usize,
    late: usize,
    bad: usize,
}

impl Driven {
    pub(crate) fn new(pipeline: Pipeline) -> Self {
        Self { driver: Driver::new(pipeline), sent: 0, late: 0, bad: 0 }
    }

    /// Pushes a record under its key, or elsewhere.
    pub(crate) fn push(&mut self, record: &Record, partition_key: &str) -> Step {
        let partition_key = if record.trouble == Trouble::Misrouted { "elsewhere" } else { partition_key };
        self.driver.push_raw(partition_key, json(record).to_string().as_bytes());
        self.step()
    }

    pub(crate) fn drain(&mut self) -> Step {
        self.driver.drain();
        self.step()
    }

    fn step(&mut self) -> Step {
        let late = self.driver.late::<Wire>();
        let (emissions, quarantined) = (self.driver.emissions(), self.driver.quarantined());
        let step = Step {
            sent: emissions[self.sent..].iter().map(sent).collect(),
            late: late[self.late..].iter().map(|wire| wire.id).collect(),
            bad: quarantined[self.bad..].iter().map(|entry| bad(&entry.origin)).collect(),
        };
        (self.sent, self.late, self.bad) = (emissions.len(), late.len(), quarantined.len());
        step
    }
}

fn span(span: core::Span) -> Span {
    (span.start.as_millis(), span.end.as_millis())
}

/// The order of what a result replaces says nothing.
fn sorted(spans: impl Iterator<Item = Span>) -> Vec<Span> {
    let mut spans: Vec<Span> = spans.collect();
    spans.sort_unstable();
    spans
}

fn number(position: &core::Position) -> u64 {
    position.sequence.as_str().parse().expect("a number")
}

fn sent(emission: &core::Emission) -> Sent {
    let cause = match &emission.cause {
        core::Cause::Pane(pane) => Cause::Pane {
            window: span(pane.window),
            timing: Timing::as_str(pane.timing),
            index: pane.index,
            replaces: sorted(pane.replaces.iter().copied().map(span)),
        },
        core::Cause::Record(position) => Cause::Record(number(position)),
        core::Cause::Timer(at) => Cause::Timer(EventTime::as_millis(*at)),
    };
    let value = serde_json::from_slice(&emission.value).expect("JSON");
    Sent { key: emission.key_text.clone(), sink: emission.sink, cause, value }
}

fn bad(origin: &Origin) -> Bad {
    match origin {
        Origin::Record { position, .. } => Bad::Record(number(position)),
        Origin::Pane { key_text, window, .. } => Bad::Pane(key_text.clone(), span(*window)),
        Origin::Timer { key_text, at } => Bad::Timer(key_text.clone(), at.as_millis()),
        Origin::Result { key_text, .. } => panic!("a result of {key_text} was refused"),
    }
}

/// Model and engine give the same, record by record; and of each fourth stream the engine gives it however it is cut into
/// batches and commits, and from restored state: that takes 18 runs.
pub(crate) fn check<O: Operator>(pipeline: Pipeline, model: Shard<O>, records: &[Record]) -> TestCaseResult {
    check_under(None, pipeline, model, records)
}

/// [`check`] where all records come under one partition key, unless that is `None`.
pub(crate) fn check_under<O: Operator>(
    partition_key: Option<&str>,
    pipeline: Pipeline,
    mut model: Shard<O>,
    records: &[Record],
) -> TestCaseResult {
    if records.len().is_multiple_of(4) {
        rebatch(&pipeline, records.iter().map(json))
            .map_err(|difference| TestCaseError::fail(difference.to_string()))?;
    }
    let mut engine = Driven::new(pipeline);
    for record in records {
        let found = engine.push(record, partition_key.unwrap_or(&record.key));
        prop_assert_eq!(found, Step::from(model.push(record)), "at record {}", record.id);
    }
    prop_assert_eq!(engine.drain(), Step::from(model.drain()), "at the end of input");
    Ok(())
}
