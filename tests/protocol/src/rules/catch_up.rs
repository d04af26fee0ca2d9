//! Following what others committed.

use crate::Mutant;
use crate::rules::format::Code;
use crate::rules::free;
use crate::table::Table;
use crate::view::View;

/// How one read of the slot behind the view ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CaughtUp {
    /// Nothing new is there.
    Current,
    /// The view moved on by one record.
    Advanced,
    /// The journal went round the ring, was begun anew, or what it held is deleted: load it.
    Lost,
    /// The record has a format that this code does not read: refuse.
    Unreadable,
}

/// Takes in the record behind the view, names and changes alike, if it is there.
pub(crate) fn catch_up(view: &mut View, table: &Table, code: Code, mutant: Option<Mutant>) -> CaughtUp {
    let next = view.number + 1;
    let Some(record) = &table.slots[table.slot(next)] else { return CaughtUp::Current };
    if record.number < next {
        return CaughtUp::Current;
    }
    let follows = record.number == next || mutant == Some(Mutant::CatchUpOverGap);
    if !follows || record.incarnation != view.incarnation || free::is_emptied(record, mutant) {
        return CaughtUp::Lost;
    }
    if !code.reads(record.format, record.format, mutant) {
        return CaughtUp::Unreadable;
    }
    view.advance(&code.sees(record, mutant), false, mutant);
    CaughtUp::Advanced
}

/// Whether the view's last record still stands: one consistent read before an answer that rests on a cached view alone.
pub(crate) fn still_holds(view: &View, table: &Table) -> bool {
    table.record(view.number).is_some_and(|record| record.incarnation == view.incarnation)
}
