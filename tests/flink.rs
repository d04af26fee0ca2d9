//! The pipelines of `functions/` give what Apache Flink 2.3 gave on the same events.

use std::collections::BTreeSet;
use std::path::PathBuf;

use departures::{Departures, departures};
use serde_json::Value;
use tidemill::testing::Driver;

fn lines(path: &str) -> Vec<String> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../events").join(path);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    text.lines().map(str::to_owned).collect()
}

#[test]
fn departures_of_january_2013_equal_flinks() {
    let mut driver = Driver::new(departures().expect("the pipeline is sound"));
    for line in lines("departures/input.jsonl") {
        let flight: Value = serde_json::from_str(&line).expect("a flight");
        driver.push_raw(flight["origin"].as_str().expect("an origin"), line.as_bytes());
    }
    driver.drain();

    let results: BTreeSet<String> =
        driver.results::<Departures>().iter().map(|r| serde_json::to_string(r).expect("serialises")).collect();
    let expected: BTreeSet<String> = lines("departures/expected.jsonl").into_iter().collect();
    assert_eq!(results.len(), driver.emissions().len(), "no pane fires twice");
    assert_eq!(results.symmetric_difference(&expected).count(), 0, "of {} windows", expected.len());

    let late: Vec<String> = driver.late::<Value>().iter().map(Value::to_string).collect();
    let expected_late: Vec<String> = lines("departures/expected-late.jsonl")
        .iter()
        .map(|line| serde_json::from_str::<Value>(line).expect("a flight").to_string())
        .collect();
    assert_eq!(late.len(), 60);
    assert_eq!(late, expected_late);
    assert!(driver.quarantined().is_empty());
}
