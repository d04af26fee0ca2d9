//! The cells of one shard's keyed state, with an overlay for the step in progress.

use std::collections::{BTreeMap, btree_map};
use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::codec;
use crate::{EventTime, KeyBytes, PartRange, Reject, Span};

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

/// What one cell holds. Named, so that fields can be added.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Cell<S> {
    #[serde(rename = "acc")]
    pub(crate) accumulator: S,
}

/// All cells of a shard: those of the last commit, and over them those that the step in progress touched.
///
/// `kept` is exactly the state as of the view's last commit until `install`, so an image of it may be taken meanwhile.
pub(crate) struct Cells<S> {
    kept: BTreeMap<CellId, Cell<S>>,
    touched: BTreeMap<CellId, Option<Cell<S>>>,
}

impl<S> Cells<S> {
    pub(crate) const fn new() -> Self {
        Self { kept: BTreeMap::new(), touched: BTreeMap::new() }
    }

    pub(crate) fn get(&self, id: &CellId) -> Option<&Cell<S>> {
        match self.touched.get(id) {
            Some(touched) => touched.as_ref(),
            None => self.kept.get(id),
        }
    }

    pub(crate) fn set(&mut self, id: CellId, cell: Cell<S>) {
        self.touched.insert(id, Some(cell));
    }

    pub(crate) fn remove(&mut self, id: CellId) {
        self.touched.insert(id, None);
    }

    /// The cell that is due first.
    pub(crate) fn first(&self) -> Option<(&CellId, &Cell<S>)> {
        let kept = self.kept.iter().find(|(id, _)| !self.touched.contains_key(*id));
        let touched = self.touched.iter().find_map(|(id, cell)| cell.as_ref().map(|cell| (id, cell)));
        match (kept, touched) {
            (Some(kept), Some(touched)) => Some(if kept.0 < touched.0 { kept } else { touched }),
            (kept, touched) => kept.or(touched),
        }
    }

    pub(crate) fn install(&mut self) {
        for (id, cell) in std::mem::take(&mut self.touched) {
            match cell {
                Some(cell) => self.kept.insert(id, cell),
                None => self.kept.remove(&id),
            };
        }
    }

    pub(crate) fn discard(&mut self) {
        self.touched.clear();
    }
}

impl<S: Serialize + DeserializeOwned> Cells<S> {
    /// What the step changed, in firing order.
    pub(crate) fn changes(&self) -> Result<Vec<Change>, Reject> {
        self.touched.iter().map(|(id, cell)| change(id, cell.as_ref())).collect()
    }

    /// All cells of the range as of the last commit, without the step in progress.
    pub(crate) fn image(&self, range: &PartRange) -> Result<Vec<Change>, Reject> {
        let inside = self.kept.iter().filter(|(id, _)| range.contains(id.key.as_slice()));
        inside.map(|(id, cell)| change(id, Some(cell))).collect()
    }

    /// Takes in a change read from the journal.
    pub(crate) fn restore(&mut self, change: &Change) -> Result<(), Corrupt> {
        let id = CellId::of_window(KeyBytes::stored(&change.key), stored_window(&change.slot)?);
        match &change.value {
            Some(value) => self.kept.insert(id, codec::decode(value)?),
            None => self.kept.remove(&id),
        };
        Ok(())
    }

    /// All kept cells, in firing order.
    pub(crate) fn iter(&self) -> btree_map::Iter<'_, CellId, Cell<S>> {
        self.kept.iter()
    }
}

fn change<S: Serialize>(id: &CellId, cell: Option<&Cell<S>>) -> Result<Change, Reject> {
    Ok(Change {
        key: id.key.as_slice().to_vec(),
        slot: codec::encode(&(id.start, id.due))?,
        value: cell.map(codec::encode).transpose()?,
    })
}

fn stored_window(slot: &[u8]) -> Result<Span, Corrupt> {
    let (start, end) = codec::decode(slot)?;
    Ok(Span { start, end })
}
