//! Keyed operators: what happens to an event, and what happens when a cell is due.

mod interval_join;
mod process;
mod ranked;
mod windows;

use std::collections::BTreeMap;

pub use interval_join::{IntervalJoin, PairEmit, Side, SideFn};
pub use process::{Context, KeyedProcess, List, Map, Process, ProcessEmit, RecordInfo, SideOutput, Value};
pub use ranked::{BetterFn, Keep, Ranked, RankedEmit};
pub use windows::{AggregateWindows, Early, EmitFn, Migrations, Pane};

use serde::Serialize;
use serde::de::DeserializeOwned;
use smallvec::SmallVec;

use crate::read::Subject;
use crate::state::{KeyState, Slot};
use crate::{Cause, Corrupt, Delivery, Emission, EventTime, Events, Key, Output, Record, Reject, Watermark};

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Applied {
    /// It was taken.
    Kept,
    /// It came too late for everything that it belongs to, and changed nothing.
    Late,
}

/// A keyed operator over `E`. The step decides when; the operator decides what.
pub(crate) trait Operator<E: Events, K: Key>: Send + Sync + 'static {
    /// What a cell holds.
    type Cell: Clone + Serialize + DeserializeOwned + Send + Sync + 'static;

    /// When a cell is due, if ever: a function of what is stored, so that a restored state has the same timers.
    fn due(&self, slot: &Slot, cell: &Self::Cell) -> Option<EventTime>;

    /// Judges the event under the present watermark and applies it. On an error nothing of it is kept.
    fn apply(
        &self,
        event: E::Event<'_>,
        turn: &mut Turn<'_, K>,
        state: &mut KeyState<'_, Self::Cell>,
    ) -> Result<Applied, Reject>;

    /// Does what is due: afterwards the cell is gone or due later, else it would fire for ever. On an error nothing of it
    /// is kept and the step removes the cell.
    fn fire(&self, slot: &Slot, turn: &mut Turn<'_, K>, state: &mut KeyState<'_, Self::Cell>) -> Result<(), Reject>;

    /// What stored state depends on, by name. The key is added by the step.
    fn fingerprint(&self) -> BTreeMap<String, String>;

    /// The earlier versions of the pipeline whose cells can be migrated.
    fn migrates_from(&self) -> Vec<u32> {
        Vec::new()
    }

    /// A cell that an earlier version of the pipeline wrote; `None` if it is none of [`migrates_from`](Self::migrates_from).
    fn migrate(&self, version: u32, bytes: &[u8]) -> Option<Result<Self::Cell, Corrupt>> {
        let _ = (version, bytes);
        None
    }
}

/// When an operator is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now<'r> {
    /// The watermark: before the record, or of the firing.
    pub(crate) watermark: Watermark,
    /// The event's time, or when the cell was due.
    pub(crate) time: EventTime,
    /// The record, if there is one.
    pub(crate) record: Option<&'r Record<'r>>,
}

/// One call of an operator: about whom, when, and where results go.
pub(crate) struct Turn<'t, K> {
    pub(crate) subject: Subject<'t, K>,
    pub(crate) now: Now<'t>,
    pub(crate) outputs: &'t mut Vec<Output>,
}

impl<K: Key> Turn<'_, K> {
    /// Sends values, all of the same cause and about the same instant. Those of one sink are numbered from `first`.
    pub(crate) fn emit(&mut self, time: EventTime, cause: &Cause, first: u32, values: Vec<Delivery>) {
        // Few sinks, mostly one.
        let mut counts: SmallVec<[(u16, u32); 2]> = SmallVec::new();
        for Delivery { sink, value } in values {
            let at = counts.iter().position(|(other, _)| *other == sink).unwrap_or(counts.len());
            if at == counts.len() {
                counts.push((sink, first));
            }
            let number = counts[at].1;
            counts[at].1 = number.saturating_add(1);
            self.outputs.push(Output::Result(Emission {
                sink,
                key: self.subject.bytes.clone(),
                key_text: self.subject.text(),
                partition_key: self.subject.partition_key(),
                time,
                cause: cause.clone(),
                number,
                value,
            }));
        }
    }
}
