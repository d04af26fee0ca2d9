//! What is checked at every event, against what really happened.

use super::World;
use super::state::{Ghost, Operator, State};
use crate::record::{DueTime, ImageId, Kind, Progress, Record};
use crate::rules::format::Code;
use crate::rules::load::{self, Unloaded};
use crate::step;
use crate::table::{Put, Table};
use crate::view::{self, View};
use crate::{Mutant, Violation};

impl World {
    /// Writes a record if its guard holds.
    pub(super) fn put(&self, state: &mut State, journal: usize, record: Record) -> Put {
        let replaced = self.replaced(&state.tables[journal], &record);
        let before = state.tables[journal].record(record.number).map(|held| held.number);
        if state.tables[journal].put(record.clone(), self.config.mutant) == Put::Conflict {
            return Put::Conflict;
        }
        if before.is_some() {
            state.breaks(Violation::I1);
        }
        state.tables[journal].garbage.extend(replaced);
        state.tables[journal].garbage.sort_unstable();
        self.record(state, journal, record);
        self.check_readable(state, journal);
        Put::Stored
    }

    /// The images that nothing names once this record stands.
    fn replaced(&self, table: &Table, record: &Record) -> Vec<ImageId> {
        if record.parts.is_empty() || record.number == 1 {
            return Vec::new();
        }
        let before = load::load(table, Code::New, None);
        before.map_or_else(|_| Vec::new(), |view| view::take_names(&mut view.parts.clone(), &record.parts))
    }

    /// Takes note of a record that now stands in the table.
    fn record(&self, state: &mut State, journal: usize, record: Record) {
        let is_operating = !self.is_source_on(state);
        if (record.number == 1) != (record.kind == Kind::Init) {
            state.breaks(Violation::I7);
        }
        if record.number == 1 {
            // Each life is one of its own, and none begins beside another.
            let life = 1 << record.incarnation;
            let is_second = state.lives & life != 0;
            state.lives |= life;
            if !is_operating && (is_second || !state.ghosts[journal].history.is_empty()) {
                state.breaks(Violation::I1);
            }
            if !is_operating {
                self.begin_life(state, journal, record);
            }
            return;
        }
        let ghost = &state.ghosts[journal];
        let follows =
            ghost.incarnation() == Some(record.incarnation) && ghost.history.len() + 1 == usize::from(record.number);
        if is_operating {
            // A zombie may still write: the deletion goes on until nothing is found.
            return;
        }
        if !follows {
            return state.breaks(Violation::I1);
        }
        let (are_sent, is_sealed) =
            (ghost.are_sent(record.number - 1), ghost.history.last().is_some_and(|last| last.kind == Kind::Seal));
        let carries = state.ghosts[journal].history.last().is_some_and(|before| Ghost::carries(before, &record));
        if !are_sent && !carries {
            state.breaks(Violation::I3);
        }
        if is_sealed {
            state.breaks(Violation::I6);
        }
        self.check_parts(state, journal, &record);
        let leaves_records =
            self.config.budget.give_ups == 0 && record.progress.position < self.config.shards[journal].last;
        if leaves_records && record.kind == Kind::Seal {
            // What is still to be delivered would have to follow it.
            state.breaks(Violation::I6);
        }
        if leaves_records && record.kind == Kind::Tick {
            // What waits in the stream becomes late.
            state.breaks(Violation::Results);
        }
        state.ghosts[journal].append(record);
        self.check_results(state, journal);
        self.check_mark(state, journal);
    }

    fn begin_life(&self, state: &mut State, journal: usize, record: Record) {
        let images = &state.tables[journal].images;
        let view = load::assemble(std::slice::from_ref(&record), images, Code::New, Some(Mutant::MissingPartIsEmpty));
        let origin = view.map_or([0; step::CELLS], |view| view.cells);
        self.check_inheritance(state, journal, &record.progress, origin);
        state.ghosts[journal] = Ghost { history: vec![record], origin, arrived: vec![0] };
        self.check_mark(state, journal);
    }

    /// I6: record 1 is the cut or union of all parents at their Seals.
    fn check_inheritance(&self, state: &mut State, journal: usize, progress: &Progress, origin: step::Cells) {
        let shard = &self.config.shards[journal];
        let mut expected = [0; step::CELLS];
        let mut watermarks = Vec::new();
        for parent in &shard.parents {
            let ghost = &state.ghosts[*parent];
            let Some(last) = ghost.history.last().filter(|last| last.kind == Kind::Seal) else {
                return state.breaks(Violation::I6);
            };
            watermarks.push(last.progress.watermark);
            let cells = ghost.cells(last.number);
            for cell in (0..step::CELLS).filter(|cell| shard.owns(*cell as u8)) {
                expected[cell] = if cells[cell] == 0 { expected[cell] } else { cells[cell] };
            }
        }
        if origin != expected || progress.watermark != watermarks.into_iter().min().unwrap_or(0) {
            state.breaks(Violation::I6);
        }
    }

    /// I5, the part that concerns s.
    fn check_parts(&self, state: &mut State, journal: usize, record: &Record) {
        let ring = i16::from(state.tables[journal].ring());
        let floor = i16::from(record.number) - ring;
        if i16::from(record.oldest) <= floor || record.parts.iter().any(|name| name.as_of < record.oldest) {
            state.breaks(Violation::I5);
        }
    }

