//! Reading a journal from nothing.

use futures_util::future::try_join_all;
use tidemill_core::{Change, Corrupt, Progress};

use crate::catch_up::{CaughtUp, catch_up};
use crate::expected::{Expected, Fit};
use crate::parts::{self, Parts};
use crate::spill::{self, Spills};
use crate::touched::{self, Held};
use crate::{Error, JournalId, Kind, PartId, PartName, Record, Schema, SlotItem, State, Store, View};

/// How often a journal that changes meanwhile is read anew.
const ATTEMPTS: u32 = 8;
/// How many parts are read at once: each takes some milliseconds to come, and less to restore.
const PARTS_AT_ONCE: usize = 16;
/// A larger number is damage: no journal lives so long, and behind it the next laps have numbers too.
const LARGEST: u64 = u64::MAX / 2;

/// The view and state of a journal, or `None` if it has no record 1.
///
/// Any record that still holds its slot is a safe start: the records behind its `oldest` must be complete and the parts
/// named last among them must exist; what came meanwhile is then caught up. A gap or a missing part means that the
/// journal moved on under the reader, and it reads again.
///
/// `expected` is what the caller's code is made for; `None` reads whatever is there, to look at. State of an earlier schema
/// that the code can read becomes that of its own with the next record.
///
/// # Errors
/// If the journal is of something else than expected, an item is damaged, or the store fails.
pub async fn load<S: Store, T: State + ?Sized>(
    store: &S,
    journal: &JournalId,
    expected: Option<Expected<'_>>,
    open: impl Fn() -> Box<T>,
) -> Result<Option<(View, Box<T>)>, Error> {
    let mut why = String::new();
    for _ in 0..ATTEMPTS {
        let Some(head) = find_head(store, journal).await? else { return Ok(None) };
        let mut state = open();
        match assemble(store, journal, &head, expected, state.as_mut()).await? {
            Ok(mut view) => match catch_up(store, journal, &mut view, state.as_mut()).await? {
                CaughtUp::Current | CaughtUp::Advanced => return Ok(Some((view, state))),
                CaughtUp::Lost => why = "it was begun anew, or went round the ring".to_owned(),
            },
            Err(moved) => why = moved,
        }
    }
    Err(Error::Unsettled { journal: journal.clone(), attempts: ATTEMPTS, why })
}

/// A record as late as can be found: at least every one that was acknowledged before the call.
///
/// Slot 1 holds the record that began the present lap. From there the numbers grow by one a slot up to the head, so the
/// head is searched by doubling and halving, from the flush mark if it is ahead.
pub(crate) async fn find_head<S: Store>(store: &S, journal: &JournalId) -> Result<Option<Record>, Error> {
    let Some(first) = store.read_slot(journal, 1).await? else { return Ok(None) };
    let mut head = decode(journal, 1, &first)?;
    let (ring, lap_end) = (head.ring, head.number + u64::from(head.ring.slots()) - 1);
    let marked = store.read_mark(journal).await?.filter(|mark| mark.incarnation == head.incarnation);
    let hint = marked.map_or(0, |mark| mark.number).min(lap_end);
    // Between steps: `head` is held, everything from `beyond` on is not.
    let (mut beyond, mut stride) = (lap_end + 1, hint.saturating_sub(head.number).max(1));
    while head.number + 1 < beyond {
        let probe = (head.number + stride).min(beyond - 1);
        let found = store.read_slot(journal, ring.slot(probe)).await?;
        match found.filter(|item| item.number >= probe && item.incarnation == head.incarnation) {
            Some(item) if item.number > probe => beyond = beyond.min(probe),
            Some(item) => {
                head = decode(journal, ring.slot(probe), &item)?;
                stride *= 2;
            }
            None => beyond = probe,
        }
        stride = stride.min(beyond.saturating_sub(head.number) / 2).max(1);
    }
    Ok(Some(head))
}

