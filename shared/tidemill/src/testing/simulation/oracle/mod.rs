//! What should have come of it: the journaled inputs, taken once and in order.
//!
//! A handler to which nothing happens, over the records and ticks that each journal took, must make the very same events,
//! in order. For a shard without parents so must the driver of unit tests. A subject may have an opinion of its own.

mod inputs;
mod relayed;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use serde_json::Value;
use tidemill_core::{Record, SequenceNumber};
use tidemill_journal::{Deadline, Incarnation, MemoryStore, Output, Sink, SinkError};

use crate::handler::{Handler, Limits, ShardInfo, Source, Work};
use crate::settings::QUARANTINE_SINK;
use crate::testing::Driver;
use crate::testing::simulation::stream::{STREAM, Stream, of_batch};
use crate::testing::simulation::subject::{Batch, Input, Made, Outcome, Subject};
use crate::testing::simulation::world::World;
use inputs::{check_complete, check_gaps, inputs_of};
use relayed::check_relayed;

/// Compares all that came out with all that should have.
pub(super) async fn check(
    subject: &dyn Subject,
    world: &World,
    skipped: &BTreeMap<String, Vec<(usize, usize)>>,
) -> Result<(), String> {
    if !world.lock().ledger.is_keyed() {
        return check_relayed(subject, world, skipped);
    }
    if let Some(missing) = world.lock().ledger.missing() {
        return Err(format!("I8: committed and never sent: {missing}"));
    }
    let sinks = SinksOf::of(subject);
    let (mut inputs, mut made) = (Vec::new(), Vec::new());
    for info in world.stream.all() {
        let taken = inputs_of(world, &info.shard);
        check_complete(world, &info.shard, &taken, skipped)?;
        check_gaps(world, &info.shard)?;
        let state = world.lock();
        made.extend(state.ledger.outputs_of(&world.journal(&info.shard)).into_iter().cloned());
        inputs.push((info, taken));
    }
    let made = sinks.made(made.iter());
    if made.has_culprit() {
        // An innocent record, to all appearances: five environments in a row died at it.
        world.count("runs with a record taken for a culprit");
        return Ok(());
    }
    compare(&made, &undisturbed(subject, world, &inputs).await?)?;
    for (info, inputs) in inputs.iter().filter(|(info, _)| info.parents.is_empty()) {
        compare_with_driver(subject, info, inputs, &made)?;
    }
    let downstream: Vec<Output> = {
        let state = world.lock();
        state.ledger.downstream.iter().filter(|output| !state.ledger.is_dropped(output)).cloned().collect()
    };
    subject.check(&Outcome { inputs: &inputs, made: &made, downstream: &downstream })
}

impl Made {
    /// Whether a record was put into quarantine because processes died at it.
    fn has_culprit(&self) -> bool {
        self.data(QUARANTINE_SINK).iter().any(|entry| entry["reason"] == "crashed")
    }
}

/// Which sinks of a pipeline take bare values.
struct SinksOf {
    plain: BTreeSet<String>,
}

impl SinksOf {
    fn of(subject: &dyn Subject) -> Self {
        let pipeline = subject.pipeline();
        let plain = pipeline.sinks().filter(|sink| sink.is_plain()).map(|sink| sink.logical_name().to_owned());
        Self { plain: plain.collect() }
    }

    /// The outputs, each once, without what says in which commit they lie.
    fn made<'o>(&self, outputs: impl Iterator<Item = &'o Output>) -> Made {
        let (mut made, mut seen) = (Made::default(), BTreeSet::new());
        for output in outputs.filter(|output| seen.insert((&output.sink, &output.data))) {
            let (shard, event) = match self.plain.contains(&output.sink) {
                true => (String::new(), Value::String(String::from_utf8_lossy(&output.data).into_owned())),
                false => event(output),
            };
            made.0.entry((output.sink.clone(), shard)).or_default().push(event);
        }
        made
    }
}

/// Whose an event is, and the event.
fn event(output: &Output) -> (String, Value) {
    let mut event: Value = serde_json::from_slice(&output.data).expect("an event in JSON");
    for name in ["id", "producer", "commit", "index"] {
        event.as_object_mut().expect("an object").remove(name);
    }
    let source = event["source"].as_str().expect("a source");
    (source.rsplit('/').next().unwrap_or_default().to_owned(), event)
}

