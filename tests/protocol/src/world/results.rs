//! Whether results are a function of the records in order and the ticks between them.

use super::World;
use super::state::{Ghost, State};
use crate::Violation;
use crate::record::{Kind, Output, Record, Said};
use crate::step::{self, Stepping};

impl World {
    /// The highest watermark that a cell was ever under before this journal began.
    fn inherited_watermark(&self, state: &State, journal: usize, cell: u8) -> u8 {
        let owners =
            self.config.shards[journal].parents.iter().filter(|parent| self.config.shards[**parent].owns(cell));
        let of = |parent: &usize| {
            let last = state.ghosts[*parent].history.last().map_or(0, |last| last.progress.watermark);
            last.max(self.inherited_watermark(state, *parent, cell))
        };
        owners.map(of).max().unwrap_or(0)
    }

    /// Results are a function of the records in order and the ticks between them: as if every step were one commit.
    pub(super) fn check_results(&self, state: &mut State, journal: usize) {
        // An invocation that the operator did not wait for may take its batch in the new life, and leave out what comes
        // before.
        if self.config.operation.is_some() && !self.config.operator_waits {
            return;
        }
        let ghost = &state.ghosts[journal];
        let Some(init) = ghost.history.first() else { return };
        let mut stepping = Stepping::begin(&self.config.events, ghost.origin, init.progress.clone(), None);
        stepping.progress.floors.clear();
        // What was due in a parent has fired there, or fires before anything else.
        while (0..step::CELLS as u8).any(|cell| self.fire_inherited(state, journal, cell, &mut stepping)) {}
        let mut watermark = init.progress.watermark;
        for record in &ghost.history[1..] {
            for id in stepping.progress.position + 1..=record.progress.position {
                if self.config.budget.give_ups > 0 && !mentions(record, id) {
                    continue;
                }
                let event = self.config.events[usize::from(id - 1)];
                let judge = self.inherited_watermark(state, journal, event.cell).max(stepping.progress.watermark);
                stepping.progress.highest = stepping.progress.watermark;
                stepping.take(id, judge > event.time);
                while stepping.fire_next() {}
            }
            if record.kind == Kind::Tick {
                stepping.progress.watermark = stepping.progress.watermark.max(record.progress.watermark);
                while stepping.fire_next() {}
            }
            watermark = record.progress.watermark;
        }
        let made = self.made(ghost);
        let cells = ghost.cells(ghost.history.len() as u8);
        let is_firing = step::is_due(&cells, watermark, &self.config.events, None);
        let is_same = if is_firing {
            stepping.outputs.starts_with(&made)
        } else {
            stepping.outputs == made && stepping.cells == cells
        };
        if !is_same || watermark != stepping.progress.watermark {
            state.breaks(Violation::Results);
        }
    }

    /// All outputs in order, those that a record carries along once.
    fn made(&self, ghost: &Ghost) -> Vec<Output> {
        let is_new = |pair: &&[Record]| !Ghost::carries(&pair[0], &pair[1]);
        ghost.history.windows(2).filter(is_new).flat_map(|pair| pair[1].outputs.iter().copied()).collect()
    }

    fn fire_inherited(&self, state: &State, journal: usize, cell: u8, stepping: &mut Stepping<'_>) -> bool {
        let watermark = self.inherited_watermark(state, journal, cell);
        let mut only = stepping.clone();
        (0..step::CELLS).filter(|other| *other != usize::from(cell)).for_each(|other| only.cells[other] = 0);
        if !only.fire_under(watermark) {
            return false;
        }
        stepping.cells[usize::from(cell)] = only.cells[usize::from(cell)];
        stepping.outputs = only.outputs;
        true
    }
}

/// Whether a record took this event: what was given up before it was never taken.
fn mentions(record: &Record, id: u8) -> bool {
    record.changes.iter().any(|change| change.entry == id)
        || record.outputs.iter().any(|output| output.said == Said::Late && output.id == id)
}
