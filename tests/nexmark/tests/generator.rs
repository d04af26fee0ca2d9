//! The generator makes the very events that Flink's results belong to.

mod support;

use sha2::{Digest, Sha256};
use support::text;
use tidemill_nexmark::generate::{Order, Plan};

/// 10,000 events at 100 a second, with seed 1.
fn generated(order: Order) -> String {
    let plan = Plan { events: 10_000, rate: 100, order, seed: 1 };
    plan.lines().map(|line| line.expect("an event is JSON") + "\n").collect()
}

fn sha256(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `sha256` is that of the file that Flink read.
#[track_caller]
fn assert_generated(order: Order, input: &str, sha256_of_input: &str) {
    let lines = generated(order);
    assert_eq!(sha256(&lines), sha256_of_input);
    assert!(lines == text(&format!("inputs/{input}")), "{input} holds something else");
}

#[test]
fn events_in_order_are_those_that_flink_read() {
    let sha256 = "0289323182fa0b17a3ee558812ac0b302e7efa8696cca2429910a16c48cce37f";
    assert_generated(Order::InOrder, "in-order.jsonl.gz", sha256);
}

#[test]
fn events_in_disorder_are_those_that_flink_read() {
    let sha256 = "3329aacebe6bab9c71e3d9cd01e2e032a6a6e4e1c000bf2a3bdd0f5121d9b6b7";
    assert_generated(Order::Disorder, "disorder.jsonl.gz", sha256);
}

#[test]
fn late_events_are_those_that_flink_read() {
    let sha256 = "1f5c54419b4313567d722024b23c6494a93e2a979691692cb8e6a5b92a3b509b";
    assert_generated(Order::Late, "late.jsonl.gz", sha256);
}

#[test]
fn the_seed_changes_the_order_and_nothing_else() {
    let lines = |seed| {
        let plan = Plan { events: 1_000, rate: 100, order: Order::Disorder, seed };
        plan.lines().map(|line| line.expect("an event is JSON")).collect::<Vec<_>>()
    };
    let (mut one, mut other) = (lines(1), lines(2));
    assert_ne!(one, other);
    one.sort_unstable();
    other.sort_unstable();
    assert_eq!(one, other);
}

#[test]
fn more_events_begin_with_the_same_ones() {
    let plan = |events| Plan { events, rate: 1_000, order: Order::InOrder, seed: 1 };
    let few: Vec<String> = plan(100).lines().map(|line| line.expect("an event is JSON")).collect();
    let many: Vec<String> = plan(200).lines().take(100).map(|line| line.expect("an event is JSON")).collect();
    assert_eq!(few, many);
}
