//! Beginning a journal.

use futures_util::future::try_join_all;
use tidemill_core::{Position, Progress};

use crate::commit::BODY_LIMIT;
use crate::parts::Parts;
use crate::{
    Error, Format, Guard, Incarnation, JournalId, Kind, Output, Put, Record, Ring, Schema, SlotItem, State, Store, View,
};
use crate::{renewal, spill};

/// How many images are written at once.
const IMAGES_AT_ONCE: usize = 16;

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
    /// The last record that is in; `None` unless the journal goes on from an earlier life.
    pub position: Option<Position>,
    /// What an earlier life committed and is not known to have sent, under the ids of that life.
    pub outputs: Vec<Output>,
}

impl Beginning {
    /// Of a shard without any record.
    pub const fn empty(incarnation: Incarnation, ring: Ring, schema: Schema) -> Self {
        Self {
            incarnation,
            ring,
            schema,
            progress: Progress::start(),
            format: Format::NEWEST,
            position: None,
            outputs: Vec::new(),
        }
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
    let Beginning { incarnation, ring, schema, progress, format, position, outputs } = beginning;
    let encode = |why| Error::encode(journal, 1, why);
    let view = View::before_all(incarnation, ring, schema.clone(), format);
    let mut parts = renewal::inherited(&view, state).map_err(encode)?;
    let mut record = Record {
        format,
        incarnation,
        ring,
        number: 1,
        kind: Kind::Init,
        position,
        progress,
        changes: Vec::new(),
        outputs,
        parts: parts.names,
        oldest: 0,
        spills: Vec::new(),
        gap: None,
        tick: None,
        schema: Some(schema),
    };
    let mut body = record.encode().map_err(encode)?;
    if body.len() > BODY_LIMIT && !record.outputs.is_empty() {
        let (mut rest, image) = spill::move_out(&record).map_err(encode)?;
        body = rest.encode().map_err(encode)?;
        parts.images.push(image);
    }
    for together in parts.images.chunks(IMAGES_AT_ONCE) {
        try_join_all(together.iter().map(|image| store.write_part(journal, &image.id, &image.chunks))).await?;
    }
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
            freed: None,
            due: None,
            is_unclaimed: false,
            flushed: true,
            own: false,
            contended: false,
            wary: 0,
        }
    }
}
