//! A state of plain cells.

use std::collections::BTreeMap;

use tidemill_core::{Change, Corrupt, PartRange, Reject};
use tidemill_journal::State;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cells(pub(crate) BTreeMap<Vec<u8>, Vec<u8>>);

impl State for Cells {
    fn restore(&mut self, change: &Change) -> Result<(), Corrupt> {
        match &change.value {
            Some(value) => self.0.insert(change.key.clone(), value.clone()),
            None => self.0.remove(&change.key),
        };
        Ok(())
    }

    fn image(&self, range: &PartRange) -> Result<Vec<Change>, Reject> {
        let inside = self.0.iter().filter(|(key, _)| range.contains(key));
        Ok(inside.map(|(key, value)| cell(key, value)).collect())
    }

    fn bytes(&self) -> usize {
        self.0.iter().map(|(key, value)| key.len() + value.len()).sum()
    }
}

pub(crate) fn cell(key: &[u8], value: &[u8]) -> Change {
    Change { key: key.to_vec(), slot: Vec::new(), value: Some(value.to_vec()) }
}
