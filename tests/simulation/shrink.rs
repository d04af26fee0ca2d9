//! A failing plan made small: events and faults are left out as long as a rule is still broken.

use crate::mutant::Mutant;
use crate::plan::Plan;
use crate::simulation::{Report, run};

/// The smallest plan found, and what it comes to.
pub(crate) fn shrink(plan: Plan, mutant: Option<Mutant>) -> (Plan, Report) {
    let mut best = (plan.clone(), run(&plan, mutant));
    // Nothing behind what broke matters, nor do faults of a kind that is not needed.
    let mut stretch = plan.events.len().div_ceil(2);
    while stretch > 0 {
        let mut at = 0;
        while at < best.0.events.len() {
            let mut less = best.0.clone();
            less.events.drain(at..(at + stretch).min(less.events.len()));
            if !keep(&mut best, less, mutant) {
                at += stretch;
            }
        }
        stretch /= 2;
    }
    let milder: Vec<_> = best.0.rates.milder().collect();
    for (at, _) in milder.iter().enumerate() {
        if let Some(rates) = best.0.rates.milder().nth(at) {
            let less = Plan { rates, ..best.0.clone() };
            keep(&mut best, less, mutant);
        }
    }
    for at in 0..best.0.events.len() {
        let mut less = best.0.clone();
        less.events[at].calm = true;
        keep(&mut best, less, mutant);
    }
    best
}

fn keep(best: &mut (Plan, Report), less: Plan, mutant: Option<Mutant>) -> bool {
    let report = run(&less, mutant);
    let fails = report.broken.is_some();
    if fails {
        *best = (less, report);
    }
    fails
}
