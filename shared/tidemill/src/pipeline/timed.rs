//! A pipeline that knows event time.

use std::fmt::Display;
use std::future::Future;

use tidemill_core::read::{Filter, FlatMap, KeyFn, Map, Read, TryMap};
use tidemill_core::{Events, IntoKey, Mapped, OutOfOrder};

use super::draft::Draft;
use super::enrich::{self, Calls};
use super::{ByKey, Keyed, Routes};

/// A pipeline with event time: say what it is keyed by. What stages make of an event has its record's event time, and a
/// record that they drop moves event time on all the same.
pub struct Timed<E: Events> {
    pub(super) draft: Draft,
    pub(super) reader: Box<dyn Read<E>>,
    pub(super) out_of_order: OutOfOrder,
    pub(super) inputs: Vec<String>,
}

impl<E: Events> Timed<E> {
    fn reading<T: Events>(self, stage: impl FnOnce(Box<dyn Read<E>>) -> Box<dyn Read<T>>) -> Timed<T> {
        let Self { draft, reader, out_of_order, inputs } = self;
        Timed { draft, reader: stage(reader), out_of_order, inputs }
    }

    /// Makes one event of each.
    pub fn map<T, C>(self, map: C) -> Timed<Mapped<T>>
    where
        T: 'static,
        C: for<'a> Fn(E::Event<'a>) -> T + Send + Sync + 'static,
    {
        self.reading(|inner| Box::new(Map { inner, map }))
    }

    /// Makes one event of each by a closure that may fail: the record is then quarantined.
    pub fn try_map<T, X, C>(self, map: C) -> Timed<Mapped<T>>
    where
        T: 'static,
        X: Display + 'static,
        C: for<'a> Fn(E::Event<'a>) -> Result<T, X> + Send + Sync + 'static,
    {
        self.reading(|inner| Box::new(TryMap { inner, map }))
    }

    /// Keeps the events that the closure says yes to.
    #[must_use]
    pub fn filter<C>(self, keep: C) -> Self
    where
        C: for<'a, 'e> Fn(&'e E::Event<'a>) -> bool + Send + Sync + 'static,
    {
        self.reading(|inner| Box::new(Filter { inner, keep }))
    }

    /// Makes any number of events of each. All of a record's events are taken or none.
    pub fn flat_map<I, C>(self, map: C) -> Timed<Mapped<I::Item>>
    where
        I: IntoIterator + 'static,
        I::Item: 'static,
        C: for<'a> Fn(E::Event<'a>) -> I + Send + Sync + 'static,
    {
        self.reading(|inner| Box::new(FlatMap { inner, map }))
    }

    /// Asks another service about each event, before the step, several events at once; their order stays. `calls` says
    /// how many at once, how long each may take and how often it is tried. An event whose calls all fail is quarantined
    /// with its record.
    ///
    /// An answer may differ when the record comes again after a fault. What was committed stays as it is.
    pub fn enrich<T, X, Fut, C>(self, calls: Calls, call: C) -> Timed<Mapped<T>>
    where
        T: Clone + Send + Sync + 'static,
        X: Display + 'static,
        Fut: Future<Output = Result<T, X>> + Send + 'static,
        C: for<'a> Fn(E::Event<'a>) -> Fut + Send + Sync + 'static,
    {
        let Self { draft, reader, out_of_order, inputs } = self;
        let (draft, reader) = enrich::stage(draft, reader, calls, call);
        Timed { draft, reader, out_of_order, inputs }
    }

    /// Keys the events. The producer must use the key's text as partition key, so that all records of a key come through
    /// one shard; with another partition key, declare it by [`routed_by`](Keyed::routed_by). The closure returns a key or
    /// a `Result` of one.
    pub fn key_by<R, C>(self, key: C) -> Keyed<E, R::Key, ByKey>
    where
        R: IntoKey,
        C: for<'a, 'e> Fn(&'e E::Event<'a>) -> R + Send + Sync + 'static,
    {
        self.keyed(Box::new(move |event| key(event).into_key()))
    }

    /// Keys the events by a text that the closure borrows from the event.
    pub fn key_by_str<C>(self, key: C) -> Keyed<E, String, ByKey>
    where
        C: for<'a, 'e> Fn(&'e E::Event<'a>) -> &'e str + Send + Sync + 'static,
    {
        self.keyed(Box::new(move |event| Ok(key(event).to_owned())))
    }

    fn keyed<K>(mut self, key: KeyFn<E, K>) -> Keyed<E, K, ByKey> {
        self.draft.routes = Routes::Key;
        Keyed { timed: self, key, routing: ByKey, dedup: None }
    }
}
