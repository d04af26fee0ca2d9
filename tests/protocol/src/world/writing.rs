//! From a step to the put of its record: which parts it renews, what must be written before.

use super::World;
use super::state::{At, State};
use crate::Mutant;
use crate::record::{DueTime, Kind, Name, Record};
use crate::rules::commit::{self, Draft};
use crate::rules::renewal;
use crate::step::{self, Stepping};
use crate::view::{self, View};

impl World {
    /// Images first, then the record that names them.
    pub(super) fn ready(&self, draft: Draft) -> At {
        if draft.images.is_empty() || self.is(Mutant::NameBeforeImage) {
            At::Put(draft)
        } else {
            At::WriteImages(draft)
        }
    }

    pub(super) fn stepping(&self, view: &View) -> Stepping<'_> {
        Stepping::begin(&self.config.events, view.cells, view.progress.clone(), self.config.mutant)
    }

    pub(super) fn commit(&self, state: &mut State, e: usize, journal: usize, kind: Kind, stepping: Stepping<'_>) -> At {
        let code = state.environments[e].code;
        let Some(view) = &state.environments[e].views[journal] else { return At::Load };
        let record = commit::draft(view, kind, stepping, code.writes(view.format, self.config.mutant));
        self.plan(state, e, journal, record)
    }

    /// Which parts the record renews. One way: it is taken at once.
    pub(super) fn plan(&self, state: &mut State, e: usize, journal: usize, record: Record) -> At {
        if self.is(Mutant::EmitBeforeCommit) {
            for index in 0..record.outputs.len() {
                self.arrive(state, journal, record.incarnation, record.number, index as u8);
            }
        }
        let ways = self.ways(state, e, journal, &record);
        match ways.as_slice() {
            [names] => self.planned(state, e, journal, &record, names),
            _ => At::Plan(record),
        }
    }

    pub(super) fn ways(&self, state: &State, e: usize, journal: usize, record: &Record) -> Vec<Vec<Name>> {
        let Some(view) = &state.environments[e].views[journal] else { return Vec::new() };
        renewal::ways(view, state.tables[journal].ring(), record.format, self.config.freedom, self.config.mutant)
    }

    pub(super) fn planned(&self, state: &mut State, e: usize, journal: usize, record: &Record, names: &[Name]) -> At {
        let mutant = self.config.mutant;
        let Some(view) = &state.environments[e].views[journal] else { return At::Load };
        let draft = commit::with_names(view, record, names, mutant);
        if self.is(Mutant::CollectBeforeAck) {
            let mut parts = view.parts.clone();
            let replaced = view::take_names(&mut parts, names);
            replaced.into_iter().for_each(|id| state.tables[journal].delete_image(id));
            return self.ready(draft);
        }
        if self.config.due_times && !self.is(Mutant::NoLowering) && self.due_after(view, record) < self.due_of(view) {
            return At::LowerMark(draft);
        }
        self.ready(draft)
    }

    /// After the mark is lowered.
    pub(super) fn lowered(&self, draft: Draft) -> At {
        self.ready(draft)
    }

    pub(super) fn due_of(&self, view: &View) -> DueTime {
        DueTime::of(step::earliest(&view.cells, &self.config.events))
    }

    pub(super) fn due_after(&self, view: &View, record: &Record) -> DueTime {
        let mut cells = view.cells;
        record.changes.iter().for_each(|change| step::apply(&mut cells, *change));
        DueTime::of(step::earliest(&cells, &self.config.events))
    }
}
