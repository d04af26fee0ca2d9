//! The requests of one environment to the table, downstream and to the source, each of which may go wrong.

use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use fastrand::Rng;
use tidemill::handler::{ShardInfo, Source};
use tidemill_core::SequenceNumber;
use tidemill_journal::{
    Attempt, Deadline, Format, Guard, JournalId, Mark, MemoryStore, Output, PartId, Put, Record, Sink, SinkError,
    SlotItem, Store, StoreError,
};

use crate::ledger::Sender;
use crate::mutant::Mutant;
use crate::plan::Rates;
use crate::world::{World, at_once};

/// How a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Well,
    Lost,
    AnswerLost,
    Late,
    Throttled,
    FrozenBefore,
    FrozenAfter,
    /// Some outputs arrive.
    Partial,
}

/// What one environment asks. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Requests {
    pub(crate) world: Arc<World>,
    pub(crate) environment: u64,
    /// It runs earlier code: format 1 alone.
    pub(crate) old: bool,
    now: Arc<Mutex<Now>>,
}

/// The invocation at work.
struct Now {
    rng: Rng,
    rates: Rates,
    sender: Sender,
}

/// A write, which may outlive its sender's patience.
enum Write {
    Slot(JournalId, u32, SlotItem, Guard, Sender),
    Mark(JournalId, Mark),
    Attempt(JournalId, Attempt),
    Part(JournalId, PartId, Vec<Bytes>),
    Delete(JournalId, PartId),
    Outputs(Vec<Output>),
}

impl Write {
    fn name(&self) -> String {
        match self {
            Self::Slot(journal, _, item, ..) => format!("put of {} of {}", item.number, journal.shard),
            Self::Mark(journal, mark) => format!("mark {} of {}", mark.number, journal.shard),
            Self::Attempt(journal, attempt) => format!("attempt {} of {}", attempt.count, journal.shard),
            Self::Part(journal, id, _) => format!("image {} of {}", id.id, journal.shard),
            Self::Delete(journal, id) => format!("deletion of image {} of {}", id.id, journal.shard),
            Self::Outputs(outputs) => format!("{} outputs", outputs.len()),
        }
    }
}

impl Requests {
    pub(crate) fn new(world: &Arc<World>, environment: u64, old: bool) -> Self {
        let now = Now { rng: Rng::with_seed(environment), rates: Rates::default(), sender: Sender::default() };
        Self { world: Arc::clone(world), environment, old, now: Arc::new(Mutex::new(now)) }
    }

    /// The next invocation begins.
    pub(crate) fn begin(&self, seed: u64, rates: Rates, batch_first: Option<SequenceNumber>) {
        let sender = Sender { batch_first, is_blind: false };
        *self.lock() = Now { rng: Rng::with_seed(seed), rates, sender };
    }

