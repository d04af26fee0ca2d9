//! The cells of one key, in the order of their slots.

use std::collections::BTreeMap;

use super::Slot;

/// How many cells of a key are kept in a plain row. Most keys have fewer; a list or a join may have a million.
const ROW: usize = 32;

/// Cells by slot: a row while they are few, a tree for good once there were many.
pub(super) enum Slots<T> {
    Row(Vec<(Slot, T)>),
    Tree(BTreeMap<Slot, T>),
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self::Row(Vec::new())
    }
}

impl<T> Slots<T> {
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Row(row) => row.is_empty(),
            Self::Tree(tree) => tree.is_empty(),
        }
    }

    /// All cells in order, as long as they are a row.
    pub(super) fn row(&self) -> Option<&[(Slot, T)]> {
        match self {
            Self::Row(row) => Some(row),
            Self::Tree(_) => None,
        }
    }

    pub(super) fn get(&self, slot: &Slot) -> Option<&T> {
        match self {
            Self::Row(row) => place(row, slot).ok().map(|at| &row[at].1),
            Self::Tree(tree) => tree.get(slot),
        }
    }

    pub(super) fn get_mut(&mut self, slot: &Slot) -> Option<&mut T> {
        match self {
            Self::Row(row) => place(row, slot).ok().map(|at| &mut row[at].1),
            Self::Tree(tree) => tree.get_mut(slot),
        }
    }

    /// Puts a cell in its place; what stood there is returned.
    pub(super) fn insert(&mut self, slot: Slot, cell: T) -> Option<T> {
        match self {
            Self::Row(row) => match place(row, &slot) {
                Ok(at) => return Some(std::mem::replace(&mut row[at].1, cell)),
                Err(at) if row.len() < ROW => {
                    // No room to spare for the first: there are many keys, and most have one cell.
                    if row.len() == row.capacity() {
                        row.reserve_exact(row.len().max(1));
                    }
                    row.insert(at, (slot, cell));
                    return None;
                }
                Err(_) => *self = Self::Tree(std::mem::take(row).into_iter().collect()),
            },
            Self::Tree(_) => {}
        }
        let Self::Tree(tree) = self else { return None };
        tree.insert(slot, cell)
    }

    pub(super) fn remove(&mut self, slot: &Slot) -> Option<T> {
        match self {
            Self::Row(row) => place(row, slot).ok().map(|at| row.remove(at).1),
            Self::Tree(tree) => tree.remove(slot),
        }
    }

    /// The cells from `first` on and before `end`, which does not lie before it.
    pub(super) fn range(&self, first: &Slot, end: &Slot) -> impl DoubleEndedIterator<Item = (&Slot, &T)> {
        let (row, tree) = match self {
            Self::Row(row) => {
                let at = |bound: &Slot| row.partition_point(|(slot, _)| slot < bound);
                (&row[at(first)..at(end)], None)
            }
            Self::Tree(tree) => (&[][..], Some(tree.range(first..end))),
        };
        row.iter().map(|(slot, cell)| (slot, cell)).chain(tree.into_iter().flatten())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Slot, &T)> {
        let (row, tree) = match self {
            Self::Row(row) => (&row[..], None),
            Self::Tree(tree) => (&[][..], Some(tree)),
        };
        row.iter().map(|(slot, cell)| (slot, cell)).chain(tree.into_iter().flatten())
    }
}

fn place<T>(row: &[(Slot, T)], slot: &Slot) -> Result<usize, usize> {
    row.binary_search_by(|(other, _)| match (other, slot) {
        // What most comparisons are, in place.
        (Slot::Window(a, b), Slot::Window(c, d)) => (a, b).cmp(&(c, d)),
        (Slot::Slice(a), Slot::Slice(b)) => a.cmp(b),
        _ => other.cmp(slot),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::EventTime;

    fn timer(at: i64) -> Slot {
        Slot::Timer(EventTime::from_millis(at))
    }

    proptest! {
        #[test]
        fn rows_and_trees_are_ordered_maps(
            changes in prop::collection::vec((0..60_i64, any::<Option<u8>>()), 0..200), first in 0..60_i64, length in 0..60_i64,
        ) {
            let (mut slots, mut model) = (Slots::default(), BTreeMap::new());
            for (at, cell) in changes {
                let before = match cell {
                    Some(cell) => (slots.insert(timer(at), cell), model.insert(timer(at), cell)),
                    None => (slots.remove(&timer(at)), model.remove(&timer(at))),
                };
                prop_assert_eq!(before.0, before.1);
                prop_assert_eq!(slots.get(&timer(at)), model.get(&timer(at)));
                prop_assert_eq!(slots.get_mut(&timer(at)).copied(), model.get(&timer(at)).copied());
            }
            prop_assert_eq!(slots.is_empty(), model.is_empty());
            prop_assert!(slots.iter().eq(&model));
            let (first, end) = (timer(first), timer(first + length));
            prop_assert!(slots.range(&first, &end).eq(model.range(&first..&end)));
            prop_assert!(slots.range(&first, &end).rev().eq(model.range(&first..&end).rev()));
        }
    }
}
