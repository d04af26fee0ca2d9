//! A world whose every request can be the one that goes wrong.

use std::ops::RangeInclusive;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tidemill_journal::{
    Attempt, Deadline, Guard, JournalId, Mark, MemoryStore, Output, PartId, Put, Sink, SinkError, SlotItem, Store,
    StoreError,
};
use tokio::sync::Notify;

use crate::Inbox;

/// How a request goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// The process dies before it is sent.
    DieBefore,
    /// The process dies when it was carried out.
    DieAfter,
    /// It does not arrive, and no answer comes.
    Lose,
    /// It is carried out, the answer does not come.
    LoseAnswer,
    /// It does not arrive, and no answer comes; a copy of it arrives some requests later.
    ArriveLate,
}

impl Wrong {
    /// All ways.
    pub const ALL: [Self; 5] = [Self::DieBefore, Self::DieAfter, Self::Lose, Self::LoseAnswer, Self::ArriveLate];
}

/// A write that is still under way.
#[derive(Clone, Debug)]
enum Write {
    Slot(JournalId, u32, SlotItem, Guard),
    Mark(JournalId, Mark),
    LoweredMark(JournalId, Mark),
    Attempt(JournalId, Attempt),
    Part(JournalId, PartId, Vec<Bytes>),
    Delete(JournalId, PartId),
    Outputs(Vec<Output>),
}

/// How many requests later a late copy arrives.
const LATE_BY: u64 = 3;

/// Store and sink in one, counting requests as steps.
#[derive(Debug, Default)]
pub struct Stepped {
    /// What is stored.
    pub items: MemoryStore,
    /// What arrived downstream.
    pub inbox: Inbox,
    state: Mutex<State>,
    died: Notify,
}

#[derive(Debug, Default)]
struct State {
    steps: u64,
    wrong: Option<(u64, Wrong)>,
    late: Vec<(u64, Write)>,
}

impl Stepped {
    /// A world where step `step`, from 1, goes wrong.
    pub fn going_wrong(step: u64, how: Wrong) -> Self {
        let state = State { wrong: Some((step, how)), ..State::default() };
        Self { state: Mutex::new(state), ..Self::default() }
    }

    /// How many requests there were.
    pub fn steps(&self) -> u64 {
        self.lock().steps
    }

    /// Returns when the process is to die.
    pub async fn died(&self) {
        self.died.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a request; what is late by now arrives.
    async fn step(&self) -> Option<Wrong> {
        let (wrong, arriving) = {
            let mut state = self.lock();
            state.steps += 1;
            let now = state.steps;
            let (arriving, later) = std::mem::take(&mut state.late).into_iter().partition(|(at, _)| *at <= now);
            state.late = later;
            (state.wrong.filter(|(at, _)| *at == now).map(|(_, how)| how), arriving)
        };
        let arriving: Vec<(u64, Write)> = arriving;
        for (_, write) in arriving {
            // Nobody waits for its answer any more.
            let _ = self.carry_out(&write).await;
        }
        wrong
    }

    async fn die(&self) {
        self.died.notify_one();
        std::future::pending::<()>().await;
    }

    async fn carry_out(&self, write: &Write) -> Result<Put, StoreError> {
        match write {
            Write::Slot(journal, slot, item, guard) => return self.items.put_slot(journal, *slot, item, *guard).await,
            Write::Mark(journal, mark) => self.items.write_mark(journal, mark).await?,
            Write::LoweredMark(journal, mark) => self.items.lower_mark(journal, mark).await?,
            Write::Attempt(journal, attempt) => self.items.write_attempt(journal, attempt).await?,
            Write::Part(journal, id, chunks) => self.items.write_part(journal, id, chunks).await?,
            Write::Delete(journal, id) => self.items.delete_part(journal, id).await?,
            Write::Outputs(outputs) => {
                let _ = (&self.inbox).send(outputs, Deadline::NONE).await;
            }
        }
        Ok(Put::Stored)
    }

    async fn write(&self, write: Write) -> Result<Put, StoreError> {
        let wrong = self.step().await;
        if wrong == Some(Wrong::DieBefore) {
            self.die().await;
        }
        if wrong == Some(Wrong::Lose) {
            return Err(no_answer());
        }
        if wrong == Some(Wrong::ArriveLate) {
            let mut state = self.lock();
            let at = state.steps + LATE_BY;
            state.late.push((at, write));
            return Err(no_answer());
        }
        let answer = self.carry_out(&write).await;
        match wrong {
            Some(Wrong::DieAfter) => {
                self.die().await;
                answer
            }
            Some(Wrong::LoseAnswer) => Err(no_answer()),
            _ => answer,
        }
    }

    async fn read<T>(&self, read: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        match self.step().await {
            Some(Wrong::DieBefore | Wrong::DieAfter) => self.die().await,
            Some(Wrong::Lose | Wrong::LoseAnswer | Wrong::ArriveLate) => return Err(no_answer()),
            None => {}
        }
        read.await
    }
}

fn no_answer() -> StoreError {
    StoreError::Unavailable { what: "a request".to_owned(), why: "no answer".to_owned() }
}

impl Store for &Stepped {
    async fn read_slot(&self, journal: &JournalId, slot: u32) -> Result<Option<SlotItem>, StoreError> {
        self.read(self.items.read_slot(journal, slot)).await
    }

