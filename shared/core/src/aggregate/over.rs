//! Where pipelines get their aggregates from.

use std::marker::PhantomData;

use super::{Count, Max, Mean, Min, Number, Rank, Sum};
use crate::Format;

/// Makes aggregates over the events of format `F`. It knows the event type, so closures need no annotation and may borrow
/// from the event.
pub struct Over<F>(PhantomData<fn() -> F>);

impl<F> Clone for Over<F> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<F> Copy for Over<F> {}

impl<F: Format> Default for Over<F> {
    fn default() -> Self {
        Self::new()
    }
}

impl<F: Format> Over<F> {
    /// For the events of `F`.
    pub const fn new() -> Self {
        Self(PhantomData)
    }

    /// The number of records.
    pub const fn count(self) -> Count {
        Count
    }

    /// The sum of a number; a record that would leave the range is quarantined.
    pub fn sum<N: Number, V>(self, value: V) -> Sum<N, V>
    where
        V: for<'a, 'e> Fn(&'e F::Event<'a>) -> N,
    {
        Sum::over(value)
    }

    /// The arithmetic mean of a number, as `f64`.
    pub fn mean<N: Number, V>(self, value: V) -> Mean<N, V>
    where
        V: for<'a, 'e> Fn(&'e F::Event<'a>) -> N,
    {
        Mean::over(value)
    }

    /// The smallest value; floats by `total_cmp`.
    pub fn min<N: Rank, V>(self, value: V) -> Min<N, V>
    where
        V: for<'a, 'e> Fn(&'e F::Event<'a>) -> N,
    {
        Min::over(value)
    }

    /// The largest value; floats by `total_cmp`.
    pub fn max<N: Rank, V>(self, value: V) -> Max<N, V>
    where
        V: for<'a, 'e> Fn(&'e F::Event<'a>) -> N,
    {
        Max::over(value)
    }
}
