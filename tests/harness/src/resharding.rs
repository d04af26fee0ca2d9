//! Splitting and merging a stream's shards while records come.

use std::collections::VecDeque;

use crate::emulators::{Emulators, Shard, lineage};
use crate::error::Error;
use crate::random::Random;

/// A stream's reshardings, at moments that a seed decides.
#[derive(Debug)]
pub struct Resharding {
    /// The stream.
    pub stream: String,
    /// How often a shard was split so far.
    pub splits: u64,
    /// How often two were merged.
    pub merges: u64,
    moments: VecDeque<u64>,
    kinds: Vec<Kind>,
    random: Random,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Split,
    Merge,
}

/// What is done to the shards.
#[derive(Debug, PartialEq, Eq)]
enum Change<'a> {
    Split { shard: &'a str, at: u128 },
    Merge { lower: &'a str, upper: &'a str },
}

/// Narrower shards are not split: a child needs hash keys of its own, and AWS wants them apart.
const NARROWEST: u128 = 4;

impl Resharding {
    /// Plans `count` reshardings of a stream over `records` records, one in each of `count` equal
    /// stretches of them. Of three, two are splits, in shuffled order, so that shards become more.
    pub fn deal(stream: &str, count: u64, seed: u64, records: u64) -> Self {
        // Not the numbers that kills are planned with, nor another stream's.
        let of_stream = stream
            .bytes()
            .fold(seed ^ 0x7265_7368_6172_6464, |mixed, byte| mixed.rotate_left(8).wrapping_add(byte.into()));
        let mut random = Random::new(of_stream);
        // Between two records, where there are two.
        let last = records.saturating_sub(1);
        let moment = |stretch: u64| {
            let (start, end) = (stretch * last / count, (stretch + 1) * last / count);
            (start + 1 + random.below((end - start).max(1))).min(records)
        };
        let moments = (0..count).map(moment).collect();
        Self { stream: stream.to_owned(), splits: 0, merges: 0, moments, kinds: Vec::new(), random }
    }

    /// Behind how many records it is time for the next one; `None` if there is none.
    pub fn next(&self) -> Option<u64> {
        self.moments.front().copied()
    }

    /// Does the next one.
    pub async fn step(&mut self, emulators: &Emulators) -> Result<(), Error> {
        self.moments.pop_front();
        let (kinesis, stream) = (&emulators.kinesis, self.stream.clone());
        let open = lineage::open(kinesis.lineage(&stream).await?);
        match self.choose(&open) {
            None => {}
            Some(Change::Split { shard, at }) => {
                kinesis.split(&stream, shard, at).await?;
                self.splits += 1;
            }
            Some(Change::Merge { lower, upper }) => {
                kinesis.merge(&stream, lower, upper).await?;
                self.merges += 1;
            }
        }
        match &emulators.limits {
            Some(limits) => limits.resharded(kinesis, &stream).await,
            None => Ok(()),
        }
    }

