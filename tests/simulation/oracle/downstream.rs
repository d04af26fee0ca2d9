//! A pipeline behind the one under test, which drops repeats by itself.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tidemill::testing::Driver;
use tidemill_journal::Output;

use super::{Events, data, push};
use crate::pipelines::{downstream, pipeline};
use crate::plan::Plan;
use crate::world::World;

/// A pipeline behind this one, which drops repeats by itself, counts each result once.
pub(super) fn compare_downstream(world: &World, made: &Events) -> Result<(), String> {
    count_downstream(world, data(made, "out", None).iter().map(Value::to_string).collect())
}

fn count_downstream(world: &World, mut sent: Vec<String>) -> Result<(), String> {
    let mut driver = Driver::new(downstream());
    let state = world.lock();
    for output in state.ledger.downstream.iter().filter(|o| o.sink == "out" && !state.ledger.is_dropped(o)) {
        driver.push_raw(&output.partition_key, &output.data);
    }
    drop(state);
    driver.drain();
    let mut received: Vec<String> = driver.results::<Vec<String>>().into_iter().flatten().collect();
    received.sort();
    sent.sort();
    if received == sent {
        return Ok(());
    }
    Err(format!("the pipeline behind counts {} results, and {} were sent", received.len(), sent.len()))
}

/// Of a pipeline without journal: each record's outputs have arrived, and a pipeline behind counts each once.
pub(super) fn check_relayed(
    plan: &Plan,
    world: &World,
    skipped: &BTreeMap<String, Vec<(usize, usize)>>,
) -> Result<(), String> {
    let mut single = Driver::new(pipeline(plan.pipeline));
    for info in world.stream.all() {
        push(&mut single, &world.stream.batch(&info.shard, 0, usize::MAX));
    }
    let distinct: BTreeSet<Vec<u8>> =
        world.lock().ledger.downstream.iter().filter(|o| o.sink == "quarantine").map(relayed).collect();
    let (quarantined, expected) = (distinct.len(), single.quarantined().len());
    if !skipped.is_empty() {
        // Batches that were under way then may be in or not.
        return if quarantined <= expected { Ok(()) } else { Err("more are in quarantine than there are".to_owned()) };
    }
    if quarantined != expected {
        return Err(format!("{quarantined} records in quarantine and not {expected}"));
    }
    let results: Vec<Value> = single.results();
    count_downstream(world, results.iter().map(Value::to_string).collect())
}

/// Source and id: the same of all copies of an output, whose floors may differ.
fn relayed(output: &Output) -> Vec<u8> {
    let event: Value = serde_json::from_slice(&output.data).expect("an event in JSON");
    format!("{} {}", event["source"], event["id"]).into_bytes()
}
