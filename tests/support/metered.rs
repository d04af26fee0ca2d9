//! A store that counts what DynamoDB would charge.

use std::ops::RangeInclusive;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use tidemill_journal::{Attempt, Guard, JournalId, Mark, MemoryStore, PartId, Put, SlotItem, Store, StoreError};

/// Capacity units and requests, on demand: one write unit a started KB, two in a transaction.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html>
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Write units of slots.
    pub slot_units: usize,
    /// Write units of parts.
    pub part_units: usize,
    /// Requests that read.
    pub reads: usize,
    /// Requests that write.
    pub writes: usize,
}

impl Usage {
    /// What came since `before`.
    #[must_use]
    pub const fn since(self, before: Self) -> Self {
        Self {
            slot_units: self.slot_units - before.slot_units,
            part_units: self.part_units - before.part_units,
            reads: self.reads - before.reads,
            writes: self.writes - before.writes,
        }
    }
}

/// A memory store that counts.
#[derive(Debug)]
pub struct Metered {
    inner: MemoryStore,
    usage: Mutex<Usage>,
}

/// What an item takes beside its body: keys, attribute names, numbers.
const ENVELOPE: usize = 150;

fn units(bytes: usize) -> usize {
    (bytes + ENVELOPE).div_ceil(1024)
}

impl Metered {
    /// Counts what is asked of `inner`.
    pub fn over(inner: MemoryStore) -> Self {
        Self { inner, usage: Mutex::default() }
    }

    /// What was used so far.
    pub fn usage(&self) -> Usage {
        *self.usage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, add: impl FnOnce(&mut Usage)) {
        add(&mut self.usage.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Store for &Metered {
    async fn read_slot(&self, journal: &JournalId, slot: u32) -> Result<Option<SlotItem>, StoreError> {
        self.count(|usage| usage.reads += 1);
        self.inner.read_slot(journal, slot).await
    }

    async fn read_slots(
        &self,
        journal: &JournalId,
        slots: RangeInclusive<u32>,
        limit: usize,
    ) -> Result<Vec<(u32, SlotItem)>, StoreError> {
        self.count(|usage| usage.reads += 1);
        self.inner.read_slots(journal, slots, limit).await
    }

    async fn put_slot(&self, journal: &JournalId, slot: u32, item: &SlotItem, guard: Guard) -> Result<Put, StoreError> {
        let factor = if matches!(guard, Guard::VacantAfter { .. }) { 2 } else { 1 };
        self.count(|usage| {
            usage.writes += 1;
            usage.slot_units += factor * units(item.body.len());
        });
        self.inner.put_slot(journal, slot, item, guard).await
    }

    async fn read_mark(&self, journal: &JournalId) -> Result<Option<Mark>, StoreError> {
        self.count(|usage| usage.reads += 1);
        self.inner.read_mark(journal).await
    }

    async fn write_mark(&self, journal: &JournalId, mark: &Mark) -> Result<(), StoreError> {
        self.count(|usage| usage.writes += 1);
        self.inner.write_mark(journal, mark).await
    }

    async fn lower_mark(&self, journal: &JournalId, mark: &Mark) -> Result<(), StoreError> {
        self.count(|usage| usage.writes += 1);
        self.inner.lower_mark(journal, mark).await
    }

    async fn read_attempt(&self, journal: &JournalId) -> Result<Option<Attempt>, StoreError> {
        self.count(|usage| usage.reads += 1);
        self.inner.read_attempt(journal).await
    }

    async fn write_attempt(&self, journal: &JournalId, attempt: &Attempt) -> Result<(), StoreError> {
        self.count(|usage| usage.writes += 1);
        self.inner.write_attempt(journal, attempt).await
    }

    async fn write_part(&self, journal: &JournalId, id: &PartId, chunks: &[Bytes]) -> Result<(), StoreError> {
        self.count(|usage| {
            usage.writes += chunks.len();
            usage.part_units += chunks.iter().map(|chunk| units(chunk.len())).sum::<usize>();
        });
        self.inner.write_part(journal, id, chunks).await
    }

    async fn read_part(&self, journal: &JournalId, id: &PartId) -> Result<Option<Vec<Bytes>>, StoreError> {
        self.count(|usage| usage.reads += 1);
        self.inner.read_part(journal, id).await
    }

    async fn delete_part(&self, journal: &JournalId, id: &PartId) -> Result<(), StoreError> {
        // A deletion is charged as much as a write of the same size.
        self.count(|usage| {
            usage.writes += id.chunks as usize;
            usage.part_units += units(id.bytes as usize);
        });
        self.inner.delete_part(journal, id).await
    }
}
