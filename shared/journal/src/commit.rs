//! Writing the next record.

use futures_util::future::{join_all, try_join_all};
use tidemill_core::{Change, EventTime, Position, Progress};

use crate::flush::Flushed;
use crate::insist::insist;
use crate::mark;
use crate::renewal::{self, Renewal};
use crate::spill;
use crate::{Deadline, Error, Format, Guard, JournalId, Kind, Output, Put, Record, SlotItem, State, Store, View};

/// An item of DynamoDB has at most 400 KB, names and attributes included.
pub(crate) const BODY_LIMIT: usize = 390_000;

/// What the next record holds, as far as its writer decides it.
#[derive(Clone, Debug)]
pub struct Draft {
    /// What moves the shard on.
    pub kind: Kind,
    /// The last record taken.
    pub position: Option<Position>,
    /// How far the shard is then.
    pub progress: Progress,
    /// Cells that changed.
    pub changes: Vec<Change>,
    /// What to send; every one accepted by the sink's [`objection`](crate::Sink::objection).
    pub outputs: Vec<Output>,
    /// Behind which position records are missing.
    pub gap: Option<Position>,
    /// The schedule's own time, of a tick.
    pub tick: Option<EventTime>,
    /// Whether what does not fit the record's item may go into one of its own. Where less can be taken, it should not.
    pub may_spill: bool,
}

/// How a commit ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Committed {
    /// It is acknowledged: the view has moved on, the state's overlay is to be installed.
    Done,
    /// Someone else wrote a record, perhaps this writer's own earlier attempt: neither success nor failure. The overlay
    /// is to be discarded; catch up and start over at flush.
    Conflict,
    /// The record would not fit its item; nothing was written. The overlay is to be discarded; take less.
    TooLarge {
        /// Its bytes.
        bytes: usize,
    },
}

/// Writes record n+1 on a flushed view of exactly n (I1, I3). `state` still shows n: the step lies in its overlay. Of it
/// [`State::next_due`] tells alone.
///
/// # Errors
/// [`Error::Closed`] behind a Seal or Drain (I6); the store's error if no attempt is answered. View unchanged.
pub async fn commit<S: Store>(
    store: &S,
    journal: &JournalId,
    flushed: Flushed<'_>,
    draft: Draft,
    state: &(impl State + ?Sized),
    deadline: Deadline,
) -> Result<Committed, Error> {
    let view = flushed.into_view();
    check_open(journal, view, draft.kind)?;
    let format = view.format;
    write(store, journal, view, format, draft, state, deadline).await
}

/// Writes record n+1 in `format`, on a view whose outputs are acknowledged or stand in the draft again.
pub(crate) async fn write<S: Store>(
    store: &S,
    journal: &JournalId,
    view: &mut View,
    format: Format,
    draft: Draft,
    state: &(impl State + ?Sized),
    deadline: Deadline,
) -> Result<Committed, Error> {
    let mut renewal = renewal::plan(journal, view, state)?;
    let (may_spill, stated_again) = (draft.may_spill, std::mem::take(&mut renewal.stated_again));
    // As of n, so before what changes with n + 1.
    let draft = Draft { changes: stated_again.into_iter().chain(draft.changes).collect(), ..draft };
    let mut record = record(view, format, draft, &renewal);
    let number = record.number;
    let encode = |why| Error::encode(journal, number, why);
    let mut body = record.encode().map_err(encode)?;
    if body.len() > BODY_LIMIT {
        if !may_spill {
            return Ok(Committed::TooLarge { bytes: body.len() });
        }
        let (mut rest, image) = spill::move_out(&record).map_err(encode)?;
        body = rest.encode().map_err(encode)?;
        record.spills = rest.spills;
        renewal.images.push(image);
    }
    let item = SlotItem { incarnation: view.incarnation, number, body };
    // Acknowledged before the commit that names them: a name without its image would make the journal unreadable.
    try_join_all(renewal.images.iter().map(|image| store.write_part(journal, &image.id, &image.chunks))).await?;
    // So is what the mark is to say: later it would be too late for a tick that comes between (I9).
    let due = state.next_due();
    if mark::is_earlier(due, view.due) {
        mark::lower(store, journal, view, due, deadline).await?;
    }
    if put(store, journal, view, &item, deadline).await? == Put::Conflict {
        view.meet_others();
        return Ok(Committed::Conflict);
    }
    let oldest = record.oldest;
    view.advance(record, item.body.len(), true);
    view.due = due;
    for (name, held) in renewal.held() {
        view.parts.know(name, held.clone());
    }
    let mut garbage = renewal.replaced;
    garbage.extend(view.spills.take_garbage(oldest));
    // Garbage only now that the commit that replaces it is acknowledged. What stays behind is swept some day.
    join_all(garbage.iter().map(|id| store.delete_part(journal, id))).await;
    Ok(Committed::Done)
}

/// Data may not follow the end; the rest of a firing that the end began may.
fn check_open(journal: &JournalId, view: &View, kind: Kind) -> Result<(), Error> {
    match view.kind {
        Kind::Drain if kind == Kind::Drain => Ok(()),
        Kind::Seal | Kind::Drain => {
            Err(Error::Closed { journal: journal.clone(), kind: view.kind, number: view.number })
        }
        Kind::Init | Kind::Data | Kind::Tick => Ok(()),
    }
}

fn record(view: &View, format: Format, draft: Draft, renewal: &Renewal) -> Record {
    Record {
        format,
        incarnation: view.incarnation,
        ring: view.ring,
        number: view.number + 1,
        kind: draft.kind,
        position: draft.position,
        progress: draft.progress,
        changes: draft.changes,
        outputs: draft.outputs,
        oldest: renewal.oldest(&view.parts),
        schema: (view.is_unclaimed || !renewal.names.is_empty()).then(|| view.schema.clone()),
        parts: renewal.names.clone(),
        spills: Vec::new(),
        gap: draft.gap,
        tick: draft.tick,
    }
}

/// The conditional write of record n+1. Without an answer the same put goes again: if the first one did arrive, the
/// second conflicts with it, and catching up finds it.
async fn put<S: Store>(
    store: &S,
    journal: &JournalId,
    view: &View,
    item: &SlotItem,
    deadline: Deadline,
) -> Result<Put, Error> {
    let guard = match view.ring.lap_before(item.number) {
        Some(number) => Guard::Replaces { number, incarnation: view.incarnation },
        None => {
            Guard::VacantAfter { slot: view.ring.slot(view.number), number: view.number, incarnation: view.incarnation }
        }
    };
    let slot = view.ring.slot(item.number);
    Ok(insist(deadline, || store.put_slot(journal, slot, item, guard)).await?)
}