    fn lock(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Time passes on the way; then it shows how the request goes.
    async fn go(&self, is_write: bool, is_send: bool) -> Fate {
        let (fate, latency, pause) = {
            let Now { rng, rates, .. } = &mut *self.lock();
            let latency = rng.u64(1..12);
            let pause = rng.u64(20_000..300_000);
            let mut at = rng.u32(0..1_000);
            let mut falls = |rate: u32| {
                let hit = at < rate;
                at = if hit { u32::MAX } else { at.saturating_sub(rate) };
                hit
            };
            let fate = if falls(rates.lost) {
                Fate::Lost
            } else if falls(rates.throttled) {
                Fate::Throttled
            } else if falls(rates.frozen) {
                if rng.bool() { Fate::FrozenBefore } else { Fate::FrozenAfter }
            } else if is_write && falls(rates.answer_lost) {
                Fate::AnswerLost
            } else if is_write && falls(rates.late) {
                Fate::Late
            } else if is_send && falls(rates.partial) {
                Fate::Partial
            } else {
                Fate::Well
            };
            (if self.world.lock().is_calm { Fate::Well } else { fate }, latency, pause)
        };
        tokio::time::sleep(Duration::from_millis(latency)).await;
        if fate == Fate::FrozenBefore {
            self.world.count("frozen");
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
        fate
    }

    async fn read<T>(&self, what: &str, read: impl FnOnce(&MemoryStore) -> T) -> Result<T, StoreError> {
        let fate = self.go(false, false).await;
        match fate {
            Fate::Lost => return Err(self.no_answer(what, "reads lost")),
            Fate::Throttled => return Err(self.no_answer(what, "reads throttled")),
            _ => {}
        }
        let answer = match self.stale() {
            Some(before) => read(&before),
            None => read(&self.world.items),
        };
        if fate == Fate::FrozenAfter {
            self.freeze().await;
        }
        Ok(answer)
    }

    /// The table as one reads it who does not insist on consistency.
    fn stale(&self) -> Option<MemoryStore> {
        let is_stale = self.world.is(Mutant::StaleReads) && self.lock().rng.u8(0..4) == 0;
        self.world.lock().before.first().filter(|_| is_stale).map(MemoryStore::copy)
    }

    async fn freeze(&self) {
        self.world.count("frozen");
        let pause = self.lock().rng.u64(20_000..300_000);
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }

    fn no_answer(&self, what: &str, why: &'static str) -> StoreError {
        self.world.count(why);
        self.world.tell(format!("environment {}: {what}: {why}", self.environment));
        StoreError::Unavailable { what: what.to_owned(), why: why.to_owned() }
    }

    async fn write(&self, write: Write) -> Result<Put, StoreError> {
        let name = write.name();
        let is_put = matches!(write, Write::Slot(..));
        let answer = match self.go(true, matches!(write, Write::Outputs(_))).await {
            Fate::Lost if is_put && self.world.is(Mutant::LostPutAsStored) => Ok(Put::Stored),
            Fate::Lost => Err(self.no_answer(&name, "writes lost")),
            Fate::Throttled => Err(self.no_answer(&name, "writes throttled")),
            Fate::AnswerLost => {
                self.carry_out(&write);
                Err(self.no_answer(&name, "answers lost"))
            }
            Fate::Late => {
                self.arrive_late(write);
                Err(self.no_answer(&name, "writes late"))
            }
            Fate::Partial => self.send_some(&write),
            Fate::FrozenAfter => {
                let put = self.carry_out(&write);
                self.freeze().await;
                Ok(put)
            }
            Fate::Well | Fate::FrozenBefore => Ok(self.carry_out(&write)),
        };
        match answer {
            Ok(Put::Conflict) if self.world.is(Mutant::ConflictAsStored) => Ok(Put::Stored),
            answer => answer,
        }
    }

    /// Some outputs arrive, in any order.
    fn send_some(&self, write: &Write) -> Result<Put, StoreError> {
        let Write::Outputs(outputs) = write else { return Ok(self.carry_out(write)) };
        let some = {
            let rng = &mut self.lock().rng;
            let mut some: Vec<Output> = outputs.iter().filter(|_| rng.bool()).cloned().collect();
            rng.shuffle(&mut some);
            some
        };
        let all = some.len() == outputs.len();
        self.carry_out(&Write::Outputs(some));
        match self.world.is(Mutant::EarlyAcknowledgement) {
            true => Ok(Put::Stored),
            false => Err(self.no_answer("outputs", if all { "answers lost" } else { "sends partial" })),
        }
    }

    fn arrive_late(&self, write: Write) {
        let pause = self.lock().rng.u64(1..120_000);
        let requests = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(pause)).await;
            requests.carry_out(&write);
        });
    }

    /// The write happens, now and whole.
    fn carry_out(&self, write: &Write) -> Put {
        let (world, items) = (&self.world, &self.world.items);
        let done = match write {
            Write::Slot(journal, slot, item, guard, sender) => return self.put(journal, *slot, item, *guard, sender),
            Write::Mark(journal, mark) => {
                let ahead = u64::from(world.is(Mutant::MarkAhead));
                let mark = Mark { number: mark.number + ahead, ..*mark };
                let checked = world.lock().ledger.mark(journal, &mark);
                world.check(checked);
                at_once(items.write_mark(journal, &mark))
            }
            Write::Attempt(journal, attempt) => at_once(items.write_attempt(journal, attempt)),
            Write::Part(..) if world.is(Mutant::LostPart) => Ok(()),
            Write::Part(journal, id, chunks) => at_once(items.write_part(journal, id, chunks)),
            Write::Delete(journal, id) => at_once(items.delete_part(journal, id)),
            Write::Outputs(outputs) => {
                world.tell(format!("environment {}: {} outputs arrive", self.environment, outputs.len()));
                world.arrive(outputs);
                Ok(())
            }
        };
        done.map_or(Put::Conflict, |()| Put::Stored)
    }

    fn put(&self, journal: &JournalId, slot: u32, item: &SlotItem, guard: Guard, sender: &Sender) -> Put {
        let world = &self.world;
        if world.is(Mutant::StaleReads) {
            let mut state = world.lock();
            state.before.push(world.items.copy());
            let old = state.before.len().saturating_sub(4);
            state.before.drain(..old);
        }
        let guard = match at_once(world.items.read_slot(journal, slot)) {
            Ok(Some(there)) if world.is(Mutant::UnconditionalPut) => {
                Guard::Replaces { number: there.number, incarnation: there.incarnation }
            }
            Ok(None) if world.is(Mutant::UnconditionalPut) => Guard::Vacant,
            _ => guard,
        };
        let put = at_once(world.items.put_slot(journal, slot, item, guard)).unwrap_or(Put::Conflict);
        let kind = Record::decode(&item.body).map(|record| (record.kind, record.format, record.outputs.len()));
        world.tell(format!("environment {}: {} {} {kind:?}: {put:?}", self.environment, journal.shard, item.number));
        match put {
            Put::Stored => {
                world.count("commits");
                let checked = world.lock().ledger.store(&world.items, journal, item, sender.clone());
                world.check(checked);
            }
            Put::Conflict => world.count("conflicts"),
        }
        put
    }

    /// What code that does not know format 2 makes of it.
    fn check_known(&self, item: &SlotItem) -> Result<(), StoreError> {
        let format = Record::decode(&item.body).map(|record| record.format);
        if self.old && format == Ok(Format::V2) {
            self.world.count("formats unknown to old code");
            return Err(StoreError::Foreign { what: "a slot".to_owned(), why: "unknown format 2".to_owned() });
        }
        Ok(())
    }
}

