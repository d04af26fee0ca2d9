//! A store whose next put of a slot goes wrong.

use std::ops::RangeInclusive;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use tidemill_core::Position;
use tidemill_journal::{
    Attempt, Guard, JournalId, Mark, MemoryStore, PartId, Put, Record, SlotItem, Store, StoreError,
};

/// How a put goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It does not arrive.
    LostRequest,
    /// It arrives, its answer does not.
    LostAnswer,
}

/// A memory store that fails on demand.
#[derive(Debug, Default)]
pub struct FaultyStore {
    inner: MemoryStore,
    next: Mutex<Option<Fault>>,
    poison: Mutex<Option<Position>>,
    taken: Mutex<Option<Position>>,
}

impl FaultyStore {
    /// The items, to be dropped, copied or restored as an operator would.
    pub const fn items(&self) -> &MemoryStore {
        &self.inner
    }

    /// Makes the next put of a slot fail.
    pub fn fail_next(&self, fault: Fault) {
        *self.next.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault);
    }

    /// From now on a commit that takes this record in, other than by quarantining something, never ends: as if the record
    /// killed the process.
    pub fn poison(&self, position: Position) {
        *self.poison.lock().unwrap_or_else(PoisonError::into_inner) = Some(position);
    }

    /// Whether this put takes the poison in: nothing before it does, as results are then all behind it.
    fn kills(&self, item: &SlotItem) -> bool {
        let poison = self.poison.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(poison) = poison.as_ref() else { return false };
        let record = Record::decode(&item.body).expect("a record");
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let takes = record.position.as_ref() >= Some(poison) && taken.as_ref() < Some(poison);
        if takes && record.outputs.iter().all(|output| output.sink != "quarantine") {
            return true;
        }
        *taken = record.position;
        false
    }

    /// Forgets a fault that has not happened.
    pub fn fail_nothing(&self) {
        *self.next.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Store for &FaultyStore {
    async fn read_slot(&self, journal: &JournalId, slot: u32) -> Result<Option<SlotItem>, StoreError> {
        self.inner.read_slot(journal, slot).await
    }

    async fn read_slots(
        &self,
        journal: &JournalId,
        slots: RangeInclusive<u32>,
        limit: usize,
    ) -> Result<Vec<(u32, SlotItem)>, StoreError> {
        self.inner.read_slots(journal, slots, limit).await
    }

    async fn put_slot(&self, journal: &JournalId, slot: u32, item: &SlotItem, guard: Guard) -> Result<Put, StoreError> {
        if self.kills(item) {
            std::future::pending::<()>().await;
        }
        let fault = self.next.lock().unwrap_or_else(PoisonError::into_inner).take();
        if fault != Some(Fault::LostRequest) {
            let put = self.inner.put_slot(journal, slot, item, guard).await?;
            if fault.is_none() {
                return Ok(put);
            }
        }
        Err(StoreError::Unavailable { what: format!("put of slot {slot}"), why: "no answer".to_owned() })
    }

    async fn read_mark(&self, journal: &JournalId) -> Result<Option<Mark>, StoreError> {
        self.inner.read_mark(journal).await
    }

    async fn write_mark(&self, journal: &JournalId, mark: &Mark) -> Result<(), StoreError> {
        self.inner.write_mark(journal, mark).await
    }

    async fn lower_mark(&self, journal: &JournalId, mark: &Mark) -> Result<(), StoreError> {
        self.inner.lower_mark(journal, mark).await
    }

    async fn read_attempt(&self, journal: &JournalId) -> Result<Option<Attempt>, StoreError> {
        self.inner.read_attempt(journal).await
    }

    async fn write_attempt(&self, journal: &JournalId, attempt: &Attempt) -> Result<(), StoreError> {
        self.inner.write_attempt(journal, attempt).await
    }

    async fn write_part(&self, journal: &JournalId, id: &PartId, chunks: &[Bytes]) -> Result<(), StoreError> {
        self.inner.write_part(journal, id, chunks).await
    }

    async fn read_part(&self, journal: &JournalId, id: &PartId) -> Result<Option<Vec<Bytes>>, StoreError> {
        self.inner.read_part(journal, id).await
    }

    async fn delete_part(&self, journal: &JournalId, id: &PartId) -> Result<(), StoreError> {
        self.inner.delete_part(journal, id).await
    }
}
