//! Ending a journal's life from outside, and beginning another: drop, restore, import.
//!
//! A new life has a new incarnation, so that its results are no repeats of the old life's, and nothing of the old one can
//! go on in it: a put of the old life finds neither the record before nor the one of the lap before. So
//!
//! 1. slots are deleted, each on condition that it holds what was read, that of record 1 last, until a consistent read finds none;
//! 2. images are written anew (those of the old life are garbage), then record 1, if there is none;
//! 3. if there is one, somebody began the empty journal meanwhile: from the start.
//!
//! A drop ends like that too, with an empty record 1: a late record 1 of the old life could land in an empty ring.
//!
//! # What goes along, and what does not
//! - **Position, watermark, floors, the highest event time, the last arrival, all cells** go: the shard goes on exactly
//!   where it stood. What was taken of upstream pipelines is among the cells: what comes again is told as before.
//! - **Outputs that are not known to be sent** go, under their old ids, in record 1: whoever commits next sends them before
//!   (I3), and who got them before drops them by their ids. A tool has no sinks. Without them what a crash left unsent would
//!   be lost; under new ids it would come twice.
//! - **R, format, fingerprint, the shard's first sequence number and its keys** go, so that the same code reads it.
//! - **A Seal or the end of input** goes, as record 2: children begin behind it.
//! - **The incarnation** does not, nor commit numbers: results and quarantined records count anew under it. The flush mark
//!   stays behind and names another life, but says no more that nothing is due: a tick that asks it alone would pass over
//!   the new life. The note of attempts is cleared.

use std::ops::RangeInclusive;

use futures_util::future::try_join_all;
use tidemill_core::{Change, Corrupt, EventTime, PartRange, Position, Progress, Reject};

use crate::commit::{self, Draft};
use crate::{
    Attempt, Beginning, Committed, DEFAULT_RING, Deadline, Error, Format, Incarnation, JournalId, Kind, Mark, Output,
    PartId, Put, Ring, Schema, SlotItem, State, Store, StoreError, View, flush, init, load,
};

/// How often a journal that functions begin again is deleted.
const ATTEMPTS: u32 = 16;
/// How often record 1 is sent that gets no answer.
const PUT_ATTEMPTS: u32 = 3;
/// The slot of record 1, whatever R is.
const FIRST: u32 = 1;
/// How many slots are looked for at once: an item may have 400 KB.
const SLOTS_AT_ONCE: usize = 32;

/// A store of which slots can be deleted, for tools: functions never do.
pub trait Erasable: Store {
    /// Deletes a slot's item if it holds this record. *Law:* check and deletion are one atomic act; of anything else nothing
    /// is deleted, which is no error. A deletion that comes late must not meet the life that has begun meanwhile.
    fn delete_slot(
        &self,
        journal: &JournalId,
        slot: u32,
        number: u64,
        incarnation: Incarnation,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// All that a journal's new life begins with, but its state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Whose state this is. Names the journal that is to be begun.
    pub schema: Schema,
    /// R.
    pub ring: Ring,
    /// The format that it goes on in.
    pub format: Format,
    /// The last record's kind: behind a Seal or the end of input nothing follows.
    pub kind: Kind,
    /// The last record that is in.
    pub position: Option<Position>,
    /// How far the shard is in event time.
    pub progress: Progress,
    /// Outputs that are not known to be sent.
    pub outputs: Vec<Output>,
    /// When what the journal held was freed, if it was: no child begins from it.
    pub freed: Option<EventTime>,
}

impl Snapshot {
    /// Of a journal as a view of it stands; its state is beside the view.
    pub async fn of<S: Store>(store: &S, journal: &JournalId, view: &View) -> Self {
        let flushed = view.flushed || flush::is_marked(store, journal, view).await;
        Self {
            schema: view.schema.clone(),
            ring: view.ring,
            format: view.format,
            kind: view.kind,
            position: view.position.clone(),
            progress: view.progress.clone(),
            outputs: if flushed { Vec::new() } else { view.outputs.clone() },
            freed: view.freed,
        }
    }

    fn beginning(&self, incarnation: Incarnation) -> Beginning {
        Beginning {
            progress: self.progress.clone(),
            format: self.format,
            position: self.position.clone(),
            outputs: self.outputs.clone(),
            ..Beginning::empty(incarnation, self.ring, self.schema.clone())
        }
    }
}

/// What was deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Erased {
    /// Slots.
    pub slots: u64,
    /// Images and spills.
    pub parts: u64,
}

