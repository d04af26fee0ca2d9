//! Where a holder of a journal stands.

use crate::Mutant;
use crate::record::{ImageId, Kind, Name, Output, Progress, Record};
use crate::step::{self, CELLS, Cells};

/// A part of the state: the cells of a range, and which image stands for them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Part {
    pub(crate) name: Name,
    /// Which cells of it changed since its image, a bit each: those that a record behind s changes or states again.
    pub(crate) touched: u8,
}

impl Part {
    pub(crate) const fn is_touched(&self) -> bool {
        self.touched != 0
    }

    pub(crate) const fn touch(&mut self, cell: u8) {
        if self.covers(cell) {
            self.touched |= 1 << cell;
        }
    }

    pub(crate) const fn covers(&self, cell: u8) -> bool {
        self.name.first <= cell && cell <= self.name.last
    }
}

/// The exact prefix 1..=n of a journal (I2), with its state.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct View {
    pub(crate) incarnation: u8,
    pub(crate) number: u8,
    pub(crate) format: u8,
    pub(crate) kind: Kind,
    pub(crate) progress: Progress,
    pub(crate) cells: Cells,
    pub(crate) parts: Vec<Part>,
    pub(crate) outputs: Vec<Output>,
    /// Whether the outputs of record n are known to be acknowledged.
    pub(crate) is_flushed: bool,
    /// Whether record n was committed by this holder.
    pub(crate) is_own: bool,
    /// Whether it reflects every commit acknowledged before this invocation.
    pub(crate) is_current: bool,
    /// Whether others wrote to the journal lately.
    pub(crate) is_wary: bool,
    /// Whether what the journal held is deleted.
    pub(crate) is_freed: bool,
}

/// Whether the names tile all cells.
pub(crate) fn tile(parts: &[Part]) -> bool {
    (0..CELLS as u8).all(|cell| parts.iter().filter(|part| part.covers(cell)).count() == 1)
}

/// Takes over the names of a record: a name stands for its range in place of all that it overlaps, so that a division or
/// a union is one record. Answers with the images that nothing names any more.
pub(crate) fn take_names(parts: &mut Vec<Part>, names: &[Name]) -> Vec<ImageId> {
    let overlaps = |part: &Part, name: &Name| part.name.first <= name.last && name.first <= part.name.last;
    let before: Vec<ImageId> = parts.iter().filter_map(|part| part.name.image).collect();
    parts.retain(|part| !names.iter().any(|name| overlaps(part, name)));
    parts.extend(names.iter().map(|name| Part { name: *name, touched: 0 }));
    parts.sort_by_key(|part| part.name.first);
    before.into_iter().filter(|id| !parts.iter().any(|part| part.name.image == Some(*id))).collect()
}

impl View {
    /// Moves on to `record`, the next one: names first, then changes.
    pub(crate) fn advance(&mut self, record: &Record, is_own: bool, mutant: Option<Mutant>) -> Vec<ImageId> {
        let ignores_names = mutant == Some(Mutant::CatchUpIgnoresNames) && !is_own;
        let replaced = if ignores_names { Vec::new() } else { take_names(&mut self.parts, &record.parts) };
        for (cell, log) in &record.again {
            self.cells[usize::from(*cell)] = *log;
            if mutant != Some(Mutant::AgainIsNoTouch) {
                self.parts.iter_mut().for_each(|part| part.touch(*cell));
            }
        }
        for change in &record.changes {
            step::apply(&mut self.cells, *change);
            self.parts.iter_mut().for_each(|part| part.touch(change.cell));
        }
        self.number = record.number;
        self.format = record.format;
        self.kind = record.kind;
        self.progress = record.progress.clone();
        self.outputs = record.outputs.clone();
        self.is_flushed = record.outputs.is_empty();
        self.is_own = is_own;
        self.is_wary |= !is_own;
        self.is_current = true;
        self.is_freed = record.is_freed;
        replaced
    }
}
