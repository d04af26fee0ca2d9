//! Every broken rule is caught, by the invariant that it breaks.

#[path = "../../support/page.rs"]
mod page;

use std::thread;

use stateright::{Checker, HasDiscoveries, Model};
use tidemill_protocol::{Mutant, World, story};

/// No broken rule needs more states than this to be found, breadth first.
const STATES: usize = 1_000_000;

/// A mutant that is caught.
struct Caught {
    story: String,
    /// Of the table in `docs/correctness.md`.
    row: String,
}

/// The first violation that a checker finds; an error says what it found instead.
fn catch(mutant: Mutant) -> Result<Caught, String> {
    let checker = World::of(mutant.shown_by())
        .checker()
        .target_state_count(STATES)
        .finish_when(HasDiscoveries::AnyFailures)
        .spawn_bfs()
        .join();
    let mut found = checker.discoveries();
    let expected = mutant.falls().iter().find_map(|violation| found.remove_entry(violation.name()));
    let states = checker.unique_state_count();
    match expected {
        Some((broken, path)) => {
            let (mistake, configuration) = (mutant.mistake(), mutant.shown_by().name);
            let steps = path.clone().into_actions().len();
            let row = format!("| `{mutant:?}` | {mistake} | {broken} | {configuration} | {steps} |");
            let story = format!("{mutant:?}: {mistake}\n{}     ({states} states)\n", story(broken, path));
            Ok(Caught { story, row })
        }
        None => Err(format!("{mutant:?} is not caught in {states} states; found {:?}", found.keys())),
    }
}

#[test]
fn every_broken_rule_is_caught() {
    let only = std::env::var("TIDEMILL_MUTANT").ok();
    let wanted: Vec<Mutant> = Mutant::ALL
        .iter()
        .copied()
        .filter(|mutant| only.as_ref().is_none_or(|only| *only == format!("{mutant:?}")))
        .collect();
    assert!(!wanted.is_empty(), "no mutant is called {only:?}");
    let halves: Vec<&[Mutant]> = wanted.chunks(wanted.len().div_ceil(2)).collect();
    let results: Vec<Result<Caught, String>> = thread::scope(|scope| {
        let run = |half: &[Mutant]| half.iter().copied().map(catch).collect::<Vec<_>>();
        let running: Vec<_> = halves.into_iter().map(|half| scope.spawn(move || run(half))).collect();
        running.into_iter().flat_map(|thread| thread.join().expect("a checker panicked")).collect()
    });
    let caught: Vec<&Caught> = results.iter().filter_map(|result| result.as_ref().ok()).collect();
    caught.iter().for_each(|caught| println!("{}", caught.story));
    let missed: Vec<&String> = results.iter().filter_map(|result| result.as_ref().err()).collect();
    assert!(missed.is_empty(), "{missed:#?}");
    if only.is_none() {
        let rows: Vec<String> = caught.iter().map(|caught| caught.row.clone()).collect();
        page::check_table("mutants of the model", "| rule | broken so | falls | in | steps |", &rows);
    }
}
