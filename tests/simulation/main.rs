//! [`tidemill::testing::simulation`] over pipelines of its own: late, damaged and misrouted records, and worlds that break
//! a rule which the protocol stands on.
//!
//! `SEED=n cargo test --test simulation` runs one seed again and tells its story. `FIRST_SEED=n` begins there in place of
//! 0, and `SEEDS=n` runs so many in place of as many as there is time for.

mod flights;
mod opinions;
#[path = "../support/page.rs"]
mod page;
mod pipelines;

use std::time::{Duration, Instant};

use flights::Flights;
use tidemill::testing::simulation::{Failure, Mutant, Report, Seeds, run, run_seeds, tell};

/// How long an ordinary run goes on.
const ORDINARY: Duration = Duration::from_secs(20);

fn variable(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is to be a number, not {text:?}")))
}

fn simulated(seed: u64, mutant: Option<Mutant>) -> Report {
    let (flights, plan) = Flights::of(seed);
    run(&plan, &flights, mutant)
}

fn failure(seed: u64) -> Failure {
    let (flights, plan) = Flights::of(seed);
    tell(seed, plan, &flights, None)
}

#[test]
fn every_seed_comes_to_the_same_results() {
    if let Some(seed) = variable("SEED") {
        let Report { broken, story, .. } = simulated(seed, None);
        println!("{}", story.join("\n"));
        assert!(broken.is_none(), "{}", failure(seed));
        return;
    }
    let (first, wanted, began) = (variable("FIRST_SEED").unwrap_or(0), variable("SEEDS"), Instant::now());
    let until = wanted.is_none().then(|| began + ORDINARY);
    let seeds = Seeds { seeds: first..first.saturating_add(wanted.unwrap_or(u64::MAX)), until };
    let (simulated, failed) = run_seeds(&seeds, |seed| simulated(seed, None));
    println!("from seed {first} in {:.0?}: {simulated}", began.elapsed());
    assert!(failed.is_none(), "{}", failure(failed.unwrap_or_default()));
}

#[test]
fn a_seed_tells_the_same_story_again() {
    for seed in 0..20 {
        let (one, other) = (simulated(seed, None), simulated(seed, None));
        assert!(one.story.len() > 30, "seed {seed} is hardly a story");
        assert_eq!(one.story, other.story, "seed {seed}");
    }
}

/// How many seeds may pass until a broken rule is found.
const ENOUGH: u64 = 1_000;

#[test]
fn every_broken_rule_is_found() {
    let found: Vec<Result<String, String>> = Mutant::ALL.iter().map(|mutant| row(*mutant)).collect();
    let missed: Vec<&String> = found.iter().filter_map(|row| row.as_ref().err()).collect();
    assert!(missed.is_empty(), "{missed:?}");
    let rows: Vec<String> = found.into_iter().flatten().collect();
    page::check_table("mutants of the code", "| rule | broken so | found by | seed |", &rows);
}

/// That seeds from 0 on find each says little of others: the table above may be luck.
#[test]
#[ignore = "takes minutes: some hundred seeds of each broken rule"]
fn every_broken_rule_is_found_from_other_seeds_too() {
    let only = std::env::var("MUTANT").ok();
    let mut missed: Vec<Mutant> = Vec::new();
    for mutant in Mutant::ALL.iter().filter(|mutant| only.as_ref().is_none_or(|only| *only == format!("{mutant:?}"))) {
        let firsts = (1..=10).map(|n| n * 1_000_000);
        let after: Vec<Option<u64>> = firsts.map(|first| find(*mutant, first).map(|(seed, _)| seed - first)).collect();
        println!("{mutant:?}: after {after:?}");
        missed.extend(after.contains(&None).then_some(mutant));
    }
    assert!(missed.is_empty(), "not always found within {ENOUGH} seeds: {missed:?}");
}

/// The first seed that finds the mutant, and what is broken then.
fn find(mutant: Mutant, first: u64) -> Option<(u64, String)> {
    let seeds = Seeds { seeds: first..first + ENOUGH, until: None };
    let (_, failed) = run_seeds(&seeds, |seed| simulated(seed, Some(mutant)));
    failed.map(|seed| (seed, simulated(seed, Some(mutant)).broken.expect("a seed that fails does so again")))
}

/// The mutant's row on the page; an error if no seed finds it.
fn row(mutant: Mutant) -> Result<String, String> {
    let (seed, broken) = find(mutant, 0).ok_or_else(|| format!("{mutant:?} is not found by {ENOUGH} seeds"))?;
    println!("{mutant:?}: seed {seed}: {broken}");
    Ok(format!("| `{mutant:?}` | {} | {} | {seed} |", mutant.broken(), rule(&broken)))
}

/// What was broken, without what is of one run alone: an invariant's number, or the words up to the first name.
fn rule(broken: &str) -> String {
    let words: Vec<&str> = broken.lines().next().unwrap_or_default().split_whitespace().collect();
    match words.first() {
        Some(first) if first.starts_with('I') && first.ends_with(':') => first.trim_end_matches(':').to_owned(),
        _ => {
            let is_name = |word: &&&str| !word.contains("shardId") && !word.contains('"');
            let words = words.iter().skip_while(|word| word.parse::<u64>().is_ok()).take_while(is_name);
            let words: Vec<&str> = words.copied().collect();
            words.join(" ").trim_end_matches([':', ',']).to_owned()
        }
    }
}
