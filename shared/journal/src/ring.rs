//! The ring of slots: where record n lies.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

/// R of a new journal.
pub const DEFAULT_RING: Ring = Ring(1024);

/// R, the number of slots. Fixed in record 1 for the life of the journal and carried by every record: two sizes on one
/// journal would place one number in two slots, and fork it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ring(u32);

impl Ring {
    /// A ring of `slots`, at least 2: a commit that replaces what it needs to be checked against could not be fenced.
    pub fn of(slots: u32) -> Option<Self> {
        (slots >= 2).then_some(Self(slots))
    }

    /// The number of slots.
    pub const fn slots(self) -> u32 {
        self.0
    }

    /// The slot of record `number`.
    pub fn slot(self, number: u64) -> u32 {
        u32::try_from(number % u64::from(self.0)).unwrap_or(0)
    }

    /// The record that stood in the slot of `number` one lap before; `None` in the first lap.
    pub fn lap_before(self, number: u64) -> Option<u64> {
        number.checked_sub(u64::from(self.0)).filter(|before| *before > 0)
    }

    /// The slots of records `first..=last` (at most R of them), in the order of their numbers: two ranges where the ring
    /// wraps, none if `first > last`.
    pub fn ranges(self, first: u64, last: u64) -> Vec<RangeInclusive<u32>> {
        if first > last {
            return Vec::new();
        }
        let (from, to) = (self.slot(first), self.slot(last));
        if from <= to { vec![from..=to] } else { vec![from..=self.0 - 1, 0..=to] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_wrap_once() {
        let ring = Ring::of(4).expect("a ring");
        assert_eq!(ring.ranges(1, 3), vec![1..=3]);
        assert_eq!(ring.ranges(3, 5), vec![3..=3, 0..=1]);
        assert_eq!(ring.ranges(4, 7), vec![0..=3]);
        assert!(ring.ranges(5, 4).is_empty());
    }

    #[test]
    fn the_first_lap_has_nothing_before_it() {
        let ring = Ring::of(4).expect("a ring");
        assert_eq!(ring.lap_before(4), None);
        assert_eq!(ring.lap_before(5), Some(1));
        assert_eq!(Ring::of(1), None);
    }
}