/// The view at `head` and its state; the inner error says what was not there (any more).
pub(crate) async fn assemble<S: Store, T: State + ?Sized>(
    store: &S,
    journal: &JournalId,
    head: &Record,
    expected: Option<Expected<'_>>,
    state: &mut T,
) -> Result<Result<View, String>, Error> {
    let (records, mut parts, spills) = match read_names(store, journal, head).await? {
        Ok(read) => read,
        Err(moved) => return Ok(Err(moved)),
    };
    let Some((head, _)) = records.last() else { return Ok(Err("there are no records".to_owned())) };
    let stored = stored_schema(journal, &records)?;
    // Before any cell is decoded: cells of another pipeline would only look damaged.
    let Fit { schema, is_unclaimed } = Expected::check(expected, journal, stored)?;
    if let Some(moved) = restore_images(store, journal, &mut parts, state).await? {
        return Ok(Err(moved));
    }
    for (record, _) in &records {
        restore_changes(journal, &parts, record, state)?;
    }
    let due = state.next_due();
    Ok(Ok(View { due, is_unclaimed, ..view_at(head, parts, spills, schema) }))
}

/// The records behind `oldest` up to the head, each with the size of its item, and what they name.
type Names = (Vec<(Record, usize)>, Parts, Spills);

async fn read_names<S: Store>(store: &S, journal: &JournalId, head: &Record) -> Result<Result<Names, String>, Error> {
    let records = match read_records(store, journal, head).await? {
        Ok(records) => records,
        Err(moved) => return Ok(Err(moved)),
    };
    let (mut parts, mut spills) = (Parts::unnamed(), Spills::default());
    for (record, size) in &records {
        parts.advance(record, *size);
        spills.advance(record);
    }
    if parts.are_complete() {
        Ok(Ok((records, parts, spills)))
    } else {
        Err(Error::damaged(journal, "the ring", "the parts do not cover all keys"))
    }
}

/// Where a journal stands, without its state.
pub(crate) struct Survey {
    pub(crate) view: View,
    /// The last record.
    pub(crate) head: Record,
    /// The bytes of its item.
    pub(crate) size: usize,
}

impl Survey {
    /// The images and spills that the journal names.
    pub(crate) fn named(&self) -> impl Iterator<Item = &PartId> {
        let images = self.view.parts.names().filter_map(|name| name.image.as_ref());
        images.chain(self.view.spills.ids())
    }
}

/// Where the journal stands and what it names as of some moment during the call; `None` if it has no record 1.
///
/// # Errors
/// If an item is damaged, the journal moves on all the time, or the store fails.
pub(crate) async fn survey<S: Store>(store: &S, journal: &JournalId) -> Result<Option<Survey>, Error> {
    let mut why = String::new();
    for _ in 0..ATTEMPTS {
        let Some(head) = find_head(store, journal).await? else { return Ok(None) };
        match read_names(store, journal, &head).await? {
            Ok((mut records, parts, spills)) => {
                let schema = stored_schema(journal, &records)?;
                let (head, size) = records.pop().unwrap_or((head, 0));
                return Ok(Some(Survey { view: view_at(&head, parts, spills, schema), head, size }));
            }
            Err(moved) => why = moved,
        }
    }
    Err(Error::Unsettled { journal: journal.clone(), attempts: ATTEMPTS, why })
}

/// Whose state it is, as the record says that named parts last.
fn stored_schema(journal: &JournalId, records: &[(Record, usize)]) -> Result<Schema, Error> {
    let last = records.iter().rev().find_map(|(record, _)| record.schema.clone());
    last.ok_or_else(|| Error::damaged(journal, "the ring", "no record behind `oldest` names the parts"))
}

fn view_at(head: &Record, parts: Parts, spills: Spills, schema: Schema) -> View {
    View {
        format: head.format,
        incarnation: head.incarnation,
        ring: head.ring,
        number: head.number,
        kind: head.kind,
        position: head.position.clone(),
        progress: Progress::clone(&head.progress),
        flushed: head.outputs.is_empty(),
        outputs: head.outputs.clone(),
        parts,
        spills,
        schema,
        freed: head.freed(),
        due: None,
        is_unclaimed: false,
        own: false,
        contended: false,
        wary: 0,
    }
}

