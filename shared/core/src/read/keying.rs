//! Which key an event belongs to, whether it came under that key's partition key, and whether it came before.

use std::borrow::Cow;
use std::time::Duration;

use crate::reject::guard;
use crate::state::{Cell, KeyState, Slot};
use crate::{EventTime, Events, HashRange, Key, KeyBytes, Reason, Record, Reject, Watermark, millis, partition_hash};

/// An erased key closure.
pub type KeyFn<E, K> = Box<dyn for<'a, 'e> Fn(&'e <E as Events>::Event<'a>) -> Result<K, Reject> + Send + Sync>;
/// An erased routing closure: the partition key under which the producer puts a key's records.
pub type RouteFn<K> = Box<dyn for<'k> Fn(&'k K) -> Cow<'k, str> + Send + Sync>;

/// The partition key under which the producer puts a key's records.
pub enum Route<K> {
    /// Each key has its own.
    ByKey(RouteFn<K>),
    /// All have the same.
    Constant(String),
}

impl<K> Route<K> {
    /// The partition key of a key.
    pub fn of<'k>(&'k self, key: &'k K) -> Cow<'k, str> {
        match self {
            Self::ByKey(route) => route(key),
            Self::Constant(partition_key) => Cow::Borrowed(partition_key),
        }
    }
}
/// An erased closure that tells an event's id: its CBOR bytes.
pub type IdFn<E> = Box<dyn for<'a, 'e> Fn(&'e <E as Events>::Event<'a>) -> Result<Vec<u8>, Reject> + Send + Sync>;

/// Takes the key of events, and drops events of a key whose id came before.
pub struct Keying<E: Events, K> {
    /// The key of an event.
    pub key: KeyFn<E, K>,
    /// The partition key of a key.
    pub route: Route<K>,
    /// The id of an event, and for how long in event time it is remembered.
    pub dedup: Option<(IdFn<E>, Duration)>,
}

impl<E: Events, K: Key> Keying<E, K> {
    pub(crate) fn key(&self, event: &E::Event<'_>, record: &Record<'_>) -> Result<K, Reject> {
        let key = guard("the key closure", || (self.key)(event))?;
        match guard("the routing closure", || Ok(self.route.of(&key) == record.partition_key))? {
            true => Ok(key),
            false => Err(self.misrouted(&key, record.partition_key)),
        }
    }

    /// The partition key under which the event must come; `None` if its key cannot be told.
    pub(crate) fn partition_key(&self, event: &E::Event<'_>) -> Option<String> {
        let key = guard("the key closure", || (self.key)(event)).ok()?;
        guard("the routing closure", || Ok(self.route.of(&key).into_owned())).ok()
    }

    /// Remembers the event; whether it is new. One is known until the watermark reaches its time and the horizon.
    pub(crate) fn is_new<C>(
        &self,
        event: &E::Event<'_>,
        time: EventTime,
        watermark: Watermark,
        state: &mut KeyState<'_, C>,
    ) -> Result<bool, Reject> {
        let Some((id, horizon)) = &self.dedup else { return Ok(true) };
        let slot = Slot::Taken(guard("the id closure", || id(event))?);
        if state.cell(&slot).is_some() {
            return Ok(false);
        }
        let until = time.plus(millis(*horizon).unwrap_or(i64::MAX));
        if !watermark.has_reached(until) {
            state.put_cell(slot, Cell::Taken(until));
        }
        Ok(true)
    }

    /// Of a record whose partition key belongs to another shard than the one that it came through.
    pub(crate) fn astray(&self, partition_key: &str, own: HashRange) -> Reject {
        let (hash, HashRange { first, last }) = (partition_hash(partition_key), own);
        let message = format!(
            "partition key {partition_key:?} hashes to {hash:032x}, and the shard owns {first:032x} to {last:032x}: the \
             record was put with an ExplicitHashKey, or by a service that chooses the shard itself. Other records of its key \
             may come through another shard, and a split would part them from its state. Put them without ExplicitHashKey, \
             or put a routing function in front"
        );
        Reject::new(Reason::Misrouted, message)
    }

    fn misrouted(&self, key: &K, partition_key: &str) -> Reject {
        let expected = self.route.of(key);
        let key_text = guard("the key's text", || Ok(key.text())).unwrap_or_else(|reject| reject.message);
        let message = format!(
            "key {key_text} must come under partition key {expected:?}, but the record has {partition_key:?}: records of \
             one key must share a shard. Put them with partition key {expected:?}, declare the one in use with \
             `.routed_by(..)`, or put a routing function in front"
        );
        Reject::new(Reason::Misrouted, message)
    }
}

/// Who a result is about: a key, its stored bytes, and the partition key of its records and so of its results.
pub(crate) struct Subject<'k, K> {
    pub(crate) key: &'k K,
    pub(crate) bytes: &'k KeyBytes,
    route: &'k Route<K>,
}

impl<'k, K: Key> Subject<'k, K> {
    pub(crate) const fn new(key: &'k K, bytes: &'k KeyBytes, route: &'k Route<K>) -> Self {
        Self { key, bytes, route }
    }

    pub(crate) fn partition_key(&self) -> String {
        self.route.of(self.key).into_owned()
    }

    /// The key as a person reads it; its bytes if its own text panics.
    pub(crate) fn text(&self) -> String {
        guard("the key's text", || Ok(self.key.text())).unwrap_or_else(|_| format!("{:02x?}", self.bytes.as_slice()))
    }
}
