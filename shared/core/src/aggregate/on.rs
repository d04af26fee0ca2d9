//! Aggregates that know which events they are made for.

use std::borrow::Cow;
use std::marker::PhantomData;

use super::{Add, Aggregate, DistinctApprox, Filtered, Fold, Kept, Merge, Merging, Quantiles, When};
use crate::{EventTime, Events, Reject};

/// The aggregate `A` over the events of `E`, as [`Over`](super::Over) makes it. It is `A` in every way, and lets more be
/// said of it by closures that need no annotation.
pub struct On<E, A> {
    aggregate: A,
    events: PhantomData<fn() -> E>,
}

impl<E, A> On<E, A> {
    pub(super) const fn new(aggregate: A) -> Self {
        Self { aggregate, events: PhantomData }
    }
}

impl<E: Events, A: Filtered> On<E, A> {
    /// Only over the records that `matches` holds for. What it gives when none does, count, sum, distinct, top, collect
    /// and fold say by their zero, empty or initial value, others by `None`.
    ///
    /// A pane has a result once it holds any record at all, matching or not.
    pub fn when<P>(self, matches: P) -> On<E, When<A, P>>
    where
        P: for<'a, 'e> Fn(&'e E::Event<'a>) -> bool,
    {
        On::new(When::over(self.aggregate, matches))
    }
}

impl<E, S: Kept, F> On<E, Fold<S, F>> {
    /// Makes one value of two, for windows that merge or share state: see [`Fold::merging`].
    pub fn merging<G: Fn(S, S) -> S>(self, merge: G) -> On<E, Fold<S, F, Merging<G>>> {
        On::new(self.aggregate.merging(merge))
    }
}

impl<E, V, F> On<E, DistinctApprox<V, F>> {
    /// Keeps 2^`precision` registers instead of 2^12: see [`DistinctApprox::precision`].
    #[must_use]
    pub fn precision(self, precision: u8) -> Self {
        Self::new(self.aggregate.precision(precision))
    }
}

impl<E, N, F, const Q: usize> On<E, Quantiles<N, F, Q>> {
    /// The largest relative error wanted, instead of 1 %: see [`Quantiles::accuracy`].
    #[must_use]
    pub fn accuracy(self, accuracy: f64) -> Self {
        Self::new(self.aggregate.accuracy(accuracy))
    }
}

impl<E: 'static, A: Aggregate> Aggregate for On<E, A> {
    type State = A::State;
    type Output = A::Output;

    fn empty(&self) -> A::State {
        self.aggregate.empty()
    }

    fn finish(&self, state: &A::State) -> A::Output {
        self.aggregate.finish(state)
    }

    fn schema(&self) -> Cow<'static, str> {
        self.aggregate.schema()
    }

    fn problems(&self) -> Vec<String> {
        self.aggregate.problems()
    }
}

impl<E: 'static, T, A: Add<T>> Add<T> for On<E, A> {
    fn add(&self, state: &mut A::State, event: &T, time: EventTime) -> Result<(), Reject> {
        self.aggregate.add(state, event, time)
    }
}

impl<E: 'static, A: Merge> Merge for On<E, A> {
    fn merge(&self, into: &mut A::State, from: A::State) -> Result<(), Reject> {
        self.aggregate.merge(into, from)
    }
}

impl<E: 'static, A: Filtered> Filtered for On<E, A> {
    type Filtered = A::Filtered;

    fn finish_filtered(&self, state: &A::State) -> A::Filtered {
        self.aggregate.finish_filtered(state)
    }
}
