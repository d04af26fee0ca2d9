//! What one record or one firing does to the state: all of it or nothing.

use std::collections::BTreeSet;

use super::cells::{CellId, Cells, Due, Entry, Kept, move_due};
use super::slots::Slots;
use super::{Cell, Rules, Slot, StateKey};
use crate::{EventTime, KeyBytes, Reject};

/// The state as one record or firing sees and changes it. Dropped without [`finish`](Self::finish), it changed nothing.
pub(crate) struct Edit<'c, C> {
    cells: &'c mut Cells<C>,
    rules: &'c dyn Rules<C>,
}

/// How a cell was before one change of an edit.
pub(super) struct Undo<C> {
    id: CellId,
    before: Before<C>,
}

enum Before<C> {
    /// There was none.
    Vacant,
    /// As of the last commit.
    Kept,
    /// As the step had left it.
    Touched(Option<Cell<C>>, Option<EventTime>),
    /// It came within the step, and the change took it away.
    Removed(Box<Entry<C>>),
}

impl<'c, C> Edit<'c, C> {
    pub(super) const fn new(cells: &'c mut Cells<C>, rules: &'c dyn Rules<C>) -> Self {
        Self { cells, rules }
    }

    /// The cells of one key.
    pub(crate) fn key(&mut self, bytes: KeyBytes) -> KeyState<'_, C> {
        let key = StateKey::of(bytes);
        let Cells { keys, undo, emptied, due, .. } = &mut *self.cells;
        let slots = keys.entry(key.clone()).or_default();
        if slots.is_empty() {
            emptied.push(key.clone());
        }
        KeyState { key, slots, undo, emptied, due, rules: self.rules }
    }

    /// Leaves the changes in the step.
    pub(crate) fn finish(self) {
        let Cells { undo, touched, .. } = &mut *self.cells;
        while let Some(Undo { id, before }) = undo.pop() {
            if matches!(before, Before::Vacant | Before::Kept) {
                touched.push(id);
            }
        }
    }
}

impl<C> Drop for Edit<'_, C> {
    fn drop(&mut self) {
        let Cells { keys, undo, emptied, due, .. } = &mut *self.cells;
        while let Some(Undo { id, before }) = undo.pop() {
            let slots = keys.entry(id.key.clone()).or_default();
            before.restore(&id, slots, due);
        }
        while let Some(key) = emptied.pop() {
            if keys.get(&key).is_some_and(Slots::is_empty) {
                keys.remove(&key);
            }
        }
    }
}

impl<C> Before<C> {
    fn restore(self, id: &CellId, slots: &mut Slots<Entry<C>>, due: &mut BTreeSet<Due>) {
        match self {
            Self::Vacant => {
                let gone = slots.remove(&id.slot);
                move_due(due, id, gone.and_then(|gone| gone.due), None);
            }
            Self::Removed(entry) => {
                move_due(due, id, None, entry.due);
                slots.insert(id.slot.clone(), *entry);
            }
            Self::Kept => {
                if let Some(entry) = slots.get_mut(&id.slot) {
                    entry.discard(id, due);
                }
            }
            Self::Touched(cell, at) => {
                if let Some(entry) = slots.get_mut(&id.slot) {
                    move_due(due, id, entry.due, at);
                    (entry.now, entry.due) = (cell, at);
                }
            }
        }
    }
}

/// The cells of one key.
pub(crate) struct KeyState<'e, C> {
    key: StateKey,
    slots: &'e mut Slots<Entry<C>>,
    undo: &'e mut Vec<Undo<C>>,
    emptied: &'e mut Vec<StateKey>,
    due: &'e mut BTreeSet<Due>,
    rules: &'e dyn Rules<C>,
}

