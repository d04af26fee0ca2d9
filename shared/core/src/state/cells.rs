//! All cells of a shard.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::due::DueIndex;
use super::edit::Undo;
use super::encoder::Encoder;
use super::key_cells::{Entry, Kept, KeptCells};
use super::keys::{Keys, Place};
use super::touched::Touched;
use super::{Cell, Change, Corrupt, Due, Edit, KeyCells, Slot, StateKey};
use crate::{EventTime, KeyBytes, PartRange, Reject, Watermark, codec, repeats};

/// All cells of a shard by key, and of those that the step in progress touched how they were at the last commit.
///
/// That, the kept state, is exactly the state as of the view's last commit until `install`, so an image of it may be
/// taken meanwhile. `due` follows the step in progress at once, and `discard` takes it back.
pub(crate) struct Cells<C> {
    /// Keys without cells among them while a step is in progress.
    pub(super) keys: Keys<KeyCells<C>>,
    pub(super) kept: KeptCells<C>,
    pub(super) touched: Touched,
    /// What the edit in progress changed, in order. Empty between edits.
    pub(super) undo: Vec<Undo<C>>,
    /// Keys that the step found without a cell.
    pub(super) fresh: Vec<Place>,
    pub(super) due: DueIndex,
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
    pub(crate) fn new(version: u32) -> Self {
        Self {
            keys: Keys::new(),
            kept: KeptCells::new(),
            touched: Touched::default(),
            undo: Vec::new(),
            fresh: Vec::new(),
            due: DueIndex::default(),
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
    pub(crate) fn first_due(&mut self, watermark: Watermark) -> Option<Due> {
        self.due.first(watermark, &mut self.keys)
    }

    /// When the cell that is due first is due, if any is. Not within a step.
    pub(crate) fn next_due(&self) -> Option<EventTime> {
        self.due.next()
    }

    /// Ends a step.
    pub(crate) fn settle(&mut self) {
        self.due.settle(&mut self.keys);
    }

    pub(crate) fn install(&mut self) {
        let Self { keys, kept, touched, bytes, .. } = self;
        for place in &touched.keys {
            let Some(cells) = keys.get_mut(*place) else { continue };
            for slot in touched.of(cells.touched.take()) {
                let Some(entry) = cells.slots.get_mut(slot) else { continue };
                *bytes -= entry.committed_bytes(kept);
                if entry.now.is_some() {
                    *bytes += entry.bytes;
                    entry.kept = Kept::Same;
                } else {
                    cells.remove(slot);
                }
            }
        }
        self.forget_step();
    }

    pub(crate) fn discard(&mut self) {
        let Self { keys, kept, touched, due, .. } = self;
        for place in &touched.keys {
            let Some(cells) = keys.get_mut(*place) else { continue };
            for slot in touched.of(cells.touched.take()) {
                match cells.slots.get(slot).map(|entry| entry.kept) {
                    Some(Kept::Vacant) => drop(cells.remove(slot)),
                    _ => cells.put_back(slot, kept),
                }
            }
            let at = cells.first_due().map(|(at, _)| at);
            due.list(*place, cells, at);
        }
        self.forget_step();
        self.settle();
    }

    /// What the step touched is as of a commit again: keys without cells go.
    fn forget_step(&mut self) {
        let Self { keys, kept, touched, fresh, due, .. } = self;
        for place in touched.keys.drain(..).chain(fresh.drain(..)) {
            forget_if_empty(keys, due, place);
        }
        touched.clear();
        kept.clear();
    }

    /// About how many bytes the kept cells take when stored.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// All kept cells, by key.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&KeyBytes, &Slot, Option<EventTime>, &Cell<C>)> {
        self.committed(&PartRange::ALL).map(|(key, slot, (due, cell))| (&key.bytes, slot, due, cell))
    }

    fn committed(&self, range: &PartRange) -> impl Iterator<Item = (&StateKey, &Slot, (Option<EventTime>, &Cell<C>))> {
        let cells = self
            .keys
            .range(range)
            .flat_map(|(key, cells)| cells.slots.iter().map(move |(slot, entry)| (key, slot, entry)));
        cells.filter_map(|(key, slot, entry)| Some((key, slot, entry.committed(&self.kept)?)))
    }

    /// The place of a key, which may be new.
    pub(super) fn place(keys: &mut Keys<KeyCells<C>>, key: StateKey) -> Place {
        keys.find(&key).unwrap_or_else(|| keys.insert(key.clone(), KeyCells::new(key)))
    }

    /// Puts a cell among the kept ones, or takes it away. No step is in progress.
    fn keep(&mut self, key: StateKey, slot: Slot, entry: Option<Entry<C>>) {
        let place = Self::place(&mut self.keys, key);
        let Some(cells) = self.keys.get_mut(place) else { return };
        let (due, bytes) = entry.as_ref().map_or((None, 0), |entry| (entry.due, entry.bytes));
        let before = match entry {
            Some(entry) => cells.insert(slot, entry),
            None => cells.remove(&slot),
        };
        self.bytes = self.bytes + bytes - before.map_or(0, |before| before.bytes);
        self.due.list(place, cells, due);
        forget_if_empty(&mut self.keys, &mut self.due, place);
        self.settle();
    }
}

fn forget_if_empty<C>(keys: &mut Keys<KeyCells<C>>, due: &mut DueIndex, place: Place) {
    let Some(cells) = keys.get_mut(place).filter(|cells| cells.slots.is_empty()) else { return };
    due.forget(place, cells);
    let key = cells.key.clone();
    keys.remove(&key);
}

impl<C: Serialize + DeserializeOwned> Cells<C> {
    /// What the step changed, by key.
    pub(crate) fn changes(&mut self) -> Result<Vec<Change>, Reject> {
        let Self { keys, touched, version, .. } = self;
        let mut encoder = Encoder::of(*version);
        let mut changes = Vec::with_capacity(touched.len());
        for place in &touched.keys {
            let Some(cells) = keys.get_mut(*place) else { continue };
            for slot in touched.of(cells.touched) {
                let Some(entry) = cells.slots.get_mut(slot) else { continue };
                let change = encoder.change(&cells.key, slot, entry.now.as_ref())?;
                entry.bytes = change.bytes();
                changes.push(change);
            }
        }
        Ok(changes)
    }

