//! The first and the last value by event time.

use std::borrow::Cow;
use std::marker::PhantomData;

use serde::{Deserialize, Serialize};

use super::{Add, Aggregate, Filtered, Kept, Merge};
use crate::{EventTime, Reject};

/// What a [`First`] and a [`Last`] keep: a value and the event time of its record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dated<V> {
    time: EventTime,
    value: V,
}

macro_rules! by_time {
    ($(#[$doc:meta])* $name:ident, $label:literal, $replaces:expr) => {
        $(#[$doc])*
        pub struct $name<V, F> {
            value: F,
            kept: PhantomData<fn() -> V>,
        }

        impl<V: Kept, F> $name<V, F> {
            /// Of `value` over events of type `E`.
            pub fn of<E>(value: F) -> Self
            where
                F: Fn(&E) -> V,
            {
                Self::over(value)
            }

            pub(super) const fn over(value: F) -> Self {
                Self { value, kept: PhantomData }
            }
        }

        impl<V: Kept, F: Send + Sync + 'static> Aggregate for $name<V, F> {
            type State = Option<Dated<V>>;
            type Output = V;

            fn empty(&self) -> Self::State {
                None
            }

            fn finish(&self, state: &Self::State) -> V {
                self.finish_filtered(state).expect("a pane holds at least one record")
            }

            fn schema(&self) -> Cow<'static, str> {
                Cow::Borrowed($label)
            }
        }

        impl<E, V: Kept, F: Fn(&E) -> V + Send + Sync + 'static> Add<E> for $name<V, F> {
            fn add(&self, state: &mut Self::State, event: &E, time: EventTime) -> Result<(), Reject> {
                self.merge(state, Some(Dated { time, value: (self.value)(event) }))
            }
        }

        impl<V: Kept, F: Send + Sync + 'static> Merge for $name<V, F> {
            fn merge(&self, into: &mut Self::State, from: Self::State) -> Result<(), Reject> {
                let replaces: fn(EventTime, EventTime) -> bool = $replaces;
                if let Some(new) = from
                    && into.as_ref().is_none_or(|old| replaces(new.time, old.time))
                {
                    *into = Some(new);
                }
                Ok(())
            }
        }

        impl<V: Kept, F: Send + Sync + 'static> Filtered for $name<V, F> {
            type Filtered = Option<V>;

            fn finish_filtered(&self, state: &Self::State) -> Option<V> {
                state.as_ref().map(|dated| dated.value.clone())
            }
        }
    };
}

by_time!(
    /// What a closure takes from the record with the lowest event time; of equal times from the one that arrived first.
    ///
    /// Merging is commutative where the two states share no event time.
    First, "first", |new, old| new < old
);
by_time!(
    /// What a closure takes from the record with the highest event time; of equal times from the one that arrived last.
    ///
    /// Merging is commutative where the two states share no event time.
    Last, "last", |new, old| new >= old
);
