//! All cells of a shard.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Cell, Change, Corrupt, Edit, Slot, StateKey};
use crate::{EventTime, KeyBytes, PartRange, Reject, Watermark, codec, repeats};

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct CellId {
    pub(super) key: StateKey,
    pub(super) slot: Slot,
}

/// A cell that is due at an instant. The order is the order of firing: by time, then key bytes, then slot.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Due {
    pub(crate) at: EventTime,
    pub(crate) key: KeyBytes,
    pub(crate) slot: Slot,
}

/// A cell, when it is due, and about how many bytes it takes when stored: known once it was encoded for a commit.
struct Entry<T> {
    cell: T,
    due: Option<EventTime>,
    bytes: usize,
}

/// All cells of a shard: those of the last commit, and over them those that the step in progress touched.
///
/// `kept` is exactly the state as of the view's last commit until `install`, so an image of it may be taken meanwhile.
/// `due` follows the step in progress at once, and `discard` takes it back.
pub(crate) struct Cells<C> {
    kept: BTreeMap<CellId, Entry<Cell<C>>>,
    touched: BTreeMap<CellId, Entry<Option<Cell<C>>>>,
    due: BTreeSet<Due>,
    /// The sum over the kept cells.
    bytes: usize,
    /// The version of the pipeline that writes them.
    version: u32,
}

/// What the operator says of its cells.
pub(crate) trait Rules<C> {
    /// When a cell is due, if ever.
    fn due(&self, slot: &Slot, cell: &Cell<C>) -> Option<EventTime>;

    /// A cell of the operator from the bytes that this version of the pipeline wrote.
    fn decode(&self, version: u32, bytes: &[u8]) -> Result<C, Corrupt>;
}

impl<C> Cells<C> {
    pub(crate) const fn new(version: u32) -> Self {
        Self { kept: BTreeMap::new(), touched: BTreeMap::new(), due: BTreeSet::new(), bytes: 0, version }
    }

    pub(super) fn get(&self, id: &CellId) -> Option<&Cell<C>> {
        match self.touched.get(id) {
            Some(touched) => touched.cell.as_ref(),
            None => self.kept.get(id).map(|kept| &kept.cell),
        }
    }

    /// The slots of a key in a range that are taken now or were at the last commit.
    pub(super) fn slots(&self, first: &CellId, end: &CellId) -> BTreeSet<Slot> {
        let kept = self.kept.range(first..end).map(|(id, _)| id.slot.clone());
        kept.chain(self.touched.range(first..end).map(|(id, _)| id.slot.clone())).collect()
    }

    /// The last cell in a range that is taken now or was at the last commit.
    pub(super) fn last(&self, first: &CellId, end: &CellId) -> Option<&CellId> {
        let kept = self.kept.range(first..end).next_back().map(|(id, _)| id);
        kept.max(self.touched.range(first..end).next_back().map(|(id, _)| id))
    }

    /// The cell that is due first, if it is at `watermark`.
    pub(crate) fn first_due(&self, watermark: Watermark) -> Option<&Due> {
        self.due.first().filter(|due| watermark.has_reached(due.at))
    }

    /// When the cell that is due first is due, if any is.
    pub(crate) fn next_due(&self) -> Option<EventTime> {
        self.due.first().map(|due| due.at)
    }

    /// Takes over what a record or a firing changed.
    pub(crate) fn take_over(&mut self, edit: Staged<C>, rules: &impl Rules<C>) {
        for (id, cell) in edit.0 {
            let due = cell.as_ref().and_then(|cell| rules.due(&id.slot, cell));
            let before = match self.touched.get(&id) {
                Some(touched) => touched.due,
                None => self.kept.get(&id).and_then(|kept| kept.due),
            };
            self.move_due(&id, before, due);
            if cell.is_none() && !self.kept.contains_key(&id) {
                // It came and went within the step: nothing to store, and nothing for later looks to pass over.
                self.touched.remove(&id);
            } else {
                self.touched.insert(id, Entry { cell, due, bytes: 0 });
            }
        }
    }

    fn move_due(&mut self, id: &CellId, before: Option<EventTime>, after: Option<EventTime>) {
        if before == after {
            return;
        }
        let entry = |at| Due { at, key: id.key.bytes.clone(), slot: id.slot.clone() };
        before.map(entry).map(|due| self.due.remove(&due));
        after.map(entry).map(|due| self.due.insert(due));
    }

    pub(crate) fn install(&mut self) {
        for (id, touched) in std::mem::take(&mut self.touched) {
            self.keep(id, touched);
        }
    }