    /// All cells of the range as of the last commit, without the step in progress.
    pub(crate) fn image(&self, range: &PartRange) -> Result<Vec<Change>, Reject> {
        let mut encoder = Encoder::of(self.version);
        self.committed(range).map(|(key, slot, (_, cell))| encoder.change(key, slot, Some(cell))).collect()
    }

    /// Takes in a change read from the journal.
    pub(crate) fn restore(&mut self, change: &Change, rules: &dyn Rules<C>) -> Result<(), Corrupt> {
        let key = StateKey::of(KeyBytes::stored(&change.key));
        let slot = self.slot(&change.slot)?;
        let cell = change
            .value
            .as_deref()
            .map(|value| Cell::decode(&slot, value, |version, bytes| rules.decode(version, bytes)))
            .transpose()?;
        let entry = cell.map(|cell| {
            let due = rules.due(&slot, &cell);
            Entry::stored(cell, due, change.bytes())
        });
        self.keep(key, slot, entry);
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// A cell that says itself when it is due. (A bare number would pass for the version of a pipeline.)
    type Dated = (Option<i64>,);

    struct Told;

    impl Rules<Dated> for Told {
        fn due(&self, _: &Slot, cell: &Cell<Dated>) -> Option<EventTime> {
            match cell {
                Cell::Operator((due,)) => due.map(EventTime::from_millis),
                _ => None,
            }
        }

        fn decode(&self, _: u32, bytes: &[u8]) -> Result<Dated, Corrupt> {
            codec::decode(bytes)
        }
    }

    /// By key bytes and slot, with when they are due.
    type Model = BTreeMap<(Vec<u8>, Slot), Option<i64>>;

    #[derive(Clone, Debug)]
    enum Act {
        /// Puts (or takes away) cells: of which key, which slot, due when.
        Edit(Vec<(u8, i64, Option<Option<i64>>)>, bool),
        Fire(i64),
        Commit,
        Discard,
        Restore,
    }

    fn act() -> impl Strategy<Value = Act> {
        // Now and then so many slots that they become a tree.
        let change = (0..6_u8, 0..45_i64, prop::option::weighted(0.8, prop::option::weighted(0.9, 0..100_i64)));
        prop_oneof![
            6 => (prop::collection::vec(change, 0..8), any::<bool>()).prop_map(|(changes, stays)| Act::Edit(changes, stays)),
            3 => (0..110_i64).prop_map(Act::Fire),
            2 => Just(Act::Commit),
            1 => Just(Act::Discard),
            1 => Just(Act::Restore),
        ]
    }

    fn key(number: u8) -> KeyBytes {
        KeyBytes::stored(&[number])
    }

    fn slot(number: i64) -> Slot {
        Slot::Timer(EventTime::from_millis(number))
    }

    fn first(model: &Model) -> Option<(i64, Vec<u8>, Slot)> {
        model.iter().filter_map(|((key, slot), due)| Some(((*due)?, key.clone(), slot.clone()))).min()
    }

    fn cells_of(cells: &Cells<Dated>) -> Model {
        let value = |cell: &Cell<Dated>| if let Cell::Operator((due,)) = cell { *due } else { None };
        cells.iter().map(|(key, slot, _, cell)| ((key.as_slice().to_vec(), slot.clone()), value(cell))).collect()
    }

    proptest! {
           #[test]
           fn cells_fire_in_order_and_are_what_was_committed(acts in prop::collection::vec(act(), 1..80)) {
               let mut cells = Cells::new(1);
               let (mut now, mut committed) = (Model::new(), Model::new());
               for act in acts {
                   match act {
                       Act::Edit(changes, stays) => {
                           let mut edit = cells.edit(&Told);
                           let mut after = now.clone();
                           for (number, place, cell) in changes {
                               let mut state = edit.key(key(number));
                               match cell {
                                   Some(due) => state.put(slot(place), (due,)),
                                   None => state.remove(slot(place)),
                               }
                               let id = (vec![number], slot(place));
                               match cell {
    Some(due) => after.insert(id, due),
    None => after.remove(&id),
    };
                           }
                           if stays {
                               edit.finish();
                               now = after;
                           }
                       }
                       Act::Fire(until) => {
                           let watermark = Watermark::at(EventTime::from_millis(until));
                           let expected = first(&now).filter(|(at, ..)| *at <= until);
                           let due = cells.first_due(watermark);
                           let found = due.map(|due| {
                               let mut edit = cells.edit(&Told);
                               edit.key_of(&due).remove(due.slot.clone());
                               edit.finish();
                               (due.at.as_millis(), due.key.as_slice().to_vec(), due.slot)
                           });
                           prop_assert_eq!(&found, &expected);
                           found.map(|(_, key, slot)| now.remove(&(key, slot)));
                       }
                       Act::Commit => {
                           cells.settle();
                           let changes = cells.changes().expect("encodes");
                           cells.install();
                           committed = now.clone();
                           prop_assert!(changes.windows(2).all(|pair| (&pair[0].key, &pair[0].slot) != (&pair[1].key, &pair[1].slot)));
                           let image = cells.image(&PartRange::ALL).expect("encodes");
                           prop_assert_eq!(image.iter().map(Change::bytes).sum::<usize>(), cells.bytes());
                       }
                       Act::Discard => {
                           cells.discard();
                           now = committed.clone();
                       }
                       Act::Restore => {
                           cells.discard();
                           now = committed.clone();
                           let image = cells.image(&PartRange::ALL).expect("encodes");
                           cells = Cells::new(1);
                           for change in &image {
                               cells.restore(change, &Told).expect("of ours");
                           }
                       }
                   }
                   prop_assert_eq!(cells_of(&cells), committed.clone());
                   let next = now.values().copied().flatten().min();
                   cells.settle();
                   prop_assert_eq!(cells.next_due().map(EventTime::as_millis), next);
               }
           }
       }
}
