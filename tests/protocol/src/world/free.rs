//! A sweep that frees what sealed parents hold. It keeps nothing in memory: whichever sweep comes next goes on.

use super::World;
use super::action::Action;
use super::state::State;
use crate::Mutant;
use crate::record::Record;
use crate::rules::free;
use crate::table::Table;

impl World {
    pub(super) fn freeings(&self, state: &State, actions: &mut Vec<Action>) {
        for (journal, table) in state.tables.iter().enumerate() {
            let Some((head, record)) = head(table) else { continue };
            let is_wanted = self.is_freeing_wanted(state, journal, record);
            if is_wanted && state.budget.sweeps > 0 {
                actions.push(Action::Free { journal, slot: head });
            }
            let goes_on = record.is_freed || (is_wanted && self.is(Mutant::FreesSlotsFirst));
            let is_left = |slot: &usize| {
                let record = table.slots[*slot].as_ref().filter(|_| *slot != head);
                record.is_some_and(|record| !free::is_emptied(record, None))
            };
            let left = (0..table.slots.len()).filter(is_left).filter(|_| goes_on);
            actions.extend(left.map(|slot| Action::Free { journal, slot }));
        }
    }

    fn is_freeing_wanted(&self, state: &State, journal: usize, head: &Record) -> bool {
        let shards = self.config.shards.iter().zip(&state.tables);
        let children = shards.filter(|(shard, _)| shard.parents.contains(&journal));
        let begun = children.map(|(_, table)| table.slots[table.slot(1)].is_some());
        free::is_wanted(head, begun, self.config.mutant)
    }

    /// Puts a record again under its own number, on condition that it stands there.
    pub(super) fn free(&self, state: &mut State, journal: usize, slot: usize) {
        let table = &mut state.tables[journal];
        let is_head = head(table).is_some_and(|(head, _)| head == slot);
        let Some(record) = table.slots[slot].clone() else { return };
        if !is_head {
            let is_deleted = self.is(Mutant::FreesByDeletion);
            table.slots[slot] = (!is_deleted).then(|| free::emptied(&record));
        } else if self.is(Mutant::FreesImagesFirst) && !table.images.is_empty() {
            table.images.clear();
        } else {
            state.budget.sweeps -= 1;
            table.slots[slot] = Some(free::freed(&record));
            // What only the Seal of before needed.
            table.garbage = table.images.iter().map(|image| image.id).collect();
        }
        self.check_readable(state, journal);
    }
}

/// The slot and the record of the highest number.
fn head(table: &Table) -> Option<(usize, &Record)> {
    let held = table.slots.iter().enumerate().filter_map(|(slot, record)| record.as_ref().map(|record| (slot, record)));
    held.max_by_key(|(_, record)| record.number)
}
