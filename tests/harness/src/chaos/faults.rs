//! What goes wrong with batches and requests, each kind at its own moments.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use crate::random::Random;

/// A kind of fault that no process has to die of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// A batch that was answered comes once more: its answer was lost.
    AnswerLost,
    /// The batch before this one comes once more, then this one.
    BatchRepeated,
    /// DynamoDB refuses a request: too many of them.
    DynamodbThrottled,
    /// DynamoDB does as it is asked, and answers that it failed.
    DynamodbUnanswered,
    /// Kinesis refuses a request: too many of them.
    KinesisThrottled,
    /// Kinesis does as it is asked, and answers that it failed.
    KinesisUnanswered,
    /// Kinesis takes some records of a PutRecords request and refuses the others.
    PartlyPut,
    /// DynamoDB refuses a write, since another transaction is at its item.
    TransactionConflict,
    /// DynamoDB answers a read that is not strongly consistent as before a write of the last second.
    StaleRead,
}

impl FaultKind {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::AnswerLost,
        Self::BatchRepeated,
        Self::DynamodbThrottled,
        Self::DynamodbUnanswered,
        Self::KinesisThrottled,
        Self::KinesisUnanswered,
        Self::PartlyPut,
        Self::TransactionConflict,
        Self::StaleRead,
    ];

    /// The name by which options call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AnswerLost => "answer_lost",
            Self::BatchRepeated => "batch_repeated",
            Self::DynamodbThrottled => "dynamodb_throttled",
            Self::DynamodbUnanswered => "dynamodb_unanswered",
            Self::KinesisThrottled => "kinesis_throttled",
            Self::KinesisUnanswered => "kinesis_unanswered",
            Self::PartlyPut => "partly_put",
            Self::TransactionConflict => "transaction_conflict",
            Self::StaleRead => "stale_read",
        }
    }

    /// The kind of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The most times in a row that it strikes. An SDK tries a request four times, so six get through to the function.
    pub(super) const fn longest(self) -> u64 {
        match self {
            Self::DynamodbThrottled | Self::KinesisThrottled => 6,
            Self::PartlyPut | Self::TransactionConflict => 3,
            _ => 1,
        }
    }
}

/// The faults that a run is to meet, and those that it met. The default has none.
#[derive(Debug, Default)]
pub struct Faults {
    seed: u64,
    planned: Mutex<BTreeMap<FaultKind, Planned>>,
}

/// The faults of one kind. Its clock counts the moments at which it may strike.
#[derive(Debug, Default)]
struct Planned {
    /// When it is due and how many times in a row, last ones first.
    ahead: Vec<(u64, u64)>,
    due: u64,
    clock: u64,
    happened: u64,
}

impl Faults {
    /// Plans `count` faults of each kind within the first `span` moments of its kind.
    pub fn deal(seed: u64, count: u64, span: u64) -> Self {
        Self::deal_each(seed, &FaultKind::ALL.map(|kind| (kind, count)), span)
    }

    /// Plans so many faults of these kinds, likewise.
    pub fn deal_each(seed: u64, counts: &[(FaultKind, u64)], span: u64) -> Self {
        let mut random = Random::new(seed ^ 0x0066_6175_6c74_7321);
        let plan = |&(kind, count): &(FaultKind, u64)| {
            let mut ahead: Vec<(u64, u64)> =
                (0..count).map(|_| (random.below(span.max(1)), 1 + random.below(kind.longest()))).collect();
            ahead.sort_unstable_by(|one, other| other.cmp(one));
            (kind, Planned { ahead, ..Planned::default() })
        };
        Self { seed, planned: Mutex::new(counts.iter().map(plan).collect()) }
    }

    /// Whether there are any, past or to come.
    pub fn is_none(&self) -> bool {
        self.planned().is_empty()
    }

    /// Whether a fault of this kind strikes now. To be asked at each moment at which one may.
    pub(crate) fn strikes(&self, kind: FaultKind) -> bool {
        self.strike(kind).is_some()
    }

    /// Which of `count` things a fault of this kind strikes now, at least one of them; `None` if it strikes none.
    pub(crate) fn strike_among(&self, kind: FaultKind, count: usize) -> Option<Vec<bool>> {
        if count == 0 {
            return None;
        }
        let moment = self.strike(kind)?;
        let mut random = Random::new(self.seed.rotate_left(32) ^ moment);
        let sure = random.index(count);
        Some((0..count).map(|index| index == sure || random.below(2) == 0).collect())
    }

    /// How many of each kind happened.
    pub fn happened(&self) -> BTreeMap<FaultKind, u64> {
        let planned = self.planned();
        planned.iter().filter(|(_, of)| of.happened > 0).map(|(kind, of)| (*kind, of.happened)).collect()
    }

    fn strike(&self, kind: FaultKind) -> Option<u64> {
        let mut planned = self.planned();
        let of = planned.get_mut(&kind)?;
        let now = of.clock;
        of.clock += 1;
        while let Some((_, times)) = of.ahead.pop_if(|(at, _)| *at <= now) {
            of.due += times;
        }
        of.due = of.due.checked_sub(1)?;
        of.happened += 1;
        Some(now)
    }

    fn planned(&self) -> MutexGuard<'_, BTreeMap<FaultKind, Planned>> {
        self.planned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(faults: &Faults, kind: FaultKind) -> Vec<u64> {
        (0..200).filter(|_| faults.strikes(kind)).collect()
    }

    #[test]
    fn without_a_plan_nothing_strikes() {
        let faults = Faults::default();
        assert!(faults.is_none());
        assert!(moments(&faults, FaultKind::PartlyPut).is_empty());
        assert_eq!(faults.strike_among(FaultKind::PartlyPut, 3), None);
    }

    #[test]
    fn names_are_those_of_reports() {
        for kind in FaultKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
            assert_eq!(FaultKind::named(kind.name()), Some(kind));
        }
        assert_eq!(FaultKind::named("other"), None);
    }

    #[test]
    fn a_seed_decides_when_each_kind_strikes() {
        for kind in FaultKind::ALL {
            let of = |seed| moments(&Faults::deal(seed, 5, 100), kind);
            assert_eq!(of(7), of(7));
            assert_ne!(of(7), of(8));
            let count = of(7).len() as u64;
            assert!((5..=5 * kind.longest()).contains(&count), "{kind:?}: {count}");
        }
    }

    #[test]
    fn what_happened_is_counted_and_the_rest_is_not() {
        let faults = Faults::deal(1, 2, 10);
        assert!(!faults.is_none());
        assert!(faults.happened().is_empty());
        let struck = moments(&faults, FaultKind::AnswerLost).len() as u64;
        assert_eq!(faults.happened(), [(FaultKind::AnswerLost, struck)].into());
    }

    #[test]
    fn of_several_at_least_one_is_struck() {
        let faults = Faults::deal(3, 20, 20);
        let struck: Vec<Vec<bool>> = (0..100).filter_map(|_| faults.strike_among(FaultKind::PartlyPut, 4)).collect();
        assert!(struck.len() >= 20 && struck.iter().all(|records| records.contains(&true)));
        assert!(struck.iter().any(|records| records.contains(&false)));
        assert_eq!(faults.strike_among(FaultKind::PartlyPut, 0), None);
    }
}
