//! Writes, and what becomes of them.

use std::time::Duration;

use bytes::Bytes;
use tidemill_core::EventTime;
use tidemill_journal::{
    Attempt, Beside, Erasable as _, Guard, Incarnation, JournalId, Mark, Output, PartId, Put, Record, SlotItem,
    Store as _, StoreError, Sweepable as _,
};

use super::Requests;
use super::fate::{Asked, Fate};
use crate::testing::simulation::ledger::Sender;
use crate::testing::simulation::mutant::Mutant;
use crate::testing::simulation::world::at_once;

/// A write, which may outlive its sender's patience.
pub(super) enum Write {
    Slot(JournalId, u32, SlotItem, Guard, Sender),
    Mark(JournalId, Mark),
    LoweredMark(JournalId, Mark),
    Attempt(JournalId, Attempt),
    Part(JournalId, PartId, Vec<Bytes>),
    Delete(JournalId, PartId),
    Erase(JournalId, u32, u64, Incarnation),
    Stamp(Beside, EventTime),
    Sweep(Beside),
    Outputs(Vec<Output>),
}

impl Write {
    fn name(&self) -> String {
        match self {
            Self::Slot(journal, _, item, ..) => format!("put of {} of {}", item.number, journal.shard),
            Self::Mark(journal, mark) => format!("mark {} of {}", mark.number, journal.shard),
            Self::LoweredMark(journal, mark) => format!("lowered mark {} of {}", mark.number, journal.shard),
            Self::Attempt(journal, attempt) => format!("attempt {} of {}", attempt.count, journal.shard),
            Self::Part(journal, id, _) => format!("image {} of {}", id.id, journal.shard),
            Self::Delete(journal, id) => format!("deletion of image {} of {}", id.id, journal.shard),
            Self::Erase(journal, slot, ..) => format!("deletion of slot {slot} of {}", journal.shard),
            Self::Stamp(item, _) => format!("stamp of {} of {}", item.id, item.journal.shard),
            Self::Sweep(item) => format!("deletion of {} of {}", item.id, item.journal.shard),
            Self::Outputs(outputs) => format!("{} outputs", outputs.len()),
        }
    }
}

impl Requests {
    pub(super) async fn write(&self, write: Write) -> Result<Put, StoreError> {
        let name = write.name();
        let is_put = matches!(write, Write::Slot(..));
        let asked = if matches!(write, Write::Outputs(_)) { Asked::Send } else { Asked::Write };
        let answer = match self.go(asked).await {
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
            Write::LoweredMark(journal, mark) => {
                let checked = world.lock().ledger.mark(journal, mark);
                world.check(checked);
                if world.is(Mutant::DueNotLowered) { Ok(()) } else { at_once(items.lower_mark(journal, mark)) }
            }
            Write::Attempt(journal, attempt) => at_once(items.write_attempt(journal, attempt)),
            Write::Part(..) if world.is(Mutant::LostPart) => Ok(()),
            Write::Part(journal, id, chunks) => {
                items.set_time(Some(world.table_clock()));
                at_once(items.write_part(journal, id, chunks))
            }
            Write::Delete(journal, id) => at_once(items.delete_part(journal, id)),
            Write::Erase(journal, slot, number, incarnation) => {
                let found = at_once(items.read_slot(journal, *slot)).ok().flatten();
                let held = found.filter(|_| world.is(Mutant::UnconditionalDeletion));
                let held = held.map_or((*number, *incarnation), |item| (item.number, item.incarnation));
                at_once(items.delete_slot(journal, *slot, held.0, held.1))
            }
            Write::Stamp(item, seen) => at_once(items.stamp(item, *seen)),
            Write::Sweep(item) => match at_once(items.delete_beside(item)) {
                Ok(true) => Ok(()),
                _ => return Put::Conflict,
            },
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
        let is_again = guard == (Guard::Replaces { number: item.number, incarnation: item.incarnation });
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
            Put::Stored if is_again => {
                world.count("records freed");
                let checked = {
                    let children = world.children(journal);
                    world.lock().ledger.free(&world.items, journal, item, &children)
                };
                world.check(checked);
            }
            Put::Stored => {
                world.count("commits");
                let checked = world.lock().ledger.store(&world.items, journal, item, sender.clone());
                world.check(checked.and_then(|()| world.i6_children_begin_behind_seals()));
            }
            Put::Conflict => world.count("conflicts"),
        }
        put
    }
}
