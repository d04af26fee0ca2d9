//! Which invocations a run does not survive.

use std::collections::BTreeMap;
use std::time::Duration;

use super::kill_switch::{Kill, KillKind};

/// Kills spread over a run, by a seed: the same seed, the same plan.
///
/// A kill whose moment does not come in its invocation (no output to flush, say) is tried again
/// in the next ones until it happens.
#[derive(Debug, Default)]
pub struct KillPlan {
    /// By the number of the invocation from which on they are due, last ones first.
    ahead: Vec<(u64, Kill)>,
    due: Vec<Kill>,
    invocations: u64,
    happened: BTreeMap<KillKind, u64>,
}

impl KillPlan {
    /// Plans `count` kills over about `invocations` invocations: one in each of `count` equal
    /// stretches of the run, the kinds taking turns in shuffled order.
    pub fn new(count: u64, seed: u64, invocations: u64) -> Self {
        let mut random = Random(seed);
        let mut ahead: Vec<(u64, Kill)> = Vec::new();
        let mut kinds = Vec::new();
        for stretch in 0..count {
            if kinds.is_empty() {
                kinds = shuffled(&mut random);
            }
            let start = stretch * invocations / count;
            let end = ((stretch + 1) * invocations / count).max(start + 1);
            let kill = kinds.pop().map_or(Kill::Flushed, |kind| of_kind(kind, &mut random));
            ahead.push((start + random.below(end - start), kill));
        }
        ahead.reverse();
        Self { ahead, ..Self::default() }
    }

    /// The kills to arm for the invocation that begins now.
    pub fn due(&mut self) -> Vec<Kill> {
        while let Some((_, kill)) = self.ahead.pop_if(|(from, _)| *from <= self.invocations) {
            self.due.push(kill);
        }
        self.invocations += 1;
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

fn shuffled(random: &mut Random) -> Vec<KillKind> {
    let mut left = vec![KillKind::InFlight, KillKind::BeforeFlush, KillKind::BeforeAnswer];
    let mut order = Vec::new();
    while !left.is_empty() {
        let index = random.below(left.len() as u64);
        order.push(left.swap_remove(usize::try_from(index).unwrap_or_default()));
    }
    order
}

fn of_kind(kind: KillKind, random: &mut Random) -> Kill {
    match kind {
        KillKind::BeforeAnswer => Kill::Flushed,
        KillKind::BeforeFlush => Kill::Committed { answered: random.below(2) == 0 },
        KillKind::InFlight if random.below(2) == 0 => {
            Kill::Requested(u32::try_from(random.below(4)).unwrap_or_default())
        }
        KillKind::InFlight => Kill::Delayed(Duration::from_micros(random.below(20_000))),
    }
}

/// SplitMix64: a seed is all its state, and its numbers are the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which is not 0. The bias of the remainder does not matter here.
    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_plans_the_same_kills() {
        let plan = |seed| KillPlan::new(20, seed, 500).ahead;
        assert_eq!(plan(7), plan(7));
        assert_ne!(plan(7), plan(8));
    }

    #[test]
    fn kills_are_spread_over_the_run_and_over_the_kinds() {
        let plan = KillPlan::new(30, 1, 300);
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
        let mut plan = KillPlan::new(1, 3, 1);
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
        let mut plan = KillPlan::new(10, 3, 2);
        let mut planned = 0;
        for _ in 0..10 {
            planned += plan.due().len();
        }
        assert_eq!(planned, 10);
    }
}