async fn read_records<S: Store>(
    store: &S,
    journal: &JournalId,
    head: &Record,
) -> Result<Result<Vec<(Record, usize)>, String>, Error> {
    let first = head.oldest + 1;
    let mut items = Vec::new();
    for range in head.ring.ranges(first, head.number) {
        items.extend(store.read_slots(journal, range, usize::MAX).await?);
    }
    let mut records = Vec::with_capacity(items.len());
    for (slot, item) in items {
        let expected = first + records.len() as u64;
        if item.number != expected || item.incarnation != head.incarnation {
            return Ok(Err(format!("slot {slot} holds record {} and not {expected}", item.number)));
        }
        match spill::bring_back(store, journal, decode(journal, slot, &item)?).await? {
            Ok(record) if record.is_emptied() => {
                return Ok(Err(format!("record {expected} was emptied behind a Seal")));
            }
            Ok(record) => records.push((record, item.body.len())),
            Err(moved) => return Ok(Err(moved)),
        }
    }
    let complete = first + records.len() as u64 == head.number + 1;
    Ok(if complete { Ok(records) } else { Err(format!("a record behind {} is missing", head.oldest)) })
}

/// Restores all part images; answers with what is missing, if any is.
async fn restore_images<S: Store, T: State + ?Sized>(
    store: &S,
    journal: &JournalId,
    parts: &mut Parts,
    state: &mut T,
) -> Result<Option<String>, Error> {
    let image = |name: &PartName| name.image.clone().map(|id| (name.clone(), id));
    let images: Vec<(PartName, PartId)> = parts.names().filter_map(image).collect();
    for together in images.chunks(PARTS_AT_ONCE) {
        let read = try_join_all(together.iter().map(|(_, id)| store.read_part(journal, id))).await?;
        for ((name, id), chunks) in together.iter().zip(read) {
            let Some(chunks) = chunks else { return Ok(Some(format!("part {} is missing", id.id))) };
            let mut held = Vec::new();
            let restore = |cell: &Change| {
                held.push(touched::cell_hash(cell));
                state.restore(cell).map_err(|corrupt| unfit(&corrupt))
            };
            let damaged = |why: String| Error::damaged(journal, format!("part {}", id.id), why);
            parts::open_image(name, &chunks, restore).map_err(damaged)?;
            parts.know(name, Held::new(held));
        }
    }
    Ok(None)
}

/// Restores the changes of a record that the images do not hold yet.
fn restore_changes<T: State + ?Sized>(
    journal: &JournalId,
    parts: &Parts,
    record: &Record,
    state: &mut T,
) -> Result<(), Error> {
    let behind = record.changes.iter().filter(|c| parts.as_of(&c.key).is_some_and(|as_of| record.number > as_of));
    for change in behind {
        state
            .restore(change)
            .map_err(|corrupt| Error::damaged(journal, format!("record {}", record.number), unfit(&corrupt)))?;
    }
    Ok(())
}

/// The record in a slot's item; the item's attributes must say the same.
pub(crate) fn decode(journal: &JournalId, slot: u32, item: &SlotItem) -> Result<Record, Error> {
    let damaged = |why: String| Error::damaged(journal, format!("slot {slot} (record {})", item.number), why);
    let record = Record::decode(&item.body).map_err(damaged)?;
    let fits = record.number == item.number
        && record.incarnation == item.incarnation
        && record.ring.slots() >= 2
        && record.ring.slot(record.number) == slot
        && record.number <= LARGEST
        && record.oldest < record.number
        && record.number - record.oldest < u64::from(record.ring.slots())
        && (record.number == 1) == (record.kind == Kind::Init);
    if fits {
        Ok(record)
    } else {
        Err(damaged(format!("its content is record {} of a ring of {}", record.number, record.ring.slots())))
    }
}

/// What to do about a cell that does not decode, behind a checksum that fits: the types of the code are others.
pub(crate) fn unfit(corrupt: &Corrupt) -> String {
    format!(
        "{corrupt}. The bytes are whole, so the code's own types have changed: let a new field be optional \
         (`#[serde(default)]`), say how to make it new (`.migrate_from(..)`), deploy the code that wrote it, give the \
         pipeline a new name, or drop the state"
    )
}
