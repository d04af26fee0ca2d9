//! What the source carries, and where its event time stands.

use std::fmt::Display;

use tidemill_core::read::{Decode, DecodeTimed, Map, Read, Tagged, TryMap};
use tidemill_core::{Events, Format, IntoEventTime, Mapped, OutOfOrder, Reason, Reject};

use super::Timed;
use super::draft::Draft;

/// A pipeline with a name: say what its source carries.
pub struct Named(pub(super) Draft);

impl Named {
    /// The format of the source's payloads.
    pub fn source<F: Format>(self, format: F) -> Sourced<F> {
        Sourced { draft: self.0, reader: Box::new(Decode(format)) }
    }
}

/// A pipeline with a source: say where the event time stands, or what is made of each event without any.
pub struct Sourced<E: Events> {
    pub(super) draft: Draft,
    pub(super) reader: Box<dyn Read<E>>,
}

impl<E: Events> Sourced<E> {
    /// Makes one event of each.
    pub fn map<T, C>(self, map: C) -> Sourced<Mapped<T>>
    where
        T: 'static,
        C: for<'a> Fn(E::Event<'a>) -> T + Send + Sync + 'static,
    {
        Sourced { draft: self.draft, reader: Box::new(Map { inner: self.reader, map }) }
    }

    /// Makes one event of each by a closure that may fail: the record is then quarantined.
    pub fn try_map<T, X, C>(self, map: C) -> Sourced<Mapped<T>>
    where
        T: 'static,
        X: Display + 'static,
        C: for<'a> Fn(E::Event<'a>) -> Result<T, X> + Send + Sync + 'static,
    {
        Sourced { draft: self.draft, reader: Box::new(TryMap { inner: self.reader, map }) }
    }

    /// Takes the event time from each event: epoch milliseconds (`i64`), [`EventTime`](crate::EventTime), or an `Option`
    /// or `Result` of one. Without one the record is quarantined.
    ///
    /// `out_of_order` says how far behind the highest event time of their shard records may come: larger means later
    /// results, smaller means more late records.
    pub fn event_time<T, R>(self, time: T, out_of_order: OutOfOrder) -> Timed<E>
    where
        T: for<'a, 'e> Fn(&'e E::Event<'a>) -> R + Send + Sync + 'static,
        R: IntoEventTime,
    {
        let tagged = move |event: &E::Event<'_>| time(event).into_event_time().map(|time| Tagged { time, tag: None });
        self.timed(Box::new(tagged), out_of_order, Vec::new())
    }

    /// Takes the event time of events of several inputs in one stream, each with a progress of its own: the watermark is
    /// that of the slowest. `inputs` names them all; the closure tells which one an event is of, and its time. Nothing
    /// closes before each input had an event.
    pub fn event_time_by<const N: usize, T, R>(
        mut self,
        inputs: [&str; N],
        time: T,
        out_of_order: OutOfOrder,
    ) -> Timed<E>
    where
        T: for<'a, 'e> Fn(&'e E::Event<'a>) -> (&'static str, R) + Send + Sync + 'static,
        R: IntoEventTime,
    {
        let inputs = inputs.map(str::to_owned);
        for (at, input) in inputs.iter().enumerate() {
            if inputs[..at].contains(input) {
                self.draft.problem(format!("the input {input:?} is named twice in event_time_by"));
            }
        }
        if inputs.is_empty() {
            self.draft.problem("event_time_by names no input: use event_time".to_owned());
        }
        let known = inputs.to_vec();
        let tagged = move |event: &E::Event<'_>| {
            let (input, time) = time(event);
            let tag = known.iter().position(|known| known == input).ok_or_else(|| {
                Reject::new(Reason::NoEventTime, format!("the input {input:?} is none that event_time_by names"))
            })?;
            time.into_event_time().map(|time| Tagged { time, tag: Some(tag) })
        };
        self.timed(Box::new(tagged), out_of_order, inputs.to_vec())
    }

    fn timed(
        mut self,
        time: tidemill_core::read::TimeFn<E>,
        out_of_order: OutOfOrder,
        inputs: Vec<String>,
    ) -> Timed<E> {
        self.draft.check_bounds(out_of_order);
        let reader = Box::new(DecodeTimed { inner: self.reader, time, out_of_order });
        Timed { draft: self.draft, reader, out_of_order, inputs }
    }
}
