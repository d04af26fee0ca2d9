//! What the queries mean, said once more and as plainly as can be: a model of windows and watermarks, and the other
//! queries as loops over all events at once. It knows nothing of tidemill, and agrees with Flink.

#[path = "../support/mod.rs"]
mod support;

mod queries;
mod windows;

use serde_json::Value;
use support::{multiset, values};
use windows::{Outcome, Windows};

#[track_caller]
fn assert_same(what: &str, actual: &[Value], expected_file: &str) {
    let (actual, expected) = (multiset(actual), multiset(&values(expected_file)));
    assert!(actual == expected, "{what} is not as in {expected_file}");
}

fn input(order: &str) -> Vec<Value> {
    values(&format!("inputs/{order}.jsonl.gz"))
}

const INPUTS: [(&str, &str); 3] = [("in-order", ""), ("disorder", ""), ("late", "-late")];

/// Runs W1, W2, W3 or W4 on each of the three inputs.
#[track_caller]
fn assert_windows(query: &str, windows: Windows, late: &str, row: fn(&windows::Firing) -> Value) {
    for (order, suffix) in INPUTS {
        let Outcome { firings, late: found } = windows::run(&input(order), windows, 0);
        let rows: Vec<Value> = firings.iter().map(row).collect();
        assert_same(query, &rows, &format!("events/{query}{suffix}/expected.jsonl.gz"));
        if order == "late" {
            assert_same("late output", &found, &format!("events/{late}/expected-late.jsonl"));
        } else {
            assert!(found.is_empty(), "nothing is late: {order} stays within the bound");
        }
    }
}

#[test]
fn w1_counts_in_tumbling_windows() {
    assert_windows("w1", Windows::TUMBLING, "allowed-tumble-0", |firing| {
        serde_json::json!({
            "auction": firing.key,
            "window_start": firing.start,
            "window_end": firing.end,
            "window_time": firing.end - 1,
            "bid_count": firing.pane.bids,
            "max_price": firing.pane.max_price,
        })
    });
}

#[test]
fn w2_counts_in_sliding_windows() {
    assert_windows("w2", Windows::SLIDING, "allowed-hop-0", |firing| firing.counted("auction"));
}

#[test]
fn w3_counts_in_sessions() {
    assert_windows("w3", Windows::SESSION, "allowed-session-0", |firing| firing.counted("bidder"));
}

/// A cumulative window's last step ends with the tumbling window: the same bids are late.
#[test]
fn w4_counts_in_cumulative_windows() {
    assert_windows("w4", Windows::CUMULATIVE, "allowed-tumble-0", |firing| firing.counted("auction"));
}

#[test]
fn late_bids_fire_their_windows_again_while_that_is_allowed() {
    let late = input("late");
    for (name, key, windows) in [
        ("tumble", "auction", Windows::TUMBLING),
        ("hop", "auction", Windows::SLIDING),
        ("session", "bidder", Windows::SESSION),
    ] {
        for lateness in [0, 60_000] {
            let Outcome { firings, late } = windows::run(&late, windows, lateness);
            let rows: Vec<Value> = firings.iter().map(|firing| firing.counted(key)).collect();
            let folder = format!("events/allowed-{name}-{lateness}");
            assert_same("firings", &rows, &format!("{folder}/expected.jsonl.gz"));
            assert_same("late output", &late, &format!("{folder}/expected-late.jsonl"));
        }
    }
}

#[test]
fn the_other_queries_over_all_events() {
    let events = input("in-order");
    assert_same("q2", &queries::q2(&events), "events/q2/expected.jsonl");
    assert_same("q3", &queries::q3(&events), "events/q3/expected.jsonl");
    assert_same("q8", &queries::q8(&events), "events/q8/expected.jsonl");
    assert_same("q9", &queries::q9(&events), "events/q9/expected.jsonl.gz");
    assert_same("q15", &queries::q15(&events), "events/q15/expected.jsonl");
    assert_same("q16", &queries::q16(&events), "events/q16/expected.jsonl.gz");
    assert_same("q17", &queries::q17(&events), "events/q17/expected.jsonl.gz");
    assert_same("q18", &queries::q18(&events), "events/q18/expected.jsonl.gz");
    assert_same("q19", &queries::q19(&events), "events/q19/expected.jsonl.gz");
    assert_same("q20", &queries::q20(&events), "events/q20/expected.jsonl.gz");
}
