//! Pipelines that keep some events of each key, or join near ones.

use std::time::Duration;

use tidemill_core::aggregate::Kept as KeptValue;
use tidemill_core::operator::{IntervalJoin, Keep, Ranked, SideFn};
use tidemill_core::{Events, Key, Source};

use super::draft::Draft;
use super::{Results, Sink};

/// A pipeline that keeps the first, the last or the best events of a key: say what a result looks like.
pub struct Kept<E: Events, K, T, C> {
    pub(super) draft: Draft,
    pub(super) source: Source<E, K>,
    pub(super) keep: Keep<T>,
    pub(super) take: C,
    pub(super) ttl: Option<Duration>,
}

impl<E, K, T, C> Kept<E, K, T, C>
where
    E: Events,
    K: Key,
    T: KeptValue,
    C: for<'a> Fn(E::Event<'a>) -> T + Send + Sync + 'static,
{
    /// Forgets a key when nothing of it changed for this long in event time. Without it a key is kept for ever.
    #[must_use]
    pub fn ttl(mut self, ttl: Duration) -> Self {
        if self.draft.check_duration("the time to live", ttl) == 0 {
            self.draft.problem("a time to live of zero keeps nothing".to_owned());
        }
        Self { ttl: Some(ttl), ..self }
    }

    /// Makes the result of an event that is kept, from the key, its rank from 1, and what was taken of it.
    pub fn emit<U, M>(self, emit: M) -> Results<U>
    where
        U: 'static,
        M: Fn(&K, usize, &T) -> U + Send + Sync + 'static,
    {
        let Self { draft, source, keep, take, ttl } = self;
        Results::of(draft, move |deliver| {
            let emit = Box::new(move |key: &K, rank, event: &T| deliver(emit(key, rank, event)));
            Ranked { keep, take, ttl, emit }.over(source)
        })
    }
}

/// A pipeline that joins near events of a key: say what a result looks like.
pub struct IntervalJoined<E: Events, K, L, R> {
    pub(super) draft: Draft,
    pub(super) source: Source<E, K>,
    pub(super) side: SideFn<E, L, R>,
    pub(super) before: i64,
    pub(super) after: i64,
}

impl<E, K, L, R> IntervalJoined<E, K, L, R>
where
    E: Events,
    K: Key,
    L: KeptValue,
    R: KeptValue,
{
    /// Sends late records, as they came, to a stream of their own. Without it they are counted and dropped.
    #[must_use]
    pub fn late_to(mut self, sink: impl Into<Sink>) -> Self {
        self.draft.late = Some(sink.into());
        self
    }

    /// Makes the result of each pair.
    pub fn emit<T, M>(self, emit: M) -> Results<T>
    where
        T: 'static,
        M: Fn(&K, &L, &R) -> T + Send + Sync + 'static,
    {
        let Self { draft, source, side, before, after } = self;
        Results::of(draft, move |deliver| {
            let emit = Box::new(move |key: &K, left: &L, right: &R| deliver(emit(key, left, right)));
            IntervalJoin { side, before, after, emit }.over(source)
        })
    }
}
