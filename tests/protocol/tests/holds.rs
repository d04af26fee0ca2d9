//! The protocol holds in every configuration, and the interesting things happen in it.

use std::time::Instant;

use stateright::{Checker, Expectation, Model};
use tidemill_protocol::{Config, World, floors_at, large, small, story};

/// Larger configurations end here, exhausted or not.
const STATES: usize = 10_000_000;

/// Exhausts a configuration. Panics with the story of what went wrong.
fn exhaust(config: Config, threads: usize) {
    let (name, began) = (config.name, Instant::now());
    let checker = World::of(config).checker().threads(threads).target_state_count(STATES).spawn_bfs().join();
    let (states, depth, seconds) = (checker.unique_state_count(), checker.max_depth(), began.elapsed().as_secs_f32());
    let end = if checker.state_count() < STATES { "exhausted" } else { "cut short" };
    println!("{name} | {states} | {depth} | {seconds:.1} s | {end}");
    let mut found = checker.discoveries();
    for property in checker.model().properties() {
        match (property.expectation, found.remove(property.name)) {
            (Expectation::Sometimes, None) => panic!("{name}: never happens: {}", property.name),
            (Expectation::Sometimes, Some(_)) | (_, None) => {}
            (_, Some(path)) => panic!("{name}:\n{}", story(property.name, path)),
        }
    }
}

fn exhaust_small(name: &str) {
    let config = small().into_iter().find(|config| config.name == name);
    exhaust(config.unwrap_or_else(|| panic!("there is no configuration {name}")), 1);
}

macro_rules! each_holds {
    ($($test:ident: $name:literal,)*) => {
        $(#[test] fn $test() { exhaust_small($name); })*

        #[test]
        fn every_configuration_has_its_test() {
            let names: Vec<&str> = small().into_iter().map(|config| config.name).collect();
            assert_eq!(names, [$($name),*]);
        }
    };
}

each_holds! {
    fencing: "fencing",
    unanswered: "unanswered",
    flushing: "flushing",
    torn_loads: "torn loads",
    firing: "firing",
    ticking: "ticking",
    due_times: "due times",
    due_times_halves: "due times, halves",
    due_times_given_up: "due times, given up",
    parts: "parts",
    parts_stated_again: "parts stated again",
    parts_reshaped: "parts reshaped",
    parts_torn: "parts, torn loads",
    drop_under_zombies: "drop",
    drop_with_late_puts: "drop, late puts",
    restore: "restore",
    restore_that_waits: "restore, waited for",
    restore_with_marks: "restore, marks",
    restore_with_due_times: "restore, due times",
    restore_of_parts: "restore, parts",
    versions: "versions",
    split: "split",
    versions_split: "versions, split",
    quiet_child: "quiet child",
    early_split: "early split",
    freed: "freed",
    freed_torn: "freed, torn loads",
    merge: "merge",
    merge_inside_a_firing: "merge inside a firing",
    quiet_middle: "quiet middle",
    floors: "floors",
}

/// Seven records at any of three event times each, through two merges and a split.
#[test]
fn floors_hold_at_all_times() {
    for number in 0..3_u16.pow(7) {
        let time = |at: u32| (number / 3_u16.pow(at) % 3 + 1) as u8;
        let times = [time(0), time(1), time(2), time(3), time(4), time(5), time(6)];
        let checker = World::of(floors_at(times)).checker().spawn_dfs().join();
        let found = checker.discoveries();
        for property in checker.model().properties() {
            if let (Expectation::Always, Some(path)) = (&property.expectation, found.get(property.name)) {
                panic!("event times {times:?}:\n{}", story(property.name, path.clone()));
            }
        }
    }
}

/// A minute or two each: `TIDEMILL_MODEL=large cargo test -p tidemill-protocol --test holds large -- --nocapture`, or the
/// name of one.
#[test]
fn large_configurations() {
    let Ok(wanted) = std::env::var("TIDEMILL_MODEL") else { return };
    let wanted = large().into_iter().filter(|config| wanted == "large" || wanted == config.name);
    wanted.for_each(|config| exhaust(config, 2));
}
