//! What changed between two commits, as far as the ring still holds those behind the first.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use tidemill_journal::{JournalId, Store};

use crate::error::Error;

use super::{Cell, Commit, cbor};

/// A cell's key and slot, as stored.
type Address = (Vec<u8>, Vec<u8>);

/// What the commits behind one, up to another, changed.
pub struct Diff {
    /// The commit whose state is compared.
    pub from: Commit,
    /// The commit whose state it is compared with.
    pub to: Commit,
    /// How many outputs were sent between.
    pub outputs: usize,
    /// The last change of each cell.
    cells: BTreeMap<Address, Option<Vec<u8>>>,
}

impl Diff {
    /// Reads the commits of a journal from number `from` to number `to`. An error if one of them is not there, or some
    /// of its changes are not.
    pub async fn read(store: &impl Store, journal: &JournalId, from: u64, to: u64) -> Result<Self, Error> {
        if from >= to {
            return Err(Error::Option(format!("commit {from} is not before commit {to}: give the earlier one first")));
        }
        let first = Commit::read(store, journal, from).await?;
        let (mut cells, mut outputs, mut last) = (BTreeMap::new(), 0, None);
        for number in from + 1..=to {
            let commit = Commit::read(store, journal, number).await?;
            if let Some(missing) = &commit.missing {
                return Err(Error::NotFound(format!(
                    "not all that commit {number} changed is there any more: {missing}"
                )));
            }
            outputs += commit.record.outputs.len();
            for change in &commit.record.changes {
                cells.insert((change.key.clone(), change.slot.clone()), change.value.clone());
            }
            last = Some(commit);
        }
        // There is one behind the first.
        let to = last.ok_or_else(|| Error::NotFound(format!("no commit behind {from}")))?;
        Ok(Self { from: first, to, outputs, cells })
    }

    /// Each cell that was changed as it is at the end, with its key, in order of the keys' stored bytes.
    pub fn changes(&self) -> impl Iterator<Item = (Json, Cell)> {
        self.cells.iter().map(|((key, slot), value)| (cbor::shown(key), Cell::stored(slot, value.as_deref())))
    }
}
