//! One commit's record, as far as the ring still holds it.

use tidemill_journal::{JournalId, Record, Ring, SlotItem, Store};

use crate::error::Error;

use super::{Cell, ShardState};

/// A commit's record.
pub struct Commit {
    /// The journal.
    pub journal: JournalId,
    /// The record, as far as it is there.
    pub record: Record,
    /// The spill that is gone, with changes and outputs of the record.
    pub missing: Option<String>,
}

impl Commit {
    /// Reads commit `number`.
    pub async fn read(store: &impl Store, journal: &JournalId, number: u64) -> Result<Self, Error> {
        let ring = ring(store, journal).await?;
        let slot = ring.slot(number);
        let found = store.read_slot(journal, slot).await.map_err(tidemill_journal::Error::from)?;
        match found {
            Some(item) if item.number == number => {
                let record = decode(journal, slot, &item)?;
                // A spill that is gone leaves the record as far as its item has it.
                let whole = tidemill_journal::bring_back(store, journal, record.clone()).await?;
                let (record, missing) = match whole {
                    Ok(whole) => (whole, None),
                    Err(missing) => (record, Some(missing)),
                };
                Ok(Self { journal: journal.clone(), record, missing })
            }
            _ => Err(Self::missing(store, journal, number, ring).await),
        }
    }

    async fn missing(store: &impl Store, journal: &JournalId, number: u64, ring: Ring) -> Error {
        match ShardState::read(store, journal).await {
            Ok(state) => {
                let head = state.view.number();
                let first = (head + 1).saturating_sub(ring.slots().into()).max(1);
                Error::NotFound(format!(
                    "commit {number} is not in the journal of {}: its ring holds commits {first} to {head}",
                    journal.shard
                ))
            }
            Err(error) => error,
        }
    }

    /// The changes, in the order in which they were made: each with its key.
    pub fn changes(&self) -> impl Iterator<Item = (serde_json::Value, Cell)> {
        let changes = self.record.changes.iter();
        changes.map(|change| (super::cbor::shown(&change.key), Cell::stored(&change.slot, change.value.as_deref())))
    }
}

/// The ring's size, which every record carries. Slot 1 always holds one.
async fn ring(store: &impl Store, journal: &JournalId) -> Result<Ring, Error> {
    let first = store.read_slot(journal, 1).await.map_err(tidemill_journal::Error::from)?;
    match first {
        Some(item) => Ok(decode(journal, 1, &item)?.ring),
        None => Err(Error::NotFound(format!("journal {journal} has no commit any more: it was dropped meanwhile"))),
    }
}

fn decode(journal: &JournalId, slot: u32, item: &SlotItem) -> Result<Record, Error> {
    Record::decode(&item.body).map_err(|why| {
        let item = format!("slot {slot} (record {})", item.number);
        Error::Journal(tidemill_journal::Error::Damaged { journal: journal.clone(), item, why })
    })
}
