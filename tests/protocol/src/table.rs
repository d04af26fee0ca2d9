//! The table: one journal's items and what the store promises about each write.

use crate::Mutant;
use crate::record::{Image, ImageId, Mark, Record};

/// One journal's items.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Table {
    pub(crate) slots: Vec<Option<Record>>,
    pub(crate) images: Vec<Image>,
    pub(crate) mark: Option<Mark>,
    /// Images that an applied commit replaced: the collector may delete them from now on.
    pub(crate) garbage: Vec<ImageId>,
}

/// How a guarded write ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Put {
    Stored,
    Conflict,
}

impl Table {
    pub(crate) fn empty(ring: u8) -> Self {
        Self { slots: vec![None; usize::from(ring)], images: Vec::new(), mark: None, garbage: Vec::new() }
    }

    pub(crate) fn ring(&self) -> u8 {
        self.slots.len() as u8
    }

    pub(crate) fn slot(&self, number: u8) -> usize {
        usize::from(number) % self.slots.len()
    }

    /// The record of this number, if its slot still holds it.
    pub(crate) fn record(&self, number: u8) -> Option<&Record> {
        self.slots[self.slot(number)].as_ref().filter(|record| record.number == number)
    }

    pub(crate) fn image(&self, id: ImageId) -> Option<&Image> {
        self.images.iter().find(|image| image.id == id)
    }

    /// Whether a write of `record` finds what it is conditioned on: checked and written as one atomic act.
    ///
    /// Record 1: the slot is empty. First lap: empty, and the slot of n holds n of this incarnation, for emptiness
    /// carries no incarnation. Later: the slot holds the record of the lap before.
    pub(crate) fn guard(&self, record: &Record, mutant: Option<Mutant>) -> bool {
        let held = self.slots[self.slot(record.number)].as_ref();
        let is_own =
            |found: &Record| found.incarnation == record.incarnation || mutant == Some(Mutant::GuardWithoutIncarnation);
        match held {
            _ if mutant == Some(Mutant::UnconditionalPut) => true,
            None if record.number == 1 => true,
            None if mutant == Some(Mutant::EmptySlotIsEnough) => true,
            None if record.number <= self.ring() => {
                mutant == Some(Mutant::FirstLapWithoutCheck) || self.record(record.number - 1).is_some_and(is_own)
            }
            None => false,
            Some(before) => before.number + self.ring() == record.number && is_own(before),
        }
    }

    /// Writes `record` if its guard holds.
    pub(crate) fn put(&mut self, record: Record, mutant: Option<Mutant>) -> Put {
        if !self.guard(&record, mutant) {
            return Put::Conflict;
        }
        let slot = self.slot(record.number);
        self.slots[slot] = Some(record);
        Put::Stored
    }

    /// Writes an immutable image; writing the same again changes nothing.
    pub(crate) fn write_image(&mut self, image: Image) {
        self.images.retain(|other| other.id != image.id);
        self.images.push(image);
        self.images.sort_by_key(|image| image.id);
    }

    pub(crate) fn delete_image(&mut self, id: ImageId) {
        self.images.retain(|image| image.id != id);
        self.garbage.retain(|garbage| *garbage != id);
    }
}
