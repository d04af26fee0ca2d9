//! The pipelines of `functions/` give what Apache Flink 2.3 gave on the same events, and the same in any cut.

use std::io::Read;
use std::path::PathBuf;

use flate2::read::GzDecoder;
use serde_json::Value;
use tidemill::testing::{Driver, rebatch};
use tidemill::{Pipeline, PipelineError};

fn lines(path: &str) -> Vec<String> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../events").join(path);
    let bytes = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut text = String::new();
    match path.extension().is_some_and(|extension| extension == "gz") {
        true => GzDecoder::new(bytes.as_slice()).read_to_string(&mut text),
        false => bytes.as_slice().read_to_string(&mut text),
    }
    .unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    text.lines().map(str::to_owned).collect()
}

fn flights() -> Vec<Value> {
    lines("departures/input.jsonl").iter().map(|line| serde_json::from_str(line).expect("a flight")).collect()
}

/// All of January's flights through the pipeline.
fn january(pipeline: Result<Pipeline, PipelineError>) -> Driver {
    let mut driver = Driver::new(pipeline.expect("the pipeline is sound"));
    for flight in flights() {
        driver.push(flight);
    }
    driver.drain();
    assert!(driver.quarantined().is_empty(), "{:?}", driver.quarantined()[0]);
    driver
}

fn sorted(values: &[Value]) -> Vec<String> {
    let mut lines: Vec<String> = values.iter().map(Value::to_string).collect();
    lines.sort();
    lines
}

#[track_caller]
fn assert_results(driver: &Driver, expected: &str) {
    let expected: Vec<Value> =
        lines(expected).iter().map(|line| serde_json::from_str(line).expect("a result")).collect();
    let (results, expected) = (sorted(&driver.results::<Value>()), sorted(&expected));
    assert_eq!(results.len(), expected.len());
    for (result, expected) in results.iter().zip(&expected) {
        assert_eq!(result, expected);
    }
}

#[test]
fn departures_equal_flinks() {
    let driver = january(departures::departures());
    assert_results(&driver, "departures/expected.jsonl");
    let late: Vec<Value> =
        lines("departures/expected-late.jsonl").iter().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!((driver.late::<Value>(), late.len()), (late, 60));
}

#[test]
fn routes_equal_flinks() {
    assert_results(&january(routes::routes()), "routes/expected.jsonl.gz");
}

#[test]
fn rotations_equal_flinks() {
    assert_results(&january(rotations::rotations()), "rotations/expected.jsonl.gz");
}

/// The expected alerts come from a script that keeps all flights and recomputes.
#[test]
fn alerts_are_those_of_a_plain_script() {
    assert_results(&january(alerts::alerts()), "alerts/expected.jsonl");
}

#[test]
fn no_pipeline_depends_on_how_its_stream_is_cut() {
    let flights: Vec<Value> = flights().into_iter().take(300).collect();
    for pipeline in
        [departures::departures(), routes::routes(), rotations::rotations(), alerts::alerts(), by_tail::by_tail()]
    {
        let pipeline = pipeline.expect("sound");
        rebatch(&pipeline, &flights).unwrap_or_else(|difference| panic!("{}: {difference}", pipeline.name()));
    }
}

#[test]
fn flights_go_on_under_their_tail_number_and_come_once() {
    let mut by_tail = Driver::new(by_tail::by_tail().expect("sound"));
    for flight in flights().into_iter().take(500) {
        by_tail.push(flight);
    }
    let sent = by_tail.emissions();
    assert!(sent.iter().all(|sent| String::from_utf8_lossy(&sent.value).contains(&sent.partition_key)));
    assert_eq!(sent.len(), 500);
}
