//! Where the accumulators of a window lie: in its own cell, in slices, in sessions that merge.

use smallvec::{SmallVec, smallvec};

use super::cell::{PaneState, WindowCell};
use super::{AggregateWindows, WindowState};
use crate::aggregate::Aggregate;
use crate::state::Slot;
use crate::window::{Keeping, MergeFn, Session, Slice};
use crate::{EventTime, Reject, Span, Watermark};

/// All of time: the window of a kind that has one a key.
pub(super) const WHOLE: Span = Span { start: EventTime::from_millis(i64::MIN), end: EventTime::from_millis(i64::MAX) };

/// The windows of an event: one, or a few that slide.
pub(super) type Spans = SmallVec<[Span; 5]>;

/// Takes the event into an accumulator. On an error nothing of it is kept.
type AddFn<'f, A> = &'f mut dyn FnMut(&mut <A as Aggregate>::State) -> Result<(), Reject>;

/// An event on its way into windows.
pub(super) struct Entering<'f, A: Aggregate> {
    pub(super) time: EventTime,
    pub(super) watermark: Watermark,
    pub(super) add: AddFn<'f, A>,
}

impl<K, W, A: Aggregate> AggregateWindows<K, W, A> {
    /// Whether a window takes no more records: W ≥ end + allowed lateness.
    pub(super) fn is_gone(&self, window: Span, watermark: Watermark) -> bool {
        watermark.has_reached(window.end.plus(self.lateness))
    }

    /// Takes an event into all of its windows that still take records, and names them in order of their end.
    pub(super) fn enter(
        &self,
        keeping: &Keeping<'_, A>,
        event: &mut Entering<'_, A>,
        state: &mut WindowState<'_, A>,
    ) -> Result<Spans, Reject> {
        match keeping {
            Keeping::Each(windows) => self.enter_own(windows.assign(event.time), event, state),
            Keeping::Whole(_) => self.enter_own(WHOLE, event, state),
            Keeping::Slices(windows, _) => self.enter_slice(*windows, event, state),
            Keeping::Sessions(sessions, merge) => self.enter_session(sessions, *merge, event, state),
        }
    }

    fn enter_own(
        &self,
        window: Span,
        event: &mut Entering<'_, A>,
        state: &mut WindowState<'_, A>,
    ) -> Result<Spans, Reject> {
        if self.is_gone(window, event.watermark) {
            return Ok(Spans::new());
        }
        self.add_in(Slot::window(window), event, state)?;
        Ok(smallvec![window])
    }

    fn enter_slice(
        &self,
        windows: &dyn Slice,
        event: &mut Entering<'_, A>,
        state: &mut WindowState<'_, A>,
    ) -> Result<Spans, Reject> {
        let slice = windows.slice(event.time);
        let open: Spans = windows.windows(slice).filter(|window| !self.is_gone(*window, event.watermark)).collect();
        if open.is_empty() {
            return Ok(open);
        }
        let slot = Slot::Slice(slice.start);
        // With a slice come the windows that are open then, and each stays until it takes no more records.
        let is_new = state.get(&slot).is_none();
        self.add_in(slot, event, state)?;
        for slot in open.iter().copied().map(Slot::window).filter(|_| is_new) {
            if state.get(&slot).is_none() {
                state.put(slot, WindowCell::marker());
            }
        }
        Ok(open)
    }

    fn add_in(&self, slot: Slot, event: &mut Entering<'_, A>, state: &mut WindowState<'_, A>) -> Result<(), Reject> {
        let add =
            |cell: &mut WindowCell<_>| (event.add)(cell.accumulator.get_or_insert_with(|| self.aggregate.empty()));
        state.update(slot, WindowCell::marker, add)
    }

