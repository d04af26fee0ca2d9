//! State of any pipeline, as an operator's tool keeps it.

use std::collections::BTreeMap;

use tidemill_core::{Change, Corrupt, PartRange, Reject};
use tidemill_journal::State;

/// Cells by key and slot, as they are stored.
#[derive(Default)]
pub(crate) struct Cells(BTreeMap<(Vec<u8>, Vec<u8>), Vec<u8>>);

impl Cells {
    fn changes(&self) -> impl Iterator<Item = Change> {
        self.0.iter().map(|((key, slot), value)| Change {
            key: key.clone(),
            slot: slot.clone(),
            value: Some(value.clone()),
        })
    }
}

impl State for Cells {
    fn restore(&mut self, change: &Change) -> Result<(), Corrupt> {
        let place = (change.key.clone(), change.slot.clone());
        match &change.value {
            Some(value) => drop(self.0.insert(place, value.clone())),
            None => drop(self.0.remove(&place)),
        }
        Ok(())
    }

    fn image(&self, range: &PartRange) -> Result<Vec<Change>, Reject> {
        Ok(self.changes().filter(|change| range.contains(&change.key)).collect())
    }

    fn bytes(&self) -> usize {
        self.changes().map(|change| change.bytes()).sum()
    }
}
