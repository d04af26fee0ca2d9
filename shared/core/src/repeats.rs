//! Telling repeats of another tidemill pipeline's outputs: sending is at least once, so some come twice.
//!
//! A producer with a journal numbers its commits, and outputs of commit n + 1 stand in a shard only behind all of n
//! (invariant I4 of the journal). So it is enough to know the highest commit and which of its outputs were taken. A
//! producer without one (a stateless pipeline) tells with each output the place before which all of its own records are
//! through, the floor: what lies below is a repeat, and what was taken from there on is remembered one by one.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::state::{Cell, KeyState, Slot};
use crate::{KeyBytes, Position, Reject};

/// What identifies one output of another tidemill pipeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent<'a> {
    /// The producer: one life of one shard's journal, or one shard of a stateless pipeline's source.
    pub producer: Cow<'a, str>,
    /// Which of the producer's outputs.
    pub place: SentPlace,
}

/// Which of a producer's outputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SentPlace {
    /// An output of a commit.
    Commit {
        /// The commit's number.
        number: u64,
        /// Which of its outputs.
        index: u32,
    },
    /// An output of a record.
    Record {
        /// The record.
        position: Position,
        /// Which of its outputs.
        index: u32,
        /// Every output of records before this place was acknowledged before this one was sent.
        floor: Position,
    },
}

/// The highest commit of a producer, and its outputs that were taken, as ranges of their numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Commits {
    #[serde(rename = "n")]
    number: u64,
    /// First and last, in order, with a gap between each two.
    #[serde(rename = "i")]
    taken: Vec<(u32, u32)>,
}

impl Sent<'_> {
    /// The key under which the producer's cells lie.
    pub(crate) fn key(&self) -> Result<KeyBytes, Reject> {
        KeyBytes::encoded(self.producer.as_ref())
    }

    /// Remembers the output; whether it is new.
    pub(crate) fn take<C>(&self, state: &mut KeyState<'_, C>) -> bool {
        match &self.place {
            SentPlace::Commit { number, index } => take_of_commit(state, *number, *index),
            SentPlace::Record { position, index, floor } => take_of_record(state, position, *index, floor),
        }
    }
}

fn take_of_commit<C>(state: &mut KeyState<'_, C>, number: u64, index: u32) -> bool {
    let commits = match state.cell(&Slot::Commits) {
        Some(Cell::Commits(known)) if number < known.number => return false,
        Some(Cell::Commits(known)) if number == known.number => match known.with(index) {
            Some(commits) => commits,
            None => return false,
        },
        _ => Commits { number, taken: vec![(index, index)] },
    };
    state.put_cell(Slot::Commits, Cell::Commits(Box::new(commits)));
    true
}

impl Commits {
    /// The outputs of both, of one commit.
    fn union(&self, other: &Self) -> Self {
        let all = other.taken.iter().flat_map(|(first, last)| *first..=*last);
        all.fold(self.clone(), |commits, index| commits.with(index).unwrap_or(commits))
    }

    /// With one more output; `None` if it was taken.
    fn with(&self, index: u32) -> Option<Self> {
        let at = self.taken.partition_point(|(first, _)| *first <= index);
        if at > 0 && self.taken[at - 1].1 >= index {
            return None;
        }
        let mut taken = self.taken.clone();
        let joins_before = at > 0 && taken[at - 1].1 + 1 == index;
        let joins_behind = taken.get(at).is_some_and(|(first, _)| index.checked_add(1) == Some(*first));
        match (joins_before, joins_behind) {
            (true, true) => taken[at - 1].1 = taken.remove(at).1,
            (true, false) => taken[at - 1].1 = index,
            (false, true) => taken[at].0 = index,
            (false, false) => taken.insert(at, (index, index)),
        }
        Some(Self { number: self.number, taken })
    }
}

fn take_of_record<C>(state: &mut KeyState<'_, C>, position: &Position, index: u32, floor: &Position) -> bool {
    let known = match state.cell(&Slot::Floor) {
        Some(Cell::Floor(known)) => Some(Position::clone(known)),
        _ => None,
    };
    let output = Slot::Output(Box::new(position.clone()), index);
    if known.as_ref().is_some_and(|known| position < known) || state.cell(&output).is_some() {
        return false;
    }
    if known.as_ref().is_none_or(|known| known < floor) {
        let first = known.unwrap_or_else(Position::first);
        state
            .slots(Slot::Output(Box::new(first), 0), Slot::Output(Box::new(floor.clone()), 0))
            .into_iter()
            .for_each(|slot| state.remove(slot));
        state.put_cell(Slot::Floor, Cell::Floor(Box::new(floor.clone())));
    }
    state.put_cell(output, Cell::Output);
    true
}

/// Takes in what a parent shard took of a producer. Each parent saw the outputs of its own part of the keys: of commits
/// the later one counts, since all of the earlier was sent before it and so lies in parents that are through; of floors
/// the higher one, for the same reason.
pub(crate) fn inherit<C>(state: &mut KeyState<'_, C>, slot: Slot, cell: Cell<C>) {
    match (&slot, cell, state.cell(&slot)) {
        (Slot::Commits, Cell::Commits(theirs), Some(Cell::Commits(ours))) => {
            let commits = match theirs.number.cmp(&ours.number) {
                Ordering::Less => ours.clone(),
                Ordering::Equal => Box::new(ours.union(&theirs)),
                Ordering::Greater => theirs,
            };
            state.put_cell(slot, Cell::Commits(commits));
        }
        (Slot::Floor, Cell::Floor(theirs), known) => {
            let ours = match known {
                Some(Cell::Floor(ours)) => Some(ours.clone()),
                _ => None,
            };
            if ours.is_none_or(|ours| ours < theirs) {
                forget_below(state, &theirs);
                state.put_cell(slot, Cell::Floor(theirs));
            }
        }
        (Slot::Output(position, _), cell, _) => {
            let is_below = matches!(state.cell(&Slot::Floor), Some(Cell::Floor(floor)) if position < floor);
            if !is_below {
                state.put_cell(slot, cell);
            }
        }
        (_, cell, _) => state.put_cell(slot, cell),
    }
}

