//! Drop and restore: a tool that throws a journal away or takes it back to an earlier commit.

use super::World;
use super::state::{Ghost, Operator, Restored, State};
use crate::Mutant;
use crate::record::{Output, Record};
use crate::rules::{flush, init};
use crate::table::Put;
use crate::world::Operation;

impl World {
    /// The event source is switched off; what runs goes on as a zombie. The state after record `number` is exported.
    pub(super) fn operate(&self, state: &mut State, number: u8) {
        let ghost = &state.ghosts[0];
        let exported =
            ghost.history.get(usize::from(number) - 1).map(|record| (record.progress.clone(), ghost.cells(number)));
        let kept = exported.filter(|_| self.config.operation == Some(Operation::Restore));
        let position = kept.as_ref().map_or(0, |(progress, _)| progress.position);
        state.source[0].next = position + 1;
        state.source[0].again.clear();
        state.environments.iter_mut().filter_map(|e| e.job.as_mut()).for_each(|job| job.is_live = false);
        let unsent = if kept.is_some() { self.unsent_at(state, number) } else { Vec::new() };
        let restored = Restored { state: kept, number, unsent, names: self.names_at(state, number) };
        if self.is(Mutant::RestoreInPlace) {
            let (record, _) = self.restored_init(state, &restored);
            let slot = state.tables[0].slot(1);
            state.tables[0].slots[slot] = Some(record.clone());
            state.operator = Operator::Done;
            Self::begin_restored(state, &restored, record);
            return self.check_readable(state, 0);
        }
        state.operator = Operator::Deleting(restored);
    }

    /// The outputs of a record, unless the mark says that they are sent: the tool has no sinks to send them.
    fn unsent_at(&self, state: &State, number: u8) -> Vec<Output> {
        let ghost = &state.ghosts[0];
        let is_marked = state.tables[0]
            .mark
            .is_some_and(|mark| Some(mark.incarnation) == ghost.incarnation() && mark.number >= number);
        let record = ghost.history.get(usize::from(number) - 1).filter(|_| !is_marked);
        record.map_or_else(Vec::new, |record| record.outputs.clone())
    }

    /// A new life goes on from an old one: what that committed last and what of it stands downstream is as true as before.
    fn begin_restored(state: &mut State, restored: &Restored, record: Record) {
        let at = usize::from(restored.number).wrapping_sub(1);
        let (old, origin) = (&state.ghosts[0], restored.cells());
        let owed = old.history.get(at).filter(|_| restored.state.is_some());
        let outputs = owed.map_or_else(Vec::new, |record| record.outputs.clone());
        let arrived = owed.and(old.arrived.get(at)).copied().unwrap_or(0);
        state.ghosts[0] = Ghost { history: vec![Record { outputs, ..record }], origin, arrived: vec![arrived] };
    }

    fn names_at(&self, state: &State, number: u8) -> Vec<crate::record::Name> {
        if !self.is(Mutant::RestoreNamesOldImages) {
            return Vec::new();
        }
        let mut parts = Vec::new();
        for record in state.ghosts[0].history.iter().take(usize::from(number)) {
            crate::view::take_names(&mut parts, &record.parts);
        }
        parts.into_iter().map(|part| part.name).collect()
    }

    fn restored_init(&self, state: &mut State, restored: &Restored) -> (Record, Vec<crate::record::Image>) {
        let kept = self.is(Mutant::RestoreKeepsIncarnation).then(|| state.ghosts[0].incarnation()).flatten();
        let incarnation = kept.unwrap_or(state.next_incarnation);
        state.next_incarnation += 1;
        let begun = restored.state.clone().unwrap_or_else(|| {
            let inherited = init::inherit(&self.config.shards[0], &[], None);
            (inherited.0, inherited.1)
        });
        let mut draft = init::init(incarnation, 1, begun);
        if !self.is(Mutant::RestoreLeavesOutputs) {
            draft.record.outputs.clone_from(&restored.unsent);
        }
        if self.is(Mutant::RestoreNamesOldImages) {
            draft.record.parts = restored.names.iter().map(|name| crate::record::Name { as_of: 0, ..*name }).collect();
        }
        (draft.record, draft.images)
    }

    /// The slots that the operator may delete next: in any order, that of record 1 last, without which a function would begin
    /// the journal.
    pub(super) fn deletable(state: &State) -> Vec<usize> {
        let table = &state.tables[0];
        let (first, held) = (table.slot(1), |slot: &usize| table.slots[*slot].is_some());
        let others: Vec<usize> = (0..table.slots.len()).filter(|slot| *slot != first && held(slot)).collect();
        if others.is_empty() && held(&first) { vec![first] } else { others }
    }

    /// Slots are deleted until a read finds none; then the mark's due time is taken back, which is of the old life and would
    /// be believed of the new one; then images are written anew, then Init, if record 1 is absent. So it is
    /// with a drop, too, whose Init is empty: an empty ring would take a late record 1 of the old life. `slot` is the one to
    /// be deleted.
    pub(super) fn operator_goes_on(&self, state: &mut State, slot: Option<usize>) {
        match state.operator.clone() {
            Operator::Deleting(restored) => match slot {
                Some(slot) => state.tables[0].slots[slot] = None,
                None if self.is(Mutant::DropLeavesNothing) => {
                    state.ghosts[0] = Ghost::NONE;
                    state.operator = Operator::Done;
                }
                None => state.operator = Operator::Forgetting(restored),
            },
            Operator::Forgetting(restored) => {
                if !self.is(Mutant::RestoreLeavesDueTime) {
                    flush::forget_due(&mut state.tables[0]);
                }
                state.operator = Operator::Writing(restored);
            }
            Operator::Writing(restored) => {
                let (record, images) = self.restored_init(state, &restored);
                if !self.is(Mutant::RestoreBeginsBeforeImages) {
                    images.into_iter().for_each(|image| state.tables[0].write_image(image));
                }
                if self.is(Mutant::RestoreForcesRecordOne) {
                    let slot = state.tables[0].slot(1);
                    state.tables[0].slots[slot] = None;
                }
                match state.tables[0].put(record.clone(), None) {
                    Put::Conflict => state.operator = Operator::Deleting(restored),
                    Put::Stored => {
                        Self::begin_restored(state, &restored, record);
                        state.operator = Operator::Done;
                        self.check_readable(state, 0);
                        self.check_mark(state, 0);
                    }
                }
            }
            Operator::Before | Operator::Done => {}
        }
    }
}

impl Restored {
    fn cells(&self) -> crate::step::Cells {
        self.state.as_ref().map_or([0; crate::step::CELLS], |(_, cells)| *cells)
    }
}
