//! All cells of a shard.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::edit::Undo;
use super::slots::Slots;
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

/// A cell as the step in progress has it, and beside that as of the last commit.
pub(super) struct Entry<C> {
    /// `None` if the step took it away.
    pub(super) now: Option<Cell<C>>,
    /// When it is due.
    pub(super) due: Option<EventTime>,
    /// About how many bytes it takes when stored: known once it was encoded for a commit.
    pub(super) bytes: usize,
    pub(super) kept: Kept<C>,
}

/// A cell as of the last commit.
pub(super) enum Kept<C> {
    /// As it is now: the step did not touch it.
    Same,
    /// There was none.
    Vacant,
    /// Another.
    Other(Box<Stored<C>>),
}

pub(super) struct Stored<C> {
    cell: Cell<C>,
    due: Option<EventTime>,
    bytes: usize,
}

impl<C> Kept<C> {
    pub(super) fn other(cell: Cell<C>, due: Option<EventTime>, bytes: usize) -> Self {
        Self::Other(Box::new(Stored { cell, due, bytes }))
    }
}

impl<C> Entry<C> {
    const fn stored(cell: Cell<C>, due: Option<EventTime>, bytes: usize) -> Self {
        Self { now: Some(cell), due, bytes, kept: Kept::Same }
    }

    /// The first change of the step follows: what was committed is set aside.
    pub(super) fn touch(&mut self) {
        if let Some(cell) = self.now.take() {
            self.kept = Kept::other(cell, self.due, self.bytes);
        }
    }

    /// As it was at the last commit, at which there was one.
    pub(super) fn discard(&mut self, id: &CellId, due: &mut BTreeSet<Due>) {
        if let Kept::Other(stored) = std::mem::replace(&mut self.kept, Kept::Same) {
            move_due(due, id, self.due, stored.due);
            *self = Self::stored(stored.cell, stored.due, stored.bytes);
        }
    }

    fn committed(&self) -> Option<(Option<EventTime>, &Cell<C>)> {
        match &self.kept {
            Kept::Same => self.now.as_ref().map(|cell| (self.due, cell)),
            Kept::Vacant => None,
            Kept::Other(stored) => Some((stored.due, &stored.cell)),
        }
    }

    fn committed_bytes(&self) -> usize {
        match &self.kept {
            Kept::Same => self.bytes,
            Kept::Vacant => 0,
            Kept::Other(stored) => stored.bytes,
        }
    }
}

