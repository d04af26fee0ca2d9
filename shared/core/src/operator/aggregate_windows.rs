//! Window, then aggregate: one accumulator per key and window, one result when the window closes.

use std::collections::BTreeMap;

use super::{Applied, Operator};
use crate::aggregate::{Add, Aggregate};
use crate::ingest::Event;
use crate::reject::guard;
use crate::state::{Cell, CellId, Cells};
use crate::window::{Accepts, Window};
use crate::{
    Corrupt, Format, Ingest, Key, KeyBytes, Origin, Output, PaneResult, Processor, Quarantined, Reason, Reject, Span,
    Timing, Watermark, codec, step,
};

/// One firing of one window for one key, as the `emit` closure sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pane<K> {
    /// The key.
    pub key: K,
    /// The window.
    pub window: Span,
    /// When it fired, relative to the close of the window.
    pub timing: Timing,
    /// 0, 1, 2, … per (key, window).
    pub index: u32,
}

/// An erased `emit` closure: makes the encoded result of a pane, or nothing.
pub type EmitFn<K, O> = Box<dyn Fn(Pane<K>, O) -> Result<Option<Vec<u8>>, Reject> + Send + Sync>;

/// Aggregates each key's records by window.
pub struct AggregateWindows<F: Format, K, W, A: Aggregate> {
    /// How records become events.
    pub ingest: Ingest<F, K>,
    /// Which windows an event belongs to.
    pub window: W,
    /// What is kept of the events of a window.
    pub aggregate: A,
    /// What is sent when a window closes.
    pub emit: EmitFn<K, A::Output>,
}

impl<F, K, W, A> AggregateWindows<F, K, W, A>
where
    F: Format,
    K: Key,
    W: Window + Accepts<A>,
    A: Aggregate + for<'a> Add<F::Event<'a>>,
{
    /// The operator without its types, for a pipeline to hold.
    pub fn erase(self) -> Box<dyn Processor> {
        step::erase(self)
    }

    fn result(&self, id: &CellId, cell: &Cell<A::State>) -> Result<Option<PaneResult>, Reject> {
        let key: K = id.key.key().map_err(|Corrupt(e)| Reject::new(Reason::OutputRefused, e))?;
        let pane = Pane { key: key.clone(), window: id.window(), timing: Timing::OnTime, index: 0 };
        let value = (self.emit)(pane, self.aggregate.finish(&cell.accumulator))?;
        Ok(value.map(|value| PaneResult {
            key: id.key.clone(),
            key_text: key.text(),
            partition_key: self.ingest.partition_key(&key).into_owned(),
            window: id.window(),
            timing: Timing::OnTime,
            pane_index: 0,
            value,
        }))
    }

    /// No record is to blame: the pane itself goes to the quarantine, with its state.
    fn refuse(&self, id: &CellId, cell: &Cell<A::State>, reject: Reject) -> Quarantined {
        let text = || id.key.key::<K>().map(|key| key.text()).map_err(|Corrupt(e)| Reject::new(Reason::Failed, e));
        let key_text = guard("the key's text", text).unwrap_or_else(|_| format!("{:02x?}", id.key.as_slice()));
        let state = guard("encoding the state", || codec::encode(&cell.accumulator)).unwrap_or_default();
        Quarantined { reject, origin: Origin::Pane { key_text, window: id.window(), state } }
    }
}

impl<F, K, W, A> Operator<F, K> for AggregateWindows<F, K, W, A>
where
    F: Format,
    K: Key,
    W: Window + Accepts<A>,
    A: Aggregate + for<'a> Add<F::Event<'a>>,
{
    type Accumulator = A::State;

    fn ingest(&self) -> &Ingest<F, K> {
        &self.ingest
    }

    fn apply(
        &self,
        event: &Event<'_, F, K>,
        key: &KeyBytes,
        watermark: Watermark,
        cells: &mut Cells<A::State>,
    ) -> Result<Applied, Reject> {
        let mut staged = Vec::new();
        for window in self.window.assign(event.time).filter(|window| !watermark.has_reached(window.end)) {
            let id = CellId::of_window(key.clone(), window);
            let mut accumulator =
                cells.get(&id).map_or_else(|| self.aggregate.empty(), |cell| cell.accumulator.clone());
            self.aggregate.add(&mut accumulator, &event.event)?;
            staged.push((id, Cell { accumulator }));
        }
        let applied = if staged.is_empty() { Applied::Late } else { Applied::Kept };
        staged.into_iter().for_each(|(id, cell)| cells.set(id, cell));
        Ok(applied)
    }

    fn fire(&self, id: &CellId, cell: &Cell<A::State>) -> Option<Output> {
        match guard("making the result", || self.result(id, cell)) {
            Ok(result) => result.map(Output::Result),
            Err(reject) => Some(Output::Quarantined(self.refuse(id, cell, reject))),
        }
    }

    fn fingerprint(&self) -> BTreeMap<String, String> {
        BTreeMap::from([
            ("operator".to_owned(), "aggregate windows".to_owned()),
            ("window".to_owned(), self.window.describe()),
            ("key".to_owned(), K::name()),
            ("aggregate".to_owned(), self.aggregate.schema().into_owned()),
        ])
    }
}
