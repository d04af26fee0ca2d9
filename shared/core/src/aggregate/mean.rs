//! The arithmetic mean.

use std::borrow::Cow;
use std::marker::PhantomData;

use serde::{Deserialize, Serialize};

use super::sum::add_total;
use super::{Add, Aggregate, Filtered, Merge, Number, Total};
use crate::{EventTime, Reject};

/// The arithmetic mean of what a closure takes from each record: the exact sum divided once, as `f64`.
///
/// (Flink's `AVG` of integers truncates; this one does not.) Merging is commutative, as for [`Sum`](super::Sum).
pub struct Mean<N, F> {
    value: F,
    number: PhantomData<fn() -> N>,
}

impl<N: Number, F> Mean<N, F> {
    /// The mean of `value` over events of type `E`.
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

/// What a [`Mean`] keeps.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct MeanState<T> {
    sum: T,
    count: u64,
}

impl<N: Number, F: Send + Sync + 'static> Aggregate for Mean<N, F> {
    type State = MeanState<N::Total>;
    type Output = f64;

    fn empty(&self) -> Self::State {
        MeanState { sum: N::Total::ZERO, count: 0 }
    }

    fn finish(&self, state: &Self::State) -> f64 {
        state.sum.as_f64() / state.count as f64
    }

    fn schema(&self) -> Cow<'static, str> {
        Cow::Owned(format!("mean {}", N::Total::NAME))
    }
}

impl<E, N: Number, F: Fn(&E) -> N + Send + Sync + 'static> Add<E> for Mean<N, F> {
    fn add(&self, state: &mut Self::State, event: &E, _: EventTime) -> Result<(), Reject> {
        self.merge(state, MeanState { sum: (self.value)(event).total(), count: 1 })
    }
}

impl<N: Number, F: Send + Sync + 'static> Merge for Mean<N, F> {
    fn merge(&self, into: &mut Self::State, from: Self::State) -> Result<(), Reject> {
        into.sum = add_total(into.sum, from.sum)?;
        into.count = add_total(into.count, from.count)?;
        Ok(())
    }
}

impl<N: Number, F: Send + Sync + 'static> Filtered for Mean<N, F> {
    type Filtered = Option<f64>;

    fn finish_filtered(&self, state: &Self::State) -> Option<f64> {
        (state.count > 0).then(|| self.finish(state))
    }
}
