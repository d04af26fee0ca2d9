//! Of a pipeline without journal: what has arrived, each output once, against what a driver makes of all records.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::drive;
use crate::settings::QUARANTINE_SINK;
use crate::testing::Driver;
use crate::testing::simulation::subject::Subject;
use crate::testing::simulation::world::World;

/// Each record's outputs have arrived, and nothing else has.
pub(super) fn check_relayed(
    subject: &dyn Subject,
    world: &World,
    skipped: &BTreeMap<String, Vec<(usize, usize)>>,
) -> Result<(), String> {
    let pipeline = subject.pipeline();
    let mut driver = Driver::new(subject.pipeline());
    for info in world.stream.all() {
        drive(&mut driver, &world.stream.batch(&info.shard, 0, usize::MAX));
    }
    // Batches that were under way when the mapping was made anew at LATEST may be in or not.
    let is_whole = skipped.is_empty();
    let quarantined = arrived(world, QUARANTINE_SINK, false).len();
    compare("records in quarantine", quarantined, driver.quarantined().len(), is_whole)?;
    for sink in pipeline.result_sinks() {
        let (name, is_plain) = (sink.logical_name(), sink.is_plain());
        let mut expected: Vec<String> = driver.sent_to::<Value>(name).iter().map(Value::to_string).collect();
        expected.sort();
        if is_plain {
            // Repeats cannot be told from results.
            expected.dedup();
        }
        let made = arrived(world, name, is_plain);
        compare(&format!("results in {name}"), made.len(), expected.len(), is_whole)?;
        if is_whole && made != expected {
            let differing = made.iter().zip(&expected).find(|(made, expected)| made != expected);
            return Err(format!("{name} differs from what one process makes of all records: {differing:?}"));
        }
    }
    Ok(())
}

fn compare(what: &str, made: usize, expected: usize, is_whole: bool) -> Result<(), String> {
    if made == expected || (!is_whole && made < expected) {
        return Ok(());
    }
    Err(format!("{made} {what} and not {expected}"))
}

/// The values that have arrived at a sink, sorted: those of one source and id, whose floors may differ, once.
fn arrived(world: &World, sink: &str, is_plain: bool) -> Vec<String> {
    let state = world.lock();
    let mut seen = BTreeSet::new();
    let mut values = Vec::new();
    for output in state.ledger.downstream.iter().filter(|output| output.sink == sink) {
        let value: Value = serde_json::from_slice(&output.data).unwrap_or_default();
        let (id, value) = match is_plain {
            true => (value.to_string(), value.to_string()),
            false => (format!("{} {}", value["source"], value["id"]), value["data"].to_string()),
        };
        if seen.insert(id) {
            values.push(value);
        }
    }
    values.sort();
    values
}