    /// I5: a load of what stands in the table is the history, as soon as a life has begun.
    pub(super) fn check_readable(&self, state: &mut State, journal: usize) {
        if !self.is_source_on(state) || state.ghosts[journal].history.is_empty() {
            return;
        }
        let loaded = load::load(&state.tables[journal], Code::New, self.config.mutant);
        let ghost = &state.ghosts[journal];
        let number = ghost.history.len() as u8;
        let ring = i16::from(state.tables[journal].ring());
        let is_exact = |view: &View| {
            view.number == number
                && (view.is_freed || view.cells == ghost.cells(number))
                && view.parts.iter().all(|part| i16::from(part.name.as_of) > i16::from(number) - ring)
        };
        if !loaded.is_ok_and(|view| is_exact(&view)) {
            state.breaks(Violation::I5);
        }
        let old = load::load(&state.tables[journal], Code::Old, self.config.mutant);
        let is_upgraded = state.is_upgraded(self.config.budget);
        if self.config.environments.contains(&Code::Old) && old == Err(Unloaded::Unreadable) && !is_upgraded {
            state.breaks(Violation::Deploys);
        }
    }

    /// I2: a view of the present life is the exact prefix, names included.
    pub(super) fn check_view(&self, state: &mut State, journal: usize, view: &View) {
        let ghost = &state.ghosts[journal];
        if ghost.incarnation() != Some(view.incarnation) || !self.is_source_on(state) {
            return;
        }
        let record = ghost.history.get(usize::from(view.number) - 1);
        let is_exact = record.is_some_and(|record| {
            let has_cells = view.is_freed || ghost.cells(view.number) == view.cells;
            record.progress == view.progress && record.kind == view.kind && has_cells
        });
        let mut parts = Vec::new();
        for record in ghost.history.iter().take(usize::from(view.number)) {
            view::take_names(&mut parts, &record.parts);
        }
        let has_names = parts.iter().map(|part| part.name).eq(view.parts.iter().map(|part| part.name));
        if !is_exact || !(has_names || view.is_freed) {
            state.breaks(Violation::I2);
        }
    }

    /// I9: a mark of the present life tells what is sent, and never says later than true when something is due. Nor does one
    /// of an earlier life, where the operator waited until nobody was left to write it.
    pub(super) fn check_mark(&self, state: &mut State, journal: usize) {
        if !self.is_source_on(state) {
            return;
        }
        let ghost = &state.ghosts[journal];
        let Some(mark) = state.tables[journal].mark else { return };
        let is_present = ghost.incarnation() == Some(mark.incarnation);
        // Ticks believe it of the present life all the same.
        let was_waited_for = self.config.operator_waits && state.operator == Operator::Done;
        if !(is_present || was_waited_for) {
            return;
        }
        if is_present && !ghost.are_sent(mark.number) {
            state.breaks(Violation::I9);
        }
        let ghost = &state.ghosts[journal];
        let due = DueTime::of(step::earliest(&ghost.cells(ghost.history.len() as u8), &self.config.events));
        if mark.due > due {
            state.breaks(Violation::I9);
        }
    }

    /// An output arrives downstream.
    pub(super) fn arrive(&self, state: &mut State, journal: usize, incarnation: u8, number: u8, index: u8) {
        let is_operating = !self.is_source_on(state);
        let ghost = &mut state.ghosts[journal];
        if ghost.incarnation() != Some(incarnation) || is_operating {
            return;
        }
        let is_behind = ghost.are_sent(number - 1);
        if is_behind && usize::from(number) <= ghost.history.len() {
            ghost.note(number, index);
        } else {
            state.breaks(Violation::I4);
        }
        // A child's outputs for a cell stand behind all of its parents'.
        let parents = &self.config.shards[journal].parents;
        let are_sent = |parent: &usize| state.ghosts[*parent].are_sent(u8::MAX);
        if !parents.iter().all(are_sent) {
            state.breaks(Violation::I4);
        }
    }

    /// I8: success means that every record of the batch is in, everything due is fired and all is flushed, as of the view
    /// that the answer rests on. What a zombie commits behind it is flushed by whoever comes next.
    pub(super) fn check_success(&self, state: &mut State, e: usize, journal: usize, last: u8) {
        let ghost = &state.ghosts[journal];
        let view = state.environments[e].views[journal].as_ref();
        let number = view.filter(|view| ghost.incarnation() == Some(view.incarnation)).map_or(0, |view| view.number);
        let is_true = ghost.history.get(usize::from(number).wrapping_sub(1)).is_some_and(|record| {
            let watermark = record.progress.watermark;
            let is_firing = step::is_due(&ghost.cells(number), watermark, &self.config.events, None);
            record.progress.position >= last && (record.kind == Kind::Seal || !is_firing) && ghost.are_sent(number)
        });
        if !is_true {
            state.breaks(Violation::I8);
        }
    }

    /// A batch that is all in, behind a Seal, must not be refused: the event source would send it for ever.
    pub(super) fn check_refusal(&self, state: &mut State, journal: usize, last: u8) {
        let ghost = &state.ghosts[journal];
        if ghost.history.last().is_some_and(|head| head.kind == Kind::Seal && head.progress.position >= last) {
            state.breaks(Violation::Progress);
        }
    }
}
