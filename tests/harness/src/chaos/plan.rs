//! How a run is disturbed.

use crate::random::Random;

use super::faults::Faults;

/// Smaller batches than would be more than this many are not made: a long input is long enough.
const BATCHES: u64 = 400;

/// All that a seed decides of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The seed.
    pub seed: u64,
    /// The most records in a batch.
    pub batch_size: u32,
    /// So many environments, taking turns; `None` is one for each shard.
    pub environments: Option<u32>,
    /// How often a process is killed, or times out.
    pub kills: u64,
    /// How often shards are split or merged.
    pub reshards: u64,
    /// How many faults of each other kind there are.
    pub faults: u64,
    /// Over how many batches all that is spread.
    pub batches: u64,
}

impl Plan {
    /// The plan of a seed for so many records, which come in batches of `batch_size` otherwise.
    pub fn of(seed: u64, records: u64, batch_size: u32) -> Self {
        let mut random = Random::new(seed ^ 0x6368_616f_7321_2121);
        let smallest = u32::try_from(records / BATCHES).unwrap_or(u32::MAX).clamp(1, batch_size.max(1));
        let batch_size = (batch_size >> random.below(4)).max(smallest);
        let batches = records.div_ceil(batch_size.into()).max(1);
        // More in a long run, and no more than a short one has batches for.
        let some = |random: &mut Random, most: u64| (1 + random.below(most) + batches / 100).min(batches);
        Self {
            seed,
            batch_size,
            environments: [None, Some(2), Some(3)][random.index(3)],
            kills: some(&mut random, 6),
            reshards: [0, 0, 1, 2, 4][random.index(5)],
            faults: some(&mut random, 4),
            batches,
        }
    }

    /// The faults of requests and batches.
    pub fn faults(&self) -> Faults {
        Faults::deal(self.seed, self.faults, self.batches)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_decides_everything_and_seeds_differ() {
        assert_eq!(Plan::of(7, 26_080, 500), Plan::of(7, 26_080, 500));
        let all: Vec<Plan> = (0..100).map(|seed| Plan::of(seed, 26_080, 500)).collect();
        assert!(all.iter().any(|plan| plan.reshards == 0) && all.iter().any(|plan| plan.reshards > 0));
        assert!(all.iter().any(|plan| plan.batch_size == 500) && all.iter().any(|plan| plan.batch_size < 250));
        assert!(
            all.iter().any(|plan| plan.environments.is_none()) && all.iter().any(|plan| plan.environments.is_some())
        );
        assert!(all.iter().all(|plan| plan.kills >= 1 && plan.faults >= 1));
    }

    #[test]
    fn long_inputs_keep_their_batches_and_short_ones_get_no_more_faults_than_batches() {
        assert!((0..50).all(|seed| Plan::of(seed, 1_000_000, 500).batch_size == 500));
        for seed in 0..50 {
            let plan = Plan::of(seed, 2, 10);
            assert!(plan.kills <= 2 && plan.faults <= 2 && plan.batches <= 2, "{plan:?}");
        }
        assert_eq!(Plan::of(1, 0, 1).batches, 1);
    }
}
