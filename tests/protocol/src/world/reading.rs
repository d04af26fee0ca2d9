//! Reading a journal: loads and catching up, item by item where a configuration says so.

use super::World;
use super::state::{At, Goal, State};
use crate::Mutant;
use crate::rules::catch_up::{self, CaughtUp};
use crate::rules::load::{self, Unloaded};
use crate::view::View;

impl World {
    pub(super) fn load(&self, state: &mut State, e: usize, journal: usize) {
        let loaded = load::load(&state.tables[journal], state.environments[e].code, self.config.mutant);
        self.loaded(state, e, journal, loaded);
    }

    fn loaded(&self, state: &mut State, e: usize, journal: usize, loaded: Result<View, Unloaded>) {
        match loaded {
            Ok(view) => {
                self.check_view(state, journal, &view);
                let environment = &mut state.environments[e];
                environment.views[journal] = Some(view);
                // The source was asked behind another position.
                environment.tasks.last_mut().into_iter().for_each(|task| task.is_drained = false);
                self.proceed(state, e);
            }
            Err(Unloaded::Absent) => {
                state.environments[e].tasks.last_mut().into_iter().for_each(|task| task.is_absent = true);
                self.proceed(state, e);
            }
            Err(Unloaded::Moved) => state.environments[e].at = At::Load,
            Err(Unloaded::Unreadable) => self.refuse(state, e),
        }
    }

    /// A load that reads item by item begins at any record that still holds its slot.
    pub(super) fn pick_head(&self, state: &mut State, e: usize, slot: usize) {
        let journal = Self::journal(state, e);
        match state.tables[journal].slots.get(slot).cloned().flatten() {
            Some(head) => state.environments[e].at = At::LoadRecords { head, got: Vec::new() },
            None => self.loaded(state, e, journal, Err(Unloaded::Absent)),
        }
    }

    pub(super) fn load_on(&self, state: &mut State, e: usize, journal: usize) {
        let (mutant, code) = (self.config.mutant, state.environments[e].code);
        let table = &state.tables[journal];
        let next = match state.environments[e].at.clone() {
            At::LoadRecords { head, mut got } => {
                let number = *load::wanted(&head).start() + got.len() as u8;
                // The head was read first, and the others of one answer in no order: what it says now does not count.
                let is_head = number == head.number;
                got.extend(if is_head { Some(head.clone()) } else { table.record(number).cloned() });
                let is_missing = *load::wanted(&head).start() + got.len() as u8 == number;
                if is_missing && mutant != Some(Mutant::LoadWithGap) {
                    Err(Err(Unloaded::Moved))
                } else if !is_head && !is_missing {
                    Ok(At::LoadRecords { head, got })
                } else {
                    let got =
                        if got.last() == Some(&head) { got } else { got.into_iter().chain([head.clone()]).collect() };
                    match load::check_complete(&head, &got, mutant).and_then(|()| load::names(&got, mutant)) {
                        Ok(parts) => {
                            let wanted = parts.iter().filter_map(|part| part.name.image).collect();
                            Ok(At::LoadImages { records: got, got: Vec::new(), wanted })
                        }
                        Err(why) => Err(Err(why)),
                    }
                }
            }
            At::LoadImages { records, mut got, mut wanted } => match wanted.pop() {
                Some(id) => {
                    got.extend(table.image(id).cloned());
                    Ok(At::LoadImages { records, got, wanted })
                }
                None => Err(load::assemble(&records, &got, code, mutant)),
            },
            at => Ok(at),
        };
        match next {
            Ok(At::LoadImages { records, got, wanted }) if wanted.is_empty() => {
                self.loaded(state, e, journal, load::assemble(&records, &got, code, mutant));
            }
            Ok(at) => state.environments[e].at = at,
            Err(loaded) => self.loaded(state, e, journal, loaded),
        }
    }

    pub(super) fn catch_up(&self, state: &mut State, e: usize, journal: usize, after_conflict: bool, has_moved: bool) {
        let environment = &mut state.environments[e];
        let Some(view) = environment.views[journal].as_mut() else {
            environment.at = At::Load;
            return;
        };
        match catch_up::catch_up(view, &state.tables[journal], environment.code, self.config.mutant) {
            CaughtUp::Advanced => {
                environment.at = At::CatchUp { after_conflict, has_moved: true };
                let view = view.clone();
                self.check_view(state, journal, &view);
            }
            CaughtUp::Current if after_conflict && !has_moved => {
                // Stale, but nothing to catch up with: the journal was begun anew.
                environment.views[journal] = None;
                environment.at = At::Load;
            }
            CaughtUp::Current => {
                environment.tasks.last_mut().into_iter().for_each(|task| task.has_followed = task.goal == Goal::Tick);
                view.is_wary &= has_moved || view.is_current;
                view.is_current |= has_moved || self.config.mutant == Some(Mutant::CurrentProvesNothing);
                self.proceed(state, e);
            }
            CaughtUp::Lost => {
                environment.views[journal] = None;
                environment.at = At::Load;
            }
            CaughtUp::Unreadable => {
                environment.views[journal] = None;
                self.refuse(state, e);
            }
        }
    }
}
