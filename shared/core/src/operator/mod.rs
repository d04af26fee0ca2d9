//! Keyed operators: what happens to an event, and what happens when a cell is due.

mod aggregate_windows;

use std::collections::BTreeMap;

pub use aggregate_windows::{AggregateWindows, EmitFn, Pane};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::ingest::Event;
use crate::state::{Cell, CellId, Cells};
use crate::{Format, Ingest, Key, KeyBytes, Output, Reject, Watermark};

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It changed state.
    Kept,
    /// It came too late for every window that it belongs to, and changed nothing.
    Late,
}

/// A keyed operator over the events of `F`. The step decides when; the operator decides what.
pub(crate) trait Operator<F: Format, K: Key>: Send + Sync + 'static {
    /// What a cell accumulates.
    type Accumulator: Clone + Serialize + DeserializeOwned + Send + 'static;

    /// How records become events.
    fn ingest(&self) -> &Ingest<F, K>;

    /// Judges the event under `watermark` and applies it: to all of its windows or, on an error, to none.
    fn apply(
        &self,
        event: &Event<'_, F, K>,
        key: &KeyBytes,
        watermark: Watermark,
        cells: &mut Cells<Self::Accumulator>,
    ) -> Result<Applied, Reject>;

    /// What a due cell gives. The step removes the cell.
    fn fire(&self, id: &CellId, cell: &Cell<Self::Accumulator>) -> Option<Output>;

    /// What stored state depends on, by name.
    fn fingerprint(&self) -> BTreeMap<String, String>;
}
