//! Windows, then aggregate: what is kept per key and window, and when it gives results.
//!
//! A window's life: it is open until W ≥ end, gives early results if asked for, its on-time result when it closes, and
//! then, while W < end + allowed lateness, a late result for each record that still comes. Then its state goes.

mod cell;
mod early;
mod keep;
mod migrate;

use std::collections::BTreeMap;

pub use early::Early;
pub use migrate::Migrations;

use super::{Applied, Operator, Turn};
use crate::aggregate::{Add, Aggregate};
use crate::reject::guard;
use crate::shard::Source;
use crate::state::{KeyState, Slot};
use crate::window::{Accepts, Global, Keeping};
use crate::{
    Cause, Corrupt, Delivery, EventTime, Events, Key, Origin, Output, PaneId, Processor, Quarantined, Reject, Span,
    Timing, codec,
};
use cell::WindowCell;
use keep::Entering;

/// One firing of one window for one key, as the `emit` closure sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pane<K> {
    /// The key.
    pub key: K,
    /// The window. One without end spans all of time, beyond the years 1 to 9999.
    pub window: Span,
    /// When it fired, relative to the close of the window.
    pub timing: Timing,
    /// 0, 1, 2, … per (key, window).
    pub index: u32,
    /// Windows of the key that gave results before and are part of this one since, as sessions merge or grow. Those
    /// results are void: a consumer that keeps results by key and window removes these.
    pub replaces: Vec<Span>,
}

/// An erased `emit` closure: makes the results of a pane.
pub type EmitFn<K, O> = Box<dyn Fn(Pane<K>, O) -> Result<Vec<Delivery>, Reject> + Send + Sync>;

/// Aggregates each key's records by window.
pub struct AggregateWindows<K, W, A: Aggregate> {
    /// Which windows an event belongs to.
    pub window: W,
    /// What is kept of the events of a window.
    pub aggregate: A,
    /// How long after its end a window still takes records, in milliseconds.
    pub lateness: i64,
    /// When an open window gives results, if ever.
    pub early: Option<Early>,
    /// How state of earlier versions is read.
    pub migrations: Migrations<A::State>,
    /// What is sent when a window fires.
    pub emit: EmitFn<K, A::Output>,
}

/// The cells of one key.
type WindowState<'e, A> = KeyState<'e, WindowCell<<A as Aggregate>::State>>;

impl<K: Key, W: Accepts<A>, A: Aggregate> AggregateWindows<K, W, A> {
    /// The pipeline over its source, without its types.
    pub fn over<E: Events>(self, source: Source<E, K>) -> Box<dyn Processor>
    where
        A: for<'a> Add<E::Event<'a>>,
    {
        source.operate(self)
    }

    /// One more record is in the window: what it makes due at once.
    fn notice(&self, keeping: &Keeping<'_, A>, window: Span, turn: &mut Turn<'_, K>, state: &mut WindowState<'_, A>) {
        if let Keeping::Whole(global) = keeping {
            return self.count(global, keeping, window, turn, state);
        }
        if turn.now.watermark.has_reached(window.end) {
            return self.fire_pane(keeping, window, Timing::Late, turn, state);
        }
        let Some(early) = &self.early else { return };
        let slot = Slot::window(window);
        let Some(mut cell) = state.get(&slot).cloned() else { return };
        cell.pane.news += 1;
        cell.pane.early = cell.pane.early.or_else(|| early.next_instant(turn.now.time, turn.now.watermark, window));
        let is_due = early.is_due(cell.pane.news);
        state.put(slot, cell);
        if is_due {
            self.fire_pane(keeping, window, Timing::Early, turn, state);
        }
    }

    /// A window without end fires each so many records.
    fn count(
        &self,
        global: &Global,
        keeping: &Keeping<'_, A>,
        window: Span,
        turn: &mut Turn<'_, K>,
        state: &mut WindowState<'_, A>,
    ) {
        let slot = Slot::window(window);
        let Some(mut cell) = state.get(&slot).cloned() else { return };
        cell.pane.news += 1;
        let is_due = cell.pane.news >= global.count();
        state.put(slot.clone(), cell);
        if !is_due {
            return;
        }
        let timing = if global.is_running() { Timing::Early } else { Timing::OnTime };
        self.fire_pane(keeping, window, timing, turn, state);
        if let Some(cell) = state.get(&slot).filter(|_| !global.is_running()) {
            let emptied = WindowCell { accumulator: None, pane: cell.pane.clone() };
            state.put(slot, emptied);
        }
    }