impl<C> KeyState<'_, C> {
    pub(crate) fn cell(&self, slot: &Slot) -> Option<&Cell<C>> {
        self.slots.get(slot)?.now.as_ref()
    }

    /// The operator's cell in a slot.
    pub(crate) fn get(&self, slot: &Slot) -> Option<&C> {
        match self.cell(slot)? {
            Cell::Operator(cell) => Some(cell),
            _ => None,
        }
    }

    /// Whether anything is kept of the key.
    pub(crate) fn is_known(&self) -> bool {
        self.slots.iter().any(|(slot, entry)| entry.now.is_some() && *slot < Slot::Commits)
    }

    pub(crate) fn put(&mut self, slot: Slot, cell: C) {
        self.put_cell(slot, Cell::Operator(cell));
    }

    pub(crate) fn put_cell(&mut self, slot: Slot, cell: Cell<C>) {
        let at = self.rules.due(&slot, &cell);
        self.change(slot, Some(cell), at);
    }

    /// Changes the operator's cell in a slot, or one made by `fresh` if there is none, in place. What the change leaves
    /// behind if it fails is undone with the edit. It must not change when the cell is due.
    pub(crate) fn update(
        &mut self,
        slot: Slot,
        fresh: impl FnOnce() -> C,
        change: impl FnOnce(&mut C) -> Result<(), Reject>,
    ) -> Result<(), Reject>
    where
        C: Clone,
    {
        let entry = self.slots.get_mut(&slot);
        let Some(Entry { now: Some(Cell::Operator(cell)), due, kept, bytes }) = entry else {
            let mut cell = fresh();
            change(&mut cell)?;
            self.put(slot, cell);
            return Ok(());
        };
        let before = Cell::Operator(cell.clone());
        let before = if matches!(kept, Kept::Same) {
            *kept = Kept::other(before, *due, *bytes);
            Before::Kept
        } else {
            Before::Touched(Some(before), *due)
        };
        // Before user code is called: it may panic.
        self.undo.push(Undo { id: CellId { key: self.key.clone(), slot }, before });
        change(cell)
    }

    pub(crate) fn remove(&mut self, slot: Slot) {
        self.change(slot, None, None);
    }

    fn change(&mut self, slot: Slot, cell: Option<Cell<C>>, at: Option<EventTime>) {
        let id = CellId { key: self.key.clone(), slot };
        let Some(entry) = self.slots.get_mut(&id.slot) else {
            if cell.is_some() {
                move_due(self.due, &id, None, at);
                self.slots.insert(id.slot.clone(), Entry { now: cell, due: at, bytes: 0, kept: Kept::Vacant });
                self.undo.push(Undo { id, before: Before::Vacant });
            }
            return;
        };
        move_due(self.due, &id, entry.due, at);
        let before = if cell.is_none() && matches!(entry.kept, Kept::Vacant) {
            // It came and went within the step: nothing to store, and nothing for later looks to pass over.
            let Some(entry) = self.slots.remove(&id.slot) else { return };
            self.emptied.extend(self.slots.is_empty().then(|| self.key.clone()));
            Before::Removed(Box::new(entry))
        } else if matches!(entry.kept, Kept::Same) {
            entry.touch();
            (entry.now, entry.due) = (cell, at);
            Before::Kept
        } else {
            let before = Before::Touched(std::mem::replace(&mut entry.now, cell), entry.due);
            entry.due = at;
            before
        };
        self.undo.push(Undo { id, before });
    }

    /// The operator's cells in the slots from `first` on and before `end`, which does not lie before it, in order.
    pub(crate) fn range(&self, first: &Slot, end: &Slot) -> impl Iterator<Item = &C> {
        self.slots.range(first, end).filter_map(|(_, entry)| match entry.now.as_ref()? {
            Cell::Operator(cell) => Some(cell),
            _ => None,
        })
    }

    /// The taken slots from `first` on and before `end`, in order.
    pub(crate) fn slots(&self, first: Slot, end: Slot) -> Vec<Slot> {
        if first >= end {
            return Vec::new();
        }
        let taken = self.slots.range(&first, &end).filter(|(_, entry)| entry.now.is_some());
        taken.map(|(slot, _)| slot.clone()).collect()
    }

    /// The last taken slot from `first` on and before `end`, which lies behind it.
    pub(crate) fn last_slot(&self, first: Slot, end: Slot) -> Option<Slot> {
        let mut taken = self.slots.range(&first, &end).filter(|(_, entry)| entry.now.is_some());
        taken.next_back().map(|(slot, _)| slot.clone())
    }
}
