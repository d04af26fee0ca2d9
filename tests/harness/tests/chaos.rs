//! Faults that a seed decides, through a function that stands them and one that does not.

mod support;

use std::collections::BTreeSet;

use serde_json::Value;
use support::{Outcome, Project, SCENARIO, TEMPLATE};

/// A project with the function, and sixty records.
fn project(variables: &str) -> Project {
    let template = TEMPLATE.replace("Variables: {", &format!("Variables: {{{variables}"));
    let project = Project::new(&template, SCENARIO);
    project.write("Cargo.toml", include_str!("fixtures/function/Cargo.toml"));
    project.write("src/main.rs", include_str!("fixtures/function/src/main.rs"));
    let lines: String = (0..60).map(|number| format!("{{\"key\":\"key{number}\"}}\n")).collect();
    project.write("events/test/input.jsonl", &lines);
    project
}

#[track_caller]
fn seeds(outcome: &Outcome) -> Vec<Value> {
    let all: Value = outcome.stdout.parse().unwrap_or_else(|_| panic!("no JSON: {}", outcome.stderr));
    all.as_array().expect("no list").clone()
}

#[test]
fn faults_of_every_kind_happen_and_make_no_difference() {
    let project = project("");
    let outcome = project.tidemill(&["replay", "test", "--chaos", "1..12", "--json"]);
    assert_eq!(outcome.code, Some(0), "{}{}", outcome.stdout, outcome.stderr);
    let seeds = seeds(&outcome);
    assert_eq!(seeds.len(), 12);
    assert!(seeds.iter().all(|seed| seed["identical"] == true && seed["disturbed"]["retries"].as_u64() > Some(0)));
    let injected: BTreeSet<&str> = seeds
        .iter()
        .flat_map(|seed| seed["injected"].as_object().expect("no object").keys())
        .map(String::as_str)
        .collect();
    let all = [
        "answer_lost",
        "batch_repeated",
        "dynamodb_throttled",
        "dynamodb_unanswered",
        "killed_before_answer",
        "killed_before_flush",
        "killed_in_flight",
        "kinesis_throttled",
        "kinesis_unanswered",
        "merged",
        "partly_put",
        "split",
        "timed_out",
        "transaction_conflict",
    ];
    assert_eq!(injected, BTreeSet::from(all));
}

#[test]
fn a_function_that_counts_again_after_a_retry_is_found() {
    let project = project("COUNTS_AGAIN: yes, ");
    // Nothing is sent again without faults, so nothing is wrong with it.
    assert_eq!(project.tidemill(&["replay", "test"]).code, Some(0));
    let outcome = project.tidemill(&["replay", "test", "--chaos", "7"]);
    assert_eq!(outcome.code, Some(1), "{}{}", outcome.stdout, outcome.stderr);
    for part in ["faults by seed 7", "✗ not identical", "0 missing", "+ {\"key\":\"key"] {
        assert!(outcome.stdout.contains(part), "no {part:?} in:\n{}", outcome.stdout);
    }
    let several = project.tidemill(&["replay", "test", "--chaos", "7..8"]);
    assert_eq!(several.code, Some(1));
    assert!(several.stderr.contains("✗ seed 7: "), "{}", several.stderr);
    assert!(several.stdout.contains("of 2 seeds failed"), "{}", several.stdout);
}

#[test]
fn what_was_injected_is_told_with_the_verdict() {
    let project = project("");
    let outcome = project.tidemill(&["replay", "test", "--chaos", "7", "--limit", "50"]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    for part in ["50 in ", "faults by seed 7", "✓ identical: ", "not compared with expectations: --limit"] {
        assert!(outcome.stdout.contains(part), "no {part:?} in:\n{}", outcome.stdout);
    }
}
