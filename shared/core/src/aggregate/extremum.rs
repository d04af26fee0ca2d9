//! The smallest and the largest value.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::marker::PhantomData;

use super::{Add, Aggregate, Filtered, Merge, Rank};
use crate::{EventTime, Reject};

macro_rules! extremum {
    ($(#[$doc:meta])* $name:ident, $label:literal, $wanted:pat) => {
        $(#[$doc])*
        pub struct $name<N, F> {
            value: F,
            ranked: PhantomData<fn() -> N>,
        }

        impl<N: Rank, F> $name<N, F> {
            /// Of `value` over events of type `E`.
            pub fn of<E>(value: F) -> Self
            where
                F: Fn(&E) -> N,
            {
                Self::over(value)
            }

            pub(super) const fn over(value: F) -> Self {
                Self { value, ranked: PhantomData }
            }
        }

        impl<N: Rank, F: Send + Sync + 'static> Aggregate for $name<N, F> {
            type State = Option<N>;
            type Output = N;

            fn empty(&self) -> Option<N> {
                None
            }

            fn finish(&self, state: &Option<N>) -> N {
                state.clone().expect("a pane holds at least one record")
            }

            fn schema(&self) -> Cow<'static, str> {
                Cow::Owned(format!("{} {}", $label, N::name()))
            }
        }

        impl<E, N: Rank, F: Fn(&E) -> N + Send + Sync + 'static> Add<E> for $name<N, F> {
            fn add(&self, state: &mut Option<N>, event: &E, _: EventTime) -> Result<(), Reject> {
                self.merge(state, Some((self.value)(event)))
            }
        }

        impl<N: Rank, F: Send + Sync + 'static> Merge for $name<N, F> {
            fn merge(&self, into: &mut Option<N>, from: Option<N>) -> Result<(), Reject> {
                if let Some(new) = from
                    && into.as_ref().is_none_or(|old| matches!(new.rank(old), $wanted))
                {
                    *into = Some(new);
                }
                Ok(())
            }
        }

        impl<N: Rank, F: Send + Sync + 'static> Filtered for $name<N, F> {
            type Filtered = Option<N>;

            fn finish_filtered(&self, state: &Option<N>) -> Option<N> {
                state.clone()
            }
        }
    };
}

extremum!(
    /// The largest of what a closure takes from each record; of equals the first. Merging is commutative up to
    /// equals.
    Max, "max", Ordering::Greater
);
extremum!(
    /// The smallest of what a closure takes from each record; of equals the first. Merging is commutative up to
    /// equals.
    Min, "min", Ordering::Less
);
