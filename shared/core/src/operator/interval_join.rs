//! Joining two kinds of events of a key whose times lie near each other.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Applied, Operator, Turn};
use crate::shard::Source;
use crate::state::{KeyState, Slot};
use crate::{Cause, Delivery, EventTime, Events, Key, Processor, Reject, Span};

/// Which side of a join an event is on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Side<L, R> {
    /// The left one.
    #[serde(rename = "l")]
    Left(L),
    /// The right one.
    #[serde(rename = "r")]
    Right(R),
}

/// An erased closure that tells an event's side; `None` for an event of neither.
pub type SideFn<E, L, R> = Box<dyn for<'a, 'e> Fn(&'e <E as Events>::Event<'a>) -> Option<Side<L, R>> + Send + Sync>;

/// An erased closure that makes the results of a pair.
pub type PairEmit<K, L, R> = Box<dyn Fn(&K, &L, &R) -> Result<Vec<Delivery>, Reject> + Send + Sync>;

/// Joins each left event with the right ones from `before` milliseconds before it to `after` milliseconds behind it, both
/// included. (Flink's interval join.) A pair is sent when its second event comes. An event behind the watermark is late:
/// its partners may be gone.
pub struct IntervalJoin<E: Events, K, L, R> {
    /// Which side an event is on.
    pub side: SideFn<E, L, R>,
    /// How long before the left event the right one may lie, in milliseconds.
    pub before: i64,
    /// How long behind it.
    pub after: i64,
    /// What is sent of a pair.
    pub emit: PairEmit<K, L, R>,
}

const LEFT: u8 = 0;
const RIGHT: u8 = 1;

impl<E: Events, K: Key, L, R> IntervalJoin<E, K, L, R>
where
    L: Clone + Serialize + DeserializeOwned + Send + Sync + 'static,
    R: Clone + Serialize + DeserializeOwned + Send + Sync + 'static,
{
    /// The pipeline over its source, without its types.
    pub fn over(self, source: Source<E, K>) -> Box<dyn Processor> {
        source.operate(self)
    }

    /// The times of the events of the other side that an event at `time` is joined with: first and last.
    fn partners(&self, side: u8, time: EventTime) -> Span {
        let (before, after) = if side == LEFT { (self.before, self.after) } else { (self.after, self.before) };
        Span { start: time.plus(before.saturating_neg()), end: time.plus(after) }
    }

    fn join(&self, turn: &Turn<'_, K>, left: &Side<L, R>, right: &Side<L, R>) -> Result<Vec<Delivery>, Reject> {
        match (left, right) {
            (Side::Left(left), Side::Right(right)) => (self.emit)(turn.subject.key, left, right),
            (right @ Side::Right(_), left @ Side::Left(_)) => self.join(turn, left, right),
            _ => Ok(Vec::new()),
        }
    }
}

impl<E: Events, K: Key, L, R> Operator<E, K> for IntervalJoin<E, K, L, R>
where
    L: Clone + Serialize + DeserializeOwned + Send + Sync + 'static,
    R: Clone + Serialize + DeserializeOwned + Send + Sync + 'static,
{
    type Cell = Side<L, R>;

    /// An event goes when no partner of it can come any more that is not late.
    fn due(&self, slot: &Slot, _: &Side<L, R>) -> Option<EventTime> {
        let Slot::Buffered(side, time, _) = slot else { return None };
        Some(self.partners(*side, *time).end.plus(1))
    }

    fn apply(
        &self,
        event: E::Event<'_>,
        turn: &mut Turn<'_, K>,
        state: &mut KeyState<'_, Side<L, R>>,
    ) -> Result<Applied, Reject> {
        let Some(event) = (self.side)(&event) else { return Ok(Applied::Kept) };
        let time = turn.now.time;
        if time < turn.now.watermark.time() {
            return Ok(Applied::Late);
        }
        let (own, other) = if matches!(event, Side::Left(_)) { (LEFT, RIGHT) } else { (RIGHT, LEFT) };
        let Span { start: first, end: last } = self.partners(own, time);
        let mut values = Vec::new();
        for slot in state.slots(Slot::Buffered(other, first, 0), Slot::Buffered(other, last.plus(1), 0)) {
            if let Some(partner) = state.get(&slot) {
                values.extend(self.join(turn, &event, partner)?);
            }
        }
        let number = match state.last_slot(Slot::Buffered(own, time, 0), Slot::Buffered(own, time.plus(1), 0)) {
            Some(Slot::Buffered(_, _, number)) => number + 1,
            _ => 0,
        };
        state.put(Slot::Buffered(own, time, number), event);
        if let Some(record) = turn.now.record {
            turn.emit(time, &Cause::Record(record.position.clone()), 0, values);
        }
        Ok(Applied::Kept)
    }

    fn fire(&self, slot: &Slot, _: &mut Turn<'_, K>, state: &mut KeyState<'_, Side<L, R>>) -> Result<(), Reject> {
        state.remove(slot.clone());
        Ok(())
    }

    fn fingerprint(&self) -> BTreeMap<String, String> {
        BTreeMap::from([("operator".to_owned(), "interval join".to_owned())])
    }
}
