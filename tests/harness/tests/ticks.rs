//! Scheduled events, through a function that keeps what it got (`fixtures/function`).

mod support;

use serde_json::{Value, json};
use support::{Outcome, Project, SCENARIO, TEMPLATE};

const SCHEDULE: &str = "        Tick: {Type: Schedule, Properties: {Schedule: rate(5 minutes)}}\n";

/// A project with the function, scheduled so, and two records.
fn project(schedule: &str, variables: &str) -> Project {
    let template = format!("{TEMPLATE}{schedule}").replace("Variables: {", &format!("Variables: {{{variables}"));
    let project = Project::new(&template, SCENARIO);
    project.write("Cargo.toml", include_str!("fixtures/function/Cargo.toml"));
    project.write("src/main.rs", include_str!("fixtures/function/src/main.rs"));
    project
}

#[track_caller]
fn json(outcome: &Outcome) -> Value {
    assert_ne!(outcome.code, Some(2), "{}", outcome.stderr);
    outcome.stdout.parse().expect("no JSON")
}

/// The scheduled events that the function got, as often as it did.
fn ticks(project: &Project) -> Vec<Value> {
    let text = std::fs::read_to_string(project.folder().join("ticks")).expect("no tick");
    text.lines().map(|line| line.parse().expect("no JSON")).collect()
}

/// Seconds of the day of an event's time.
fn seconds(event: &Value) -> i64 {
    let time = event["time"].as_str().expect("no time");
    let clock = time.split_once('T').expect("no clock").1.trim_end_matches('Z');
    clock.split(':').fold(0, |seconds, part| seconds * 60 + part.parse::<i64>().expect("no number"))
}

/// The last record's arrival, in seconds of the day, as the function's event has it.
fn last_arrival(project: &Project) -> i64 {
    let kept = project.folder().join("arrivals");
    let text = std::fs::read_to_string(kept).expect("no arrival");
    text.split_whitespace().map(|seconds| seconds.parse::<i64>().expect("no number") % 86_400).max().expect("none")
}

#[test]
fn ticks_come_behind_the_last_record_and_before_the_end_in_the_shape_of_eventbridge() {
    let project = project(SCHEDULE, "TIDEMILL_SOURCE: !GetAtt In.Arn, ");
    let report = json(&project.tidemill(&["replay", "test", "--ticks", "3", "--json"]));
    assert_eq!((report["ticks"].as_u64(), report["results"].as_u64()), (Some(3), Some(6)));
    let ticks = ticks(&project);
    assert_eq!(ticks.len(), 3);
    let arrival = last_arrival(&project);
    for (number, tick) in (1..).zip(&ticks) {
        assert_eq!((seconds(tick) - arrival).rem_euclid(86_400), number * 300, "{tick}");
    }
    let mut first = ticks[0].clone();
    first["time"] = Value::Null;
    first["id"] = Value::Null;
    let expected = json!({
        "version": "0", "id": null, "detail-type": "Scheduled Event", "source": "aws.events",
        "account": "000000000000", "time": null, "region": "us-east-1",
        "resources": ["arn:aws:events:us-east-1:000000000000:rule/FunctionTick"], "detail": {},
    });
    assert_eq!(first, expected);
    assert_ne!(ticks[0]["id"], ticks[1]["id"]);
    let outcome = project.tidemill(&["replay", "test", "--ticks", "1", "--output", "-"]);
    let keys: Vec<Value> =
        outcome.stdout.lines().map(|line| line.parse::<Value>().expect("no JSON")["key"].clone()).collect();
    assert_eq!(keys, ["a", "b", "tick", "drained"]);
}

#[test]
fn without_ticks_there_are_none() {
    let project = project(SCHEDULE, "");
    let report = json(&project.tidemill(&["replay", "test", "--json"]));
    assert_eq!((report["results"].as_u64(), report.get("ticks")), (Some(3), None));
    assert!(!project.folder().join("ticks").exists());
}

#[test]
fn an_interval_may_be_given_and_needs_no_schedule() {
    let project = project("", "");
    let report = json(&project.tidemill(&["replay", "test", "--ticks", "2", "--tick", "90", "--json"]));
    assert_eq!(report["ticks"].as_u64(), Some(2));
    let ticks = ticks(&project);
    assert_eq!((seconds(&ticks[1]) - seconds(&ticks[0])).rem_euclid(86_400), 5_400);
    let summary = project.tidemill(&["replay", "test", "--ticks", "1", "--tick", "1"]).stdout;
    assert!(summary.contains("  ticks         1 scheduled event\n"), "{summary}");
}

#[test]
fn ticks_that_nothing_would_send_are_refused() {
    let cron = "        Tick: {Type: Schedule, Properties: {Schedule: cron(0 8 * * ? *)}}\n";
    for (schedule, options, why) in [
        ("", &["--ticks", "1"][..], "no function here has a Schedule event; --tick MINUTES"),
        (cron, &["--ticks", "1"], "`Function` is scheduled by `cron(0 8 * * ? *)`, of which only rate(…) is read"),
        (SCHEDULE, &["--tick", "5"], "--ticks N sends some"),
        (SCHEDULE, &["--ticks", "1", "--tick", "0"], "minutes, from 1 to 525600, or auto"),
    ] {
        let outcome = project(schedule, "").tidemill(&[&["replay", "test"], options].concat());
        assert_eq!(outcome.code, Some(2), "{}", outcome.stdout);
        assert!(outcome.stderr.contains(why), "{}", outcome.stderr);
    }
}

#[test]
fn a_tick_that_fails_is_sent_again_as_lambda_does_and_then_given_up_aloud() {
    for deed in ["error-2", "crash-1"] {
        let project = project(SCHEDULE, &format!("TICK: {deed}, "));
        let report = json(&project.tidemill(&["replay", "test", "--ticks", "2", "--tick", "auto", "--json"]));
        assert_eq!((report["ticks"].as_u64(), report["results"].as_u64()), (Some(2), Some(5)), "{deed}");
        let failed = deed.split_once('-').and_then(|(_, times)| times.parse::<usize>().ok()).expect("a number");
        let ticks = ticks(&project);
        assert_eq!(ticks.len(), 2 + failed);
        assert_eq!(ticks[0], ticks[failed]);
    }
    let outcome = project(SCHEDULE, "TICK: error-3, ").tidemill(&["replay", "test", "--ticks", "1"]);
    assert_eq!(outcome.code, Some(2));
    let why = "`Function` makes no progress on its schedule: scheduled event 1 failed 3 times in a row";
    assert!(outcome.stderr.contains(why), "{}", outcome.stderr);
}

#[test]
fn ticks_come_in_order_and_survive_kills() {
    let project = project(SCHEDULE, "");
    let options = ["replay", "test", "--ticks", "4", "--kill", "6", "--batch-size", "1", "--reshard", "2", "--json"];
    let report = json(&project.tidemill(&options));
    assert_eq!((report["ticks"].as_u64(), report["kills"].as_u64()), (Some(4), Some(6)));
    let mut times: Vec<Value> = ticks(&project).iter().map(|tick| tick["time"].clone()).collect();
    times.dedup();
    assert_eq!(times.len(), 4);
}