/// All cells of a shard by key, and of those that the step in progress touched how they were at the last commit.
///
/// That, the kept state, is exactly the state as of the view's last commit until `install`, so an image of it may be
/// taken meanwhile. `due` follows the step in progress at once, and `discard` takes it back.
pub(crate) struct Cells<C> {
    pub(super) keys: BTreeMap<StateKey, Slots<Entry<C>>>,
    /// What the step touched; a cell that came, went and came again stands there more than once.
    pub(super) touched: Vec<CellId>,
    /// What the edit in progress changed, in order. Empty between edits, as is `emptied`.
    pub(super) undo: Vec<Undo<C>>,
    /// Keys that may have been left without a cell.
    pub(super) emptied: Vec<StateKey>,
    pub(super) due: BTreeSet<Due>,
    /// The sum over the kept cells.
    bytes: usize,
    /// The version of the pipeline that writes them.
    version: u32,
    /// The slot that was read last, and its bytes: most cells of an image lie in the same one.
    last_slot: Option<(Vec<u8>, Slot)>,
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
        Self {
            keys: BTreeMap::new(),
            touched: Vec::new(),
            undo: Vec::new(),
            emptied: Vec::new(),
            due: BTreeSet::new(),
            bytes: 0,
            version,
            last_slot: None,
        }
    }

    /// Begins what a record or a firing does.
    pub(crate) const fn edit<'c>(&'c mut self, rules: &'c dyn Rules<C>) -> Edit<'c, C> {
        Edit::new(self, rules)
    }

    /// The cell that is due first, if it is at `watermark`.
    pub(crate) fn first_due(&self, watermark: Watermark) -> Option<&Due> {
        self.due.first().filter(|due| watermark.has_reached(due.at))
    }

    /// When the cell that is due first is due, if any is.
    pub(crate) fn next_due(&self) -> Option<EventTime> {
        self.due.first().map(|due| due.at)
    }

    pub(crate) fn install(&mut self) {
        let Self { keys, touched, bytes, .. } = self;
        for of_key in touched.chunk_by(|a, b| a.key == b.key) {
            let Some(slots) = keys.get_mut(&of_key[0].key) else { continue };
            for id in of_key {
                let Some(entry) = slots.get_mut(&id.slot) else { continue };
                *bytes -= entry.committed_bytes();
                if entry.now.is_some() {
                    *bytes += entry.bytes;
                    entry.kept = Kept::Same;
                } else {
                    slots.remove(&id.slot);
                }
            }
            if slots.is_empty() {
                keys.remove(&of_key[0].key);
            }
        }
        touched.clear();
    }

    pub(crate) fn discard(&mut self) {
        for id in std::mem::take(&mut self.touched) {
            let Some(slots) = self.keys.get_mut(&id.key) else { continue };
            let Some(entry) = slots.get_mut(&id.slot) else { continue };
            if matches!(entry.kept, Kept::Vacant) {
                move_due(&mut self.due, &id, entry.due, None);
                slots.remove(&id.slot);
                self.forget_if_empty(&id.key);
            } else {
                entry.discard(&id, &mut self.due);
            }
        }
    }

    fn forget_if_empty(&mut self, key: &StateKey) {
        if self.keys.get(key).is_some_and(Slots::is_empty) {
            self.keys.remove(key);
        }
    }

    /// About how many bytes the kept cells take when stored.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// All kept cells, by key.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&KeyBytes, &Slot, Option<EventTime>, &Cell<C>)> {
        let cells =
            self.keys.iter().flat_map(|(key, slots)| slots.iter().map(|(slot, entry)| (&key.bytes, slot, entry)));
        cells.filter_map(|(key, slot, entry)| entry.committed().map(|(due, cell)| (key, slot, due, cell)))
    }

    /// Puts a cell among the kept ones, or takes it away. No step is in progress.
    fn keep(&mut self, id: CellId, entry: Option<Entry<C>>) {
        let (due, bytes) = entry.as_ref().map_or((None, 0), |entry| (entry.due, entry.bytes));
        let before = match entry {
            Some(entry) => self.keys.entry(id.key.clone()).or_default().insert(id.slot.clone(), entry),
            None => {
                let before = self.keys.get_mut(&id.key).and_then(|slots| slots.remove(&id.slot));
                self.forget_if_empty(&id.key);
                before
            }
        };
        let (due_before, bytes_before) = before.map_or((None, 0), |before| (before.due, before.bytes));
        move_due(&mut self.due, &id, due_before, due);
        self.bytes = self.bytes + bytes - bytes_before;
    }
}

pub(super) fn move_due(all: &mut BTreeSet<Due>, id: &CellId, before: Option<EventTime>, after: Option<EventTime>) {
    if before == after {
        return;
    }
    let entry = |at| Due { at, key: id.key.bytes.clone(), slot: id.slot.clone() };
    before.map(entry).map(|due| all.remove(&due));
    after.map(entry).map(|due| all.insert(due));
}

impl<C: Serialize + DeserializeOwned> Cells<C> {
    /// What the step changed, by key.
    pub(crate) fn changes(&mut self) -> Result<Vec<Change>, Reject> {
        sort(&mut self.touched);
        let Self { keys, touched, version, .. } = self;
        let mut encoder = Encoder::of(*version);
        let mut changes = Vec::with_capacity(touched.len());
        for of_key in touched.chunk_by(|a, b| a.key == b.key) {
            let Some(slots) = keys.get_mut(&of_key[0].key) else { continue };
            for id in of_key {
                let Some(entry) = slots.get_mut(&id.slot) else { continue };
                let change = encoder.change(&id.key, &id.slot, entry.now.as_ref())?;
                entry.bytes = change.bytes();
                changes.push(change);
            }
        }
        Ok(changes)
    }

    /// All cells of the range as of the last commit, without the step in progress.
    pub(crate) fn image(&self, range: &PartRange) -> Result<Vec<Change>, Reject> {
        let inside = self.keys.range(StateKey::before(range.first)..).take_while(|(key, _)| key.hash <= range.last);
        let cells = inside.flat_map(|(key, slots)| slots.iter().map(move |(slot, entry)| (key, slot, entry)));
        let mut encoder = Encoder::of(self.version);
        let kept = |(key, slot, entry): (_, _, &Entry<C>)| {
            entry.committed().map(|(_, cell)| encoder.change(key, slot, Some(cell)))
        };
        cells.filter_map(kept).collect()
    }

