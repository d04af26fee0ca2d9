//! Pipelines without a key: what comes of each record goes on at once.

use std::fmt::Display;
use std::future::Future;

use serde::Serialize;
use tidemill_core::read::{Filter, FlatMap, Map, Read, TryMap};
use tidemill_core::{Events, Mapped, PartitionKey, Transform};

use super::draft::Draft;
use super::enrich::{self, Calls};
use super::{Complete, Results, Routes, Sink, Sourced};

/// A pipeline without event time and key: no state, no journal. What comes of a record goes on under the record's own
/// partition key.
///
/// Sending is at least once. Each output says which record it is of, and before which place all records are through, so
/// that a tidemill pipeline that reads the outputs drops repeats.
pub struct Relay<E: Events> {
    draft: Draft,
    reader: Box<dyn Read<E>>,
}

impl<E: Events> Sourced<E> {
    /// A pipeline without event time, from here on.
    fn relay(self) -> Relay<E> {
        Relay { draft: self.draft, reader: self.reader }
    }

    /// Keeps the events that the closure says yes to, in a pipeline without event time. With one, take the event time
    /// first: it moves on with every record.
    pub fn filter<C>(self, keep: C) -> Relay<E>
    where
        C: for<'a, 'e> Fn(&'e E::Event<'a>) -> bool + Send + Sync + 'static,
    {
        self.relay().filter(keep)
    }

    /// Makes any number of events of each, in a pipeline without event time.
    pub fn flat_map<I, C>(self, map: C) -> Relay<Mapped<I::Item>>
    where
        I: IntoIterator + 'static,
        I::Item: 'static,
        C: for<'a> Fn(E::Event<'a>) -> I + Send + Sync + 'static,
    {
        self.relay().flat_map(map)
    }

    /// Asks another service about each event, in a pipeline without event time: see
    /// [`Timed::enrich`](super::Timed::enrich).
    pub fn enrich<T, X, Fut, C>(self, calls: Calls, call: C) -> Relay<Mapped<T>>
    where
        T: Clone + Send + Sync + 'static,
        X: Display + 'static,
        Fut: Future<Output = Result<T, X>> + Send + 'static,
        C: for<'a> Fn(E::Event<'a>) -> Fut + Send + Sync + 'static,
    {
        self.relay().enrich(calls, call)
    }
}

impl<E: Events> Relay<E> {
    fn reading<T: Events>(self, stage: impl FnOnce(Box<dyn Read<E>>) -> Box<dyn Read<T>>) -> Relay<T> {
        Relay { draft: self.draft, reader: stage(self.reader) }
    }

    /// Makes one event of each.
    pub fn map<T, C>(self, map: C) -> Relay<Mapped<T>>
    where
        T: 'static,
        C: for<'a> Fn(E::Event<'a>) -> T + Send + Sync + 'static,
    {
        self.reading(|inner| Box::new(Map { inner, map }))
    }

    /// Makes one event of each by a closure that may fail: the record is then quarantined.
    pub fn try_map<T, X, C>(self, map: C) -> Relay<Mapped<T>>
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

    /// Makes any number of events of each.
    pub fn flat_map<I, C>(self, map: C) -> Relay<Mapped<I::Item>>
    where
        I: IntoIterator + 'static,
        I::Item: 'static,
        C: for<'a> Fn(E::Event<'a>) -> I + Send + Sync + 'static,
    {
        self.reading(|inner| Box::new(FlatMap { inner, map }))
    }

    /// Asks another service about each event: see [`Timed::enrich`](super::Timed::enrich).
    pub fn enrich<T, X, Fut, C>(self, calls: Calls, call: C) -> Relay<Mapped<T>>
    where
        T: Clone + Send + Sync + 'static,
        X: Display + 'static,
        Fut: Future<Output = Result<T, X>> + Send + 'static,
        C: for<'a> Fn(E::Event<'a>) -> Fut + Send + Sync + 'static,
    {
        let (draft, reader) = enrich::stage(self.draft, self.reader, calls, call);
        Relay { draft, reader }
    }
}

impl<E: Events> Relay<E> {
    /// Sends each event under the partition key that the closure gives it: a routing function, in front of a pipeline
    /// that is keyed so.
    pub fn partitioned_by<T, P, C>(self, partition_key: C) -> Results<T>
    where
        T: 'static,
        E: for<'a> Events<Event<'a> = T>,
        P: PartitionKey,
        C: Fn(&T) -> P + Send + Sync + 'static,
    {
        let Self { mut draft, reader } = self;
        draft.routes = Routes::Assigned;
        Self { draft, reader }.results(move |event: &T| Some(partition_key(event).partition_key().into_owned()))
    }

    /// Sends the events that the closure says yes to to another sink, and only there.
    pub fn branch<T>(self, goes: impl Fn(&T) -> bool + Send + Sync + 'static, sink: impl Into<Sink>) -> Results<T>
    where
        T: Serialize + 'static,
        E: for<'a> Events<Event<'a> = T>,
    {
        self.results(|_: &T| None).branch(goes, sink)
    }

    /// Sends all events to another sink, too.
    pub fn also_to<T>(self, sink: impl Into<Sink>) -> Results<T>
    where
        T: Serialize + 'static,
        E: for<'a> Events<Event<'a> = T>,
    {
        self.results(|_: &T| None).also_to(sink)
    }

    /// Sends the events to a stream.
    pub fn to<T>(self, sink: impl Into<Sink>) -> Complete
    where
        T: Serialize + 'static,
        E: for<'a> Events<Event<'a> = T>,
    {
        self.results(|_: &T| None).to(sink)
    }

    fn results<T, C>(self, partition_key: C) -> Results<T>
    where
        T: 'static,
        E: for<'a> Events<Event<'a> = T>,
        C: Fn(&T) -> Option<String> + Send + Sync + 'static,
    {
        let Self { draft, reader } = self;
        Results::stateless(draft, move |deliver| {
            let emit = Box::new(move |event: T| Ok((partition_key(&event), deliver(event)?)));
            Box::new(Transform::<E> { reader, emit })
        })
    }
}

impl<E: Events> Sourced<E> {
    /// Sends each event under the partition key that the closure gives it: see [`Relay::partitioned_by`].
    pub fn partitioned_by<T, P, C>(self, partition_key: C) -> Results<T>
    where
        T: 'static,
        E: for<'a> Events<Event<'a> = T>,
        P: PartitionKey,
        C: Fn(&T) -> P + Send + Sync + 'static,
    {
        self.relay().partitioned_by(partition_key)
    }

    /// Sends the events to a stream, in a pipeline without event time and key.
    pub fn to<T>(self, sink: impl Into<Sink>) -> Complete
    where
        T: Serialize + 'static,
        E: for<'a> Events<Event<'a> = T>,
    {
        self.relay().to(sink)
    }
}
