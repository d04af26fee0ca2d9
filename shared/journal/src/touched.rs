//! Which cells of a part changed since its image was taken: as long as they are few, a commit states them again beside
//! the image's old name, and the cells that lie idle are not written anew.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidemill_core::{Change, PartRange, Reject, part_hash};

use crate::State;

/// Cells stated again are at most such a share of a part's cells, and of their bytes. Each lap states more of them again, so
/// until about then they take less in all than an image would; and a part that shrinks gets a smaller one.
const SHARE: usize = 8;
/// And they take at most so many bytes, of the commit that they stand in.
const MOST_BYTES: usize = 16 << 10;

/// A cell's key and slot.
type CellId = (Vec<u8>, Vec<u8>);

/// Of one part. The cells that changed are those in the records behind s, so a reader of the journal finds the same ones.
#[derive(Clone, Debug)]
pub(crate) struct Touched {
    /// `None` if they are too many.
    cells: Option<BTreeMap<CellId, Last>>,
    /// Their bytes.
    bytes: usize,
    /// How many it may be.
    limit: usize,
    /// What the image holds; `None` if someone else wrote it.
    held: Option<Held>,
}

/// What became of a cell last.
#[derive(Clone, Copy, Debug)]
struct Last {
    is_there: bool,
    bytes: usize,
}

impl Touched {
    /// Nothing yet, of a part whose cells take `plain` bytes in its image.
    pub(crate) fn nothing(plain: usize, held: Option<Held>) -> Self {
        Self { cells: Some(BTreeMap::new()), bytes: 0, limit: MOST_BYTES.min(plain / SHARE), held }
    }

    pub(crate) const fn held(&self) -> Option<&Held> {
        self.held.as_ref()
    }

    /// What the image holds has become known.
    pub(crate) fn know(&mut self, held: Held) {
        if let Some(cells) = &mut self.cells {
            cells.retain(|id, last| last.is_there || held.has(id));
            self.bytes = cells.values().map(|last| last.bytes).sum();
        }
        self.held = Some(held);
    }

    pub(crate) fn change(&mut self, change: &Change) {
        let Some(cells) = &mut self.cells else { return };
        let id = (change.key.clone(), change.slot.clone());
        let last = Last { is_there: change.value.is_some(), bytes: change.bytes() };
        // A cell that came behind the image, and went, needs no word.
        let is_told = last.is_there || self.held.as_ref().is_none_or(|held| held.has(&id));
        let before = if is_told { cells.insert(id, last) } else { cells.remove(&id) };
        self.bytes += if is_told { last.bytes } else { 0 };
        self.bytes -= before.map_or(0, |before| before.bytes);
        if self.bytes > self.limit {
            self.cells = None;
        }
    }

    /// All that changed since the image, as of the state's last commit; `None` if it is too much.
    pub(crate) fn stated_again(&self, state: &(impl State + ?Sized)) -> Result<Option<Vec<Change>>, Reject> {
        let (Some(cells), Some(held)) = (&self.cells, &self.held) else { return Ok(None) };
        if cells.len() > held.0.len() / SHARE {
            return Ok(None);
        }
        let mut changes = Vec::with_capacity(cells.len());
        let ids: Vec<&CellId> = cells.keys().collect();
        for of_key in ids.chunk_by(|a, b| a.0 == b.0) {
            state_key_again(of_key, state, &mut changes)?;
        }
        let bytes: usize = changes.iter().map(Change::bytes).sum();
        Ok((bytes <= self.limit).then_some(changes))
    }
}

/// These cells of one key, in order of their slots.
fn state_key_again(ids: &[&CellId], state: &(impl State + ?Sized), changes: &mut Vec<Change>) -> Result<(), Reject> {
    let hash = part_hash(&ids[0].0);
    let mut is_there = vec![false; ids.len()];
    for cell in state.image(&PartRange { first: hash, last: hash })? {
        let place = ids.binary_search_by(|(key, slot)| (key, slot).cmp(&(&cell.key, &cell.slot)));
        if let Ok(place) = place {
            is_there[place] = true;
            changes.push(cell);
        }
    }
    let gone = ids.iter().zip(is_there).filter(|(_, is_there)| !is_there);
    changes.extend(gone.map(|((key, slot), _)| Change { key: key.clone(), slot: slot.clone(), value: None }));
    Ok(())
}

/// What a cell is known by among those of an image. Two may have one hash, then one that is gone is told of needlessly.
pub(crate) fn cell_hash(cell: &Change) -> u32 {
    hash(&cell.key, &cell.slot)
}

fn hash(key: &[u8], slot: &[u8]) -> u32 {
    (part_hash(key).rotate_left(7) ^ part_hash(slot)) as u32
}

/// Which cells an image holds, by their hashes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Held(Arc<[u32]>);

impl Held {
    pub(crate) fn new(mut hashes: Vec<u32>) -> Self {
        hashes.sort_unstable();
        Self(hashes.into())
    }

    fn has(&self, (key, slot): &CellId) -> bool {
        self.0.binary_search(&hash(key, slot)).is_ok()
    }
}
