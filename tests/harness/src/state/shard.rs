//! One shard's state as of its last commit.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use tidemill_core::{EventTime, Span};
use tidemill_journal::{JournalId, State, Store, View, load};

use crate::error::Error;

use super::cells::Cells;
use super::{cbor, key};

/// A shard's journal, read to its head.
pub struct ShardState {
    /// The journal.
    pub journal: JournalId,
    /// Where it stands.
    pub view: View,
    cells: Cells,
}

/// A key, and how much is kept for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySummary {
    /// The key, as a user writes it.
    pub text: String,
    /// How many cells it has.
    pub open: usize,
    /// From the first start of its windows to their last end.
    pub span: Option<Span>,
}

/// A key and its cells, in the order in which they are due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyState {
    /// The key.
    pub key: Json,
    /// What is kept for it.
    pub cells: Vec<Cell>,
}

/// One cell: the accumulator of a key's open window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// The window, if the cell is a window's.
    pub window: Option<Span>,
    /// Which cell of the key it is, as stored.
    pub slot: Json,
    /// What it holds; `None` if it is gone.
    pub value: Option<Json>,
}

impl ShardState {
    /// Reads a journal: its records, its parts, and so its whole state.
    pub async fn read(store: &impl Store, journal: &JournalId) -> Result<Self, Error> {
        let loaded = load(store, journal, None, || Box::new(Cells::default())).await?;
        let Some((view, cells)) = loaded else {
            return Err(Error::NotFound(format!("journal {journal} has no commit any more: it was dropped meanwhile")));
        };
        Ok(Self { journal: journal.clone(), view, cells: *cells })
    }

    /// How many cells are kept: open windows.
    pub fn open_cells(&self) -> usize {
        self.cells.count()
    }

    /// How many keys have cells.
    pub fn open_keys(&self) -> usize {
        self.cells.keys()
    }

    /// About how many bytes the cells take when stored.
    pub fn bytes(&self) -> usize {
        self.cells.bytes()
    }

    /// All keys with their cells, in order of the keys' stored bytes.
    pub fn keys(&self) -> impl Iterator<Item = KeyState> {
        self.cells.iter().map(|(key, cells)| KeyState::stored(cbor::shown(key), cells))
    }

    /// All keys in the same order, without what their cells hold: a shard may have millions.
    pub fn summaries(&self) -> impl Iterator<Item = KeySummary> {
        self.cells.iter().map(|(key, cells)| {
            let windows: Vec<Span> = cells.keys().filter_map(|slot| window(&cbor::shown(slot))).collect();
            let start = windows.iter().map(|window| window.start).min();
            let end = windows.iter().map(|window| window.end).max();
            let span = start.zip(end).map(|(start, end)| Span { start, end });
            KeySummary { text: key::text(&cbor::shown(key)), open: cells.len(), span }
        })
    }

    /// The keys that a user may mean by `written`.
    pub fn find(&self, written: &str) -> Vec<KeyState> {
        let decoded = self.cells.iter().map(|(key, cells)| (cbor::shown(key), cells));
        let meant = decoded.filter(|(key, _)| key::is_meant(key, written));
        meant.map(|(key, cells)| KeyState::stored(key, cells)).collect()
    }
}

impl KeyState {
    fn stored(key: Json, cells: &BTreeMap<Vec<u8>, Vec<u8>>) -> Self {
        let mut cells: Vec<Cell> = cells.iter().map(|(slot, value)| Cell::stored(slot, Some(value))).collect();
        cells.sort_by_key(|cell| cell.window.map(|window| (window.end, window.start)));
        Self { key, cells }
    }
}

impl Cell {
    /// A cell from its stored bytes.
    pub(super) fn stored(slot: &[u8], value: Option<&[u8]>) -> Self {
        let slot = cbor::shown(slot);
        Self { window: window(&slot), slot, value: value.map(|value| accumulator(cbor::shown(value))) }
    }
}

/// A slot that is a window's: `{"w": [start, end]}` in milliseconds.
fn window(slot: &Json) -> Option<Span> {
    match slot.get("w")?.as_array()?.as_slice() {
        [start, end] => {
            let [start, end] = [start.as_i64()?, end.as_i64()?].map(EventTime::from_millis);
            Some(Span { start, end })
        }
        _ => None,
    }
}

/// A cell's accumulator, where it holds nothing else.
fn accumulator(mut cell: Json) -> Json {
    match cell.as_object_mut() {
        Some(fields) if fields.len() == 1 => fields.remove("acc").unwrap_or(cell),
        _ => cell,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tidemill_core::Change;

    use super::*;

    #[test]
    fn a_window_is_a_pair_of_times() {
        let span = |start, end| Span { start: EventTime::from_millis(start), end: EventTime::from_millis(end) };
        assert_eq!(window(&json!({"w": [0, 5]})), Some(span(0, 5)));
        for other in [json!(null), json!([0, 5]), json!({"w": [0, "x"]}), json!({"w": [0, 1, 2]}), json!({"a": 1})] {
            assert_eq!(window(&other), None);
        }
    }

    #[test]
    fn an_accumulator_alone_stands_for_its_cell() {
        assert_eq!(accumulator(json!({"acc": [1, 2]})), json!([1, 2]));
        assert_eq!(accumulator(json!({"acc": 1, "pane": 2})), json!({"acc": 1, "pane": 2}));
        assert_eq!(accumulator(json!({"other": 1})), json!({"other": 1}));
        assert_eq!(accumulator(json!([1])), json!([1]));
    }

    #[test]
    fn what_a_step_stores_is_read_back() {
        // Key "JFK", window [3600000, 7200000), accumulator (2, -5).
        let key = b"\x63JFK".to_vec();
        let slot = b"\xa1\x61w\x82\x1a\x00\x36\xee\x80\x1a\x00\x6d\xdd\x00".to_vec();
        let value = Some(b"\xa1\x63acc\x82\x02\x24".to_vec());
        let mut cells = Cells::default();
        cells.restore(&Change { key, slot: slot.clone(), value: value.clone() }).unwrap();
        assert_eq!(cells.count(), 1);
        let cell = Cell::stored(&slot, value.as_deref());
        assert_eq!(cell.value, Some(json!([2, -5])));
        assert_eq!(cell.window.map(|window| window.start.to_string()).as_deref(), Some("1970-01-01T01:00:00.000Z"));
    }
}
