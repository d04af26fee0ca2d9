//! Stages: what is made of events before they have a key.

use std::fmt::Display;
use std::marker::PhantomData;
use std::sync::Arc;

use super::{Each, Read, Reading};
use crate::reject::guard;
use crate::{Events, Mapped, Reason, Record, Reject, Sent};

macro_rules! delegate_sent {
    () => {
        fn sent<'a>(&self, record: &Record<'a>) -> Result<Option<Sent<'a>>, Reject> {
            self.inner.sent(record)
        }
    };
}

/// Makes one event of each.
pub struct Map<E: Events, C> {
    /// What it reads from.
    pub inner: Box<dyn Read<E>>,
    /// Makes the event.
    pub map: C,
}

impl<E, T, C> Read<Mapped<T>> for Map<E, C>
where
    E: Events,
    T: 'static,
    C: for<'a> Fn(E::Event<'a>) -> T + Send + Sync + 'static,
{
    fn read<'a>(&self, record: &Record<'a>, each: &mut Each<'_, 'a, Mapped<T>>) -> Reading {
        self.inner.read(record, &mut |time, event| {
            let event = guard("the map closure", || Ok((self.map)(event)))?;
            each(time, event)
        })
    }

    delegate_sent!();
}

/// Makes one event of each, or refuses its record.
pub struct TryMap<E: Events, C> {
    /// What it reads from.
    pub inner: Box<dyn Read<E>>,
    /// Makes the event.
    pub map: C,
}

impl<E, T, X, C> Read<Mapped<T>> for TryMap<E, C>
where
    E: Events,
    T: 'static,
    X: Display,
    C: for<'a> Fn(E::Event<'a>) -> Result<T, X> + Send + Sync + 'static,
{
    fn read<'a>(&self, record: &Record<'a>, each: &mut Each<'_, 'a, Mapped<T>>) -> Reading {
        self.inner.read(record, &mut |time, event| {
            let failed = |e| Reject::new(Reason::Failed, format!("the map closure failed: {e}"));
            let event = guard("the map closure", || (self.map)(event).map_err(failed))?;
            each(time, event)
        })
    }

    delegate_sent!();
}

/// Keeps the events that a closure says yes to.
pub struct Filter<E: Events, C> {
    /// What it reads from.
    pub inner: Box<dyn Read<E>>,
    /// Says which.
    pub keep: C,
}

impl<E, C> Read<E> for Filter<E, C>
where
    E: Events,
    C: for<'a, 'e> Fn(&'e E::Event<'a>) -> bool + Send + Sync + 'static,
{
    fn read<'a>(&self, record: &Record<'a>, each: &mut Each<'_, 'a, E>) -> Reading {
        self.inner.read(record, &mut |time, event| match guard("the filter closure", || Ok((self.keep)(&event)))? {
            true => each(time, event),
            false => Ok(()),
        })
    }

    delegate_sent!();
}

/// Makes any number of events of each.
pub struct FlatMap<E: Events, C> {
    /// What it reads from.
    pub inner: Box<dyn Read<E>>,
    /// Makes the events.
    pub map: C,
}

impl<E, I, C> Read<Mapped<I::Item>> for FlatMap<E, C>
where
    E: Events,
    I: IntoIterator,
    I::Item: 'static,
    C: for<'a> Fn(E::Event<'a>) -> I + Send + Sync + 'static,
{
    fn read<'a>(&self, record: &Record<'a>, each: &mut Each<'_, 'a, Mapped<I::Item>>) -> Reading {
        self.inner.read(record, &mut |time, event| {
            // Mostly one or none. All are made before the first is taken.
            let (first, others) = guard("the flat_map closure", || {
                let mut events = (self.map)(event).into_iter().fuse();
                Ok((events.next(), events.collect::<Vec<_>>()))
            })?;
            first.into_iter().chain(others).try_for_each(|event| each(time, event))
        })
    }

    delegate_sent!();
}

/// Takes the events that an asynchronous stage made of the record before the step.
pub struct Enrich<E: Events, T> {
    /// What the asynchronous stage reads from; here it gives event time and tag alone.
    pub inner: Arc<dyn Read<E>>,
    /// The type of event that it makes.
    pub made: PhantomData<fn() -> T>,
}

impl<E: Events, T: Clone + Send + Sync + 'static> Read<Mapped<T>> for Enrich<E, T> {
    fn read<'a>(&self, record: &Record<'a>, each: &mut Each<'_, 'a, Mapped<T>>) -> Reading {
        let reading = self.inner.read(record, &mut |_, _| Ok(()));
        let Reading::Timed { time, tag, taken: Ok(()) } = reading else { return reading };
        let taken =
            enriched::<T>(record).and_then(|events| events.iter().try_for_each(|event| each(time, event.clone())));
        Reading::Timed { time, tag, taken }
    }

    delegate_sent!();
}

fn enriched<'a, T: 'static>(record: &Record<'a>) -> Result<&'a Vec<T>, Reject> {
    let missing = || Reject::new(Reason::Failed, "the record was not enriched");
    let events = record.enriched.ok_or_else(missing)?.0.as_ref().map_err(Reject::clone)?;
    events.downcast_ref().ok_or_else(missing)
}

/// The events of a record, for an asynchronous stage to work on.
///
/// # Errors
/// Why the record is refused.
pub fn events<'a, E: Events>(reader: &dyn Read<E>, record: &Record<'a>) -> Result<Vec<E::Event<'a>>, Reject> {
    let mut events = Vec::new();
    let reading = reader.read(record, &mut |_, event| {
        events.push(event);
        Ok(())
    });
    match reading {
        Reading::Timed { taken: Ok(()), .. } => Ok(events),
        Reading::Refused(reject) | Reading::Timed { taken: Err(reject), .. } => Err(reject),
    }
}
