//! Two versions of the code on one journal.

use crate::Mutant;
use crate::record::Record;

/// Which code an environment runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// Reads and writes format 1.
    Old,
    /// Reads formats 1 and 2, writes what the journal says.
    New,
}

impl Code {
    /// Whether it can read an item of this format, in a journal whose head has `head`.
    pub(crate) fn reads(self, format: u8, head: u8, mutant: Option<Mutant>) -> bool {
        match self {
            Self::Old => format == 1 || mutant == Some(Mutant::OldDropsUnknown),
            Self::New => mutant != Some(Mutant::NewForgetsOldFormat) || head == 1 || format == 2,
        }
    }

    /// The format of what follows a record of format `journal`.
    pub(crate) fn writes(self, journal: u8, mutant: Option<Mutant>) -> u8 {
        match self {
            Self::New if mutant == Some(Mutant::NewWritesItsOwnFormat) => 2,
            Self::Old => 1,
            Self::New => journal,
        }
    }

    /// What it sees of a record that it reads.
    pub(crate) fn sees(self, record: &Record, mutant: Option<Mutant>) -> Record {
        let mut seen = record.clone();
        if self == Self::Old && record.format == 2 && mutant == Some(Mutant::OldDropsUnknown) {
            seen.changes.clear();
            seen.again.clear();
        }
        seen
    }
}
