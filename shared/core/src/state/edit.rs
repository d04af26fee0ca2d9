//! What one record or one firing does to the state: all of it or nothing.

use smallvec::SmallVec;

use super::due::DueIndex;
use super::key_cells::{Entry, Kept, KeptCells, Stored};
use super::keys::Place;
use super::{Cell, Cells, Due, KeyCells, Rules, Slot, StateKey};
use crate::{EventTime, KeyBytes, Reject};

/// The state as one record or firing sees and changes it. Dropped without [`finish`](Self::finish), it changed nothing.
pub(crate) struct Edit<'c, C> {
    cells: &'c mut Cells<C>,
    rules: &'c dyn Rules<C>,
}

/// How a cell was before one change of an edit.
pub(super) struct Undo<C> {
    place: Place,
    slot: Slot,
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
        let place = Cells::place(&mut self.cells.keys, StateKey::of(bytes));
        self.key_at(place)
    }

    /// The cells of the key of which one is due.
    pub(crate) fn key_of(&mut self, due: &Due) -> KeyState<'_, C> {
        self.key_at(due.place)
    }

    fn key_at(&mut self, place: Place) -> KeyState<'_, C> {
        let Cells { keys, kept, undo, fresh, due, .. } = &mut *self.cells;
        let cells = keys.get_mut(place).expect("a key stays while a step is in progress");
        if cells.slots.is_empty() {
            fresh.push(place);
        }
        KeyState { place, cells, kept, undo, due, rules: self.rules }
    }

    /// Leaves the changes in the step.
    pub(crate) fn finish(self) {
        let Cells { keys, undo, touched, .. } = &mut *self.cells;
        for Undo { place, slot, before } in undo.drain(..) {
            let Some(cells) = keys.get_mut(place) else { continue };
            match before {
                Before::Vacant | Before::Kept => touched.add(place, cells, slot),
                Before::Removed(_) => touched.take_back(cells, &slot),
                Before::Touched(..) => {}
            }
        }
    }
}

impl<C> Drop for Edit<'_, C> {
    fn drop(&mut self) {
        let Cells { keys, kept, undo, due, .. } = &mut *self.cells;
        while let Some(Undo { place, slot, before }) = undo.pop() {
            if let Some(cells) = keys.get_mut(place) {
                before.restore(slot, cells, kept);
                let at = cells.first_due().map(|(at, _)| at);
                due.list(place, cells, at);
            }
        }
    }
}

impl<C> Before<C> {
    fn restore(self, slot: Slot, cells: &mut KeyCells<C>, kept: &mut KeptCells<C>) {
        match self {
            Self::Vacant => {
                cells.remove(&slot);
            }
            Self::Removed(entry) => {
                cells.insert(slot, *entry);
            }
            Self::Kept => cells.put_back(&slot, kept),
            Self::Touched(cell, at) => {
                if let Some(entry) = cells.slots.get_mut(&slot) {
                    entry.now = cell;
                    cells.set_due(&slot, at);
                }
            }
        }
    }
}

/// The cells of one key.
pub(crate) struct KeyState<'e, C> {
    place: Place,
    cells: &'e mut KeyCells<C>,
    kept: &'e mut KeptCells<C>,
    undo: &'e mut Vec<Undo<C>>,
    due: &'e mut DueIndex,
    rules: &'e dyn Rules<C>,
}

impl<C> KeyState<'_, C> {
    pub(crate) fn cell(&self, slot: &Slot) -> Option<&Cell<C>> {
        self.cells.slots.get(slot)?.now.as_ref()
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
        self.cells.slots.iter().any(|(slot, entry)| entry.now.is_some() && *slot < Slot::Commits)
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
        let entry = self.cells.slots.get_mut(&slot);
        let Some(Entry { now: Some(Cell::Operator(cell)), due, kept, bytes }) = entry else {
            let mut cell = fresh();
            change(&mut cell)?;
            self.put(slot, cell);
            return Ok(());
        };
        let before = Cell::Operator(cell.clone());
        let before = if *kept == Kept::Same {
            *kept = self.kept.keep(Stored { cell: before, due: *due, bytes: *bytes });
            Before::Kept
        } else {
            Before::Touched(Some(before), *due)
        };
        // Before user code is called: it may panic.
        self.undo.push(Undo { place: self.place, slot, before });
        change(cell)
    }

    pub(crate) fn remove(&mut self, slot: Slot) {
        self.change(slot, None, None);
    }

    fn change(&mut self, slot: Slot, cell: Option<Cell<C>>, at: Option<EventTime>) {
        let before = match self.cells.slots.get_mut(&slot) {
            None if cell.is_none() => return,
            None => {
                self.cells.insert(slot.clone(), Entry { now: cell, due: at, bytes: 0, kept: Kept::Vacant });
                Before::Vacant
            }
            Some(entry) if cell.is_none() && entry.kept == Kept::Vacant => {
                // It came and went within the step: nothing to store, and nothing for later looks to pass over.
                let Some(entry) = self.cells.remove(&slot) else { return };
                Before::Removed(Box::new(entry))
            }
            Some(entry) => {
                let (now, due) = (std::mem::replace(&mut entry.now, cell), entry.due);
                let before = match now {
                    Some(cell) if entry.kept == Kept::Same => {
                        entry.kept = self.kept.keep(Stored { cell, due, bytes: entry.bytes });
                        Before::Kept
                    }
                    now => Before::Touched(now, due),
                };
                self.cells.set_due(&slot, at);
                before
            }
        };
        self.due.list(self.place, self.cells, at);
        self.undo.push(Undo { place: self.place, slot, before });
    }

    /// The operator's cells in the slots from `first` on and before `end`, which does not lie before it, in order.
    pub(crate) fn range(&self, first: &Slot, end: &Slot) -> impl Iterator<Item = &C> {
        self.cells.slots.range(first, end).filter_map(|(_, entry)| match entry.now.as_ref()? {
            Cell::Operator(cell) => Some(cell),
            _ => None,
        })
    }

    /// The taken slots from `first` on and before `end`, in order.
    pub(crate) fn slots(&self, first: Slot, end: Slot) -> SmallVec<[Slot; 4]> {
        if first >= end {
            return SmallVec::new();
        }
        self.taken(&first, &end).cloned().collect()
    }

    /// The taken slots from `first` on and before `end`, which does not lie before it, in order.
    pub(crate) fn taken(&self, first: &Slot, end: &Slot) -> impl DoubleEndedIterator<Item = &Slot> {
        let taken = self.cells.slots.range(first, end).filter(|(_, entry)| entry.now.is_some());
        taken.map(|(slot, _)| slot)
    }

    /// The last taken slot from `first` on and before `end`, which lies behind it.
    pub(crate) fn last_slot(&self, first: Slot, end: Slot) -> Option<Slot> {
        self.taken(&first, &end).next_back().cloned()
    }
}
