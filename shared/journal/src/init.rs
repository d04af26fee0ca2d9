//! Beginning a journal.

use futures_util::future::try_join_all;
use tidemill_core::Progress;

use crate::parts::Parts;
use crate::renewal;
use crate::{
    Error, Format, Guard, Incarnation, JournalId, Kind, Put, Record, Ring, Schema, SlotItem, State, Store, View,
};

/// What a journal begins with.
#[derive(Clone, Debug)]
pub struct Beginning {
    /// Must be random: it tells this life of the journal from every other.
    pub incarnation: Incarnation,
    /// R, for the life of the journal.
    pub ring: Ring,
    /// Whose state this is.
    pub schema: Schema,
    /// Where the shard stands: at the start, or where its parents ended.
    pub progress: Progress,
    /// The format that it is written in: the newest, or its parents', so that code which reads theirs reads it too.
    pub format: Format,
}

impl Beginning {
    /// Of a shard without any record.
    pub const fn empty(incarnation: Incarnation, ring: Ring, schema: Schema) -> Self {
        Self { incarnation, ring, schema, progress: Progress::start(), format: Format::NEWEST }
    }
}

/// Writes record 1, the Init, if there is none (I7). `state` is what the shard begins with: empty, or
/// what its parents left (I6). Its parts are acknowledged before, and named as of no record.
///
/// Whoever wrote record 1, it is there afterwards: load the journal.
///
/// # Errors
/// If the store fails.
pub async fn init<S: Store>(
    store: &S,
    journal: &JournalId,
    beginning: Beginning,
    state: &(impl State + ?Sized),
) -> Result<Put, Error> {
    let Beginning { incarnation, ring, schema, progress, format } = beginning;
    let encode = |why| Error::Encode { journal: journal.clone(), number: 1, why };
    let view = View::before_all(incarnation, ring, schema.clone(), format);
    let parts = renewal::inherited(&view, state).map_err(encode)?;
    try_join_all(parts.images.iter().map(|image| store.write_part(journal, &image.id, &image.chunks))).await?;
    let mut record = Record {
        format,
        incarnation,
        ring,
        number: 1,
        kind: Kind::Init,
        position: None,
        progress,
        changes: Vec::new(),
        outputs: Vec::new(),
        parts: parts.names,
        oldest: 0,
        spills: Vec::new(),
        gap: None,
        tick: None,
        schema: Some(schema),
    };
    let body = record.encode().map_err(encode)?;
    let item = SlotItem { incarnation, number: 1, body };
    Ok(store.put_slot(journal, ring.slot(1), &item, Guard::Vacant).await?)
}

impl View {
    /// Of a journal that is to begin.
    fn before_all(incarnation: Incarnation, ring: Ring, schema: Schema, format: Format) -> Self {
        Self {
            format,
            incarnation,
            ring,
            number: 0,
            kind: Kind::Init,
            position: None,
            progress: Progress::start(),
            outputs: Vec::new(),
            parts: Parts::unnamed(),
            spills: crate::spill::Spills::default(),
            schema,
            due: None,
            flushed: true,
            own: false,
            contended: false,
            wary: 0,
        }
    }
}
