//! Keeping the first, the last or the best events of a key.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Applied, Operator, Turn};
use crate::shard::Source;
use crate::state::{KeyState, Slot};
use crate::{Cause, Delivery, EventTime, Events, Key, Processor, Reject, millis};

/// Which events of a key are kept, and so sent.
pub enum Keep<T> {
    /// The one with the lowest event time; of equals the one that came first.
    First,
    /// The one with the highest event time; of equals the one that came last.
    Last,
    /// So many, the best first; of equals the ones that came first. At least 1.
    Top(usize, BetterFn<T>),
}

/// `Greater` if the first is better.
pub type BetterFn<T> = Box<dyn Fn(&T, &T) -> Ordering + Send + Sync>;

/// An erased closure that makes the results of an event at a rank, from 1.
pub type RankedEmit<K, T> = Box<dyn Fn(&K, usize, &T) -> Result<Vec<Delivery>, Reject> + Send + Sync>;

/// Keeps the first, the last or the best events of a key, and sends each change: the last result for a key and rank
/// holds. (Flink's deduplication and top-N.)
pub struct Ranked<T, C, K> {
    /// Which.
    pub keep: Keep<T>,
    /// Makes what is kept of an event.
    pub take: C,
    /// For how long in event time a key is remembered after its last change, if not for ever.
    pub ttl: Option<Duration>,
    /// What is sent.
    pub emit: RankedEmit<K, T>,
}

/// What is kept of a key.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RankedCell<T> {
    /// The best first.
    #[serde(rename = "k")]
    kept: Vec<(EventTime, T)>,
    #[serde(rename = "x", default, skip_serializing_if = "Option::is_none")]
    expires: Option<EventTime>,
}

const SLOT: Slot = Slot::Value(std::borrow::Cow::Borrowed("kept"));

impl<T, C, K: Key> Ranked<T, C, K>
where
    T: Clone + Serialize + DeserializeOwned + Send + Sync + 'static,
{
    /// The pipeline over its source, without its types.
    pub fn over<E: Events>(self, source: Source<E, K>) -> Box<dyn Processor>
    where
        C: for<'a> Fn(E::Event<'a>) -> T + Send + Sync + 'static,
    {
        source.operate(self)
    }

    /// Whether a later comer goes before what is kept.
    fn goes_before(&self, new: &(EventTime, T), kept: &(EventTime, T)) -> bool {
        match &self.keep {
            Keep::First => new.0 < kept.0,
            Keep::Last => new.0 >= kept.0,
            Keep::Top(_, better) => better(&new.1, &kept.1) == Ordering::Greater,
        }
    }

    const fn most(&self) -> usize {
        match &self.keep {
            Keep::First | Keep::Last => 1,
            Keep::Top(most, _) => *most,
        }
    }
}

impl<E, K, T, C> Operator<E, K> for Ranked<T, C, K>
where
    E: Events,
    K: Key,
    T: Clone + Serialize + DeserializeOwned + Send + Sync + 'static,
    C: for<'a> Fn(E::Event<'a>) -> T + Send + Sync + 'static,
{
    type Cell = RankedCell<T>;

    fn due(&self, _: &Slot, cell: &RankedCell<T>) -> Option<EventTime> {
        cell.expires
    }

    fn apply(
        &self,
        event: E::Event<'_>,
        turn: &mut Turn<'_, K>,
        state: &mut KeyState<'_, RankedCell<T>>,
    ) -> Result<Applied, Reject> {
        let new = (turn.now.time, (self.take)(event));
        let mut kept = state.get(&SLOT).map_or_else(Vec::new, |cell| cell.kept.clone());
        let rank = kept.iter().position(|kept| self.goes_before(&new, kept)).unwrap_or(kept.len());
        if rank >= self.most() {
            return Ok(Applied::Kept);
        }
        kept.insert(rank, new);
        kept.truncate(self.most());
        for (rank, (_, event)) in kept.iter().enumerate().skip(rank) {
            let values = (self.emit)(turn.subject.key, rank + 1, event)?;
            if let Some(record) = turn.now.record {
                let cause = Cause::Record(record.position.clone());
                // Numbered by rank, so that a table keeps an item a rank.
                turn.emit(turn.now.time, &cause, u32::try_from(rank).unwrap_or(u32::MAX), values);
            }
        }
        let written = turn.now.time.max(turn.now.watermark.time());
        let expires = self.ttl.map(|ttl| written.plus(millis(ttl).unwrap_or(i64::MAX)));
        state.put(SLOT, RankedCell { kept, expires });
        Ok(Applied::Kept)
    }

    fn fire(&self, slot: &Slot, _: &mut Turn<'_, K>, state: &mut KeyState<'_, RankedCell<T>>) -> Result<(), Reject> {
        state.remove(slot.clone());
        Ok(())
    }

    fn fingerprint(&self) -> BTreeMap<String, String> {
        let operator = match &self.keep {
            Keep::First => "first".to_owned(),
            Keep::Last => "last".to_owned(),
            Keep::Top(most, _) => format!("top {most}"),
        };
        BTreeMap::from([("operator".to_owned(), operator)])
    }
}