/// The last commit of a journal and its incarnation; `None` if there is no record 1. Twice the same, some time apart, means
/// that nobody wrote meanwhile.
///
/// # Errors
/// If an item is damaged or the store fails.
pub async fn head<S: Store>(store: &S, journal: &JournalId) -> Result<Option<(Incarnation, u64)>, Error> {
    Ok(load::find_head(store, journal).await?.map(|record| (record.incarnation, record.number)))
}

/// Begins the journal that the snapshot names, which must not be there.
///
/// # Errors
/// [`Error::Occupied`] if it is; those of [`restore()`].
pub async fn import<S: Erasable>(
    store: &S,
    snapshot: &Snapshot,
    incarnation: Incarnation,
    state: &(impl State + ?Sized),
) -> Result<(), Error> {
    let journal = &snapshot.schema.journal;
    if let Some((_, item)) = store.read_slots(journal, 0..=u32::MAX, 1).await?.first() {
        return Err(Error::Occupied { journal: journal.clone(), number: item.number });
    }
    restore(store, snapshot, incarnation, state).await.map(|_| ())
}

/// Ends the life of the journal that the snapshot names, if there is one, and begins another that goes on from it.
/// `incarnation` must be random, and new with every call.
///
/// Law: if it succeeds, the journal stands at the snapshot, under the new incarnation, and no write of an earlier life can
/// succeed any more. If it fails, the journal may be empty: call it again.
///
/// # Errors
/// [`Error::Contested`] if functions begin the journal each time; if the state does not encode, or the store fails.
pub async fn restore<S: Erasable>(
    store: &S,
    snapshot: &Snapshot,
    incarnation: Incarnation,
    state: &(impl State + ?Sized),
) -> Result<Erased, Error> {
    let journal = &snapshot.schema.journal;
    let mut erased = Erased::default();
    for _ in 0..ATTEMPTS {
        erase(store, journal, &mut erased).await?;
        if begin(store, snapshot, incarnation, state).await? && end(store, snapshot, state).await? {
            // As of another position, or of a life that is over.
            store.write_attempt(journal, &Attempt { position: snapshot.position.clone(), count: 0 }).await?;
            return Ok(erased);
        }
    }
    Err(Error::Contested { journal: journal.clone(), attempts: ATTEMPTS })
}

/// Throws a journal away. `begins` says whether an empty one takes its place, which it must unless the journal is of a
/// shard with parents: that one begins when they are through, as at first. No function may be at work then, for a late
/// record 1 would find an empty ring. The empty journal fits whatever code comes first.
///
/// # Errors
/// As for [`restore()`].
pub async fn drop<S: Erasable>(store: &S, journal: &JournalId, begins: Option<Incarnation>) -> Result<Erased, Error> {
    let Some(incarnation) = begins else {
        let mut erased = Erased::default();
        erase(store, journal, &mut erased).await?;
        return Ok(erased);
    };
    let (ring, format) = match load::find_head(store, journal).await {
        Ok(Some(record)) => (record.ring, record.format),
        Err(Error::Store(error @ (StoreError::Unavailable { .. } | StoreError::Refused { .. }))) => {
            return Err(error.into());
        }
        // What cannot be read can be thrown away all the same. Old code may come first.
        _ => (DEFAULT_RING, Format::OLDEST),
    };
    let snapshot = Snapshot {
        schema: Schema::unclaimed(journal.clone()),
        ring,
        format,
        kind: Kind::Init,
        position: None,
        progress: Progress::start(),
        outputs: Vec::new(),
        freed: None,
    };
    restore(store, &snapshot, incarnation, &Nothing).await
}

