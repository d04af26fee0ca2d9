//! Freeing what a sealed journal holds, once all that it held has gone to children: they begin with a state of their own.
//!
//! A journal's slots are never deleted (a late put of record 1 would begin it again), so they are written anew, each under
//! its own number and on condition that it still stands there:
//!
//! 1. the **Seal**, which now names the whole state as empty as of the record before it, so that a load needs nothing else.
//!    It says when it was written ([`Record::freed`]): no child begins from it any more ([`Error::Freed`]);
//! 2. the records before it, without what they hold. A reader that found the Seal of before meets an emptied one, or
//!    misses an image, and reads again ([`Record::is_emptied`]);
//! 3. images and spills are orphans from then on, and are swept as such.
//!
//! That order alone keeps it readable at every moment, whoever comes late (`tests/protocol`, "freed"). A **note** beside
//! the ring, written by the first sweep that finds all children begun, dates it besides: nothing goes before the longest
//! life has passed. It goes last, so that what broke off is taken up by the next sweep.

use bytes::Bytes;
use futures_util::future::try_join_all;
use tidemill_core::{EventTime, HashRange, PartRange};

use crate::insist::insist;
use crate::load::{Survey, decode};
use crate::parts::{self, Image};
use crate::sweep::Count;
use crate::{Deadline, Error, Guard, JournalId, PartName, Put, Record, Schema, SlotItem, Store, View, flush};

/// How many slots are read and written at once: an item may have 400 KB.
const SLOTS_AT_ONCE: usize = 32;

/// The note that says since when all children of a sealed journal have begun.
pub(crate) fn note(seal: &View) -> Image {
    let id = format!("{}-sealed-{}", seal.incarnation, seal.number);
    let text = Bytes::from_static(b"all children have begun");
    parts::chunked(id, &text, text.len())
}

/// Whether all keys of a shard belong to others that came later and have begun: as one begins, so have all between. What is
/// not known of a shard counts against it.
pub(crate) fn is_taken_over(own: &Schema, begun: &[&Schema]) -> bool {
    let is_later = |other: &&&Schema| {
        (&other.journal.pipeline, &other.journal.stream) == (&own.journal.pipeline, &own.journal.stream)
            && own.starting_sequence.is_some()
            && other.starting_sequence > own.starting_sequence
    };
    let ranges = begun.iter().filter(is_later).filter_map(|other| other.hash_range);
    covers(ranges.collect(), own.hash_range.unwrap_or(HashRange::ALL))
}

/// Whether the ranges leave nothing of `whole` out.
fn covers(mut ranges: Vec<HashRange>, whole: HashRange) -> bool {
    ranges.sort_by_key(|range| range.first);
    let mut next = whole.first;
    for range in ranges.iter().filter(|range| range.last >= whole.first) {
        if range.first > next {
            return false;
        }
        if range.last >= whole.last {
            return true;
        }
        next = next.max(range.last + 1);
    }
    false
}

/// Frees what the journal of this Seal holds: how many slots, and by how many bytes they become smaller. `None` if it must
/// be left as it is: its last outputs are not known to be sent, or it was begun anew meanwhile. A rehearsal writes nothing.
pub(crate) async fn free<S: Store>(
    store: &S,
    journal: &JournalId,
    seal: &Survey,
    now: EventTime,
    rehearsal: bool,
) -> Result<Option<Count>, Error> {
    let Survey { view, head, size } = seal;
    // Handlers seal without outputs, behind a flush of all before. Whatever else has some keeps them.
    if !(view.flushed || flush::is_marked(store, journal, view).await) {
        return Ok(None);
    }
    let mut count = Count::default();
    if head.freed().is_none() {
        let freed = freed(head, view.schema.clone(), now);
        let Some(done) = put_again(store, journal, *size, freed, rehearsal).await? else { return Ok(None) };
        count.add(done);
    }
    let mut from = 0;
    loop {
        let found = store.read_slots(journal, from..=u32::MAX, SLOTS_AT_ONCE).await?;
        let Some((last, _)) = found.last() else { break };
        from = last + 1;
        let is_before = |item: &SlotItem| item.incarnation == head.incarnation && item.number < head.number;
        let before = found.iter().filter(|(_, item)| is_before(item));
        let emptied = before.map(|(slot, item)| empty(store, journal, *slot, item, rehearsal));
        try_join_all(emptied).await?.into_iter().flatten().for_each(|done| count.add(done));
    }
    if !rehearsal {
        store.delete_part(journal, &note(view).id).await?;
    }
    Ok(Some(count))
}

/// Empties a record before the Seal, unless that is done.
async fn empty<S: Store>(
    store: &S,
    journal: &JournalId,
    slot: u32,
    item: &SlotItem,
    rehearsal: bool,
) -> Result<Option<Count>, Error> {
    let record = decode(journal, slot, item)?;
    if record.is_emptied() {
        return Ok(None);
    }
    put_again(store, journal, item.body.len(), emptied(&record), rehearsal).await
}

/// Puts `record` in the place of the one of its number, whose item has `size` bytes. `None` if that stands there no more.
async fn put_again<S: Store>(
    store: &S,
    journal: &JournalId,
    size: usize,
    mut record: Record,
    rehearsal: bool,
) -> Result<Option<Count>, Error> {
    let Record { number, incarnation, ring, .. } = record;
    let body = record.encode().map_err(|why| Error::encode(journal, number, why))?;
    let done = Count { items: 1, bytes: size.saturating_sub(body.len()) as u64 };
    let (slot, item) = (ring.slot(number), SlotItem { incarnation, number, body });
    let guard = Guard::Replaces { number, incarnation };
    let stands =
        rehearsal || insist(Deadline::NONE, || store.put_slot(journal, slot, &item, guard)).await? == Put::Stored;
    Ok(stands.then_some(done))
}

fn freed(seal: &Record, schema: Schema, now: EventTime) -> Record {
    let before = seal.number - 1;
    let all = PartName { range: PartRange::ALL, image: None, as_of: before };
    Record { parts: vec![all], schema: Some(schema), tick: Some(now), ..emptied(seal) }
}

fn emptied(record: &Record) -> Record {
    Record {
        changes: Vec::new(),
        outputs: Vec::new(),
        parts: Vec::new(),
        spills: Vec::new(),
        oldest: record.number - 1,
        schema: None,
        position: record.position.clone(),
        progress: record.progress.clone(),
        gap: record.gap.clone(),
        ..*record
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(first: u128, last: u128) -> HashRange {
        HashRange { first, last }
    }

    #[test]
    fn ranges_cover_a_whole_if_they_leave_nothing_out() {
        let whole = range(10, 99);
        assert!(covers(vec![range(50, 99), range(10, 49)], whole));
        assert!(covers(vec![range(0, 60), range(20, 30), range(61, 200)], whole));
        assert!(covers(vec![HashRange::ALL], HashRange::ALL));
        for left_out in [vec![], vec![range(10, 98)], vec![range(11, 99)], vec![range(10, 49), range(51, 99)]] {
            assert!(!covers(left_out.clone(), whole), "{left_out:?}");
        }
        assert!(!covers(vec![range(0, 9), range(100, 200)], whole));
    }
}