impl Store for Requests {
    async fn read_slot(&self, journal: &JournalId, slot: u32) -> Result<Option<SlotItem>, StoreError> {
        let item = self.read("read of a slot", |items| at_once(items.read_slot(journal, slot))).await??;
        item.iter().try_for_each(|item| self.check_known(item))?;
        Ok(item)
    }

    async fn read_slots(
        &self,
        journal: &JournalId,
        slots: RangeInclusive<u32>,
        limit: usize,
    ) -> Result<Vec<(u32, SlotItem)>, StoreError> {
        let items = self.read("read of slots", |items| at_once(items.read_slots(journal, slots, limit))).await??;
        items.iter().try_for_each(|(_, item)| self.check_known(item))?;
        Ok(items)
    }

    async fn put_slot(&self, journal: &JournalId, slot: u32, item: &SlotItem, guard: Guard) -> Result<Put, StoreError> {
        let mut item = item.clone();
        if self.old && item.number == 1 {
            // Earlier code begins a journal in its own format.
            let mut record = Record::decode(&item.body).expect("a record");
            record.format = Format::V1;
            item.body = record.encode().expect("it encodes");
        }
        let sender = self.lock().sender.clone();
        self.write(Write::Slot(journal.clone(), slot, item, guard, sender)).await
    }

    async fn read_mark(&self, journal: &JournalId) -> Result<Option<Mark>, StoreError> {
        let mark = self.read("read of a mark", |items| at_once(items.read_mark(journal))).await??;
        if !self.world.is(Mutant::MarkOfAnotherLife) {
            return Ok(mark);
        }
        let life = at_once(self.world.items.read_slot(journal, 1))?.map(|item| item.incarnation);
        Ok(mark.zip(life).map(|(mark, incarnation)| Mark { incarnation, ..mark }))
    }

    async fn write_mark(&self, journal: &JournalId, mark: &Mark) -> Result<(), StoreError> {
        self.write(Write::Mark(journal.clone(), *mark)).await.map(drop)
    }

    async fn read_attempt(&self, journal: &JournalId) -> Result<Option<Attempt>, StoreError> {
        self.read("read of an attempt", |items| at_once(items.read_attempt(journal))).await?
    }

    async fn write_attempt(&self, journal: &JournalId, attempt: &Attempt) -> Result<(), StoreError> {
        self.write(Write::Attempt(journal.clone(), attempt.clone())).await.map(drop)
    }

    async fn write_part(&self, journal: &JournalId, id: &PartId, chunks: &[Bytes]) -> Result<(), StoreError> {
        self.write(Write::Part(journal.clone(), id.clone(), chunks.to_vec())).await.map(drop)
    }

    async fn read_part(&self, journal: &JournalId, id: &PartId) -> Result<Option<Vec<Bytes>>, StoreError> {
        self.read("read of an image", |items| at_once(items.read_part(journal, id))).await?
    }

    async fn delete_part(&self, journal: &JournalId, id: &PartId) -> Result<(), StoreError> {
        self.write(Write::Delete(journal.clone(), id.clone())).await.map(drop)
    }
}

impl Sink for Requests {
    fn objection(&self, _: &Output) -> Option<String> {
        None
    }

    async fn send(&self, outputs: &[Output], _: Deadline) -> Result<(), SinkError> {
        let sent = self.write(Write::Outputs(outputs.to_vec())).await;
        sent.map(drop).map_err(|error| SinkError::Unavailable(error.to_string()))
    }
}

impl Source for Requests {
    async fn next_after(
        &self,
        stream: &str,
        shard: &str,
        position: Option<&SequenceNumber>,
    ) -> Result<Option<SequenceNumber>, String> {
        let asked = self.read("look at the shard", |_| ()).await;
        self.lock().sender.is_blind |= asked.is_err();
        asked.map_err(|error| error.to_string())?;
        if self.world.is(Mutant::DrainedTooSoon) {
            return Ok(None);
        }
        at_once((&self.world.stream).next_after(stream, shard, position))
    }

    async fn shards(&self, _: &str) -> Result<Vec<ShardInfo>, String> {
        let asked = self.read("list of shards", |_| ()).await;
        asked.map_err(|error| error.to_string())?;
        let mut all = self.world.stream.all();
        if self.world.is(Mutant::StaleListing) {
            all.iter_mut().for_each(|info| info.is_closed = false);
        }
        Ok(all)
    }

    async fn shard(&self, _: &str, shard: &str) -> Result<Option<ShardInfo>, String> {
        let asked = self.read("list of shards", |_| ()).await;
        asked.map_err(|error| error.to_string())?;
        Ok(self.world.stream.all().into_iter().find(|info| info.shard == shard))
    }
}