    /// What to do with these shards, neighbours side by side.
    fn choose<'a>(&mut self, open: &'a [Shard]) -> Option<Change<'a>> {
        match self.kind(open.len()) {
            Kind::Merge => {
                let lower = self.random.index(open.len() - 1);
                Some(Change::Merge { lower: &open[lower].id, upper: &open[lower + 1].id })
            }
            Kind::Split => {
                let wide: Vec<&Shard> = open.iter().filter(|shard| shard.last - shard.first > NARROWEST).collect();
                let shard = wide.get(self.random.index(wide.len().max(1)))?;
                Some(Change::Split { shard: &shard.id, at: self.cut(shard) })
            }
        }
    }

    /// Splits first where there is nothing to merge.
    fn kind(&mut self, shards: usize) -> Kind {
        if self.kinds.is_empty() {
            self.kinds = self.random.shuffled(vec![Kind::Split, Kind::Split, Kind::Merge]);
        }
        let merges = self.kinds.last() == Some(&Kind::Merge);
        if merges && shards < 2 {
            let split = self.kinds.iter().position(|kind| *kind == Kind::Split);
            return split.map_or(Kind::Split, |place| self.kinds.remove(place));
        }
        self.kinds.pop().unwrap_or(Kind::Split)
    }

    /// The middle of the shard, as often as not; else anywhere.
    fn cut(&mut self, shard: &Shard) -> u128 {
        let width = shard.last - shard.first;
        if self.random.below(2) == 0 {
            return shard.first + width / 2 + 1;
        }
        let anywhere = u128::from(self.random.next()) << 64 | u128::from(self.random.next());
        shard.first + 2 + anywhere % (width - 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shard(number: u128, of: u128) -> Shard {
        let width = u128::MAX / of;
        let (first, last) = (number * width, if number + 1 == of { u128::MAX } else { (number + 1) * width - 1 });
        Shard { id: number.to_string(), parents: Vec::new(), first, last, open: true }
    }

    #[test]
    fn moments_are_spread_over_the_records_and_come_between_them() {
        let plan = Resharding::deal("s", 5, 1, 1_000);
        for (stretch, moment) in (0..).zip(&plan.moments) {
            assert!((stretch * 199..=(stretch + 1) * 200).contains(moment), "{moment} in stretch {stretch}");
        }
        assert!(plan.moments.iter().is_sorted() && plan.moments.iter().all(|moment| (1..1_000).contains(moment)));
        assert_eq!(Resharding::deal("s", 5, 1, 1_000).moments, plan.moments);
        assert_ne!(Resharding::deal("s", 5, 2, 1_000).moments, plan.moments);
        assert_ne!(Resharding::deal("t", 5, 1, 1_000).moments, plan.moments);
    }

    #[test]
    fn more_reshardings_than_records_all_have_their_moment() {
        assert_eq!(Resharding::deal("s", 3, 1, 1).moments, [1, 1, 1]);
        assert_eq!(Resharding::deal("s", 4, 1, 2).moments, [1, 1, 1, 1]);
        assert_eq!(Resharding::deal("s", 1, 1, 0).moments, [0]);
    }

    #[test]
    fn two_of_three_split_and_one_merges_neighbours() {
        for seed in 0..50 {
            let mut plan = Resharding::deal("s", 3, seed, 9);
            let open: Vec<Shard> = (0..4).map(|number| shard(number, 4)).collect();
            let mut merges = 0;
            for _ in 0..3 {
                match plan.choose(&open).unwrap() {
                    Change::Merge { lower, upper } => {
                        merges += 1;
                        assert_eq!(lower.parse::<u32>().unwrap() + 1, upper.parse::<u32>().unwrap());
                    }
                    Change::Split { shard, at } => {
                        let of = open.iter().find(|other| other.id == shard).unwrap();
                        assert!(at > of.first + 1 && at < of.last, "{at} in {of:?}");
                    }
                }
            }
            assert_eq!(merges, 1);
        }
    }

    #[test]
    fn a_single_shard_is_split_first() {
        for seed in 0..20 {
            let mut plan = Resharding::deal("s", 3, seed, 9);
            let one = [shard(0, 1)];
            assert!(matches!(plan.choose(&one), Some(Change::Split { .. })));
        }
    }

    #[test]
    fn what_is_too_narrow_is_not_split() {
        let narrow = Shard { last: 3, ..shard(0, 1) };
        assert_eq!(Resharding::deal("s", 1, 1, 9).choose(&[narrow]), None);
        let narrow = Shard { last: 5, ..shard(0, 1) };
        for seed in 0..20 {
            let Some(Change::Split { at, .. }) =
                Resharding::deal("s", 1, seed, 9).choose(std::slice::from_ref(&narrow)).map(|change| match change {
                    Change::Split { at, .. } => Change::Split { shard: "", at },
                    merge => merge,
                })
            else {
                panic!("not split");
            };
            assert!((2..5).contains(&at), "{at}");
        }
    }
}
