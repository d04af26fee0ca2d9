//! Which layout stored bytes have.

use std::fmt;

/// The layout of records, images and spills. A journal begins in the newest one and is written in the one of its last
/// record from then on, until it is [upgraded](crate::upgrade). Each stored item names its own, so that older ones stay
/// readable beside newer ones.
///
/// Code that does not know a format refuses it, and can overwrite nothing: to write record n+1 it must hold record n,
/// and the slot of n+1 must hold what stood there a lap before. So upgrade a journal when no function runs code any more
/// that does not read the new format, and is not to go back to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// Everything is one CBOR value; a change is an array of three byte strings.
    V1 = 1,
    /// The changes stand packed behind the CBOR value.
    V2 = 2,
}

impl Format {
    /// The oldest that is read and written.
    pub const OLDEST: Self = Self::V1;
    /// The newest that is read and written: a new journal's.
    pub const NEWEST: Self = Self::V2;

    pub(crate) const fn oldest() -> Self {
        Self::OLDEST
    }

    /// The byte that names it in a frame.
    pub const fn version(self) -> u8 {
        self as u8
    }

    /// The format that a frame's byte names, if this code knows it.
    pub const fn of_version(version: u8) -> Option<Self> {
        match version {
            1 => Some(Self::V1),
            2 => Some(Self::V2),
            _ => None,
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.version().fmt(f)
    }
}
