//! What a cell holds.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Corrupt, Slot, version};
use crate::repeats::Commits;
use crate::{EventTime, Position, Reject, codec};

/// What a cell holds: the operator's own, or what tells repeats. The slot says which, so no tag is stored.
#[derive(Clone, Debug)]
pub(crate) enum Cell<C> {
    /// The operator's.
    Operator(C),
    /// Until when an event that was taken is remembered.
    Taken(EventTime),
    /// What was taken of a producer with commits.
    Commits(Box<Commits>),
    /// Everything of a producer before this place was taken.
    Floor(Box<Position>),
    /// An output at or behind the floor that was taken.
    Output,
}

impl<C: Serialize + DeserializeOwned> Cell<C> {
    /// Appends the stored bytes, as this version of the pipeline writes them.
    pub(super) fn encode(&self, version: u32, bytes: &mut Vec<u8>) -> Result<(), Reject> {
        match self {
            Self::Operator(cell) => version::mark(version, bytes).and_then(|()| codec::encode_into(cell, bytes)),
            Self::Taken(until) => codec::encode_into(until, bytes),
            Self::Commits(commits) => codec::encode_into(commits, bytes),
            Self::Floor(floor) => codec::encode_into(floor, bytes),
            Self::Output => codec::encode_into(&(), bytes),
        }
    }

    /// The cell in stored bytes; `operators` reads those of a cell of the operator, given the version that wrote it.
    pub(super) fn decode(
        slot: &Slot,
        bytes: &[u8],
        operators: impl FnOnce(u32, &[u8]) -> Result<C, Corrupt>,
    ) -> Result<Self, Corrupt> {
        Ok(match slot {
            Slot::Taken(_) => Self::Taken(codec::decode(bytes)?),
            Slot::Commits => Self::Commits(codec::decode(bytes)?),
            Slot::Floor => Self::Floor(codec::decode(bytes)?),
            Slot::Output(..) => {
                codec::decode::<()>(bytes)?;
                Self::Output
            }
            _ => {
                let (version, cell) = version::version_of(bytes)?;
                Self::Operator(operators(version, cell)?)
            }
        })
    }
}
