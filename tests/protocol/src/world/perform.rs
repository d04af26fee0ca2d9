//! Remote operations of an environment, each one atomic, and what may become of them.

use super::World;
use super::state::{At, Goal, Message, State, all_of};
use crate::Mutant;
use crate::record::{DueTime, Kind};
use crate::rules::catch_up;
use crate::rules::commit::Draft;
use crate::rules::flush;
use crate::rules::load;
use crate::table::{Put, Table};
use crate::view::View;

impl World {
    pub(super) fn journal(state: &State, e: usize) -> usize {
        state.environments[e].tasks.last().map_or(0, |task| task.journal)
    }

    /// The operation that the environment is at takes place and is answered.
    pub(super) fn perform(&self, state: &mut State, e: usize) {
        let journal = Self::journal(state, e);
        match state.environments[e].at.clone() {
            At::Load => self.load(state, e, journal),
            At::LoadRecords { .. } | At::LoadImages { .. } => self.load_on(state, e, journal),
            At::CatchUp { after_conflict, has_moved } => self.catch_up(state, e, journal, after_conflict, has_moved),
            At::AskMark => self.ask_mark(state, e, journal),
            At::ReadMark => self.read_mark(state, e, journal),
            At::WriteMark => self.write_mark(state, e, journal),
            At::LowerMark(draft) => {
                if let Some(view) = state.environments[e].views[journal].clone() {
                    let due = self.due_after(&view, &draft.record);
                    flush::lower_mark(&mut state.tables[journal], &view, due, self.config.mutant);
                    self.check_mark(state, journal);
                }
                state.environments[e].at = self.lowered(draft);
            }
            At::WriteImages(mut draft) => {
                if let Some(image) = draft.images.pop() {
                    state.tables[journal].write_image(image);
                    self.check_readable(state, journal);
                }
                state.environments[e].at =
                    if draft.images.is_empty() { At::Put(draft) } else { At::WriteImages(draft) };
            }
            At::WriteImagesLate(draft) => {
                draft.images.into_iter().for_each(|image| state.tables[journal].write_image(image));
                self.proceed(state, e);
            }
            At::Put(draft) => {
                let put = self.put(state, journal, draft.record.clone());
                self.answered(state, e, journal, draft, put);
            }
            At::LookAtSource => self.look_at_source(state, e, journal),
            At::Verify => self.verify(state, e, journal),
            At::Return { is_success } => self.answer(state, e, is_success),
            At::Idle | At::Send { .. } | At::Plan(_) => {}
        }
    }

    fn ask_mark(&self, state: &mut State, e: usize, journal: usize) {
        state.environments[e].tasks.last_mut().into_iter().for_each(|task| task.asks_mark = false);
        if flush::says_nothing_due(state.tables[journal].mark, self.config.now) {
            state.environments[e].tasks.pop();
        }
        self.proceed(state, e);
    }

    fn read_mark(&self, state: &mut State, e: usize, journal: usize) {
        let mark = state.tables[journal].mark;
        let Some(view) = state.environments[e].views[journal].as_mut() else { return };
        view.is_flushed = flush::is_marked(view, mark, self.config.mutant);
        if view.is_flushed {
            self.proceed(state, e);
        } else {
            state.environments[e].at = At::Send { acknowledged: 0 };
        }
    }

    /// Whether records lie behind the position: a tick then does nothing, a Seal is refused.
    fn look_at_source(&self, state: &mut State, e: usize, journal: usize) {
        let Some(task) = state.environments[e].tasks.last().copied() else { return };
        let position = state.environments[e].views[journal].as_ref().map_or(0, |view| view.progress.position);
        let gives_up = self.config.budget.give_ups > 0;
        // Where the event source may give a batch up, what it gave up is no reason to stop the children; it expires.
        let is_drained = position >= self.config.shards[journal].last
            || (gives_up && (task.goal == Goal::Seal || self.is_delivered(state, journal)));
        if is_drained {
            state.environments[e].tasks.last_mut().into_iter().for_each(|task| task.is_drained = true);
        } else if task.goal == Goal::Tick {
            state.environments[e].tasks.pop();
        } else {
            state.environments[e].at = At::Return { is_success: false };
            return;
        }
        self.proceed(state, e);
    }

    fn verify(&self, state: &mut State, e: usize, journal: usize) {
        let stands = |view: &&mut View| catch_up::still_holds(view, &state.tables[journal]);
        if let Some(view) = state.environments[e].views[journal].as_mut().filter(stands) {
            view.is_current = true;
            self.proceed(state, e);
        } else {
            state.environments[e].at = At::CatchUp { after_conflict: true, has_moved: false };
        }
    }

    fn write_mark(&self, state: &mut State, e: usize, journal: usize) {
        if let Some(view) = state.environments[e].views[journal].clone() {
            let due = if self.config.due_times { self.due_of(&view) } else { DueTime::Unknown };
            flush::raise_mark(&mut state.tables[journal], &view, due, self.config.mutant);
            self.check_mark(state, journal);
            if self.is(Mutant::MarkBeforeAcks) && !view.is_flushed {
                state.environments[e].at = At::Send { acknowledged: 0 };
                return;
            }
        }
        self.proceed(state, e);
    }

