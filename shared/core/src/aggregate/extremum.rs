//! The smallest and the largest value.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Add, Aggregate, Merge};
use crate::{EventTime, Reject};

/// A total order for minima and maxima. Floats are ordered by `total_cmp`, so NaN lies above infinity.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no total order for min and max",
    note = "return an integer, a float, bool, String, EventTime, or implement `Rank`"
)]
pub trait Rank: Clone + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The type of value, in the operator's fingerprint. Choose it once.
    const NAME: &'static str;

    /// The order of both.
    fn rank(&self, other: &Self) -> Ordering;
}

macro_rules! ranks {
    ($compare:ident: $($type:ident $name:literal),*) => {$(
        impl Rank for $type {
            const NAME: &'static str = $name;

            fn rank(&self, other: &Self) -> Ordering {
                self.$compare(other)
            }
        }
    )*};
}
ranks!(cmp: bool "bool", u8 "u8", u16 "u16", u32 "u32", u64 "u64", i8 "i8", i16 "i16", i32 "i32", i64 "i64");
ranks!(cmp: String "string", EventTime "time");
ranks!(total_cmp: f32 "f32", f64 "f64");

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
                Cow::Owned(format!("{} {}", $label, N::NAME))
            }
        }

        impl<E, N: Rank, F: Fn(&E) -> N + Send + Sync + 'static> Add<E> for $name<N, F> {
            fn add(&self, state: &mut Option<N>, event: &E) -> Result<(), Reject> {
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
    };
}

extremum!(
    /// The largest of what a closure takes from each record; of equals the first.
    Max, "max", Ordering::Greater
);
extremum!(
    /// The smallest of what a closure takes from each record; of equals the first.
    Min, "min", Ordering::Less
);
