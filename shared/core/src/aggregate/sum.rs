//! Sums that never wrap.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Add, Aggregate, Filtered, Merge};
use crate::{EventTime, Reason, Reject};

/// A number that can be summed. Integers sum in 64 bits, floats in double precision in the order of the records.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be summed",
    note = "return one of u8, u16, u32, u64, i8, i16, i32, i64, f32, f64"
)]
pub trait Number: Copy + 'static {
    /// The type of the sum.
    type Total: Total;

    /// The number as a sum of itself alone.
    fn total(self) -> Self::Total;
}

/// The type of a sum.
pub trait Total: Copy + fmt::Display + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Its name in fingerprints.
    const NAME: &'static str;
    /// The sum of nothing.
    const ZERO: Self;

    /// The sum of both, `None` if it leaves the range of the type.
    fn checked_add(self, other: Self) -> Option<Self>;

    /// The sum as a float, rounded to the nearest.
    fn as_f64(self) -> f64;
}

macro_rules! integer_totals {
    ($($type:ident),*) => {$(
        impl Total for $type {
            const NAME: &'static str = stringify!($type);
            const ZERO: Self = 0;

            fn checked_add(self, other: Self) -> Option<Self> {
                self.checked_add(other)
            }

            fn as_f64(self) -> f64 {
                self as f64
            }
        }
    )*};
}
integer_totals!(i64, u64);

impl Total for f64 {
    const NAME: &'static str = "f64";
    const ZERO: Self = 0.0;

    fn checked_add(self, other: Self) -> Option<Self> {
        Some(self + other)
    }

    fn as_f64(self) -> f64 {
        self
    }
}

macro_rules! numbers {
    ($($type:ident -> $total:ident),*) => {$(
        impl Number for $type {
            type Total = $total;

            fn total(self) -> $total {
                $total::from(self)
            }
        }
    )*};
}
numbers!(u8 -> u64, u16 -> u64, u32 -> u64, u64 -> u64, i8 -> i64, i16 -> i64, i32 -> i64, i64 -> i64);
numbers!(f32 -> f64, f64 -> f64);

/// The sum of what a closure takes from each record. A record that would leave the range is quarantined.
///
/// Merging is commutative. (Sums of floats depend on the order of the records and of merging in their last digits.)
pub struct Sum<N, F> {
    value: F,
    number: PhantomData<fn() -> N>,
}

impl<N: Number, F> Sum<N, F> {
    /// The sum of `value` over events of type `E`.
    pub fn of<E>(value: F) -> Self
    where
        F: Fn(&E) -> N,
    {
        Self::over(value)
    }

    pub(super) const fn over(value: F) -> Self {
        Self { value, number: PhantomData }
    }
}

/// `total` plus `more`, or the reject of the record that brought `more`.
pub(super) fn add_total<T: Total>(total: T, more: T) -> Result<T, Reject> {
    total.checked_add(more).ok_or_else(|| {
        Reject::new(Reason::Overflow, format!("the sum {total} + {more} leaves the range of {}", T::NAME))
    })
}

impl<N: Number, F: Send + Sync + 'static> Aggregate for Sum<N, F> {
    type State = N::Total;
    type Output = N::Total;

    fn empty(&self) -> N::Total {
        N::Total::ZERO
    }

    fn finish(&self, state: &N::Total) -> N::Total {
        *state
    }

    fn schema(&self) -> Cow<'static, str> {
        Cow::Owned(format!("sum {}", N::Total::NAME))
    }
}

impl<E, N: Number, F: Fn(&E) -> N + Send + Sync + 'static> Add<E> for Sum<N, F> {
    fn add(&self, state: &mut N::Total, event: &E, _: EventTime) -> Result<(), Reject> {
        self.merge(state, (self.value)(event).total())
    }
}

impl<N: Number, F: Send + Sync + 'static> Merge for Sum<N, F> {
    fn merge(&self, into: &mut N::Total, from: N::Total) -> Result<(), Reject> {
        *into = add_total(*into, from)?;
        Ok(())
    }
}

impl<N: Number, F: Send + Sync + 'static> Filtered for Sum<N, F> {
    type Filtered = N::Total;

    fn finish_filtered(&self, state: &N::Total) -> N::Total {
        *state
    }
}
