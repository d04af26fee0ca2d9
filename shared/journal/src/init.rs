//! Beginning a journal.

use tidemill_core::Progress;

use crate::parts::Parts;
use crate::{Error, Format, Guard, Incarnation, JournalId, Kind, Put, Record, Ring, Schema, SlotItem, Store};

/// Writes record 1, the empty Init of a shard without parents, in the newest format, if there is none (I7). `incarnation` must be random: it
/// tells this life of the journal from every other.
///
/// Whoever wrote record 1, it is there afterwards: load the journal.
///
/// # Errors
/// If the store fails.
pub async fn init<S: Store>(
    store: &S,
    journal: &JournalId,
    incarnation: Incarnation,
    ring: Ring,
    schema: Schema,
) -> Result<Put, Error> {
    let mut record = Record {
        format: Format::NEWEST,
        incarnation,
        ring,
        number: 1,
        kind: Kind::Init,
        position: None,
        progress: Progress::start(),
        changes: Vec::new(),
        outputs: Vec::new(),
        parts: vec![Parts::empty_name()],
        oldest: 0,
        spills: Vec::new(),
        gap: None,
        tick: None,
        schema: Some(schema),
    };
    let body = record.encode().map_err(|why| Error::Encode { journal: journal.clone(), number: 1, why })?;
    let item = SlotItem { incarnation, number: 1, body };
    Ok(store.put_slot(journal, ring.slot(1), &item, Guard::Vacant).await?)
}
