//! What a process function may ask and do while it is called.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use smallvec::SmallVec;

use super::cell::ProcessCell;
use super::{List, Map, ProcessEmit, SideOutput, Value};
use crate::operator::Turn;
use crate::state::{KeyState, Slot};
use crate::{Corrupt, Delivery, EventTime, Key, Position, Reason, Reject, Watermark, codec, millis};

/// How many timers, each set by the one before for an instant that is over, may follow each other.
const LONGEST_CHAIN: u32 = 1_000;

/// Where a record came from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordInfo<'a> {
    /// The shard's id, such as `shardId-000000000000`.
    pub shard: &'a str,
    /// Its place in the shard: sequence and sub-sequence number.
    pub position: &'a Position,
    /// When the stream took it in.
    pub arrival: EventTime,
    /// The partition key that it came under.
    pub partition_key: &'a str,
}

/// The key's state, timers and outputs during one call.
pub struct Context<'c, K, T> {
    key: &'c K,
    time: EventTime,
    watermark: Watermark,
    record: Option<RecordInfo<'c>>,
    /// How many timers lie before the present one in a chain; `None` while an event is taken.
    depth: Option<u32>,
    state: &'c mut (dyn Cells + 'c),
    emit: &'c ProcessEmit<T>,
    sides: &'c BTreeMap<&'static str, u16>,
    deliveries: Vec<Delivery>,
    /// The first error of a method that does not return it.
    failed: Option<Reject>,
}

/// The key's cells, without their lifetimes.
trait Cells {
    fn get(&self, slot: &Slot) -> Option<&ProcessCell>;
    fn put(&mut self, slot: Slot, cell: ProcessCell);
    fn remove(&mut self, slot: Slot);
    fn slots(&self, first: Slot, end: Slot) -> SmallVec<[Slot; 4]>;
    fn last_slot(&self, first: Slot, end: Slot) -> Option<Slot>;
}

impl Cells for KeyState<'_, ProcessCell> {
    fn get(&self, slot: &Slot) -> Option<&ProcessCell> {
        Self::get(self, slot)
    }

    fn put(&mut self, slot: Slot, cell: ProcessCell) {
        Self::put(self, slot, cell);
    }

    fn remove(&mut self, slot: Slot) {
        Self::remove(self, slot);
    }

    fn slots(&self, first: Slot, end: Slot) -> SmallVec<[Slot; 4]> {
        Self::slots(self, first, end)
    }

    fn last_slot(&self, first: Slot, end: Slot) -> Option<Slot> {
        Self::last_slot(self, first, end)
    }
}

impl<'c, K: Key, T> Context<'c, K, T> {
    pub(super) fn new(
        turn: &Turn<'c, K>,
        state: &'c mut KeyState<'_, ProcessCell>,
        emit: &'c ProcessEmit<T>,
        sides: &'c BTreeMap<&'static str, u16>,
    ) -> Self {
        let record = turn.now.record.map(|record| RecordInfo {
            shard: record.shard,
            position: &record.position,
            arrival: record.arrival,
            partition_key: record.partition_key,
        });
        let (key, time, watermark) = (turn.subject.key, turn.now.time, turn.now.watermark);
        Self { key, time, watermark, record, depth: None, state, emit, sides, deliveries: Vec::new(), failed: None }
    }

    /// In a call for a timer that is the last of a chain.
    pub(super) fn of_timer(self, depth: u32) -> Self {
        Self { depth: Some(depth), ..self }
    }

    /// What is to be sent.
    pub(super) fn finish(self) -> Result<Vec<Delivery>, Reject> {
        self.failed.map_or(Ok(self.deliveries), Err)
    }

    /// The key.
    pub const fn key(&self) -> &K {
        self.key
    }

    /// The event's time, or the timer's.
    pub const fn time(&self) -> EventTime {
        self.time
    }

    /// The watermark: before the record, or of the firing. An event is late if its time is before it.
    pub const fn watermark(&self) -> Watermark {
        self.watermark
    }

