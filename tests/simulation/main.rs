//! The whole of it in one thread, in virtual time, from one seed: a stream whose shards are split and merged, an event
//! source mapping, environments that come, go, freeze and go on, requests that get lost or arrive late. The handler, the
//! journal and the outbox are the real ones; the table, the streams and Lambda are simulated.
//!
//! `SEED=n cargo test --test simulation` runs one seed again and tells its story; `SEEDS=n` runs so many.

mod cells;
mod lambda;
mod ledger;
mod mapping;
mod mutant;
mod oracle;
mod pipelines;
mod plan;
mod requests;
mod shrink;
mod simulation;
mod world;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use mutant::Mutant;
use plan::Plan;
use simulation::{Report, run};

/// How long an ordinary run goes on.
const ORDINARY: Duration = Duration::from_secs(45);

fn variable(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is to be a number, not {text:?}")))
}

/// The story of a seed that fails, made short.
fn story(seed: u64, mutant: Option<Mutant>) -> String {
    let (plan, report) = shrink::shrink(Plan::of(seed), mutant);
    let (events, rates) = (plan.events.len(), plan.rates);
    let broken = report.broken.unwrap_or_default();
    let story = report.story.join("\n");
    format!(
        "seed {seed}: {broken}\n{events} events are enough, with {rates:?}:\n{story}\nSEED={seed} cargo test --test \
         simulation runs it again"
    )
}

#[test]
fn every_seed_comes_to_the_same_results() {
    if let Some(seed) = variable("SEED") {
        let Report { broken, story: whole, .. } = run(&Plan::of(seed), None);
        println!("{}", whole.join("\n"));
        assert!(broken.is_none(), "{}", story(seed, None));
        return;
    }
    let (began, wanted) = (Instant::now(), variable("SEEDS"));
    let mut counts: BTreeMap<&'static str, u64> = BTreeMap::new();
    let mut seed = 0;
    while wanted.map_or(began.elapsed() < ORDINARY, |wanted| seed < wanted) {
        let report = run(&Plan::of(seed), None);
        assert!(report.broken.is_none(), "{}", story(seed, None));
        for (what, times) in report.counts {
            *counts.entry(what).or_default() += times;
        }
        seed += 1;
    }
    let pace = f64::from(u32::try_from(seed).unwrap_or(u32::MAX)) / began.elapsed().as_secs_f64();
    println!("{seed} seeds, {pace:.0} a second");
    for (what, times) in counts {
        println!("{times:>9} {what}");
    }
}

#[test]
fn a_seed_tells_the_same_story_again() {
    for seed in 0..20 {
        let (one, other) = (run(&Plan::of(seed), None), run(&Plan::of(seed), None));
        assert!(one.story.len() > 30, "seed {seed} is hardly a story");
        assert_eq!(one.story, other.story, "seed {seed}");
    }
}

#[test]
fn every_broken_rule_is_found() {
    let missed: Vec<String> = Mutant::ALL.into_iter().filter_map(|mutant| missed(mutant, 1_000)).collect();
    assert!(missed.is_empty(), "{missed:?}");
}

/// The mutant, if none of so many seeds finds it.
fn missed(mutant: Mutant, seeds: u64) -> Option<String> {
    for seed in 0..seeds {
        if let Some(broken) = run(&Plan::of(seed), Some(mutant)).broken {
            let first = broken.lines().next().unwrap_or_default();
            println!("{mutant:?}: seed {seed}: {}", first.chars().take(160).collect::<String>());
            return None;
        }
    }
    Some(format!("{mutant:?} is not found by {seeds} seeds"))
}
