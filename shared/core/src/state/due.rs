//! What is due, in firing order.

use std::collections::BTreeSet;

use super::keys::{Keys, Place};
use super::{KeyCells, Slot};
use crate::{EventTime, KeyBytes, Watermark};

/// A cell that is due at an instant. Cells fire by time, then key bytes, then slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) at: EventTime,
    pub(crate) key: KeyBytes,
    pub(crate) slot: Slot,
    pub(super) place: Place,
}

/// A key that has nothing due before an instant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Listed {
    at: EventTime,
    key: KeyBytes,
    place: Place,
}

/// The keys that have something due. Each stands there once, at a time that is not after its first cell is due, so that a
/// cell that is due later than before, or no more, moves nothing; it is put right when it comes up.
///
/// Settled, the first one stands where its cell is due, and so tells truly what is due next. The index is settled but
/// within a step.
#[derive(Default)]
pub(super) struct DueIndex(BTreeSet<Listed>);

impl DueIndex {
    /// A cell of the key is due at `at` from now on.
    pub(super) fn list<C>(&mut self, place: Place, cells: &mut KeyCells<C>, at: Option<EventTime>) {
        let Some(at) = at.filter(|at| cells.listed.is_none_or(|listed| *at < listed)) else { return };
        self.forget(place, cells);
        self.0.insert(Listed { at, key: cells.key.bytes.clone(), place });
        cells.listed = Some(at);
    }

    /// Nothing of the key is due any more.
    pub(super) fn forget<C>(&mut self, place: Place, cells: &mut KeyCells<C>) {
        if let Some(at) = cells.listed.take() {
            self.0.remove(&Listed { at, key: cells.key.bytes.clone(), place });
        }
    }

    /// When something is due next, of a settled index.
    pub(super) fn next(&self) -> Option<EventTime> {
        self.0.first().map(|first| first.at)
    }

    /// The cell that is due first, if it is at `watermark`.
    pub(super) fn first<C>(&mut self, watermark: Watermark, keys: &mut Keys<KeyCells<C>>) -> Option<Due> {
        while let Some(Listed { at, key, place }) = self.0.first().filter(|first| watermark.has_reached(first.at)) {
            if let Some((due, slot)) = keys.get(*place).and_then(KeyCells::first_due).filter(|(due, _)| due == at) {
                return Some(Due { at: due, key: key.clone(), slot: slot.clone(), place: *place });
            }
            self.put_right(keys);
        }
        None
    }

    /// Puts right what stands first, until it is.
    pub(super) fn settle<C>(&mut self, keys: &mut Keys<KeyCells<C>>) {
        while self.0.first().is_some_and(|first| !is_right(first, keys)) {
            self.put_right(keys);
        }
    }

    /// Puts the first one where its cell is due.
    fn put_right<C>(&mut self, keys: &mut Keys<KeyCells<C>>) {
        let Some(first) = self.0.pop_first() else { return };
        let Some(cells) = keys.get_mut(first.place) else { return };
        cells.listed = cells.first_due().map(|(at, _)| at);
        self.0.extend(cells.listed.map(|at| Listed { at, ..first }));
    }
}

fn is_right<C>(listed: &Listed, keys: &Keys<KeyCells<C>>) -> bool {
    let due = keys.get(listed.place).and_then(KeyCells::first_due);
    due.is_some_and(|(at, _)| at == listed.at)
}
