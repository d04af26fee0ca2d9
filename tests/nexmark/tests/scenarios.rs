//! Every query in process, without AWS or emulators: each scenario in `events/` gives what Flink gave.

mod support;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use support::{Scenario, multiset, values};
use tidemill::testing::Driver;

/// What came out of a scenario.
struct Outcome {
    results: Vec<Value>,
    late: Vec<Value>,
}

fn run(scenario: &Scenario) -> Outcome {
    let pipeline = tidemill_nexmark::select(&scenario.environment).expect("a query");
    let mut driver = Driver::new(pipeline);
    for (line, event) in scenario.input() {
        driver.push_raw(&scenario.partition_key.of(&event), line.as_bytes());
    }
    driver.drain();
    let quarantined = driver.quarantined();
    assert!(quarantined.is_empty(), "{} in quarantine, such as {:?}", quarantined.len(), quarantined[0]);
    Outcome { results: driver.results(), late: driver.late() }
}

/// The last of the results that agree in what these pointers point to.
fn last_by(pointers: &[String], results: Vec<Value>) -> Vec<Value> {
    let key = |result: &Value| pointers.iter().map(|pointer| result.pointer(pointer).cloned()).collect::<Vec<_>>();
    let last: BTreeMap<String, Value> =
        results.into_iter().map(|result| (format!("{:?}", key(&result)), result)).collect();
    last.into_values().collect()
}

/// The fields of a late event that are expected, by their names there.
fn fields(pointers: &BTreeMap<String, String>, event: &Value) -> Value {
    let field = |(name, pointer): (&String, &String)| Some((name.clone(), event.pointer(pointer)?.clone()));
    Value::Object(pointers.iter().filter_map(field).collect::<Map<_, _>>())
}

#[track_caller]
fn assert_same(what: &str, actual: &[Value], expected: &[Value]) {
    let (actual, expected) = (multiset(actual), multiset(expected));
    let missing = expected.iter().find(|(line, count)| actual.get(*line) != Some(count));
    let unexpected = actual.iter().find(|(line, count)| expected.get(*line) != Some(count));
    assert!(missing.is_none() && unexpected.is_none(), "{what}: expected {missing:?}, found {unexpected:?}");
}

#[track_caller]
fn assert_as_flink(name: &str) {
    let scenario = Scenario::read(name);
    let Outcome { results, late } = run(&scenario);
    let results = if scenario.final_by.is_empty() { results } else { last_by(&scenario.final_by, results) };
    assert_same("results", &results, &scenario.expected());
    if let Some(expected) = scenario.expected_late() {
        let late: Vec<Value> = late.iter().map(|event| fields(&scenario.late_fields, event)).collect();
        assert_same("late events", &late, &expected);
    }
}

/// A test for each scenario, and one that none is left out.
macro_rules! scenarios {
    ($($test:ident $name:literal,)*) => {
        $(
            #[test]
            fn $test() {
                assert_as_flink($name);
            }
        )*

        #[test]
        fn every_scenario_is_run() {
            let folders = std::fs::read_dir(support::path("events")).expect("the folder");
            let name = |folder: std::io::Result<std::fs::DirEntry>| folder.expect("a folder").file_name().into_string();
            let found: BTreeSet<String> = folders.map(|folder| name(folder).expect("text")).collect();
            assert_eq!(found, [$($name),*].map(String::from).into());
        }
    };
}

scenarios! {
    w1 "w1",
    w1_in_disorder "w1-disorder",
    w1_with_late_bids "w1-late",
    w2 "w2",
    w2_in_disorder "w2-disorder",
    w2_with_late_bids "w2-late",
    w3 "w3",
    w3_in_disorder "w3-disorder",
    w3_with_late_bids "w3-late",
    w4 "w4",
    w4_in_disorder "w4-disorder",
    w4_with_late_bids "w4-late",
    q2 "q2",
    q3 "q3",
    q8 "q8",
    q8_in_disorder "q8-disorder",
    q8_with_late_events "q8-late",
    q9 "q9",
    q11 "q11",
    q11_in_disorder "q11-disorder",
    q11_with_late_bids "q11-late",
    q15 "q15",
    q16 "q16",
    q17 "q17",
    q18 "q18",
    q19 "q19",
    q20 "q20",
    no_lateness_allowed_in_tumbling_windows "allowed-tumble-0",
    a_minute_of_lateness_allowed_in_tumbling_windows "allowed-tumble-60000",
    no_lateness_allowed_in_sliding_windows "allowed-hop-0",
    a_minute_of_lateness_allowed_in_sliding_windows "allowed-hop-60000",
    no_lateness_allowed_in_sessions "allowed-session-0",
    a_minute_of_lateness_allowed_in_sessions "allowed-session-60000",
}

/// The oracle also says what was the last result of each window where lateness is allowed.
#[test]
fn the_last_firing_of_a_window_has_all_its_bids() {
    for window in ["tumble", "hop"] {
        let scenario = Scenario::read(&format!("allowed-{window}-60000"));
        let key = ["/auction", "/window_start"].map(String::from);
        let last = last_by(&key, run(&scenario).results);
        let expected = values(&format!("events/allowed-{window}-60000/expected-final.jsonl.gz"));
        assert_same(window, &last, &expected);
    }
}