    /// Where the record came from; `None` in a call for a timer.
    pub const fn record(&self) -> Option<&RecordInfo<'c>> {
        self.record.as_ref()
    }

    /// Sends a result.
    pub fn emit(&mut self, result: T) {
        match (self.emit)(result) {
            Ok(mut deliveries) => self.deliveries.append(&mut deliveries),
            Err(reject) => self.fail(reject),
        }
    }

    /// Sends a value to a side output, which the pipeline must have declared by `.side(..)`.
    pub fn emit_to<S: Serialize>(&mut self, output: SideOutput<S>, value: S) {
        let Some(sink) = self.sides.get(output.name).copied() else {
            let message = format!("side output {:?} goes nowhere: declare it by `.side(..)`", output.name);
            return self.fail(Reject::new(Reason::Failed, message));
        };
        match serde_json::to_vec(&value) {
            Ok(value) => self.deliveries.push(Delivery { sink, value }),
            Err(e) => {
                let message = format!("a value for {:?} cannot be written as JSON: {e}", output.name);
                self.fail(Reject::new(Reason::Failed, message));
            }
        }
    }

    fn fail(&mut self, reject: Reject) {
        self.failed.get_or_insert(reject);
    }

    /// Calls [`KeyedProcess::on_timer`](super::KeyedProcess::on_timer) once when the watermark reaches `at`; at once
    /// after this record if it has. A key has one timer an instant. Timers that are set when the input has ended do not
    /// fire.
    pub fn set_timer(&mut self, at: EventTime) {
        if self.watermark == Watermark::END {
            return;
        }
        let depth = match self.depth {
            Some(depth) if self.watermark.has_reached(at) => depth + 1,
            _ => 0,
        };
        if depth > LONGEST_CHAIN {
            let message = format!("{LONGEST_CHAIN} timers, each set by the one before for an instant that was over");
            return self.fail(Reject::new(Reason::Failed, message));
        }
        self.state.put(Slot::Timer(at), ProcessCell::timer(depth));
    }

    /// Takes a timer back; nothing happens if it is not set.
    pub fn delete_timer(&mut self, at: EventTime) {
        self.state.remove(Slot::Timer(at));
    }

    /// A value; `None` if it was never set, cleared, or has expired.
    ///
    /// # Errors
    /// If what is stored is no `V`.
    pub fn get<V: DeserializeOwned>(&self, value: Value<V>) -> Result<Option<V>, Reject> {
        self.state.get(&Slot::Value(Cow::Borrowed(value.name))).map(ProcessCell::read).transpose()
    }

    /// Sets a value.
    ///
    /// # Errors
    /// Only if its own `Serialize` fails.
    pub fn set<V: Serialize>(&mut self, value: Value<V>, new: &V) -> Result<(), Reject> {
        self.put(Slot::Value(Cow::Borrowed(value.name)), new, value.ttl)
    }

    /// Clears a value.
    pub fn clear<V>(&mut self, value: Value<V>) {
        self.state.remove(Slot::Value(Cow::Borrowed(value.name)));
    }

    /// Appends to a list.
    ///
    /// # Errors
    /// Only if the element's own `Serialize` fails.
    pub fn push<V: Serialize>(&mut self, list: List<V>, element: &V) -> Result<(), Reject> {
        let slot = |number| Slot::Element(Cow::Borrowed(list.name), number);
        let number = match self.state.last_slot(slot(0), slot(u64::MAX)) {
            Some(Slot::Element(_, number)) => number + 1,
            _ => 0,
        };
        self.put(Slot::Element(Cow::Borrowed(list.name), number), element, list.ttl)
    }

    /// All elements of a list, in the order in which they were appended.
    ///
    /// # Errors
    /// If what is stored is no `V`.
    pub fn list<V: DeserializeOwned>(&self, list: List<V>) -> Result<Vec<V>, Reject> {
        self.elements(list).iter().filter_map(|slot| self.state.get(slot)).map(ProcessCell::read).collect()
    }

    /// Removes all elements of a list.
    pub fn clear_list<V>(&mut self, list: List<V>) {
        self.elements(list).into_iter().for_each(|slot| self.state.remove(slot));
    }

    fn elements<V>(&self, list: List<V>) -> SmallVec<[Slot; 4]> {
        let slot = |number| Slot::Element(Cow::Borrowed(list.name), number);
        self.state.slots(slot(0), slot(u64::MAX))
    }

    /// The entry of a map under this key.
    ///
    /// # Errors
    /// If what is stored is no `V`, or the key's own `Serialize` fails.
    pub fn map_get<Q: Serialize, V: DeserializeOwned>(&self, map: Map<Q, V>, key: &Q) -> Result<Option<V>, Reject> {
        self.state.get(&entry(map, key)?).map(ProcessCell::read).transpose()
    }

    /// Puts an entry.
    ///
    /// # Errors
    /// Only if the key's or the value's own `Serialize` fails.
    pub fn map_put<Q: Serialize, V: Serialize>(&mut self, map: Map<Q, V>, key: &Q, value: &V) -> Result<(), Reject> {
        self.put(entry(map, key)?, value, map.ttl)
    }

    /// Removes an entry; nothing happens if there is none.
    ///
    /// # Errors
    /// Only if the key's own `Serialize` fails.
    pub fn map_remove<Q: Serialize, V>(&mut self, map: Map<Q, V>, key: &Q) -> Result<(), Reject> {
        self.state.remove(entry(map, key)?);
        Ok(())
    }

    /// All entries of a map, in the order of their keys' CBOR bytes.
    ///
    /// # Errors
    /// If what is stored is no `Q` or no `V`.
    pub fn map<Q: DeserializeOwned, V: DeserializeOwned>(&self, map: Map<Q, V>) -> Result<Vec<(Q, V)>, Reject> {
        let read = |slot: &Slot| {
            let Slot::Entry(entry) = slot else { return None };
            let cell = self.state.get(slot)?;
            let key = codec::decode(&entry.1).map_err(|Corrupt(e)| Reject::new(Reason::Failed, e));
            Some(key.and_then(|key| Ok((key, cell.read()?))))
        };
        self.entries(map).iter().filter_map(read).collect()
    }

    /// Removes all entries of a map.
    pub fn clear_map<Q, V>(&mut self, map: Map<Q, V>) {
        self.entries(map).into_iter().for_each(|slot| self.state.remove(slot));
    }

    fn entries<Q, V>(&self, map: Map<Q, V>) -> SmallVec<[Slot; 4]> {
        let first = Slot::entry(map.name, Vec::new());
        // The first name behind: entries of this map lie before it.
        let end = Slot::entry(format!("{}\0", map.name), Vec::new());
        self.state.slots(first, end)
    }

    fn put<V: Serialize>(&mut self, slot: Slot, value: &V, ttl: Option<Duration>) -> Result<(), Reject> {
        let written = self.time.max(self.watermark.time());
        let expires = ttl.map(|ttl| written.plus(millis(ttl).unwrap_or(i64::MAX)));
        self.state.put(slot, ProcessCell::holding(value, expires)?);
        Ok(())
    }
}

fn entry<Q: Serialize, V>(map: Map<Q, V>, key: &Q) -> Result<Slot, Reject> {
    Ok(Slot::entry(map.name, codec::encode(key)?))
}
