//! A pipeline that knows event time.

use tidemill_core::{Format, IntoKey, KeyFn, OutOfOrder, TimeFn};

use super::draft::Draft;
use super::{ByKey, Keyed};

/// A pipeline with event time: say what it is keyed by.
pub struct Timed<F: Format> {
    pub(super) draft: Draft,
    pub(super) format: F,
    pub(super) time: TimeFn<F>,
    pub(super) out_of_order: OutOfOrder,
}

impl<F: Format> Timed<F> {
    /// Keys the events. The producer must use the key's text as partition key, so that all records of a key come through
    /// one shard; with another partition key, declare it by [`routed_by`](Keyed::routed_by). The closure returns a key or
    /// a `Result` of one.
    pub fn key_by<R, C>(self, key: C) -> Keyed<F, R::Key, ByKey>
    where
        R: IntoKey,
        C: for<'a, 'e> Fn(&'e F::Event<'a>) -> R + Send + Sync + 'static,
    {
        self.keyed(Box::new(move |event| key(event).into_key()))
    }

    /// Keys the events by a text that the closure borrows from the event.
    pub fn key_by_str<C>(self, key: C) -> Keyed<F, String, ByKey>
    where
        C: for<'a, 'e> Fn(&'e F::Event<'a>) -> &'e str + Send + Sync + 'static,
    {
        self.keyed(Box::new(move |event| Ok(key(event).to_owned())))
    }

    fn keyed<K>(self, key: KeyFn<F, K>) -> Keyed<F, K, ByKey> {
        Keyed { timed: self, key, routing: ByKey }
    }
}
