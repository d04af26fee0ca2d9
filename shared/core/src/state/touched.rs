//! What the step in progress touched.

use smallvec::SmallVec;

use super::keys::Place;
use super::{KeyCells, Slot};

/// The cells that the step touched. Of each key they are a list from the last one back, so that nothing is sorted.
#[derive(Default)]
pub(super) struct Touched {
    /// In the order in which they were touched first.
    pub(super) keys: Vec<Place>,
    /// With the one of the same key before. One that came, went and came again stands there more than once.
    cells: Vec<(Slot, Option<usize>)>,
}

impl Touched {
    pub(super) fn add<C>(&mut self, place: Place, cells: &mut KeyCells<C>, slot: Slot) {
        let before = cells.touched.replace(self.cells.len());
        if before.is_none() {
            self.keys.push(place);
        }
        self.cells.push((slot, before));
    }

    /// A cell that came within the step went again. Of a cell that moves from slot to slot, like a session that grows, only
    /// the first slot and the last are left.
    pub(super) fn take_back<C>(&mut self, cells: &mut KeyCells<C>, slot: &Slot) {
        let last = cells.touched.and_then(|place| self.cells.get(place));
        if let Some((_, before @ Some(_))) = last.filter(|(last, _)| last == slot) {
            cells.touched = *before;
        }
    }

    /// About how many there are.
    pub(super) const fn len(&self) -> usize {
        self.cells.len()
    }

    /// Those of a key of which `last` is the last one: in order, each once.
    pub(super) fn of(&self, last: Option<usize>) -> SmallVec<[&Slot; 8]> {
        let mut slots = SmallVec::new();
        let mut next = last;
        while let Some((slot, before)) = next.and_then(|place| self.cells.get(place)) {
            slots.push(slot);
            next = *before;
        }
        slots.sort_unstable();
        slots.dedup();
        slots
    }

    pub(super) fn clear(&mut self) {
        self.keys.clear();
        self.cells.clear();
    }
}
