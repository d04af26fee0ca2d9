//! What a replay leaves to look at: a page, its cost, and records in their own rhythm.

mod support;

use std::time::{Duration, Instant};

use serde_json::Value;
use support::{Project, SCENARIO, TEMPLATE};

fn project(scenario: &str) -> Project {
    let project = Project::new(TEMPLATE, &format!("{SCENARIO}{scenario}"));
    project.write("Cargo.toml", include_str!("fixtures/function/Cargo.toml"));
    project.write("src/main.rs", include_str!("fixtures/function/src/main.rs"));
    project.write("events/test/input.jsonl", "{\"key\":\"a\",\"at\":1000}\n{\"key\":\"b\",\"at\":3000}\n");
    project
}

#[test]
fn a_run_is_a_page_and_its_cost_is_kept() {
    let project = project("");
    let none = project.tidemill(&["cost"]);
    assert_eq!(none.code, Some(2));
    assert!(none.stderr.contains("no run is kept"), "{}", none.stderr);

    let outcome = project.tidemill(&["replay", "test", "--keep", "--report", "run.html"]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(outcome.stdout.contains("cost on AWS"), "{}", outcome.stdout);
    let page = std::fs::read_to_string(project.folder().join("run.html")).expect("no page");
    assert!(page.starts_with("<!doctype html>") && !page.contains("{{"), "a part is missing");
    let data = page.split("id=\"data\">").nth(1).and_then(|rest| rest.split("</script>").next()).expect("no data");
    let data: Value = data.parse().expect("no JSON");
    assert_eq!(
        (data["report"]["records"].as_u64(), data["history"]["samples"][0]["batches"].as_u64()),
        (Some(2), Some(1))
    );

    let cost = project.tidemill(&["cost", "--rate", "100", "--json"]);
    let cost: Value = cost.stdout.parse().expect("no JSON");
    assert_eq!((cost["used"]["records"].as_u64(), cost["used"]["put_units"].as_u64()), (Some(2), Some(3)));
    assert_eq!(cost["month"]["events_per_second"], 100.0);
}

#[test]
fn records_come_in_their_own_rhythm_where_the_scenario_says_when() {
    let refused = project("").tidemill(&["replay", "test", "--realtime"]);
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("does not say when records come"), "{}", refused.stderr);

    let refused = project("").tidemill(&["replay", "--realtime", "2"]);
    assert!(refused.stderr.contains("write --realtime=2"), "{}", refused.stderr);

    let project = project("arrival = \"/at\"\n");
    assert_eq!(project.tidemill(&["replay", "test"]).code, Some(0));
    std::fs::remove_file(project.folder().join("invocations")).expect("no invocations");
    let begun = Instant::now();
    let outcome = project.tidemill(&["replay", "test", "--realtime=2", "--json"]);
    assert!(begun.elapsed() >= Duration::from_secs(1), "two seconds at twice their pace");
    let report: Value = outcome.stdout.parse().expect("no JSON");
    assert_eq!((report["records"].as_u64(), report["batches"].as_u64()), (Some(2), Some(2)));
}