    async fn read_slots(
        &self,
        journal: &JournalId,
        slots: RangeInclusive<u32>,
        limit: usize,
    ) -> Result<Vec<(u32, SlotItem)>, StoreError> {
        self.read(self.items.read_slots(journal, slots, limit)).await
    }

    async fn put_slot(&self, journal: &JournalId, slot: u32, item: &SlotItem, guard: Guard) -> Result<Put, StoreError> {
        self.write(Write::Slot(journal.clone(), slot, item.clone(), guard)).await
    }

    async fn read_mark(&self, journal: &JournalId) -> Result<Option<Mark>, StoreError> {
        self.read(self.items.read_mark(journal)).await
    }

    async fn write_mark(&self, journal: &JournalId, mark: &Mark) -> Result<(), StoreError> {
        self.write(Write::Mark(journal.clone(), *mark)).await.map(drop)
    }

    async fn lower_mark(&self, journal: &JournalId, mark: &Mark) -> Result<(), StoreError> {
        self.write(Write::LoweredMark(journal.clone(), *mark)).await.map(drop)
    }

    async fn read_attempt(&self, journal: &JournalId) -> Result<Option<Attempt>, StoreError> {
        self.read(self.items.read_attempt(journal)).await
    }

    async fn write_attempt(&self, journal: &JournalId, attempt: &Attempt) -> Result<(), StoreError> {
        self.write(Write::Attempt(journal.clone(), attempt.clone())).await.map(drop)
    }

    async fn write_part(&self, journal: &JournalId, id: &PartId, chunks: &[Bytes]) -> Result<(), StoreError> {
        self.write(Write::Part(journal.clone(), id.clone(), chunks.to_vec())).await.map(drop)
    }

    async fn read_part(&self, journal: &JournalId, id: &PartId) -> Result<Option<Vec<Bytes>>, StoreError> {
        self.read(self.items.read_part(journal, id)).await
    }

    async fn delete_part(&self, journal: &JournalId, id: &PartId) -> Result<(), StoreError> {
        self.write(Write::Delete(journal.clone(), id.clone())).await.map(drop)
    }
}

impl Sink for &Stepped {
    fn objection(&self, _: &Output) -> Option<String> {
        None
    }

    async fn send(&self, outputs: &[Output], _: Deadline) -> Result<(), SinkError> {
        let sent = self.write(Write::Outputs(outputs.to_vec())).await;
        sent.map(drop).map_err(|error| SinkError::Unavailable(error.to_string()))
    }
}
