//! Which invocations a run does not survive.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::random::Random;

use super::kill_switch::{Kill, KillKind};

/// Kills spread over a run, by a seed: the same seed, the same plan.
///
/// A kill whose moment does not come in its invocation (no output to flush, say) is tried again
/// in the next ones until it happens.
#[derive(Debug, Default)]
pub struct KillPlan {
    /// By the time of the run from which on they are due, last ones first.
    ahead: Vec<(u64, Kill)>,
    due: Vec<Kill>,
    clock: Arc<AtomicU64>,
    /// Whether invocations of this function are what the clock counts.
    ticks: bool,
    happened: BTreeMap<KillKind, u64>,
}

/// A function to be killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// Whether it commits; what does not is never killed behind a commit.
    pub commits: bool,
}

impl KillPlan {
    /// Plans `count` kills over about `invocations` invocations of the first of the functions: one in
    /// each of `count` equal stretches of the run, the functions taking turns, and these kinds in
    /// shuffled order. Time is how often the first function was invoked, for the others too: how
    /// often they will be, nobody knows ahead.
    pub fn deal(count: u64, seed: u64, invocations: u64, kinds: &[KillKind], targets: &[Target]) -> Vec<Self> {
        let mut random = Random::new(seed);
        let clock = Arc::new(AtomicU64::new(0));
        let plan = |index| Self { clock: Arc::clone(&clock), ticks: index == 0, ..Self::default() };
        let mut plans: Vec<Self> = (0..targets.len()).map(plan).collect();
        let mut left = Vec::new();
        let mut turns = (0..targets.len()).cycle();
        for stretch in 0..count {
            if left.is_empty() {
                left = random.shuffled(kinds.to_vec());
            }
            let start = stretch * invocations / count;
            let end = ((stretch + 1) * invocations / count).max(start + 1);
            let kill = left.pop().map_or(Kill::Flushed, |kind| of_kind(kind, &mut random));
            let at = start + random.below(end - start);
            if let Some(turn) = turns.next() {
                plans[turn].ahead.push((at, kill.of(targets[turn])));
            }
        }
        plans.iter_mut().for_each(|plan| plan.ahead.reverse());
        plans
    }

    /// The kills to arm for the invocation that begins now.
    pub fn due(&mut self) -> Vec<Kill> {
        let now = self.clock.fetch_add(u64::from(self.ticks), Ordering::Relaxed);
        while let Some((_, kill)) = self.ahead.pop_if(|(from, _)| *from <= now) {
            self.due.push(kill);
        }
        std::mem::take(&mut self.due)
    }

    /// Takes back the kills that did not happen in an invocation.
    pub fn postpone(&mut self, kills: impl IntoIterator<Item = Kill>) {
        self.due.extend(kills.into_iter().map(Kill::sooner));
    }

    /// Notes a kill that happened.
    pub fn happened(&mut self, kind: KillKind) {
        *self.happened.entry(kind).or_default() += 1;
    }

    /// The kills that happened, by kind.
    pub fn kills(&self) -> BTreeMap<KillKind, u64> {
        self.happened.clone()
    }

    /// How many kills found no moment.
    pub fn outstanding(&self) -> usize {
        self.ahead.len() + self.due.len()
    }
}

impl Kill {
    /// What becomes of a kill whose moment cannot come in that function.
    fn of(self, target: Target) -> Self {
        match self {
            Self::Committed { .. } if !target.commits => Self::Requested(0),
            kill => kill,
        }
    }
}

fn of_kind(kind: KillKind, random: &mut Random) -> Kill {
    match kind {
        KillKind::BeforeAnswer => Kill::Flushed,
        KillKind::BeforeFlush => Kill::Committed { answered: random.below(2) == 0 },
        KillKind::InFlight if random.below(2) == 0 => {
            Kill::Requested(u32::try_from(random.below(4)).unwrap_or_default())
        }
        KillKind::InFlight => Kill::Delayed(Duration::from_micros(random.below(20_000))),
        KillKind::TimedOut => Kill::Stalled(u32::try_from(random.below(4)).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATEFUL: Target = Target { commits: true };

    /// The plan of a function that runs alone.
    fn alone(count: u64, seed: u64, invocations: u64) -> KillPlan {
        KillPlan::deal(count, seed, invocations, &KillKind::SUDDEN, &[STATEFUL]).remove(0)
    }

    #[test]
    fn functions_take_turns_and_share_the_clock_of_the_first() {
        let mut plans = KillPlan::deal(10, 1, 10, &KillKind::SUDDEN, &[STATEFUL, STATEFUL]);
        let planned: Vec<usize> = plans.iter().map(KillPlan::outstanding).collect();
        assert_eq!(planned, [5, 5]);
        // Its own invocations bring the second function none, those of the first one do.
        assert!((0..20).all(|_| plans[1].due().is_empty()));
        let first: usize = (0..10).map(|_| plans[0].due().len()).sum();
        assert_eq!((first, plans[1].due().len()), (5, 5));
    }

    #[test]
    fn what_never_commits_is_not_killed_behind_a_commit() {
        let plans = KillPlan::deal(30, 1, 30, &KillKind::SUDDEN, &[Target { commits: false }]);
        let committed = |(_, kill): &(u64, Kill)| matches!(kill, Kill::Committed { .. });
        assert_eq!((plans[0].outstanding(), plans[0].ahead.iter().filter(|kill| committed(kill)).count()), (30, 0));
    }

    #[test]
    fn the_same_seed_plans_the_same_kills() {
        let plan = |seed| alone(20, seed, 500).ahead;
        assert_eq!(plan(7), plan(7));
        assert_ne!(plan(7), plan(8));
    }

    #[test]
    fn kills_are_spread_over_the_run_and_over_the_kinds() {
        let plan = alone(30, 1, 300);
        let mut kinds = BTreeMap::new();
        for (index, (at, kill)) in plan.ahead.iter().rev().enumerate() {
            let stretch = u64::try_from(index).unwrap();
            assert!((stretch * 10..stretch * 10 + 10).contains(at), "kill {index} at {at}");
            *kinds.entry(kill.kind()).or_insert(0) += 1;
        }
        assert_eq!(kinds.into_values().collect::<Vec<_>>(), [10, 10, 10]);
    }

    #[test]
    fn a_kill_without_its_moment_is_tried_again() {
        let mut plan = alone(1, 3, 1);
        let first = plan.due();
        assert_eq!(first.len(), 1);
        plan.postpone(first);
        assert_eq!(plan.outstanding(), 1);
        let again = plan.due();
        assert_eq!(again.len(), 1);
        plan.happened(again[0].kind());
        assert_eq!(plan.outstanding(), 0);
        assert_eq!(plan.kills().into_values().sum::<u64>(), 1);
    }

    #[test]
    fn more_kills_than_invocations_are_all_planned() {
        let mut plan = alone(10, 3, 2);
        let mut planned = 0;
        for _ in 0..10 {
            planned += plan.due().len();
        }
        assert_eq!(planned, 10);
    }
}
