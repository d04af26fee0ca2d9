//! The step of the model: what stands in for windows and user code. Pure, and no part of the protocol.
//!
//! State is a few **cells** (a cell is a range of key hashes). A cell is the log of all that happened to it, so that two
//! states are equal only if the same things happened in the same order, and a change that is applied twice shows.

use crate::Mutant;
use crate::record::{Change, Output, Progress, Said};

/// How many cells there are.
pub(crate) const CELLS: usize = 4;

/// One record of the source stream. Its id, from 1 to 7, is its place in [`Config::events`](crate::Config).
#[derive(Clone, Copy, Debug)]
pub struct Event {
    /// The cell that its key lies in.
    pub(crate) cell: u8,
    /// Its event time; the watermark is the highest one seen (out-of-orderness bound 0).
    pub(crate) time: u8,
    /// The timer that it sets.
    pub(crate) timer: Option<u8>,
    /// The id of the event whose timer is set when this one's timer fires.
    pub(crate) chain: Option<u8>,
    /// Whether taking it makes an output at once.
    pub(crate) emits: bool,
}

impl Event {
    /// A record of a cell at a time.
    pub(crate) const fn at(cell: u8, time: u8) -> Self {
        Self { cell, time, timer: None, chain: None, emits: false }
    }

    /// It sets a timer.
    pub(crate) const fn sets(self, timer: u8) -> Self {
        Self { timer: Some(timer), ..self }
    }

    /// Its timer's firing sets the timer of event `id`.
    pub(crate) const fn then(self, id: u8) -> Self {
        Self { chain: Some(id), ..self }
    }

    /// It makes an output when it is taken.
    pub(crate) const fn emits(self) -> Self {
        Self { emits: true, ..self }
    }
}

/// The logs of all cells, one hexadecimal digit an entry: `id` for a record taken, `8 + id` for its timer fired.
pub(crate) type Cells = [u64; CELLS];

/// Applies one change.
pub(crate) fn apply(cells: &mut Cells, change: Change) {
    let log = &mut cells[usize::from(change.cell)];
    *log = (*log << 4) | u64::from(change.entry);
}

/// Whether any timer stands in these cells at or below `watermark`: a firing is in progress.
pub(crate) fn is_due(cells: &Cells, watermark: u8, events: &[Event], mutant: Option<Mutant>) -> bool {
    next_due(cells, watermark, events, mutant).is_some()
}

/// When the earliest timer is due; `None` if there is none.
pub(crate) fn earliest(cells: &Cells, events: &[Event]) -> Option<u8> {
    next_due(cells, u8::MAX, events, None).map(|due| due.time)
}

/// A timer that stands in a cell.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Due {
    time: u8,
    pub(crate) cell: u8,
    id: u8,
}

/// The smallest timer at or below the watermark, by (time, cell).
fn next_due(cells: &Cells, watermark: u8, events: &[Event], mutant: Option<Mutant>) -> Option<Due> {
    let all = (0..CELLS).flat_map(|cell| timers(cell, cells[cell], events));
    let through = if mutant == Some(Mutant::FiredThroughThreshold) { last_fired(cells, events) } else { None };
    all.filter(|due| due.time <= watermark && through.is_none_or(|through| (due.time, due.cell) > through)).min()
}

fn entries(log: u64) -> impl Iterator<Item = u8> {
    (0..16).map(move |at| ((log >> (4 * at)) & 15) as u8).filter(|entry| *entry > 0)
}

fn timers(cell: usize, log: u64, events: &[Event]) -> Vec<Due> {
    let is_fired = |id: u8| entries(log).any(|entry| entry == id + 8);
    let set =
        entries(log).filter_map(|entry| if entry < 8 { Some(entry) } else { events[usize::from(entry - 9)].chain });
    let pending = set.filter(|id| !is_fired(*id));
    let due = |id: u8| events[usize::from(id - 1)].timer.map(|time| Due { time, cell: cell as u8, id });
    pending.filter_map(due).collect()
}

fn last_fired(cells: &Cells, events: &[Event]) -> Option<(u8, u8)> {
    let of = |cell: usize| {
        let fired = entries(cells[cell]).filter(|entry| *entry > 8);
        fired.filter_map(move |entry| events[usize::from(entry - 9)].timer.map(|time| (time, cell as u8)))
    };
    (0..CELLS).flat_map(of).max()
}

/// A step under way.
#[derive(Clone)]
pub(crate) struct Stepping<'e> {
    pub(crate) events: &'e [Event],
    pub(crate) mutant: Option<Mutant>,
    pub(crate) cells: Cells,
    pub(crate) progress: Progress,
    pub(crate) changes: Vec<Change>,
    pub(crate) outputs: Vec<Output>,
}

impl<'e> Stepping<'e> {
    pub(crate) fn begin(events: &'e [Event], cells: Cells, progress: Progress, mutant: Option<Mutant>) -> Self {
        Self { events, mutant, cells, progress, changes: Vec::new(), outputs: Vec::new() }
    }

    fn change(&mut self, cell: u8, entry: u8) {
        let change = Change { cell, entry };
        apply(&mut self.cells, change);
        self.changes.push(change);
    }

    fn say(&mut self, cell: u8, said: Said, id: u8) {
        let log = self.cells[usize::from(cell)];
        self.outputs.push(Output { cell, said, id, log });
    }

    /// Judges a record under the present watermark and applies it, then raises the watermark.
    pub(crate) fn take(&mut self, id: u8, is_late: bool) {
        let event = self.events[usize::from(id - 1)];
        if is_late {
            self.say(event.cell, Said::Late, id);
        } else {
            self.change(event.cell, id);
            if event.emits {
                self.say(event.cell, Said::Emitted, id);
            }
        }
        self.progress.position = id;
        let floors = self.progress.floors.len();
        self.progress.raise(event.time);
        if self.mutant == Some(Mutant::FloorsGoTogether) && self.progress.floors.len() < floors {
            self.progress.floors.clear();
        }
    }

    /// Fires the next timer that is due at the watermark, if one is.
    pub(crate) fn fire_next(&mut self) -> bool {
        self.fire_under(self.progress.watermark)
    }

    /// Fires the next timer that is due at `watermark`, if one is.
    pub(crate) fn fire_under(&mut self, watermark: u8) -> bool {
        let Some(due) = next_due(&self.cells, watermark, self.events, self.mutant) else { return false };
        self.say(due.cell, Said::Fired, due.id);
        self.change(due.cell, due.id + 8);
        true
    }
}