fn forget_below<C>(state: &mut KeyState<'_, C>, floor: &Position) {
    let below = state.slots(Slot::Output(Box::new(Position::first()), 0), Slot::Output(Box::new(floor.clone()), 0));
    below.into_iter().for_each(|slot| state.remove(slot));
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::state::{Cells, Rules};
    use crate::{Corrupt, EventTime, SequenceNumber};

    /// Of an operator whose cells are never due.
    struct Undated;

    impl Rules<()> for Undated {
        fn due(&self, _: &Slot, _: &Cell<()>) -> Option<EventTime> {
            None
        }

        fn decode(&self, _: u32, _: &[u8]) -> Result<(), Corrupt> {
            Ok(())
        }
    }

    fn take(cells: &mut Cells<()>, place: SentPlace) -> bool {
        let sent = Sent { producer: "p".into(), place };
        let mut edit = cells.edit(&Undated);
        let is_new = sent.take(&mut edit.key(sent.key().expect("a key")));
        edit.finish();
        is_new
    }

    fn at(number: u64) -> Position {
        Position { sequence: SequenceNumber::parse(&number.to_string()).expect("digits"), sub_sequence: 0 }
    }

    proptest! {
        /// A producer sends each commit's outputs in any order and any number of times, commit by commit; late copies
        /// of earlier commits may follow. Each is taken once.
        #[test]
        fn each_output_of_a_commit_is_taken_once(sends in prop::collection::vec((0_u64..4, 0_u32..6), 1..60)) {
            let (mut cells, mut seen, mut highest) = (Cells::new(1), BTreeSet::new(), 0_u64);
            for (step, index) in sends {
                // Mostly the present commit, sometimes the next, sometimes an old one again.
                let number = match step { 3 => highest + 1, 2 => highest.saturating_sub(1), _ => highest };
                highest = highest.max(number);
                let expected = number == highest && seen.insert((number, index));
                prop_assert_eq!(take(&mut cells, SentPlace::Commit { number, index }), expected);
            }
        }

        /// A stateless producer sends batches again and again; each batch's floor is its first record.
        #[test]
        fn each_output_of_a_record_is_taken_once(batches in prop::collection::vec((0_u64..3, 1_u64..8), 1..20)) {
            let (mut cells, mut seen, mut next) = (Cells::new(1), BTreeSet::new(), 0_u64);
            for (back, length) in batches {
                let floor = next.saturating_sub(back);
                for number in floor..floor + length {
                    let place = SentPlace::Record { position: at(number), index: 0, floor: at(floor) };
                    prop_assert_eq!(take(&mut cells, place), seen.insert(number), "{}", number);
                }
                next = next.max(floor + length);
            }
        }
    }

    #[test]
    fn a_floor_forgets_what_lies_below_it() {
        let mut cells = Cells::<()>::new(1);
        for number in 0..5 {
            assert!(take(&mut cells, SentPlace::Record { position: at(number), index: 0, floor: at(0) }));
        }
        assert!(take(&mut cells, SentPlace::Record { position: at(9), index: 0, floor: at(4) }));
        cells.install();
        assert_eq!(cells.iter().filter(|(_, slot, ..)| matches!(slot, Slot::Output(..))).count(), 2);
        assert!(!take(&mut cells, SentPlace::Record { position: at(3), index: 0, floor: at(4) }));
    }

    #[test]
    fn a_merged_shard_knows_what_either_parent_took() {
        let commits = |number, taken: &[(u32, u32)]| Commits { number, taken: taken.to_vec() };
        let mut cells = Cells::<()>::new(1);
        let mut inherit_all = |slot: &Slot, cell: Cell<()>| {
            let mut edit = cells.edit(&Undated);
            inherit(&mut edit.key(KeyBytes::encoded("p").expect("a key")), slot.clone(), cell);
            edit.finish();
        };
        for known in
            [commits(6, &[(0, 9)]), commits(7, &[(0, 1), (4, 4)]), commits(7, &[(2, 2)]), commits(5, &[(0, 0)])]
        {
            inherit_all(&Slot::Commits, Cell::Commits(Box::new(known)));
        }
        inherit_all(&Slot::Floor, Cell::Floor(Box::new(at(3))));
        for number in [2, 3, 5] {
            inherit_all(&Slot::Output(Box::new(at(number)), 0), Cell::Output);
        }
        inherit_all(&Slot::Floor, Cell::Floor(Box::new(at(4))));
        assert!(!take(&mut cells, SentPlace::Commit { number: 7, index: 2 }));
        assert!(take(&mut cells, SentPlace::Commit { number: 7, index: 3 }));
        assert!(!take(&mut cells, SentPlace::Record { position: at(3), index: 0, floor: at(1) }), "below the floor");
        assert!(!take(&mut cells, SentPlace::Record { position: at(5), index: 0, floor: at(1) }), "taken");
        assert!(take(&mut cells, SentPlace::Record { position: at(4), index: 0, floor: at(1) }));
    }
}
