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
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
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
    let began = Instant::now();
    let Tally { seeds, counts, broken } = run_many(variable("SEEDS"), began + ORDINARY);
    let pace = f64::from(u32::try_from(seeds).unwrap_or(u32::MAX)) / began.elapsed().as_secs_f64();
    println!("{seeds} seeds, {pace:.0} a second");
    for (what, times) in counts {
        println!("{times:>9} {what}");
    }
    assert!(broken.is_none(), "{}", story(broken.unwrap_or_default(), None));
}

/// What came of many runs.
#[derive(Default)]
struct Tally {
    seeds: u64,
    counts: BTreeMap<&'static str, u64>,
    /// The lowest seed that fails, of those that were run.
    broken: Option<u64>,
}

/// Runs seeds from 0 on, until one fails, there are so many or time is up; each in one thread, on all cores.
fn run_many(wanted: Option<u64>, until: Instant) -> Tally {
    let (next, tally) = (AtomicU64::new(0), Mutex::new(Tally::default()));
    let work = || loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        let goes_on = wanted.map_or_else(|| Instant::now() < until, |wanted| seed < wanted);
        if !goes_on || tally.lock().expect("no panic").broken.is_some() {
            return;
        }
        let report = run(&Plan::of(seed), None);
        let mut tally = tally.lock().expect("no panic");
        tally.seeds += 1;
        for (what, times) in report.counts {
            *tally.counts.entry(what).or_default() += times;
        }
        if report.broken.is_some() {
            tally.broken = Some(tally.broken.map_or(seed, |lowest| lowest.min(seed)));
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| (0..cores).for_each(|_| drop(scope.spawn(work))));
    tally.into_inner().expect("no panic")
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
