//! Following what others committed.

use crate::load::{decode, unfit};
use crate::spill;
use crate::{Error, JournalId, State, Store, View};

/// How many slots are asked for at first: mostly nothing or one record has come. Doubled with every full page.
const FIRST_PAGE: u64 = 4;
const LARGEST_PAGE: u64 = 256;

/// How catching up ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaughtUp {
    /// There was nothing new. Whether the view's own last record still stands was not looked at: see [`still_holds`].
    Current,
    /// The view moved on.
    Advanced,
    /// The journal went round the ring, was begun anew, or what it held is freed: load it.
    Lost,
}

/// Takes in the records behind the view, in order, names and changes alike.
///
/// Law: afterwards the view reflects every commit that was acknowledged before the call (I2), unless it is `Lost`.
///
/// # Errors
/// If an item is damaged or the store fails; view and state are then to be thrown away.
pub async fn catch_up<S: Store, T: State + ?Sized>(
    store: &S,
    journal: &JournalId,
    view: &mut View,
    state: &mut T,
) -> Result<CaughtUp, Error> {
    let start = view.number;
    let mut page = FIRST_PAGE;
    loop {
        let next = view.number + 1;
        // One range at a time: up to the end of the ring, then from its beginning.
        let Some(range) = view.ring.ranges(next, next + page - 1).into_iter().next() else { break };
        let wanted = u64::from(range.end() - range.start()) + 1;
        let items = store.read_slots(journal, range, usize::try_from(wanted).unwrap_or(usize::MAX)).await?;
        for (slot, item) in items {
            let next = view.number + 1;
            if slot != view.ring.slot(next) || item.number < next {
                break;
            }
            if item.number > next || item.incarnation != view.incarnation {
                return Ok(CaughtUp::Lost);
            }
            // A spill goes when nothing needs its record any more: this view is too far behind.
            let Ok(record) = spill::bring_back(store, journal, decode(journal, slot, &item)?).await? else {
                return Ok(CaughtUp::Lost);
            };
            // What it held is freed, behind a Seal.
            if record.is_emptied() {
                return Ok(CaughtUp::Lost);
            }
            // Other code was quicker to take a dropped journal: to load it is to be told so.
            if view.is_unclaimed && record.schema.as_ref().is_none_or(|schema| *schema != view.schema) {
                return Ok(CaughtUp::Lost);
            }
            for change in &record.changes {
                state.restore(change).map_err(|e| Error::damaged(journal, format!("record {next}"), unfit(&e)))?;
            }
            view.advance(record, item.body.len(), false);
        }
        if view.number + 1 < next + wanted {
            break;
        }
        page = (page * 2).min(LARGEST_PAGE);
    }
    if view.number > start {
        view.due = state.next_due();
        return Ok(CaughtUp::Advanced);
    }
    view.find_itself_alone();
    Ok(CaughtUp::Current)
}

/// Whether the view's last record still stands: one consistent read, before an answer is given that rests on a cached
/// view alone. A warm environment of a dropped journal would else call a repositioned batch done.
///
/// # Errors
/// If the store fails.
pub async fn still_holds<S: Store>(store: &S, journal: &JournalId, view: &View) -> Result<bool, Error> {
    let item = store.read_slot(journal, view.ring.slot(view.number)).await?;
    Ok(item.is_some_and(|item| item.number == view.number && item.incarnation == view.incarnation))
}
