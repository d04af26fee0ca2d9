//! The keyed state of one shard: cells, each in a slot of its key, with an overlay for the step in progress.

mod cell;
mod cells;
mod due;
mod edit;
mod encoder;
mod key_cells;
mod keys;
mod slot;
mod slots;
mod touched;
mod version;

pub(crate) use cell::Cell;
pub(crate) use cells::{Cells, Rules};
pub(crate) use due::Due;
pub(crate) use edit::{Edit, KeyState};
use key_cells::KeyCells;
pub(crate) use slot::Slot;
pub use version::version_of;

use std::fmt;

use crate::{KeyBytes, part_hash};

/// One cell's new content, as the journal stores it: the key's bytes, the slot within the key (which window), and the
/// value, `None` if the cell is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The key's stored bytes; they decide which part of the state the cell lies in.
    pub key: Vec<u8>,
    /// Which cell of the key, CBOR.
    pub slot: Vec<u8>,
    /// Its content, CBOR; `None` removes it.
    pub value: Option<Vec<u8>>,
}

impl Change {
    /// About how many bytes it takes when stored.
    pub fn bytes(&self) -> usize {
        self.key.len() + self.slot.len() + self.value.as_ref().map_or(0, Vec::len) + 4
    }
}

/// Stored bytes that are not what they should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Corrupt(pub String);

impl fmt::Display for Corrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stored state is damaged or of another pipeline: {}", self.0)
    }
}

impl std::error::Error for Corrupt {}

/// A key as the state finds it. Ordered by the part that it lies in, so that a part's image is one range.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct StateKey {
    hash: u64,
    pub(crate) bytes: KeyBytes,
}

impl StateKey {
    pub(crate) fn of(bytes: KeyBytes) -> Self {
        Self { hash: part_hash(bytes.as_slice()), bytes }
    }

    /// The place before all keys of this hash.
    fn before(hash: u64) -> Self {
        Self { hash, bytes: KeyBytes::stored(&[]) }
    }
}
