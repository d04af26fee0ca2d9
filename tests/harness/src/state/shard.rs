//! One shard's state as of its last commit.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use tidemill_core::{EventTime, Span};
use tidemill_journal::{JournalId, State, Store, View, load, load_at};

use crate::error::Error;

use super::cells::Cells;
use super::{Cell, CellKind, Commit, Content, Producer, Slot, cbor, key};

/// A shard's journal, read to its head.
pub struct ShardState {
    /// The journal.
    pub journal: JournalId,
    /// Where it stands.
    pub view: View,
    /// What is kept for keys.
    cells: Cells,
    /// What was taken of producers, by their names.
    taken: Cells,
}

/// A key, and how much is kept for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySummary {
    /// The key, as a user writes it.
    pub text: String,
    /// How many cells of each kind it has; of ranked events, how many events.
    pub counts: BTreeMap<CellKind, usize>,
    /// From the first start of its windows to their last end.
    pub span: Option<Span>,
    /// When its next timer fires.
    pub timer: Option<EventTime>,
}

/// A key and its cells: kind by kind, in each by time where they have one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyState {
    /// The key.
    pub key: Json,
    /// What is kept for it.
    pub cells: Vec<Cell>,
}

impl ShardState {
    /// Reads a journal: its records, its parts, and so its whole state.
    pub async fn read(store: &impl Store, journal: &JournalId) -> Result<Self, Error> {
        let loaded = load(store, journal, None, || Box::new(Cells::default())).await?;
        let Some((view, cells)) = loaded else {
            return Err(Error::NotFound(format!("journal {journal} has no commit any more: it was dropped meanwhile")));
        };
        Ok(Self::of(journal, view, *cells))
    }

    /// Reads a journal as it was at commit `number`. An error if that is not in the ring any more, or the images of then
    /// are not there any more: it says which is the earliest state that is.
    pub async fn read_at(store: &impl Store, journal: &JournalId, number: u64) -> Result<Self, Error> {
        let why = match Self::at(store, journal, number).await? {
            Ok(state) => return Ok(state),
            Err(why) => why,
        };
        // What is there as of a commit is there as of each that follows.
        let (mut gone, mut there) = (number, Self::read(store, journal).await?.view.number());
        while gone + 1 < there {
            let between = gone.midpoint(there);
            match Self::at(store, journal, between).await? {
                Ok(_) => there = between,
                Err(_) => gone = between,
            }
        }
        Err(Error::NotFound(format!(
            "the state of {} as of commit {number} is not there any more: {why}, since later commits wrote that part of the \
             state anew. The earliest state that is there is that of commit {there}",
            journal.shard
        )))
    }

    /// The state as of a commit that the ring holds; the inner error says what is gone.
    async fn at(store: &impl Store, journal: &JournalId, number: u64) -> Result<Result<Self, String>, Error> {
        let commit = Commit::read(store, journal, number).await?;
        if let Some(missing) = commit.missing {
            return Ok(Err(missing));
        }
        let loaded = load_at(store, journal, &commit.record, || Box::new(Cells::default())).await?;
        Ok(loaded.map(|(view, cells)| Self::of(journal, view, *cells)))
    }

    fn of(journal: &JournalId, view: View, cells: Cells) -> Self {
        let (taken, cells) = cells.partition(|slot| Slot::stored(slot).is_of_producer());
        Self { journal: journal.clone(), view, cells, taken }
    }

    /// How many cells keys have.
    pub fn open_cells(&self) -> usize {
        self.cells.count()
    }

    /// How many keys have cells.
    pub fn open_keys(&self) -> usize {
        self.cells.keys()
    }

    /// About how many bytes all cells take when stored, those of producers among them.
    pub fn bytes(&self) -> usize {
        self.cells.bytes() + self.taken.bytes()
    }

    /// All keys with their cells, in order of the keys' stored bytes.
    pub fn keys(&self) -> impl Iterator<Item = KeyState> {
        self.cells.iter().map(|(key, cells)| KeyState::stored(cbor::shown(key), cells))
    }

    /// All keys in the same order, without what their cells hold: a shard may have millions.
    pub fn summaries(&self) -> impl Iterator<Item = KeySummary> {
        self.keys().map(|state| state.summary())
    }

    /// What was taken of producers.
    pub fn producers(&self) -> impl Iterator<Item = Producer> {
        self.taken.iter().map(|(name, cells)| {
            let cells: Vec<Cell> = cells.iter().map(|(slot, value)| Cell::stored(slot, Some(value))).collect();
            Producer::of(cbor::shown(name), &cells)
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
        cells.sort_by_key(Cell::order);
        Self { key, cells }
    }

    /// How much is kept.
    pub fn summary(&self) -> KeySummary {
        let mut counts = BTreeMap::new();
        for cell in &self.cells {
            let count = match &cell.holds {
                Some(Content::Ranked(events, _)) => events.len(),
                _ => 1,
            };
            *counts.entry(cell.kind()).or_default() += count;
        }
        let windows = || self.cells.iter().filter_map(Cell::window);
        let start = windows().map(|window| window.start).min();
        let end = windows().map(|window| window.end).max();
        let timers = self.cells.iter().filter_map(|cell| match cell.slot {
            Slot::Timer(at) => Some(at),
            _ => None,
        });
        let span = start.zip(end).map(|(start, end)| Span { start, end });
        KeySummary { text: key::text(&self.key), counts, span, timer: timers.min() }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tidemill_core::Change;

    use super::*;
    use crate::state::Pane;

    fn key_state(cells: &[(&[u8], &[u8])]) -> KeyState {
        let cells = cells.iter().map(|(slot, value)| (slot.to_vec(), value.to_vec())).collect();
        KeyState::stored(json!("JFK"), &cells)
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
        assert_eq!(cell.holds, Some(Content::Window(Some(json!([2, -5])), Pane::default())));
        assert_eq!(cell.window().map(|window| window.start.to_string()).as_deref(), Some("1970-01-01T01:00:00.000Z"));
    }

    #[test]
    fn cells_come_kind_by_kind_and_by_time() {
        let (late, early, slice): (&[u8], &[u8], &[u8]) =
            (b"\xa1\x61w\x82\x00\x18\x3c", b"\xa1\x61w\x82\x05\x09", b"\xa1\x61s\x00");
        let timer: &[u8] = b"\xa1\x61t\x07";
        let state = key_state(&[(timer, b"\xa0"), (slice, b"\xa1\x63acc\x01"), (late, b"\xa0"), (early, b"\xa0")]);
        let slots: Vec<Slot> = state.cells.iter().map(|cell| cell.slot.clone()).collect();
        assert_eq!(slots, [early, late, slice, timer].map(Slot::stored));
    }

    #[test]
    fn a_summary_counts_by_kind_and_ranked_events_one_by_one() {
        let ranked: &[u8] = b"\xa1\x61k\x82\x82\x01\x07\x82\x02\x08";
        let state = key_state(&[
            (b"\xa1\x61v\x64kept", ranked),
            (b"\xa1\x61t\x07", b"\xa0"),
            (b"\xa1\x61t\x06", b"\xa0"),
            (b"\x61?", b"\x01"),
        ]);
        let summary = state.summary();
        let counts = [(CellKind::Timer, 2), (CellKind::Ranked, 2), (CellKind::Other, 1)];
        assert_eq!(summary.counts, BTreeMap::from(counts));
        assert_eq!((summary.span, summary.timer), (None, Some(EventTime::from_millis(6))));
    }
}
