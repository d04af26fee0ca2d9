//! The reference store: items in memory.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tidemill_core::EventTime;

use crate::{
    Attempt, Beside, Erasable, Guard, Incarnation, JournalId, Listed, Mark, PartId, Put, SlotItem, Stamp, Store,
    StoreError, Sweepable,
};

/// A [`Store`] in memory: what the laws mean. For tests, and for pipelines that need no durability.
#[derive(Debug, Default)]
pub struct MemoryStore {
    journals: Mutex<BTreeMap<JournalId, Items>>,
    now: Mutex<Option<EventTime>>,
}

#[derive(Clone, Debug, Default)]
struct Items {
    slots: BTreeMap<u32, SlotItem>,
    mark: Option<Mark>,
    attempt: Option<Attempt>,
    parts: BTreeMap<String, Part>,
}

#[derive(Clone, Debug)]
struct Part {
    chunks: Vec<Bytes>,
    stamp: Option<Stamp>,
}

impl Items {
    fn allows(&self, slot: u32, guard: Guard) -> bool {
        let holds = |slot: u32, number: u64, incarnation| {
            self.slots.get(&slot).is_some_and(|item| item.number == number && item.incarnation == incarnation)
        };
        match guard {
            Guard::Vacant => !self.slots.contains_key(&slot),
            Guard::VacantAfter { slot: before, number, incarnation } => {
                !self.slots.contains_key(&slot) && holds(before, number, incarnation)
            }
            Guard::Replaces { number, incarnation } => holds(slot, number, incarnation),
        }
    }
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// What its clock says; without one it stamps nothing.
    pub fn set_time(&self, now: Option<EventTime>) {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }

    /// Forgets everything, as if the table were dropped and made anew.
    pub fn clear(&self) {
        self.journals.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// A copy of everything, as a restored table would have it.
    pub fn copy(&self) -> Self {
        let now = *self.now.lock().unwrap_or_else(PoisonError::into_inner);
        Self {
            journals: Mutex::new(self.journals.lock().unwrap_or_else(PoisonError::into_inner).clone()),
            now: Mutex::new(now),
        }
    }

    /// Takes over everything from `other`.
    pub fn restore(&self, other: &Self) {
        let copy = other.copy().journals.into_inner().unwrap_or_else(PoisonError::into_inner);
        *self.journals.lock().unwrap_or_else(PoisonError::into_inner) = copy;
    }

    fn with<T>(&self, journal: &JournalId, act: impl FnOnce(&mut Items) -> T) -> T {
        let mut journals: MutexGuard<'_, _> = self.journals.lock().unwrap_or_else(PoisonError::into_inner);
        act(journals.entry(journal.clone()).or_default())
    }
}

impl Store for MemoryStore {
    async fn read_slot(&self, journal: &JournalId, slot: u32) -> Result<Option<SlotItem>, StoreError> {
        Ok(self.with(journal, |items| items.slots.get(&slot).cloned()))
    }

    async fn read_slots(
        &self,
        journal: &JournalId,
        slots: RangeInclusive<u32>,
        limit: usize,
    ) -> Result<Vec<(u32, SlotItem)>, StoreError> {
        Ok(self.with(journal, |items| {
            items.slots.range(slots).take(limit).map(|(slot, item)| (*slot, item.clone())).collect()
        }))
    }

    async fn put_slot(&self, journal: &JournalId, slot: u32, item: &SlotItem, guard: Guard) -> Result<Put, StoreError> {
        Ok(self.with(journal, |items| {
            if !items.allows(slot, guard) {
                return Put::Conflict;
            }
            items.slots.insert(slot, item.clone());
            Put::Stored
        }))
    }

    async fn read_mark(&self, journal: &JournalId) -> Result<Option<Mark>, StoreError> {
        Ok(self.with(journal, |items| items.mark))
    }

    async fn write_mark(&self, journal: &JournalId, mark: &Mark) -> Result<(), StoreError> {
        self.with(journal, |items| {
            if mark.raises(items.mark.as_ref()) {
                items.mark = Some(*mark);
            }
        });
        Ok(())
    }