/// What an undisturbed handler makes of the inputs.
async fn undisturbed(subject: &dyn Subject, world: &World, inputs: &[(ShardInfo, Vec<Input>)]) -> Result<Made, String> {
    let (sinks, arrived) = (SinksOf::of(subject), Arrived::default());
    let (table, draw) = (MemoryStore::new(), Box::new(|| Incarnation(1)));
    let handler = Handler::new(subject.pipeline(), table, &arrived, Limits::default(), draw);
    let mut handler = handler.watching(Lineage(&world.stream));
    for (info, inputs) in inputs {
        for input in inputs {
            let (records, work): (Vec<Record<'_>>, _);
            work = match input {
                Input::Records(batch) => {
                    records = of_batch(&info.shard, batch);
                    Work::Records(&records)
                }
                Input::Tick(now, _) => Work::Tick(*now),
                Input::End => Work::Drain,
            };
            let done = handler.handle(STREAM, &info.shard, work, Deadline::NONE).await;
            done.map_err(|error| format!("an undisturbed process fails: {error}"))?;
        }
    }
    Ok(sinks.made(arrived.take().iter()))
}

/// A sink that remembers.
#[derive(Default)]
struct Arrived(Mutex<Vec<Output>>);

impl Arrived {
    fn take(&self) -> Vec<Output> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Sink for &Arrived {
    fn objection(&self, _: &Output) -> Option<String> {
        None
    }

    async fn send(&self, outputs: &[Output], _: Deadline) -> Result<(), SinkError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(outputs);
        Ok(())
    }
}

/// The stream's shards, all of whose records are delivered.
struct Lineage<'s>(&'s Stream);

impl Source for Lineage<'_> {
    async fn next_after(&self, _: &str, _: &str, _: Option<&SequenceNumber>) -> Result<Option<SequenceNumber>, String> {
        Ok(None)
    }

    async fn shards(&self, _: &str) -> Result<Vec<ShardInfo>, String> {
        Ok(self.0.all())
    }

    async fn shard(&self, _: &str, shard: &str) -> Result<Option<ShardInfo>, String> {
        Ok(self.0.all().into_iter().find(|info| info.shard == shard))
    }
}

fn compare(made: &Made, expected: &Made) -> Result<(), String> {
    for place in made.0.keys().chain(expected.0.keys()) {
        let of = |events: &Made| events.0.get(place).cloned().unwrap_or_default();
        let (made, expected) = (of(made), of(expected));
        if let Some(at) = (0..made.len().max(expected.len())).find(|at| made.get(*at) != expected.get(*at)) {
            let show = |event: Option<&Value>| event.map_or_else(|| "nothing".to_owned(), Value::to_string);
            let (made, expected, (sink, shard)) = (show(made.get(at)), show(expected.get(at)), place);
            return Err(format!(
                "output {at} of {shard} to {sink} is not what an undisturbed process makes of the same input:\n  made     \
                 {made}\n  expected {expected}"
            ));
        }
    }
    Ok(())
}

fn drive(driver: &mut Driver, batch: &Batch) {
    for (_, arrival, message) in batch {
        driver.arriving_at(*arrival).push_raw(&message.partition_key, &message.payload);
    }
}

/// Results only, and only those that are sent as events. (A stage that asks others has been asked often enough.)
fn compare_with_driver(subject: &dyn Subject, info: &ShardInfo, inputs: &[Input], made: &Made) -> Result<(), String> {
    let pipeline = subject.pipeline();
    if pipeline.enricher().is_some() {
        return Ok(());
    }
    let mut driver = Driver::new(subject.pipeline());
    for input in inputs {
        match input {
            Input::Records(batch) => drive(&mut driver, batch),
            Input::Tick(_, watermark) => drop(driver.advance_to(watermark.time())),
            Input::End => drop(driver.drain()),
        }
    }
    for sink in pipeline.result_sinks().iter().filter(|sink| !sink.is_plain()) {
        let name = sink.logical_name();
        if driver.sent_to::<Value>(name) != made.of_shard(name, &info.shard) {
            return Err(format!("a driver's results to {name} differ in {}", info.shard));
        }
    }
    Ok(())
}