    pub(crate) fn discard(&mut self) {
        for (id, touched) in std::mem::take(&mut self.touched) {
            let kept = self.kept.get(&id).and_then(|kept| kept.due);
            self.move_due(&id, touched.due, kept);
        }
    }

    /// About how many bytes the kept cells take when stored.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// All kept cells, by key.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&KeyBytes, &Slot, Option<EventTime>, &Cell<C>)> {
        self.kept.iter().map(|(id, kept)| (&id.key.bytes, &id.slot, kept.due, &kept.cell))
    }

    /// Puts a cell among the kept ones, or takes it away; `due` knows of it already.
    fn keep(&mut self, id: CellId, entry: Entry<Option<Cell<C>>>) {
        let Entry { cell, due, bytes } = entry;
        let before = match cell {
            Some(cell) => {
                self.bytes += bytes;
                self.kept.insert(id, Entry { cell, due, bytes })
            }
            None => self.kept.remove(&id),
        };
        self.bytes -= before.map_or(0, |before| before.bytes);
    }
}

impl<C: Serialize + DeserializeOwned> Cells<C> {
    /// What the step changed, by key.
    pub(crate) fn changes(&mut self) -> Result<Vec<Change>, Reject> {
        let version = self.version;
        let encoded = |(id, touched): (&CellId, &mut Entry<Option<Cell<C>>>)| {
            let change = change(id, touched.cell.as_ref(), version)?;
            touched.bytes = change.bytes();
            Ok(change)
        };
        self.touched.iter_mut().map(encoded).collect()
    }

    /// All cells of the range as of the last commit, without the step in progress.
    pub(crate) fn image(&self, range: &PartRange) -> Result<Vec<Change>, Reject> {
        let first = CellId { key: StateKey::before(range.first), slot: Slot::FIRST };
        let inside = self.kept.range(first..).take_while(|(id, _)| id.key.hash <= range.last);
        inside.map(|(id, kept)| change(id, Some(&kept.cell), self.version)).collect()
    }

    /// Takes in a change read from the journal.
    pub(crate) fn restore(&mut self, change: &Change, rules: &impl Rules<C>) -> Result<(), Corrupt> {
        let key = StateKey::of(KeyBytes::stored(&change.key));
        let id = CellId { key, slot: codec::decode(&change.slot)? };
        let decode = |value| Cell::decode(&id.slot, value, |version, bytes| rules.decode(version, bytes));
        let cell = change.value.as_deref().map(decode).transpose()?;
        let due = cell.as_ref().and_then(|cell| rules.due(&id.slot, cell));
        let before = self.kept.get(&id).and_then(|kept| kept.due);
        self.move_due(&id, before, due);
        self.keep(id, Entry { cell, due, bytes: change.bytes() });
        Ok(())
    }
}

impl<C: Serialize + DeserializeOwned> Cells<C> {
    /// Takes in a cell of a parent's state, if it is this shard's: `is_own` says so of a key.
    pub(crate) fn inherit(
        &mut self,
        change: &Change,
        is_own: impl FnOnce(&KeyBytes) -> Result<bool, Corrupt>,
        rules: &impl Rules<C>,
    ) -> Result<(), Corrupt> {
        let (key, slot) = (KeyBytes::stored(&change.key), codec::decode(&change.slot)?);
        match (&slot, change.value.as_deref()) {
            (Slot::Commits | Slot::Floor | Slot::Output(..), Some(value)) => {
                let cell = Cell::decode(&slot, value, |version, bytes| rules.decode(version, bytes))?;
                let mut edit = Edit::new(self);
                repeats::inherit(&mut edit.key(key), slot, cell);
                let staged = edit.into();
                self.take_over(staged, rules);
                // What was taken lies in no overlay: there is no step.
                self.changes().map_err(|reject| Corrupt(reject.message))?;
                self.install();
                Ok(())
            }
            _ if is_own(&key)? => self.restore(change, rules),
            _ => Ok(()),
        }
    }
}

fn change<C: Serialize + DeserializeOwned>(
    id: &CellId,
    cell: Option<&Cell<C>>,
    version: u32,
) -> Result<Change, Reject> {
    Ok(Change {
        key: id.key.bytes.as_slice().to_vec(),
        slot: codec::encode(&id.slot)?,
        value: cell.map(|cell| cell.encode(version)).transpose()?,
    })
}

/// What a record or a firing changed, apart from the cells until it succeeded.
pub(crate) struct Staged<C>(pub(super) BTreeMap<CellId, Option<Cell<C>>>);

impl<C> From<Edit<'_, C>> for Staged<C> {
    fn from(edit: Edit<'_, C>) -> Self {
        edit.staged
    }
}
