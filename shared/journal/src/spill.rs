//! Content of a record that does not fit its item, in an immutable item of its own.
//!
//! The last resort for a single input record whose changes or outputs are huge: what can be taken in several commits is.
//! A spill is written and acknowledged before the record that names it, and is garbage once nothing reads its record any
//! more: when `oldest` has passed it.

use bytes::Bytes;
use tidemill_core::{Change, part_hash};

use crate::parts::{self, Image};
use crate::record::SpilledContent;
use crate::{Error, JournalId, PartId, Record, Spill, Store, frame};

/// Moves the record's changes and outputs out; the record that names them is left.
pub(crate) fn move_out(record: &Record) -> Result<(Record, Image), String> {
    let mut content = SpilledContent { changes: record.changes.clone(), outputs: record.outputs.clone() };
    let bytes = Bytes::from(frame::seal(record.format, &mut content)?);
    let id = format!("{}-spill-{}-{:016x}", record.incarnation, record.number, part_hash(&bytes));
    let plain = record.changes.iter().map(Change::bytes).sum::<usize>()
        + record.outputs.iter().map(|output| output.data.len()).sum::<usize>();
    let image = parts::chunked(id, &bytes, plain);
    let spills = vec![Spill { id: image.id.clone() }];
    Ok((Record { changes: Vec::new(), outputs: Vec::new(), spills, ..record.clone() }, image))
}

/// Puts what was moved out of a record back into it. The inner error says which item is not there (any more).
///
/// # Errors
/// If the store fails or an item is damaged.
pub async fn bring_back<S: Store>(
    store: &S,
    journal: &JournalId,
    mut record: Record,
) -> Result<Result<Record, String>, Error> {
    for Spill { id } in &record.spills {
        let Some(chunks) = store.read_part(journal, id).await? else {
            return Ok(Err(format!("spill {} is missing", id.id)));
        };
        let (_, content): (_, SpilledContent) =
            frame::open(&chunks.concat()).map_err(|why| Error::damaged(journal, format!("spill {}", id.id), why))?;
        record.changes.extend(content.changes);
        record.outputs.extend(content.outputs);
    }
    Ok(Ok(record))
}

/// Spills of records that may still be read, by the number of their record.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spills(Vec<(u64, PartId)>);

impl Spills {
    /// Takes note of a record's spills.
    pub(crate) fn advance(&mut self, record: &Record) {
        self.0.extend(record.spills.iter().map(|spill| (record.number, spill.id.clone())));
    }

    /// Their items.
    pub(crate) fn ids(&self) -> impl Iterator<Item = &PartId> {
        self.0.iter().map(|(_, id)| id)
    }

    /// Those that nothing reads once `oldest` stands in an acknowledged record.
    pub(crate) fn take_garbage(&mut self, oldest: u64) -> Vec<PartId> {
        let (garbage, kept) = std::mem::take(&mut self.0).into_iter().partition(|(number, _)| *number <= oldest);
        self.0 = kept;
        garbage.into_iter().map(|(_, id): (u64, PartId)| id).collect()
    }
}
