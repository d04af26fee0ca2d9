//! The number of different values, exactly.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::marker::PhantomData;

use super::{Add, Aggregate, Filtered, Merge, Rank, Ranked};
use crate::{EventTime, Reject};

/// The number of different values of what a closure takes from each record. It keeps each of them: where there may be
/// thousands, see [`DistinctApprox`](super::DistinctApprox).
///
/// Merging is commutative and idempotent.
pub struct Distinct<V, F> {
    value: F,
    ranked: PhantomData<fn() -> V>,
}

impl<V: Rank, F> Distinct<V, F> {
    /// Of `value` over events of type `E`.
    pub fn of<E>(value: F) -> Self
    where
        F: Fn(&E) -> V,
    {
        Self::over(value)
    }

    pub(super) const fn over(value: F) -> Self {
        Self { value, ranked: PhantomData }
    }
}

impl<V: Rank, F: Send + Sync + 'static> Aggregate for Distinct<V, F> {
    type State = BTreeSet<Ranked<V>>;
    type Output = u64;

    fn empty(&self) -> Self::State {
        BTreeSet::new()
    }

    fn finish(&self, state: &Self::State) -> u64 {
        state.len() as u64
    }

    fn schema(&self) -> Cow<'static, str> {
        Cow::Owned(format!("distinct {}", V::name()))
    }
}

impl<E, V: Rank, F: Fn(&E) -> V + Send + Sync + 'static> Add<E> for Distinct<V, F> {
    fn add(&self, state: &mut Self::State, event: &E, _: EventTime) -> Result<(), Reject> {
        state.insert(Ranked((self.value)(event)));
        Ok(())
    }
}

impl<V: Rank, F: Send + Sync + 'static> Merge for Distinct<V, F> {
    fn merge(&self, into: &mut Self::State, from: Self::State) -> Result<(), Reject> {
        into.extend(from);
        Ok(())
    }
}

impl<V: Rank, F: Send + Sync + 'static> Filtered for Distinct<V, F> {
    type Filtered = u64;

    fn finish_filtered(&self, state: &Self::State) -> u64 {
        self.finish(state)
    }
}