    /// Takes in a change read from the journal.
    pub(crate) fn restore(&mut self, change: &Change, rules: &dyn Rules<C>) -> Result<(), Corrupt> {
        let key = StateKey::of(KeyBytes::stored(&change.key));
        let id = CellId { key, slot: self.slot(&change.slot)? };
        let cell = change
            .value
            .as_deref()
            .map(|value| Cell::decode(&id.slot, value, |version, bytes| rules.decode(version, bytes)))
            .transpose()?;
        let entry = cell.map(|cell| {
            let due = rules.due(&id.slot, &cell);
            Entry::stored(cell, due, change.bytes())
        });
        self.keep(id, entry);
        Ok(())
    }

    fn slot(&mut self, bytes: &[u8]) -> Result<Slot, Corrupt> {
        match &self.last_slot {
            Some((last, slot)) if last == bytes => Ok(slot.clone()),
            _ => {
                let slot: Slot = codec::decode(bytes)?;
                self.last_slot = Some((bytes.to_vec(), slot.clone()));
                Ok(slot)
            }
        }
    }

    /// Takes in a cell of a parent's state, if it is this shard's: `is_own` says so of a key.
    pub(crate) fn inherit(
        &mut self,
        change: &Change,
        is_own: impl FnOnce(&KeyBytes) -> Result<bool, Corrupt>,
        rules: &dyn Rules<C>,
    ) -> Result<(), Corrupt> {
        let (key, slot) = (KeyBytes::stored(&change.key), codec::decode(&change.slot)?);
        match (&slot, change.value.as_deref()) {
            (Slot::Commits | Slot::Floor | Slot::Output(..), Some(value)) => {
                let cell = Cell::decode(&slot, value, |version, bytes| rules.decode(version, bytes))?;
                let mut edit = self.edit(rules);
                repeats::inherit(&mut edit.key(key), slot, cell);
                edit.finish();
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

/// Sorts and removes repeats.
fn sort(ids: &mut Vec<CellId>) {
    // A hash beside a place is sorted with less work than what it stands for.
    let mut order: Vec<(u64, usize)> = ids.iter().enumerate().map(|(place, id)| (id.key.hash, place)).collect();
    order.sort_unstable();
    let mut unsorted: Vec<Option<CellId>> = ids.drain(..).map(Some).collect();
    ids.extend(order.into_iter().filter_map(|(_, place)| unsorted[place].take()));
    ids.chunk_by_mut(|a, b| a.key.hash == b.key.hash).for_each(<[CellId]>::sort_unstable);
    ids.dedup();
}

/// Encodes cells, and remembers the bytes of the last few slots: most cells lie in the same windows.
struct Encoder {
    version: u32,
    slots: Vec<(Slot, Vec<u8>)>,
    /// How many slots there were in all.
    seen: usize,
    value: Vec<u8>,
}

impl Encoder {
    /// How many slots are remembered.
    const SLOTS: usize = 8;

    const fn of(version: u32) -> Self {
        Self { version, slots: Vec::new(), seen: 0, value: Vec::new() }
    }

    fn change<C: Serialize + DeserializeOwned>(
        &mut self,
        key: &StateKey,
        slot: &Slot,
        cell: Option<&Cell<C>>,
    ) -> Result<Change, Reject> {
        let slot = self.slot(slot)?.to_vec();
        self.value.clear();
        cell.map_or(Ok(()), |cell| cell.encode(self.version, &mut self.value))?;
        let value = cell.map(|_| self.value.as_slice().to_vec());
        Ok(Change { key: key.bytes.as_slice().to_vec(), slot, value })
    }

    fn slot(&mut self, slot: &Slot) -> Result<&[u8], Reject> {
        let known = self.slots.iter().position(|(other, _)| other == slot);
        let place = match known {
            Some(place) => place,
            None => {
                let entry = (slot.clone(), codec::encode(slot)?);
                let place = self.seen % Self::SLOTS;
                match self.slots.get_mut(place) {
                    Some(oldest) => *oldest = entry,
                    None => self.slots.push(entry),
                }
                self.seen += 1;
                place
            }
        };
        Ok(&self.slots[place].1)
    }
}