/// Deletes slots until a consistent read finds none, then what they named. The slot of record 1 goes last: without it a
/// function would begin the journal, and a listing would not find what an erasure that broke off has left.
async fn erase<S: Erasable>(store: &S, journal: &JournalId, erased: &mut Erased) -> Result<(), Error> {
    let named: Vec<PartId> = match load::survey(store, journal).await {
        Ok(survey) => survey.iter().flat_map(|survey| survey.named().cloned()).collect(),
        Err(Error::Store(error @ (StoreError::Unavailable { .. } | StoreError::Refused { .. }))) => {
            return Err(error.into());
        }
        // A journal that cannot be read can be thrown away all the same; a sweep finds what it leaves.
        Err(_) => Vec::new(),
    };
    let mut attempts = 0;
    loop {
        for others in [0..=FIRST - 1, FIRST + 1..=u32::MAX] {
            erased.slots += delete_slots(store, journal, others).await?;
        }
        let Some(first) = store.read_slot(journal, FIRST).await? else { break };
        if attempts == ATTEMPTS {
            return Err(Error::Contested { journal: journal.clone(), attempts });
        }
        attempts += 1;
        store.delete_slot(journal, FIRST, first.number, first.incarnation).await?;
        erased.slots += 1;
    }
    forget_due(store, journal).await?;
    for together in named.chunks(SLOTS_AT_ONCE) {
        try_join_all(together.iter().map(|id| store.delete_part(journal, id))).await?;
        erased.parts += together.len() as u64;
    }
    Ok(())
}

/// Makes ticks read the journal, whatever the ended life was waiting for. A mark that was raised meanwhile is asked again.
async fn forget_due<S: Store>(store: &S, journal: &JournalId) -> Result<(), StoreError> {
    const ALWAYS: EventTime = EventTime::from_millis(i64::MIN);
    for _ in 0..ATTEMPTS {
        let Some(mark) = store.read_mark(journal).await? else { break };
        if mark.due.is_none_or(|due| due == ALWAYS) {
            break;
        }
        store.lower_mark(journal, &Mark { due: Some(ALWAYS), ..mark }).await?;
    }
    Ok(())
}

/// Deletes slots of a range until a consistent read finds none. How many it were.
async fn delete_slots<S: Erasable>(store: &S, journal: &JournalId, slots: RangeInclusive<u32>) -> Result<u64, Error> {
    let mut deleted = 0;
    loop {
        let found = store.read_slots(journal, slots.clone(), SLOTS_AT_ONCE).await?;
        if found.is_empty() {
            return Ok(deleted);
        }
        let delete = |(slot, item): &(u32, SlotItem)| store.delete_slot(journal, *slot, item.number, item.incarnation);
        try_join_all(found.iter().map(delete)).await?;
        deleted += found.len() as u64;
    }
}

/// Writes images and record 1. Whether it stands there; if not, somebody else's does.
async fn begin<S: Store>(
    store: &S,
    snapshot: &Snapshot,
    incarnation: Incarnation,
    state: &(impl State + ?Sized),
) -> Result<bool, Error> {
    let journal = &snapshot.schema.journal;
    let mut attempts = 1;
    loop {
        let unanswered = match init(store, journal, snapshot.beginning(incarnation), state).await {
            Ok(Put::Stored) => return Ok(true),
            Ok(Put::Conflict) => None,
            Err(Error::Store(error @ StoreError::Unavailable { .. })) if attempts < PUT_ATTEMPTS => Some(error),
            Err(error) => return Err(error),
        };
        // It may have met its own earlier attempt.
        match store.read_slot(journal, FIRST).await? {
            Some(item) => return Ok(item.incarnation == incarnation),
            None => attempts += u32::from(unanswered.is_some()),
        }
    }
}

/// Seals or drains what was sealed or drained. Whether record 2 stands there; if not, somebody else's does.
async fn end<S: Store>(store: &S, snapshot: &Snapshot, state: &(impl State + ?Sized)) -> Result<bool, Error> {
    if !matches!(snapshot.kind, Kind::Seal | Kind::Drain) {
        return Ok(true);
    }
    let journal = &snapshot.schema.journal;
    let Some((mut view, _)) = load::load(store, journal, None, || Box::new(Nothing)).await? else { return Ok(false) };
    if view.number > 1 {
        return Ok(false);
    }
    let draft = Draft {
        kind: snapshot.kind,
        position: snapshot.position.clone(),
        progress: snapshot.progress.clone(),
        changes: Vec::new(),
        outputs: snapshot.outputs.clone(),
        gap: None,
        tick: snapshot.freed,
        may_spill: true,
    };
    let written = commit::write(store, journal, &mut view, snapshot.format, draft, state, Deadline::NONE).await?;
    Ok(written == Committed::Done)
}

/// The state of a journal that was dropped; also reads any state, and keeps nothing.
struct Nothing;

impl State for Nothing {
    fn restore(&mut self, _: &Change) -> Result<(), Corrupt> {
        Ok(())
    }

    fn image(&self, _: &PartRange) -> Result<Vec<Change>, Reject> {
        Ok(Vec::new())
    }

    fn bytes(&self) -> usize {
        0
    }
}
