//! Sending the outputs of the last commit, and the mark that says so.

use crate::Mutant;
use crate::record::{DueTime, Mark};
use crate::table::Table;
use crate::view::View;

/// Whether the outputs of the view's last record still have to be sent, as far as the holder knows.
pub(crate) fn is_wanted(view: &View, mutant: Option<Mutant>) -> bool {
    let skips = mutant == Some(Mutant::NoFlushBeforeCommit)
        || (mutant == Some(Mutant::NoFlushAfterCatchUp) && !view.is_own && view.is_wary);
    !view.is_flushed && !skips
}

/// Whether the mark says that the view's last record is flushed.
pub(crate) fn is_marked(view: &View, mark: Option<Mark>, mutant: Option<Mutant>) -> bool {
    let knows = |mark: &Mark| mark.incarnation == view.incarnation || mutant == Some(Mutant::MarkWithoutIncarnation);
    mark.filter(knows).is_some_and(|mark| mark.number >= view.number)
}

/// Writes the mark of a flushed view, with the due time as of its commit. Only if the number grows: a late write of an
/// old view must not raise a due time that a later commit lowered.
pub(crate) fn raise_mark(table: &mut Table, view: &View, due: DueTime, mutant: Option<Mutant>) {
    let raised = Mark { incarnation: view.incarnation, number: view.number, due };
    let grows = |held: &Mark| held.incarnation != raised.incarnation || held.number < raised.number;
    if mutant == Some(Mutant::MarkUnconditional) || table.mark.as_ref().is_none_or(grows) {
        table.mark = Some(raised);
    }
}

/// Before a commit makes something due earlier: the mark must say so first, and be acknowledged. It takes the number of
/// the view along, so that no raise of this view or an older one can undo it. A mark of a later record stays as it is:
/// the put will meet a conflict. So does one of the same record that says earlier: another holder of it is about to commit.
pub(crate) fn lower_mark(table: &mut Table, view: &View, due: DueTime, mutant: Option<Mutant>) {
    let mut lowered = Mark { incarnation: view.incarnation, number: view.number, due };
    let held = table.mark.filter(|mark| mark.incarnation == view.incarnation);
    let keeps_number = mutant == Some(Mutant::LowerKeepsNumber);
    lowered.number = held.filter(|_| keeps_number).map_or(lowered.number, |mark| mark.number);
    let is_earlier = |held: Mark| {
        held.number < lowered.number
            || held.number == lowered.number && (held.due > due || mutant == Some(Mutant::LowerOverEarlier))
    };
    if held.is_none_or(is_earlier) {
        table.mark = Some(lowered);
    }
}

/// Takes back what the mark says of the next due time: it is of a life that ended, which a mark does not tell.
pub(crate) fn forget_due(table: &mut Table) {
    if let Some(mark) = &mut table.mark {
        mark.due = DueTime::Unknown;
    }
}

/// Whether a tick at `now` may pass a journal by on the word of its mark.
pub(crate) fn says_nothing_due(mark: Option<Mark>, now: u8) -> bool {
    mark.is_some_and(|mark| mark.due > DueTime::At(now))
}