    /// Output `index` arrives; with an answer it is acknowledged.
    pub(super) fn send(&self, state: &mut State, e: usize, index: u8, is_answered: bool) {
        let journal = Self::journal(state, e);
        let Some(view) = &state.environments[e].views[journal] else { return };
        let (incarnation, number) = (view.incarnation, view.number);
        self.arrive(state, journal, incarnation, number, index);
        if is_answered {
            self.acknowledge(state, e, journal, index);
        }
    }

    fn acknowledge(&self, state: &mut State, e: usize, journal: usize, index: u8) {
        let environment = &mut state.environments[e];
        let (At::Send { acknowledged }, Some(view)) = (&mut environment.at, environment.views[journal].as_mut()) else {
            return;
        };
        *acknowledged |= 1 << index;
        if *acknowledged == all_of(view.outputs.len()) {
            view.is_flushed = true;
            if self.config.marks && self.config.mutant != Some(Mutant::MarkBeforeAcks) {
                environment.at = At::WriteMark;
            } else {
                self.proceed(state, e);
            }
        }
    }

    /// The request stays in the network; the environment hears nothing.
    pub(super) fn delay(&self, state: &mut State, e: usize, index: u8) {
        let journal = Self::journal(state, e);
        match state.environments[e].at.clone() {
            At::Put(draft) => {
                state.network.push(Message::Put(journal, draft.record.clone()));
                if self.is(Mutant::UnansweredCountsAsStored) {
                    self.answered(state, e, journal, draft, Put::Stored);
                }
            }
            At::Send { .. } => {
                let Some(view) = &state.environments[e].views[journal] else { return };
                let (incarnation, number) = (view.incarnation, view.number);
                state.network.push(Message::Output { journal, incarnation, number, index });
                if self.is(Mutant::CallCountsAsAck) {
                    self.acknowledge(state, e, journal, index);
                }
            }
            _ => {}
        }
    }

    fn answered(&self, state: &mut State, e: usize, journal: usize, draft: Draft, put: Put) {
        let environment = &mut state.environments[e];
        if put == Put::Conflict {
            let is_seal = draft.record.kind == Kind::Seal;
            if self.is(Mutant::SuccessOnConflict) {
                environment.tasks.clear();
                self.proceed(state, e);
            } else if draft.record.number == 1 {
                // Somebody wrote record 1, or it is being deleted: load it.
                environment.tasks.last_mut().into_iter().for_each(|task| task.is_absent = false);
                environment.views[journal] = None;
                environment.at = At::Load;
            } else if is_seal && self.is(Mutant::StaleParent) {
                environment.views[journal].iter_mut().for_each(|view| view.kind = Kind::Seal);
                self.proceed(state, e);
            } else {
                environment.views[journal].iter_mut().for_each(|view| view.is_wary = true);
                environment.at = At::CatchUp { after_conflict: true, has_moved: false };
            }
            return;
        }
        self.install(state, e, journal, draft);
    }

    /// An acknowledged commit: the view moves on.
    fn install(&self, state: &mut State, e: usize, journal: usize, draft: Draft) {
        if self.is(Mutant::ParentGoesEarly) && draft.record.number == 1 {
            for parent in &self.config.shards[journal].parents {
                state.tables[*parent] = Table::empty(self.config.ring);
            }
        }
        let environment = &mut state.environments[e];
        if draft.record.number == 1 {
            let view = load::assemble(
                std::slice::from_ref(&draft.record),
                &self.images_of(&state.tables[journal], &draft),
                environment.code,
                None,
            );
            environment.views[journal] = view.ok();
            environment.tasks.last_mut().into_iter().for_each(|task| task.is_absent = false);
            if self.is(Mutant::NameBeforeImage) && !draft.images.is_empty() {
                environment.at = At::WriteImagesLate(draft);
                return;
            }
            return self.proceed(state, e);
        }
        let Some(view) = environment.views[journal].as_mut() else { return };
        view.advance(&draft.record, true, self.config.mutant);
        let view = view.clone();
        self.check_view(state, journal, &view);
        if self.is(Mutant::NameBeforeImage) && !draft.images.is_empty() {
            state.environments[e].at = At::WriteImagesLate(draft);
        } else if (view.is_flushed && self.config.due_times) || (self.is(Mutant::MarkBeforeAcks) && !view.is_flushed) {
            state.environments[e].at = At::WriteMark;
        } else {
            self.proceed(state, e);
        }
    }

    fn images_of(&self, table: &Table, draft: &Draft) -> Vec<crate::record::Image> {
        table.images.iter().chain(&draft.images).cloned().collect()
    }

    /// The put ends in an error: the invocation fails, the memory is as before.
    pub(super) fn give_up_put(&self, state: &mut State, e: usize) {
        let journal = Self::journal(state, e);
        if let At::Put(draft) = state.environments[e].at.clone()
            && self.is(Mutant::StepInPlace)
            && let Some(view) = state.environments[e].views[journal].as_mut()
        {
            draft.record.changes.iter().for_each(|change| crate::step::apply(&mut view.cells, *change));
            view.progress = draft.record.progress;
        }
        state.environments[e].at = At::Return { is_success: false };
    }
}
