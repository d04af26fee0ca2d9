//! The cells of one shard's keyed state, with an overlay for the step in progress.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::codec;
use crate::{EventTime, KeyBytes, PartRange, Reject, Span, Watermark, part_hash};

/// One cell's new content, as the journal stores it: the key's bytes, the slot within the key (which window), and the
/// value, `None` if the cell is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The key's stored bytes; they decide which part of the state the cell lies in.
    pub key: Vec<u8>,
    /// Which cell of the key, CBOR.
    pub slot: Vec<u8>,
    /// Its content, CBOR; `None` removes it.
    pub value: Option<Vec<u8>>,
}

/// Stored bytes that are not what they should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Corrupt(pub String);

impl fmt::Display for Corrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stored state is damaged or of another pipeline: {}", self.0)
    }
}

impl std::error::Error for Corrupt {}

/// Where a cell lies. The order is the order of firing: by due time, then key bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct CellId {
    pub(crate) due: EventTime,
    pub(crate) key: KeyBytes,
    pub(crate) start: EventTime,
}

impl CellId {
    pub(crate) fn of_window(key: KeyBytes, window: Span) -> Self {
        Self { due: window.end, key, start: window.start }
    }

    pub(crate) fn window(&self) -> Span {
        Span { start: self.start, end: self.due }
    }
}

/// What one cell holds. Fields have names, and one that this code does not know is refused, never dropped.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cell<S> {
    #[serde(rename = "acc")]
    pub(crate) accumulator: S,
}

/// A cell, and about how many bytes it takes when stored: known once it was encoded for a commit.
struct Weighed<T> {
    cell: T,
    bytes: usize,
}

/// All cells of a shard: those of the last commit, and over them those that the step in progress touched.
///
/// `kept` is exactly the state as of the view's last commit until `install`, so an image of it may be taken meanwhile.
pub(crate) struct Cells<S> {
    kept: BTreeMap<CellId, Weighed<Cell<S>>>,
    /// The kept cells by the hash of their key, so that a part's image costs only the part.
    by_hash: BTreeSet<(u64, CellId)>,
    touched: BTreeMap<CellId, Weighed<Option<Cell<S>>>>,
    /// The sum over the kept cells.
    bytes: usize,
}

impl<S> Cells<S> {
    pub(crate) const fn new() -> Self {
        Self { kept: BTreeMap::new(), by_hash: BTreeSet::new(), touched: BTreeMap::new(), bytes: 0 }
    }

    pub(crate) fn get(&self, id: &CellId) -> Option<&Cell<S>> {
        match self.touched.get(id) {
            Some(touched) => touched.cell.as_ref(),
            None => self.kept.get(id).map(|kept| &kept.cell),
        }
    }

    pub(crate) fn set(&mut self, id: CellId, cell: Cell<S>) {
        self.touched.insert(id, Weighed { cell: Some(cell), bytes: 0 });
    }

    pub(crate) fn remove(&mut self, id: CellId) {
        self.touched.insert(id, Weighed { cell: None, bytes: 0 });
    }

    /// The cell that is due first, of those due at `watermark`. Looks no further than they reach, so that a step which
    /// touched many cells pays for none that is not due.
    pub(crate) fn first_due(&self, watermark: Watermark) -> Option<(&CellId, &Cell<S>)> {
        let is_due = |id: &CellId| watermark.has_reached(id.due);
        let mut kept = self.kept.iter().take_while(|(id, _)| is_due(id));
        let mut touched = self.touched.iter().take_while(|(id, _)| is_due(id));
        let kept = kept.find(|(id, _)| !self.touched.contains_key(*id)).map(|(id, kept)| (id, &kept.cell));
        let touched = touched.find_map(|(id, touched)| touched.cell.as_ref().map(|cell| (id, cell)));
        match (kept, touched) {
            (Some(kept), Some(touched)) => Some(if kept.0 < touched.0 { kept } else { touched }),
            (kept, touched) => kept.or(touched),
        }
    }

    pub(crate) fn install(&mut self) {
        for (id, Weighed { cell, bytes }) in std::mem::take(&mut self.touched) {
            self.keep(id, cell, bytes);
        }
    }

    pub(crate) fn discard(&mut self) {
        self.touched.clear();
    }

    /// About how many bytes the kept cells take when stored.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// All kept cells, in firing order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&CellId, &Cell<S>)> {
        self.kept.iter().map(|(id, kept)| (id, &kept.cell))
    }

    fn keep(&mut self, id: CellId, cell: Option<Cell<S>>, bytes: usize) {
        let hash = part_hash(id.key.as_slice());
        let before = match cell {
            Some(cell) => {
                self.bytes += bytes;
                let before = self.kept.insert(id.clone(), Weighed { cell, bytes });
                if before.is_none() {
                    self.by_hash.insert((hash, id));
                }
                before
            }
            None => {
                let before = self.kept.remove(&id);
                self.by_hash.remove(&(hash, id));
                before
            }
        };
        self.bytes -= before.map_or(0, |before| before.bytes);
    }
}

impl<S: Serialize + DeserializeOwned> Cells<S> {
    /// What the step changed, in firing order.
    pub(crate) fn changes(&mut self) -> Result<Vec<Change>, Reject> {
        let encoded = |(id, touched): (&CellId, &mut Weighed<Option<Cell<S>>>)| {
            let change = change(id, touched.cell.as_ref())?;
            touched.bytes = change.bytes();
            Ok(change)
        };
        self.touched.iter_mut().map(encoded).collect()
    }

    /// All cells of the range as of the last commit, without the step in progress.
    pub(crate) fn image(&self, range: &PartRange) -> Result<Vec<Change>, Reject> {
        let first =
            CellId { due: EventTime::from_millis(i64::MIN), key: KeyBytes::stored(&[]), start: EventTime::FIRST };
        let inside = self.by_hash.range((range.first, first)..).take_while(|(hash, _)| *hash <= range.last);
        inside.filter_map(|(_, id)| self.kept.get(id).map(|kept| change(id, Some(&kept.cell)))).collect()
    }

    /// Takes in a change read from the journal.
    pub(crate) fn restore(&mut self, change: &Change) -> Result<(), Corrupt> {
        let id = CellId::of_window(KeyBytes::stored(&change.key), stored_window(&change.slot)?);
        let cell = change.value.as_deref().map(codec::decode).transpose()?;
        self.keep(id, cell, change.bytes());
        Ok(())
    }
}

impl Change {
    /// About how many bytes it takes when stored.
    pub fn bytes(&self) -> usize {
        self.key.len() + self.slot.len() + self.value.as_ref().map_or(0, Vec::len) + 4
    }
}

fn change<S: Serialize>(id: &CellId, cell: Option<&Cell<S>>) -> Result<Change, Reject> {
    Ok(Change {
        key: id.key.as_slice().to_vec(),
        slot: codec::encode(&Slot::Window(id.start, id.due))?,
        value: cell.map(codec::encode).transpose()?,
    })
}

/// Which cell of a key: what kind, and which of that kind. Tagged, so that other kinds can be told apart.
#[derive(Serialize, Deserialize)]
enum Slot {
    /// A window: start and end.
    #[serde(rename = "w")]
    Window(EventTime, EventTime),
}

fn stored_window(slot: &[u8]) -> Result<Span, Corrupt> {
    let Slot::Window(start, end) = codec::decode(slot)?;
    Ok(Span { start, end })
}
