//! Many seeds, one after the other on each core.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::run::Report;

/// What many runs met, all of them without a difference.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Simulated {
    /// How many seeds were run.
    pub seeds: u64,
    /// How often what happened, over all seeds: faults by kind, and what was done under them.
    pub counts: BTreeMap<&'static str, u64>,
}

impl Simulated {
    fn add(&mut self, report: &Report) {
        self.seeds += 1;
        for (what, times) in &report.counts {
            *self.counts.entry(what).or_default() += times;
        }
    }
}

impl fmt::Display for Simulated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} seeds", self.seeds)?;
        self.counts.iter().try_for_each(|(what, times)| write!(f, "\n{times:>9} {what}"))
    }
}

/// Which seeds are run.
#[derive(Clone, Debug)]
pub struct Seeds {
    /// These, in order.
    pub seeds: Range<u64>,
    /// None is begun after that.
    pub until: Option<Instant>,
}

/// Runs seeds on all cores, each in one thread, until one fails. What they met, and the lowest that failed.
///
/// # Panics
/// If a run does.
pub fn run_seeds(seeds: &Seeds, run: impl Fn(u64) -> Report + Sync) -> (Simulated, Option<u64>) {
    let (next, tally) = (AtomicU64::new(seeds.seeds.start), Mutex::new((Simulated::default(), None::<u64>)));
    let lock = || tally.lock().unwrap_or_else(PoisonError::into_inner);
    let work = || loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        let is_over = seeds.until.is_some_and(|until| Instant::now() >= until);
        if seed >= seeds.seeds.end || is_over || lock().1.is_some() {
            return;
        }
        let report = run(seed);
        let (simulated, failed) = &mut *lock();
        simulated.add(&report);
        if report.broken.is_some() {
            *failed = Some(failed.map_or(seed, |lowest| lowest.min(seed)));
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| (0..cores).for_each(|_| drop(scope.spawn(work))));
    tally.into_inner().unwrap_or_else(PoisonError::into_inner)
}
