//! A pipeline that knows its key, and under which partition key each key's records come.

use tidemill_core::window::Window;
use tidemill_core::{Format, Ingest, Key, KeyFn, PartitionKey, RouteFn};

use super::{Timed, Windowed};

/// The key's own text is the partition key.
pub struct ByKey;

/// A closure gives the partition key of a key.
pub struct Routed<K>(RouteFn<K>);

/// How the partition key of a key is known.
#[diagnostic::on_unimplemented(
    message = "a key of type `{K}` has no single partition-key text",
    note = "say which part of the key the producer used as partition key: `.routed_by(|(origin, _)| origin)`"
)]
pub trait Routing<K> {
    /// The partition key of a key.
    fn route(self) -> RouteFn<K>;
}

impl<K: PartitionKey + 'static> Routing<K> for ByKey {
    fn route(self) -> RouteFn<K> {
        Box::new(|key| key.partition_key())
    }
}

impl<K> Routing<K> for Routed<K> {
    fn route(self) -> RouteFn<K> {
        self.0
    }
}

/// A pipeline with a key: say what happens per key. `R` says how the partition key is known.
pub struct Keyed<F: Format, K, R> {
    pub(super) timed: Timed<F>,
    pub(super) key: KeyFn<F, K>,
    pub(super) routing: R,
}

impl<F: Format, K: Key> Keyed<F, K, ByKey> {
    /// Declares the partition key that the producer uses, where it is coarser than the key: key `(origin, dest)`,
    /// partition key `origin`. A function of the key, not of the record, so that all records of a key share a shard.
    pub fn routed_by<P, C>(self, route: C) -> Keyed<F, K, Routed<K>>
    where
        P: PartitionKey + ?Sized + 'static,
        C: for<'k> Fn(&'k K) -> &'k P + Send + Sync + 'static,
    {
        Keyed { timed: self.timed, key: self.key, routing: Routed(Box::new(move |key| route(key).partition_key())) }
    }
}

impl<F: Format, K: Key, R: Routing<K>> Keyed<F, K, R> {
    /// Groups each key's events by windows of event time.
    pub fn window<W: Window>(self, window: W) -> Windowed<F, K, W> {
        let Timed { mut draft, format, time, out_of_order } = self.timed;
        window.problems().into_iter().for_each(|problem| draft.problem(problem));
        Windowed { draft, ingest: Ingest::new(format, time, out_of_order, self.key, self.routing.route()), window }
    }
}
