//! A failing plan made small: events and faults are left out as long as a rule is still broken.

use std::fmt;

use super::mutant::Mutant;
use super::plan::Plan;
use super::run::{Report, run};
use super::subject::Subject;

/// A seed with which a rule is broken, and how that comes about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// What is not as it should be.
    pub broken: String,
    /// Which faults it takes, with how often they happen in a thousand.
    pub faults: String,
    /// What happened, line by line, with the time in seconds: as little as still breaks it.
    pub story: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, broken, faults, story } = self;
        write!(f, "seed {seed}: {broken}\nThis is enough for it, with {faults}:\n{}\n", story.join("\n"))?;
        write!(f, "SEED={seed} before the test's command runs this seed alone and prints all of it")
    }
}

impl std::error::Error for Failure {}

/// The story of a seed that fails, made short.
pub fn tell(seed: u64, plan: Plan, subject: &dyn Subject, mutant: Option<Mutant>) -> Failure {
    let (plan, report) = shrink(plan, subject, mutant);
    let broken =
        report.broken.unwrap_or_else(|| "nothing is broken: does the pipeline do the same each time?".to_owned());
    Failure { seed, broken, faults: plan.rates.to_string(), story: report.story }
}

/// The smallest plan found, and what it comes to.
fn shrink(plan: Plan, subject: &dyn Subject, mutant: Option<Mutant>) -> (Plan, Report) {
    let mut best = (plan.clone(), run(&plan, subject, mutant));
    // Nothing behind what broke matters, nor do faults of a kind that is not needed.
    let mut stretch = plan.events.len().div_ceil(2);
    while stretch > 0 {
        let mut at = 0;
        while at < best.0.events.len() {
            let mut less = best.0.clone();
            less.events.drain(at..(at + stretch).min(less.events.len()));
            if !keep(&mut best, less, subject, mutant) {
                at += stretch;
            }
        }
        stretch /= 2;
    }
    let milder: Vec<_> = best.0.rates.milder().collect();
    for (at, _) in milder.iter().enumerate() {
        if let Some(rates) = best.0.rates.milder().nth(at) {
            let less = Plan { rates, ..best.0.clone() };
            keep(&mut best, less, subject, mutant);
        }
    }
    for at in 0..best.0.events.len() {
        let mut less = best.0.clone();
        less.events[at].calm = true;
        keep(&mut best, less, subject, mutant);
    }
    best
}

fn keep(best: &mut (Plan, Report), less: Plan, subject: &dyn Subject, mutant: Option<Mutant>) -> bool {
    let report = run(&less, subject, mutant);
    let fails = report.broken.is_some();
    if fails {
        *best = (less, report);
    }
    fails
}