    /// The sessions of a key never touch: what does is one. So those that the event's own window touches lie side by
    /// side. Whether the event is late is judged by the session that it would be part of.
    fn enter_session(
        &self,
        sessions: &Session,
        merge: MergeFn<A>,
        event: &mut Entering<'_, A>,
        state: &mut WindowState<'_, A>,
    ) -> Result<Spans, Reject> {
        let own = sessions.span(event.time);
        let met = sessions_touching(own, state);
        let window = met
            .iter()
            .fold(own, |window, met| Span { start: window.start.min(met.start), end: window.end.max(met.end) });
        if self.is_gone(window, event.watermark) {
            return Ok(Spans::new());
        }
        let mut merged = WindowCell::marker();
        for session in met {
            let slot = Slot::window(session);
            let Some(cell) = state.get(&slot).cloned() else { continue };
            merged = self.merge_session(merged, cell, session, window, merge)?;
            state.remove(slot);
        }
        let mut accumulator = merged.accumulator.unwrap_or_else(|| self.aggregate.empty());
        (event.add)(&mut accumulator)?;
        state.put(Slot::window(window), WindowCell { accumulator: Some(accumulator), pane: merged.pane });
        Ok(smallvec![window])
    }

    /// A session becomes part of `window`. One that is just that stays what it was; results of another are void from now
    /// on.
    fn merge_session(
        &self,
        into: WindowCell<A::State>,
        cell: WindowCell<A::State>,
        session: Span,
        window: Span,
        merge: MergeFn<A>,
    ) -> Result<WindowCell<A::State>, Reject> {
        let pane = if session == window {
            cell.pane
        } else {
            let mut pane = PaneState::from(into.pane);
            pane.replaces.extend(cell.pane.replaces.iter().copied());
            pane.replaces.extend(cell.pane.has_results().then_some(session));
            pane.news += cell.pane.news;
            pane.early = [pane.early, cell.pane.early].into_iter().flatten().min();
            pane.into()
        };
        let accumulator = match (into.accumulator, cell.accumulator) {
            (Some(mut into), Some(from)) => {
                merge(&self.aggregate, &mut into, from)?;
                Some(into)
            }
            (into, from) => into.or(from),
        };
        Ok(WindowCell { accumulator, pane })
    }

    /// What a window holds.
    pub(super) fn value(
        &self,
        keeping: &Keeping<'_, A>,
        window: Span,
        state: &WindowState<'_, A>,
    ) -> Result<Option<A::State>, Reject> {
        let Keeping::Slices(_, merge) = keeping else {
            return Ok(state.get(&Slot::window(window)).and_then(|cell| cell.accumulator.clone()));
        };
        let mut value = None;
        for cell in state.range(&Slot::Slice(window.start), &Slot::Slice(window.end)) {
            let Some(slice) = cell.accumulator.clone() else { continue };
            match &mut value {
                Some(value) => merge(&self.aggregate, value, slice)?,
                None => value = Some(slice),
            }
        }
        Ok(value)
    }

    /// Forgets a window, and what no window needs any more. Windows go in order of their end.
    pub(super) fn forget(&self, keeping: &Keeping<'_, A>, window: Span, state: &mut WindowState<'_, A>) {
        state.remove(Slot::window(window));
        if let Keeping::Slices(windows, _) = keeping {
            let needed = windows.needed_from(window);
            state.slots(Slot::Slice(window.start), Slot::Slice(needed)).into_iter().for_each(|slot| state.remove(slot));
        }
    }
}

/// In order of their start. Those of a key lie apart, so what does not touch has none before it that does.
fn sessions_touching<S>(own: Span, state: &super::KeyState<'_, WindowCell<S>>) -> SmallVec<[Span; 2]> {
    let least = EventTime::from_millis(i64::MIN);
    let (first, behind) = (Slot::Window(least, least), Slot::Window(own.end.plus(1), least));
    let before = state.taken(&first, &behind).rev().map_while(Slot::span);
    let mut met: SmallVec<_> = before.take_while(|session| Session::touches(*session, own)).collect();
    met.reverse();
    met
}
