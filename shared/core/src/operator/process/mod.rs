//! A function over the events of a key, with state, timers and side outputs: what windows and aggregates cannot say.

mod cell;
mod context;
mod descriptor;

use std::collections::BTreeMap;

pub use context::{Context, RecordInfo};
pub use descriptor::{List, Map, SideOutput, Value};

use super::{Applied, Operator, Turn};
use crate::shard::Source;
use crate::state::{KeyState, Slot};
use crate::{Cause, Delivery, EventTime, Events, Key, Processor, Reject};
use cell::ProcessCell;

/// A function over the events of one key at a time.
///
/// Everything that it remembers lies in state of the key ([`Value`], [`List`], [`Map`]) and in timers: `self` holds
/// settings alone. An error or a panic undoes all that the call did; the record goes to the quarantine.
///
/// Records come in shard order, also late ones: compare [`Context::time`] with [`Context::watermark`] if that matters.
pub trait KeyedProcess<E: Events, K: Key>: Send + Sync + 'static {
    /// The results.
    type Out;

    /// What stored state depends on, in the operator's fingerprint: a journal of another name is refused. Change it when
    /// old states mean something else.
    fn name(&self) -> &'static str {
        "process"
    }

    /// Takes an event.
    ///
    /// # Errors
    /// A [`Reject`] sends the record to the quarantine.
    fn on_event(&self, event: E::Event<'_>, context: &mut Context<'_, K, Self::Out>) -> Result<(), Reject>;

    /// A timer of the key is due: the watermark reached `at`.
    ///
    /// # Errors
    /// A [`Reject`] tells the quarantine of key and timer; the timer is gone.
    fn on_timer(&self, at: EventTime, context: &mut Context<'_, K, Self::Out>) -> Result<(), Reject> {
        let _ = (at, context);
        Ok(())
    }
}

/// An erased closure that encodes a result for its sinks.
pub type ProcessEmit<T> = Box<dyn Fn(T) -> Result<Vec<Delivery>, Reject> + Send + Sync>;

/// Runs a process function per key.
pub struct Process<P, T> {
    /// The function.
    pub function: P,
    /// Encodes its results.
    pub emit: ProcessEmit<T>,
    /// The sinks of its side outputs by name.
    pub sides: BTreeMap<&'static str, u16>,
}

impl<P, T: 'static> Process<P, T> {
    /// The pipeline over its source, without its types.
    pub fn over<E: Events, K: Key>(self, source: Source<E, K>) -> Box<dyn Processor>
    where
        P: KeyedProcess<E, K, Out = T>,
    {
        source.operate(self)
    }
}

impl<E, K, P, T> Operator<E, K> for Process<P, T>
where
    E: Events,
    K: Key,
    P: KeyedProcess<E, K, Out = T>,
    T: 'static,
{
    type Cell = ProcessCell;

    fn due(&self, slot: &Slot, cell: &ProcessCell) -> Option<EventTime> {
        match slot {
            Slot::Timer(at) => Some(*at),
            _ => cell.expires,
        }
    }

    fn apply(
        &self,
        event: E::Event<'_>,
        turn: &mut Turn<'_, K>,
        state: &mut KeyState<'_, ProcessCell>,
    ) -> Result<Applied, Reject> {
        let mut context = Context::new(turn, state, &self.emit, &self.sides);
        self.function.on_event(event, &mut context)?;
        let deliveries = context.finish()?;
        if let Some(record) = turn.now.record {
            turn.emit(turn.now.time, &Cause::Record(record.position.clone()), 0, deliveries);
        }
        Ok(Applied::Kept)
    }

    fn fire(&self, slot: &Slot, turn: &mut Turn<'_, K>, state: &mut KeyState<'_, ProcessCell>) -> Result<(), Reject> {
        let depth = state.get(slot).map_or(0, |cell| cell.depth);
        state.remove(slot.clone());
        let Slot::Timer(at) = slot else { return Ok(()) };
        let mut context = Context::new(turn, state, &self.emit, &self.sides).of_timer(depth);
        self.function.on_timer(*at, &mut context)?;
        let deliveries = context.finish()?;
        turn.emit(*at, &Cause::Timer(*at), 0, deliveries);
        Ok(())
    }

    fn fingerprint(&self) -> BTreeMap<String, String> {
        BTreeMap::from([("operator".to_owned(), format!("process {}", self.function.name()))])
    }
}
