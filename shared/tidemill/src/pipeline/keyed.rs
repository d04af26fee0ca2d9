//! A pipeline that knows its key, and under which partition key each key's records come.

use std::cmp::Ordering;
use std::time::Duration;

use tidemill_core::aggregate::Kept as KeptValue;
use tidemill_core::operator::{Keep, KeyedProcess, Process, Side};
use tidemill_core::read::{IdFn, KeyFn, Keying, Route};
use tidemill_core::window::Window;
use tidemill_core::{Events, Key, KeyBytes, PartitionKey, Source};

use super::draft::Draft;
use super::{IntervalJoined, Kept, Results, Routes, Timed, Windowed};

/// The key's own text is the partition key.
pub struct ByKey;

/// A closure gives the partition key of a key.
pub struct Routed<K>(Route<K>);

/// How the partition key of a key is known.
#[diagnostic::on_unimplemented(
    message = "a key of type `{K}` has no single partition-key text",
    note = "say which part of the key the producer used as partition key: `.routed_by(|(origin, _)| origin)`"
)]
pub trait Routing<K> {
    /// The partition key of a key.
    fn route(self) -> Route<K>;
}

impl<K: PartitionKey + 'static> Routing<K> for ByKey {
    fn route(self) -> Route<K> {
        Route::ByKey(Box::new(|key| key.partition_key()))
    }
}

impl<K> Routing<K> for Routed<K> {
    fn route(self) -> Route<K> {
        self.0
    }
}

/// A pipeline with a key: say what happens per key. `R` says how the partition key is known.
pub struct Keyed<E: Events, K, R> {
    pub(super) timed: Timed<E>,
    pub(super) key: KeyFn<E, K>,
    pub(super) routing: R,
    pub(super) dedup: Option<(IdFn<E>, Duration)>,
}

impl<E: Events, K: Key> Keyed<E, K, ByKey> {
    /// Declares the partition key that the producer uses, where it is coarser than the key: key `(origin, dest)`,
    /// partition key `origin`. A function of the key, not of the record, so that all records of a key share a shard.
    pub fn routed_by<P, C>(self, route: C) -> Keyed<E, K, Routed<K>>
    where
        P: PartitionKey + ?Sized + 'static,
        C: for<'k> Fn(&'k K) -> &'k P + Send + Sync + 'static,
    {
        self.routed(Routes::Part, Route::ByKey(Box::new(move |key| route(key).partition_key())))
    }

    /// Declares that the producer gives every record this partition key: the whole stream is one shard's.
    pub fn routed_by_constant(self, partition_key: &str) -> Keyed<E, K, Routed<K>> {
        self.routed(Routes::Constant(partition_key.to_owned()), Route::Constant(partition_key.to_owned()))
    }

    fn routed(self, routes: Routes, route: Route<K>) -> Keyed<E, K, Routed<K>> {
        let Self { mut timed, key, dedup, .. } = self;
        timed.draft.routes = routes;
        Keyed { timed, key, routing: Routed(route), dedup }
    }
}

impl<E: Events, K: Key, R> Keyed<E, K, R> {
    /// Drops events of a key that were sent twice by their producer: those with the id of one that came before, until the
    /// watermark has passed its time by `horizon`. (Records that Lambda delivers twice are dropped always.)
    #[must_use]
    pub fn dedup_by<I, C>(mut self, id: C, horizon: Duration) -> Self
    where
        I: Key,
        C: for<'a, 'e> Fn(&'e E::Event<'a>) -> I + Send + Sync + 'static,
    {
        if self.timed.draft.check_duration("the horizon of dedup_by", horizon) == 0 {
            self.timed.draft.problem("dedup_by with a horizon of zero remembers nothing".to_owned());
        }
        let id = move |event: &E::Event<'_>| KeyBytes::of(&id(event)).map(|bytes| bytes.as_slice().to_vec());
        self.dedup = Some((Box::new(id), horizon));
        self
    }

    /// Groups each key's events by windows of event time.
    pub fn window<W: Window>(self, window: W) -> Windowed<E, K, W>
    where
        R: Routing<K>,
    {
        let (mut draft, source) = self.source();
        window.problems().into_iter().for_each(|problem| draft.problem(problem));
        Windowed { draft, source, window, lateness: Duration::ZERO, early: None }
    }

    /// Runs a function of your own per key, with state and timers.
    pub fn process<P>(self, function: P) -> Results<P::Out>
    where
        R: Routing<K>,
        P: KeyedProcess<E, K>,
        P::Out: 'static,
    {
        let (draft, source) = self.source();
        Results::with_sides(draft, move |emit, sides| Process { function, emit, sides }.over(source))
    }

    /// Joins each left event with the right ones of its key from `before` before it to `after` behind it, both included.
    /// The closure tells which side an event is on. A pair is sent when its second event comes; events behind the
    /// watermark are late.
    pub fn interval_join<L, Q, C>(self, side: C, before: Duration, after: Duration) -> IntervalJoined<E, K, L, Q>
    where
        R: Routing<K>,
        L: KeptValue,
        Q: KeptValue,
        C: for<'a, 'e> Fn(&'e E::Event<'a>) -> Option<Side<L, Q>> + Send + Sync + 'static,
    {
        let (mut draft, source) = self.source();
        let before = draft.check_duration("how long before in interval_join", before);
        let after = draft.check_duration("how long behind in interval_join", after);
        IntervalJoined { draft, source, side: Box::new(side), before, after }
    }

    /// Keeps what the closure takes of the first event of a key, by event time; of equals the one that came first. Each
    /// change is sent: the last result for a key holds.
    pub fn keep_first<T, C>(self, take: C) -> Kept<E, K, T, C>
    where
        R: Routing<K>,
        T: KeptValue,
        C: for<'a> Fn(E::Event<'a>) -> T + Send + Sync + 'static,
    {
        self.keep(Keep::First, take)
    }

    /// Keeps what the closure takes of the last event of a key, by event time; of equals the one that came last. Each
    /// change is sent: the last result for a key holds.
    pub fn keep_last<T, C>(self, take: C) -> Kept<E, K, T, C>
    where
        R: Routing<K>,
        T: KeptValue,
        C: for<'a> Fn(E::Event<'a>) -> T + Send + Sync + 'static,
    {
        self.keep(Keep::Last, take)
    }

    /// Keeps what the closure takes of the `most` best events of a key, by an order where the greater is the better; of
    /// equals the ones that came first. Each change of a rank is sent: the last result for a key and rank holds.
    pub fn top<T, C, O>(mut self, most: usize, take: C, order: O) -> Kept<E, K, T, C>
    where
        R: Routing<K>,
        T: KeptValue,
        C: for<'a> Fn(E::Event<'a>) -> T + Send + Sync + 'static,
        O: Fn(&T, &T) -> Ordering + Send + Sync + 'static,
    {
        if most == 0 {
            self.timed.draft.problem("the top 0 of a key are none: keep at least one".to_owned());
        }
        self.keep(Keep::Top(most, Box::new(order)), take)
    }

    fn keep<T, C>(self, keep: Keep<T>, take: C) -> Kept<E, K, T, C>
    where
        R: Routing<K>,
    {
        let (draft, source) = self.source();
        Kept { draft, source, keep, take, ttl: None }
    }

    fn source(self) -> (Draft, Source<E, K>)
    where
        R: Routing<K>,
    {
        let Self { timed, key, routing, dedup } = self;
        let Timed { draft, reader, out_of_order, inputs } = timed;
        let keying = Keying { key, route: routing.route(), dedup };
        (draft, Source { reader, out_of_order, inputs, keying })
    }
}
