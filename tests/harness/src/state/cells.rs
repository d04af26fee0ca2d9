//! The cells of any pipeline's state, undecoded.

use std::collections::BTreeMap;

use tidemill_core::{Change, Corrupt, PartRange, Reject};
use tidemill_journal::State;

/// Cells by key and slot, each as its stored bytes.
#[derive(Debug, Default)]
pub(super) struct Cells(BTreeMap<Vec<u8>, BTreeMap<Vec<u8>, Vec<u8>>>);

impl Cells {
    /// The keys that have cells, and these.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], &BTreeMap<Vec<u8>, Vec<u8>>)> {
        self.0.iter().map(|(key, cells)| (key.as_slice(), cells))
    }

    pub(super) fn keys(&self) -> usize {
        self.0.len()
    }

    pub(super) fn count(&self) -> usize {
        self.0.values().map(BTreeMap::len).sum()
    }

    /// Those whose slots are meant, and the others.
    pub(super) fn partition(self, is_meant: impl Fn(&[u8]) -> bool) -> (Self, Self) {
        let (mut meant, mut others) = (Self::default(), Self::default());
        for (key, cells) in self.0 {
            let (these, those): (BTreeMap<_, _>, BTreeMap<_, _>) =
                cells.into_iter().partition(|(slot, _)| is_meant(slot));
            for (side, cells) in [(&mut meant, these), (&mut others, those)] {
                if !cells.is_empty() {
                    side.0.insert(key.clone(), cells);
                }
            }
        }
        (meant, others)
    }

    /// All cells, key by key.
    pub(super) fn changes(&self) -> impl Iterator<Item = Change> {
        self.iter().flat_map(|(key, cells)| {
            cells.iter().map(move |(slot, value)| Change {
                key: key.to_vec(),
                slot: slot.clone(),
                value: Some(value.clone()),
            })
        })
    }
}

impl State for Cells {
    fn restore(&mut self, change: &Change) -> Result<(), Corrupt> {
        match &change.value {
            Some(value) => {
                self.0.entry(change.key.clone()).or_default().insert(change.slot.clone(), value.clone());
            }
            None => {
                if let Some(cells) = self.0.get_mut(&change.key) {
                    cells.remove(&change.slot);
                    if cells.is_empty() {
                        self.0.remove(&change.key);
                    }
                }
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn change(key: &str, slot: &str, value: Option<&str>) -> Change {
        let bytes = |text: &str| text.as_bytes().to_vec();
        Change { key: bytes(key), slot: bytes(slot), value: value.map(bytes) }
    }

    #[test]
    fn a_key_is_gone_with_its_last_cell() {
        let mut cells = Cells::default();
        for (slot, value) in [("1", Some("a")), ("2", Some("b")), ("1", Some("c")), ("9", None)] {
            cells.restore(&change("k", slot, value)).unwrap();
        }
        assert_eq!((cells.keys(), cells.count()), (1, 2));
        assert_eq!(cells.image(&PartRange::ALL).unwrap()[0], change("k", "1", Some("c")));
        for slot in ["1", "2", "2"] {
            cells.restore(&change("k", slot, None)).unwrap();
        }
        assert_eq!((cells.keys(), cells.bytes()), (0, 0));
    }

    #[test]
    fn a_key_with_cells_of_both_sorts_is_on_both_sides() {
        let mut cells = Cells::default();
        for (key, slot) in [("a", "1"), ("a", "2"), ("b", "2")] {
            cells.restore(&change(key, slot, Some("v"))).unwrap();
        }
        let (ones, others) = cells.partition(|slot| slot == b"1");
        assert_eq!((ones.keys(), ones.count(), others.keys(), others.count()), (1, 1, 2, 2));
    }
}
