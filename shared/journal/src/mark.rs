//! The flush mark: what is sent, and when something is due next, in one small item beside the ring.
//!
//! A tick over many quiet shards reads their marks alone. So a due time that is later than true silences a shard, and two
//! rules keep it from that, whoever writes late:
//!
//! 1. a mark is **raised** only when its number grows: the slow writer of an old view changes nothing;
//! 2. a commit that makes something due earlier **lowers** the mark first, under the number of the view that it is
//!    conditioned on, so that no raise of that view or an older one undoes it. Lowering is acknowledged before the put.
//!
//! What the rules do not reach: which life of a journal is the present one a mark does not tell, and code of before them
//! wrote marks in any order, without due times. So the journal is to be read now and then all the same.

use tidemill_core::EventTime;

use crate::{Deadline, Incarnation, JournalId, Kind, Store, StoreError, View, insist::insist};

/// A hint beside the journal: the outputs of `incarnation` up to commit `number` are acknowledged (I9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Which life of the journal.
    pub incarnation: Incarnation,
    /// The highest commit known flushed.
    pub number: u64,
    /// When something is due next, in event time: never later than true for this incarnation, [`Mark::NEVER`] if nothing
    /// is, `None` if it is not known. Marks of earlier code say none.
    pub due: Option<EventTime>,
}

impl Mark {
    /// The due time where nothing is due.
    pub const NEVER: EventTime = EventTime::from_millis(i64::MAX);

    /// Whether this mark may take the place of `held` because its number grows.
    pub fn raises(&self, held: Option<&Self>) -> bool {
        held.is_none_or(|held| held.incarnation != self.incarnation || held.number < self.number)
    }

    /// Whether this mark may take the place of `held` because it says earlier when something is due. One of a later commit
    /// stays: the put that this one comes before will meet a conflict. So does one of the same commit that says as early,
    /// or that nothing is known.
    pub fn lowers(&self, held: Option<&Self>) -> bool {
        let is_earlier = |held: &Self| held.number == self.number && is_earlier(self.due, held.due);
        self.raises(held) || held.is_some_and(is_earlier)
    }
}

/// The mark of a flushed view.
pub(crate) const fn mark_of(view: &View) -> Mark {
    Mark { incarnation: view.incarnation, number: view.number, due: view.due }
}

/// Whether something is due earlier at `after` than it was at `before`, as far as both are known.
pub(crate) fn is_earlier(after: Option<EventTime>, before: Option<EventTime>) -> bool {
    after.zip(before).is_some_and(|(after, before)| after < before)
}

/// Lowers the mark before a commit on `view` that makes something due at `due`.
pub(crate) async fn lower<S: Store>(
    store: &S,
    journal: &JournalId,
    view: &View,
    due: Option<EventTime>,
    deadline: Deadline,
) -> Result<(), StoreError> {
    let mark = Mark { due, ..mark_of(view) };
    insist(deadline, || store.lower_mark(journal, &mark)).await
}

/// Says when something is due next in a journal that was found to have nothing to do, if that is after `beyond` and the
/// mark `held` does not say so. Only of a flushed view, to which nothing else is left: a hint, so a store that fails is no
/// error.
pub async fn tell_due<S: Store>(store: &S, journal: &JournalId, view: &View, held: Option<&Mark>, beyond: EventTime) {
    let mark = mark_of(view);
    let is_open = !matches!(view.kind, Kind::Seal | Kind::Drain);
    if view.flushed && is_open && mark.due.is_some_and(|due| due > beyond) && mark.raises(held) {
        let _ = store.write_mark(journal, &mark).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn mark(life: u64, number: u64, due: Option<i64>) -> Mark {
        let due = match due {
            Some(due) => Some(EventTime::from_millis(due)),
            None => None,
        };
        Mark { incarnation: Incarnation(life), number, due }
    }

    #[test]
    fn a_mark_is_raised_only_when_its_number_grows() {
        let new = mark(1, 5, Some(10));
        assert!(new.raises(None));
        assert!(new.raises(Some(&mark(2, 9, Some(1)))), "of another life");
        assert!(new.raises(Some(&mark(1, 4, Some(1)))));
        assert!(!new.raises(Some(&mark(1, 5, Some(1)))), "a commit on 5 lowered it");
        assert!(!new.raises(Some(&mark(1, 5, None))));
        assert!(!new.raises(Some(&mark(1, 6, Some(99)))));
    }

    #[test]
    fn a_mark_is_lowered_but_never_below_what_another_holder_wrote_or_nobody_knows() {
        let new = mark(1, 5, Some(10));
        for held in [mark(2, 9, Some(1)), mark(1, 4, Some(1)), mark(1, 4, None), mark(1, 5, Some(11))] {
            assert!(new.lowers(Some(&held)), "{held:?}");
        }
        assert!(new.lowers(None));
        for held in [mark(1, 5, Some(10)), mark(1, 5, Some(9)), mark(1, 5, None), mark(1, 6, Some(99))] {
            assert!(!new.lowers(Some(&held)), "{held:?}");
        }
    }
}
