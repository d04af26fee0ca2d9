//! Freeing what a sealed parent holds, once all of its children have begun: they have its state, and nobody else asks for
//! it. Slots keep their numbers, for a late put to meet.

use crate::Mutant;
use crate::record::{Kind, Name, Record};
use crate::step::CELLS;

/// Whether what stands behind this head may go. The code waits besides until no invocation is left that may have begun to
/// read it before; nothing here rests on that.
pub(crate) fn is_wanted(head: &Record, mut children: impl Iterator<Item = bool>, mutant: Option<Mutant>) -> bool {
    let have_begun = match mutant {
        Some(Mutant::FreesAfterFirstChild) => children.any(|has_begun| has_begun),
        _ => children.all(|has_begun| has_begun),
    };
    head.kind == Kind::Seal && !head.is_freed && have_begun
}

/// What takes the place of a Seal, under its own number: all cells empty as of the record before, so that a load needs
/// nothing but it. First of all: until it stands, everything else is needed.
pub(crate) fn freed(seal: &Record) -> Record {
    let before = seal.number - 1;
    let all = Name { first: 0, last: CELLS as u8 - 1, image: None, as_of: before };
    let parts = vec![all];
    let (again, changes, outputs) = (Vec::new(), Vec::new(), Vec::new());
    Record { again, changes, outputs, parts, oldest: before, is_freed: true, ..seal.clone() }
}

/// What takes the place of a record before it.
pub(crate) fn emptied(record: &Record) -> Record {
    let (again, changes, outputs, parts) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    Record { again, changes, outputs, parts, oldest: record.number - 1, ..record.clone() }
}

/// Whether a record is one that was emptied. It needs no sign: one whose `oldest` is the record before names every part.
pub(crate) fn is_emptied(record: &Record, mutant: Option<Mutant>) -> bool {
    record.oldest + 1 == record.number && record.parts.is_empty() && mutant != Some(Mutant::EmptiedCounts)
}
