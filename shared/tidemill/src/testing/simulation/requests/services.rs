//! What an environment asks, as the handler knows it: table, sinks and source.

use std::ops::RangeInclusive;

use crate::handler::{ShardInfo, Source};
use bytes::Bytes;
use tidemill_core::{EventTime, SequenceNumber};
use tidemill_journal::{
    Attempt, Beside, Deadline, Erasable, Format, Guard, Incarnation, JournalId, Listed, Mark, Output, PartId, Put,
    Record, Sink, SinkError, SlotItem, Store, StoreError, Sweepable,
};

use super::Requests;
use super::writes::Write;
use crate::testing::simulation::mutant::Mutant;
use crate::testing::simulation::world::at_once;

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

    async fn lower_mark(&self, journal: &JournalId, mark: &Mark) -> Result<(), StoreError> {
        self.write(Write::LoweredMark(journal.clone(), *mark)).await.map(drop)
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

impl Erasable for Requests {
    async fn delete_slot(
        &self,
        journal: &JournalId,
        slot: u32,
        number: u64,
        incarnation: Incarnation,
    ) -> Result<(), StoreError> {
        self.write(Write::Erase(journal.clone(), slot, number, incarnation)).await.map(drop)
    }
}

impl Sweepable for Requests {
    async fn list(&self) -> Result<Listed, StoreError> {
        self.read("list of all items", |items| at_once(items.list())).await?
    }

    async fn stamp(&self, item: &Beside, seen: EventTime) -> Result<(), StoreError> {
        self.write(Write::Stamp(item.clone(), seen)).await.map(drop)
    }

    async fn delete_beside(&self, item: &Beside) -> Result<bool, StoreError> {
        Ok(self.write(Write::Sweep(item.clone())).await? == Put::Stored)
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
