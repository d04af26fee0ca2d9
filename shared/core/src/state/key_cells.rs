//! The cells of one key.

use std::collections::BTreeSet;

use super::slots::Slots;
use super::{Cell, Slot, StateKey};
use crate::EventTime;

/// A cell as the step in progress has it, and beside that as of the last commit.
pub(super) struct Entry<C> {
    /// `None` if the step took it away.
    pub(super) now: Option<Cell<C>>,
    /// When it is due. Changed by [`KeyCells`] alone.
    pub(super) due: Option<EventTime>,
    /// About how many bytes it takes when stored: known once it was encoded for a commit.
    pub(super) bytes: usize,
    pub(super) kept: Kept,
}

/// A cell as of the last commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// As it is now: the step did not touch it.
    Same,
    /// There was none.
    Vacant,
    /// Another, which stands there in [`KeptCells`].
    Other(usize),
}

/// A cell of the last commit that the step in progress changed.
pub(super) struct Stored<C> {
    pub(super) cell: Cell<C>,
    pub(super) due: Option<EventTime>,
    pub(super) bytes: usize,
}

/// Cells of the last commit that the step in progress changed. One that was put back leaves its place empty.
pub(super) struct KeptCells<C>(Vec<Option<Stored<C>>>);

impl<C> KeptCells<C> {
    pub(super) const fn new() -> Self {
        Self(Vec::new())
    }

    pub(super) fn keep(&mut self, stored: Stored<C>) -> Kept {
        self.0.push(Some(stored));
        Kept::Other(self.0.len() - 1)
    }

    pub(super) fn get(&self, place: usize) -> Option<&Stored<C>> {
        self.0.get(place)?.as_ref()
    }

    pub(super) fn take(&mut self, place: usize) -> Option<Stored<C>> {
        self.0.get_mut(place)?.take()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

impl<C> Entry<C> {
    pub(super) const fn stored(cell: Cell<C>, due: Option<EventTime>, bytes: usize) -> Self {
        Self { now: Some(cell), due, bytes, kept: Kept::Same }
    }

    pub(super) fn committed<'e>(&'e self, kept: &'e KeptCells<C>) -> Option<(Option<EventTime>, &'e Cell<C>)> {
        match self.kept {
            Kept::Same => self.now.as_ref().map(|cell| (self.due, cell)),
            Kept::Vacant => None,
            Kept::Other(place) => kept.get(place).map(|stored| (stored.due, &stored.cell)),
        }
    }

    pub(super) fn committed_bytes(&self, kept: &KeptCells<C>) -> usize {
        match self.kept {
            Kept::Same => self.bytes,
            Kept::Vacant => 0,
            Kept::Other(place) => kept.get(place).map_or(0, |stored| stored.bytes),
        }
    }
}

/// The cells of one key, and which of them is due first.
pub(super) struct KeyCells<C> {
    pub(super) key: StateKey,
    pub(super) slots: Slots<Entry<C>>,
    /// All that are due, in order, once there are many. Of a row the first is found by looking.
    due: BTreeSet<(EventTime, Slot)>,
    /// At which time the key stands in the index of what is due: none of its cells is due before. `None` if none is.
    pub(super) listed: Option<EventTime>,
    /// The last of its cells in the list of what the step touched.
    pub(super) touched: Option<usize>,
}

impl<C> KeyCells<C> {
    pub(super) fn new(key: StateKey) -> Self {
        Self { key, slots: Slots::default(), due: BTreeSet::new(), listed: None, touched: None }
    }

    /// When a cell is due first, and the first such cell in the order of slots.
    pub(super) fn first_due(&self) -> Option<(EventTime, &Slot)> {
        let Some(row) = self.slots.row() else { return self.due.first().map(|(at, slot)| (*at, slot)) };
        let mut first: Option<(EventTime, &Slot)> = None;
        for (slot, entry) in row {
            if let Some(at) = entry.due.filter(|at| first.is_none_or(|(earlier, _)| *at < earlier)) {
                first = Some((at, slot));
            }
        }
        first
    }

    /// Puts a cell in its place; what stood there is returned.
    pub(super) fn insert(&mut self, slot: Slot, entry: Entry<C>) -> Option<Entry<C>> {
        if self.slots.row().is_none() {
            let before = self.slots.get(&slot).and_then(|before| before.due);
            self.move_in_tree(&slot, before, entry.due);
            return self.slots.insert(slot, entry);
        }
        let before = self.slots.insert(slot, entry);
        if self.slots.row().is_none() {
            let due = self.slots.iter().filter_map(|(slot, entry)| Some((entry.due?, slot.clone())));
            self.due = due.collect();
        }
        before
    }

    pub(super) fn remove(&mut self, slot: &Slot) -> Option<Entry<C>> {
        let gone = self.slots.remove(slot)?;
        self.move_in_tree(slot, gone.due, None);
        Some(gone)
    }

    /// Changes when a cell is due.
    pub(super) fn set_due(&mut self, slot: &Slot, due: Option<EventTime>) {
        let Some(entry) = self.slots.get_mut(slot) else { return };
        let before = std::mem::replace(&mut entry.due, due);
        self.move_in_tree(slot, before, due);
    }

    /// A cell as it was at the last commit, at which there was one.
    pub(super) fn put_back(&mut self, slot: &Slot, kept: &mut KeptCells<C>) {
        let Some(entry) = self.slots.get_mut(slot) else { return };
        let Kept::Other(place) = entry.kept else { return };
        let Some(Stored { cell, due, bytes }) = kept.take(place) else { return };
        (entry.now, entry.bytes, entry.kept) = (Some(cell), bytes, Kept::Same);
        self.set_due(slot, due);
    }

    fn move_in_tree(&mut self, slot: &Slot, before: Option<EventTime>, after: Option<EventTime>) {
        if before == after || self.slots.row().is_some() {
            return;
        }
        before.map(|at| self.due.remove(&(at, slot.clone())));
        after.map(|at| self.due.insert((at, slot.clone())));
    }
}
