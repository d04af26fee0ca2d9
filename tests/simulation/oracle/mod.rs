//! What should have come of it: the journaled inputs, taken once and in order.
//!
//! Three opinions. A handler to which nothing happens, over the records and ticks that each journal took, must make the
//! very same events, in order. For a shard without parents so must the driver of unit tests. And where no record can be
//! late, one driver over all records, as if there were one shard and no tick, must come to the same results.

mod downstream;
mod inputs;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tidemill::handler::{Handler, Limits, ShardInfo, Source, Work};
use tidemill::testing::Driver;
use tidemill_core::{Record, SequenceNumber};
use tidemill_journal::{Deadline, Incarnation, MemoryStore, Output};
use tidemill_tests::{Inbox, STREAM, Stream, of_batch};

use crate::lambda::{Batch, journal_of};
use crate::pipelines::pipeline;
use crate::plan::Plan;
use crate::world::World;
use downstream::{check_relayed, compare_downstream};
use inputs::{Input, check_complete, check_gaps, inputs_of, records};

/// By sink and source.
type Events = BTreeMap<(String, String), Vec<Value>>;

/// Compares all that came out with all that should have.
pub(crate) async fn check(
    plan: &Plan,
    world: &World,
    skipped: &BTreeMap<String, Vec<(usize, usize)>>,
) -> Result<(), String> {
    if !world.lock().ledger.is_keyed {
        return check_relayed(plan, world, skipped);
    }
    if let Some(missing) = world.lock().ledger.missing() {
        return Err(format!("I8: committed and never sent: {missing}"));
    }
    let (mut inputs, mut made) = (Vec::new(), Vec::new());
    for info in world.stream.all() {
        let taken = inputs_of(plan, world, &info.shard);
        check_complete(world, &info.shard, &taken, skipped)?;
        check_gaps(plan, world, &info.shard)?;
        let state = world.lock();
        made.extend(state.ledger.outputs_of(&journal_of(plan, &info.shard)).into_iter().cloned());
        inputs.push((info, taken));
    }
    if made.iter().any(|output| output.sink == "quarantine" && contains(&output.data, br#""reason":"crashed""#)) {
        // An innocent record, to all appearances: five environments in a row died at it.
        world.count("runs with a record taken for a culprit");
        return Ok(());
    }
    let made = by_sink_and_source(made.iter());
    compare("an undisturbed handler", &made, &undisturbed(plan, world, &inputs).await?)?;
    for (info, inputs) in inputs.iter().filter(|(info, _)| info.parents.is_empty()) {
        compare_with_driver(plan, info, inputs, &made)?;
    }
    compare_downstream(world, &made)?;
    if plan.punctual { compare_with_one_shard(plan, &inputs, &made) } else { Ok(()) }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// What an undisturbed handler makes of the inputs.
async fn undisturbed(plan: &Plan, world: &World, inputs: &[(ShardInfo, Vec<Input>)]) -> Result<Events, String> {
    let inbox = Inbox::default();
    let (table, draw) = (MemoryStore::new(), Box::new(|| Incarnation(1)));
    let handler = Handler::new(pipeline(plan.pipeline), table, &inbox, Limits::default(), draw);
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
            done.map_err(|error| format!("the oracle fails: {error}"))?;
        }
    }
    let arrived: Vec<Output> = ["out", "late", "quarantine"].iter().flat_map(|sink| inbox.arrived(sink)).collect();
    Ok(by_sink_and_source(arrived.iter()))
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

/// The events, each once, without what says in which commit they lie.
fn by_sink_and_source<'o>(outputs: impl Iterator<Item = &'o Output>) -> Events {
    let (mut events, mut seen) = (Events::new(), BTreeSet::new());
    for output in outputs.filter(|output| seen.insert(&output.data)) {
        let mut event: Value = serde_json::from_slice(&output.data).expect("an event in JSON");
        for name in ["id", "producer", "commit", "index"] {
            event.as_object_mut().expect("an object").remove(name);
        }
        let source = event["source"].as_str().expect("a source").to_owned();
        events.entry((output.sink.clone(), source)).or_default().push(event);
    }
    events
}

fn compare(with: &str, made: &Events, expected: &Events) -> Result<(), String> {
    if made == expected {
        return Ok(());
    }
    for place in made.keys().chain(expected.keys()) {
        let of = |events: &Events| events.get(place).cloned().unwrap_or_default();
        let (made, expected) = (of(made), of(expected));
        if let Some(at) = (0..made.len().max(expected.len())).find(|at| made.get(*at) != expected.get(*at)) {
            let show = |event: Option<&Value>| event.map_or_else(|| "nothing".to_owned(), Value::to_string);
            let (made, expected) = (show(made.get(at)), show(expected.get(at)));
            return Err(format!(
                "{with} differs at event {at} of {place:?}:\n  made     {made}\n  expected {expected}"
            ));
        }
    }
    Ok(())
}

fn data(made: &Events, sink: &str, shard: Option<&str>) -> Vec<Value> {
    let is_of = |source: &str| shard.is_none_or(|shard| source.ends_with(shard));
    let chosen = made.iter().filter(|((name, source), _)| name == sink && is_of(source));
    chosen.flat_map(|(_, events)| events).map(|event| event["data"].clone()).collect()
}

fn push(driver: &mut Driver, batch: &Batch) {
    for (_, arrival, flight) in batch {
        driver.arriving_at(*arrival).push_raw(&flight.partition_key, &flight.payload);
    }
}

fn compare_with_driver(plan: &Plan, info: &ShardInfo, inputs: &[Input], made: &Events) -> Result<(), String> {
    let mut driver = Driver::new(pipeline(plan.pipeline));
    for input in inputs {
        match input {
            Input::Records(batch) => push(&mut driver, batch),
            Input::Tick(_, watermark) => drop(driver.advance_to(watermark.time())),
            Input::End => drop(driver.drain()),
        }
    }
    let made = data(made, "out", Some(&info.shard));
    if driver.results::<Value>() == made { Ok(()) } else { Err(format!("a driver differs in {}", info.shard)) }
}

fn compare_with_one_shard(plan: &Plan, inputs: &[(ShardInfo, Vec<Input>)], made: &Events) -> Result<(), String> {
    let mut all: Batch = inputs.iter().flat_map(|(_, inputs)| inputs).filter_map(records).flatten().cloned().collect();
    all.sort_by(|(one, ..), (other, ..)| one.cmp(other));
    let mut driver = Driver::new(pipeline(plan.pipeline));
    push(&mut driver, &all);
    driver.drain();
    let sorted = |values: Vec<Value>| {
        let mut lines: Vec<String> = values.iter().map(Value::to_string).collect();
        lines.sort();
        lines
    };
    let (made_results, expected) = (sorted(data(made, "out", None)), sorted(driver.results()));
    let late = data(made, "late", None).len();
    if late > 0 {
        return Err(format!("{late} records are late, and none can be"));
    }
    if made_results != expected {
        let first = made_results.iter().zip(&expected).find(|(made, expected)| made != expected);
        return Err(format!("one shard differs: {} results and {}: {first:?}", made_results.len(), expected.len()));
    }
    let quarantined = data(made, "quarantine", None).len();
    if quarantined != driver.quarantined().len() {
        return Err(format!("{quarantined} records in quarantine and not {}", driver.quarantined().len()));
    }
    Ok(())
}