    async fn lower_mark(&self, journal: &JournalId, mark: &Mark) -> Result<(), StoreError> {
        self.with(journal, |items| {
            if mark.lowers(items.mark.as_ref()) {
                items.mark = Some(*mark);
            }
        });
        Ok(())
    }

    async fn read_attempt(&self, journal: &JournalId) -> Result<Option<Attempt>, StoreError> {
        Ok(self.with(journal, |items| items.attempt.clone()))
    }

    async fn write_attempt(&self, journal: &JournalId, attempt: &Attempt) -> Result<(), StoreError> {
        self.with(journal, |items| items.attempt = Some(attempt.clone()));
        Ok(())
    }

    async fn write_part(&self, journal: &JournalId, id: &PartId, chunks: &[Bytes]) -> Result<(), StoreError> {
        let written = self.now.lock().unwrap_or_else(PoisonError::into_inner).map(Stamp::Written);
        let part = Part { chunks: chunks.to_vec(), stamp: written };
        self.with(journal, |items| items.parts.insert(id.id.clone(), part));
        Ok(())
    }

    async fn read_part(&self, journal: &JournalId, id: &PartId) -> Result<Option<Vec<Bytes>>, StoreError> {
        let complete = |chunks: &Vec<Bytes>| chunks.len() == id.chunks as usize;
        Ok(self.with(journal, |items| items.parts.get(&id.id).map(|part| part.chunks.clone())).filter(complete))
    }

    async fn delete_part(&self, journal: &JournalId, id: &PartId) -> Result<(), StoreError> {
        self.with(journal, |items| items.parts.remove(&id.id));
        Ok(())
    }
}

impl Erasable for MemoryStore {
    async fn delete_slot(
        &self,
        journal: &JournalId,
        slot: u32,
        number: u64,
        incarnation: Incarnation,
    ) -> Result<(), StoreError> {
        self.with(journal, |items| {
            if items.allows(slot, Guard::Replaces { number, incarnation }) {
                items.slots.remove(&slot);
            }
        });
        Ok(())
    }
}

/// A part is one item, in whatever chunks it was given.
impl Sweepable for MemoryStore {
    async fn list(&self) -> Result<Listed, StoreError> {
        let journals = self.journals.lock().unwrap_or_else(PoisonError::into_inner);
        let parts = journals.iter().flat_map(|(journal, items)| items.parts.iter().map(move |part| (journal, part)));
        let beside = |(journal, (id, part)): (&JournalId, (&String, &Part))| Beside {
            journal: journal.clone(),
            id: id.clone(),
            chunk: 0,
            bytes: part.chunks.iter().map(|chunk| chunk.len() as u64).sum(),
            stamp: part.stamp,
        };
        let journals = journals.iter().filter(|(_, items)| items.slots.contains_key(&1)).map(|(journal, _)| journal);
        Ok(Listed { journals: journals.cloned().collect(), beside: parts.map(beside).collect() })
    }

    async fn stamp(&self, item: &Beside, seen: EventTime) -> Result<(), StoreError> {
        self.with(&item.journal, |items| {
            if let Some(part) = items.parts.get_mut(&item.id) {
                part.stamp.get_or_insert(Stamp::Seen(seen));
            }
        });
        Ok(())
    }

    async fn delete_beside(&self, item: &Beside) -> Result<bool, StoreError> {
        Ok(self.with(&item.journal, |items| {
            let unchanged = items.parts.get(&item.id).is_some_and(|part| part.stamp == item.stamp);
            unchanged && items.parts.remove(&item.id).is_some()
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_reference_store_keeps_the_laws() {
        crate::laws::check(&MemoryStore::new()).await;
    }

    #[tokio::test]
    async fn the_reference_store_keeps_the_laws_of_erasing() {
        crate::laws::check_erasable(&MemoryStore::new()).await;
    }

    #[tokio::test]
    async fn the_reference_store_keeps_the_laws_of_sweeping() {
        let store = MemoryStore::new();
        store.set_time(Some(EventTime::from_millis(0)));
        let time_passes = async || store.set_time(Some(EventTime::from_millis(1)));
        crate::laws::check_sweepable(&store, time_passes).await;
    }
}