    /// Sends what the window holds. A result that cannot be made goes to the quarantine with the window's state: no
    /// record is to blame. What the pane replaces stays with the window until a result has said so.
    fn fire_pane(
        &self,
        keeping: &Keeping<'_, A>,
        window: Span,
        timing: Timing,
        turn: &mut Turn<'_, K>,
        state: &mut WindowState<'_, A>,
    ) {
        let slot = Slot::window(window);
        let Some(cell) = state.get(&slot) else { return };
        let (pane, accumulator) = (cell.pane.clone(), cell.accumulator.clone());
        let id = PaneId { window, timing, index: pane.next_index, replaces: pane.replaces.clone() };
        let result = self.result(keeping, &id, turn, state);
        let sent = matches!(&result, Ok(values) if !values.is_empty());
        // One that takes no more records is forgotten at once.
        if !self.is_gone(window, turn.now.watermark) {
            state.put(slot, WindowCell { accumulator, pane: pane.fired(timing, sent).into() });
        }
        match result {
            Ok(values) => {
                let time = if window.end.in_calendar() { window.end } else { turn.now.time };
                turn.emit(time, &Cause::Pane(id), 0, values);
            }
            Err((reject, state)) => {
                let origin = Origin::Pane { key_text: turn.subject.text(), window, state };
                turn.outputs.push(Output::Quarantined(Quarantined { reject, origin }));
            }
        }
    }

    /// The results of a pane, or why there are none and the window's state.
    fn result(
        &self,
        keeping: &Keeping<'_, A>,
        id: &PaneId,
        turn: &Turn<'_, K>,
        state: &WindowState<'_, A>,
    ) -> Result<Vec<Delivery>, (Reject, Vec<u8>)> {
        let value = guard("merging slices", || self.value(keeping, id.window, state));
        let Some(value) = value.map_err(|reject| (reject, Vec::new()))? else { return Ok(Vec::new()) };
        let PaneId { window, timing, index, replaces } = id.clone();
        let pane = Pane { key: turn.subject.key.clone(), window, timing, index, replaces };
        guard("making the result", || (self.emit)(pane, self.aggregate.finish(&value)))
            .map_err(|reject| (reject, guard("encoding the state", || codec::encode(&value)).unwrap_or_default()))
    }
}

impl<E, K, W, A> Operator<E, K> for AggregateWindows<K, W, A>
where
    E: Events,
    K: Key,
    W: Accepts<A>,
    A: Aggregate + for<'a> Add<E::Event<'a>>,
{
    type Cell = WindowCell<A::State>;

    fn due(&self, slot: &Slot, cell: &WindowCell<A::State>) -> Option<EventTime> {
        let end = slot.span()?.end;
        match self.window.keeping() {
            Keeping::Whole(_) => None,
            _ if cell.pane.closed => Some(end.plus(self.lateness)),
            _ => Some(cell.pane.early.map_or(end, |early| early.min(end))),
        }
    }

    fn apply(
        &self,
        event: E::Event<'_>,
        turn: &mut Turn<'_, K>,
        state: &mut WindowState<'_, A>,
    ) -> Result<Applied, Reject> {
        let keeping = self.window.keeping();
        let (time, watermark) = (turn.now.time, turn.now.watermark);
        let mut add = |accumulator: &mut A::State| self.aggregate.add(accumulator, &event, time);
        let windows = self.enter(&keeping, &mut Entering { time, watermark, add: &mut add }, state)?;
        for window in &windows {
            self.notice(&keeping, *window, turn, state);
        }
        Ok(if windows.is_empty() { Applied::Late } else { Applied::Kept })
    }

    fn fire(&self, slot: &Slot, turn: &mut Turn<'_, K>, state: &mut WindowState<'_, A>) -> Result<(), Reject> {
        let (Some(window), Some(cell)) = (slot.span(), state.get(slot)) else { return Ok(()) };
        let (keeping, watermark) = (self.window.keeping(), turn.now.watermark);
        if !watermark.has_reached(window.end) {
            self.fire_pane(&keeping, window, Timing::Early, turn, state);
        } else if turn.now.time < window.end {
            // The watermark went over an early result and the end at once: the window closes in its turn.
            let mut closing = cell.clone();
            closing.pane.early = None;
            state.put(slot.clone(), closing);
            return Ok(());
        } else if !cell.pane.closed {
            self.fire_pane(&keeping, window, Timing::OnTime, turn, state);
        }
        if self.is_gone(window, watermark) {
            self.forget(&keeping, window, state);
        }
        Ok(())
    }

    fn fingerprint(&self) -> BTreeMap<String, String> {
        BTreeMap::from([
            ("operator".to_owned(), "aggregate windows".to_owned()),
            ("window".to_owned(), self.window.describe()),
            ("aggregate".to_owned(), self.aggregate.schema().into_owned()),
        ])
    }

    fn migrates_from(&self) -> Vec<u32> {
        self.migrations.versions().collect()
    }

    fn migrate(&self, version: u32, bytes: &[u8]) -> Option<Result<WindowCell<A::State>, Corrupt>> {
        self.migrations.migrate(version, bytes)
    }
}
