//! What one record or one firing does to the state: all of it or nothing.

use std::collections::BTreeMap;

use super::cells::{CellId, Staged};
use super::{Cell, Cells, Slot, StateKey};
use crate::KeyBytes;

/// The state as one record or firing sees and changes it. Dropped, it changed nothing; its [`Staged`] changes are taken
/// over by [`Cells::take_over`].
pub(crate) struct Edit<'c, C> {
    cells: &'c Cells<C>,
    pub(super) staged: Staged<C>,
}

impl<'c, C> Edit<'c, C> {
    pub(crate) const fn new(cells: &'c Cells<C>) -> Self {
        Self { cells, staged: Staged(BTreeMap::new()) }
    }

    /// The cells of one key.
    pub(crate) fn key(&mut self, bytes: KeyBytes) -> KeyState<'_, 'c, C> {
        KeyState { key: StateKey::of(bytes), edit: self }
    }
}

/// The cells of one key.
pub(crate) struct KeyState<'e, 'c, C> {
    key: StateKey,
    edit: &'e mut Edit<'c, C>,
}

impl<C> KeyState<'_, '_, C> {
    pub(crate) fn cell(&self, slot: &Slot) -> Option<&Cell<C>> {
        let id = self.id(slot.clone());
        match self.edit.staged.0.get(&id) {
            Some(staged) => staged.as_ref(),
            None => self.edit.cells.get(&id),
        }
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
        self.last_slot(Slot::FIRST, Slot::Commits).is_some()
    }

    pub(crate) fn put(&mut self, slot: Slot, cell: C) {
        self.put_cell(slot, Cell::Operator(cell));
    }

    pub(crate) fn put_cell(&mut self, slot: Slot, cell: Cell<C>) {
        let id = self.id(slot);
        self.edit.staged.0.insert(id, Some(cell));
    }

    pub(crate) fn remove(&mut self, slot: Slot) {
        let id = self.id(slot);
        self.edit.staged.0.insert(id, None);
    }

    /// The taken slots from `first` on and before `end`, in order.
    pub(crate) fn slots(&self, first: Slot, end: Slot) -> Vec<Slot> {
        if first >= end {
            return Vec::new();
        }
        let (first, end) = (self.id(first), self.id(end));
        let mut slots = self.edit.cells.slots(&first, &end);
        slots.extend(self.edit.staged.0.range(&first..&end).map(|(id, _)| id.slot.clone()));
        slots.into_iter().filter(|slot| self.cell(slot).is_some()).collect()
    }

    /// The last taken slot from `first` on and before `end`, which lies behind it.
    pub(crate) fn last_slot(&self, first: Slot, end: Slot) -> Option<Slot> {
        let (first, mut end) = (self.id(first), self.id(end));
        loop {
            let staged = self.edit.staged.0.range(&first..&end).next_back().map(|(id, _)| id);
            let last = staged.max(self.edit.cells.last(&first, &end))?.clone();
            if self.cell(&last.slot).is_some() {
                return Some(last.slot);
            }
            end = last;
        }
    }

    fn id(&self, slot: Slot) -> CellId {
        CellId { key: self.key.clone(), slot }
    }
}
