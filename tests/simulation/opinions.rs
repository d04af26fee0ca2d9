//! Two more opinions on what should come out: a pipeline behind the one under test, and one shard for all.

use serde_json::Value;
use tidemill::Pipeline;
use tidemill::testing::Driver;
use tidemill::testing::simulation::{Batch, Input, Outcome};

use crate::pipelines::downstream;

fn sorted(values: &[Value]) -> Vec<String> {
    let mut lines: Vec<String> = values.iter().map(Value::to_string).collect();
    lines.sort();
    lines
}

/// A pipeline behind this one, which drops repeats by itself, counts each result once.
pub(crate) fn count_downstream(outcome: &Outcome<'_>) -> Result<(), String> {
    let mut driver = Driver::new(downstream());
    for output in outcome.downstream.iter().filter(|output| output.sink == "out") {
        driver.push_raw(&output.partition_key, &output.data);
    }
    driver.drain();
    let mut received: Vec<String> = driver.results::<Vec<String>>().into_iter().flatten().collect();
    received.sort();
    let sent = sorted(&outcome.made.data("out"));
    if received == sent {
        return Ok(());
    }
    Err(format!("the pipeline behind counts {} results, and {} were sent", received.len(), sent.len()))
}

/// Where no record can be late, one driver over all records, as if there were one shard and no tick, comes to the same
/// results.
pub(crate) fn compare_with_one_shard(pipeline: Pipeline, outcome: &Outcome<'_>) -> Result<(), String> {
    let inputs = outcome.inputs.iter().flat_map(|(_, inputs)| inputs);
    let mut all: Batch = inputs.filter_map(Input::records).flatten().cloned().collect();
    all.sort_by(|(one, ..), (other, ..)| one.cmp(other));
    let mut driver = Driver::new(pipeline);
    for (_, arrival, message) in &all {
        driver.arriving_at(*arrival).push_raw(&message.partition_key, &message.payload);
    }
    driver.drain();
    let late = outcome.made.data("late").len();
    if late > 0 {
        return Err(format!("{late} records are late, and none can be"));
    }
    let (made, expected) = (sorted(&outcome.made.data("out")), sorted(&driver.results::<Value>()));
    if made != expected {
        let first = made.iter().zip(&expected).find(|(made, expected)| made != expected);
        return Err(format!("one shard differs: {} results and {}: {first:?}", made.len(), expected.len()));
    }
    let quarantined = outcome.made.data("quarantine").len();
    if quarantined != driver.quarantined().len() {
        return Err(format!("{quarantined} records in quarantine and not {}", driver.quarantined().len()));
    }
    Ok(())
}
