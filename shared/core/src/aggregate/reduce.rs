//! Values of one type combined into one.

use std::borrow::Cow;
use std::marker::PhantomData;

use serde::{Deserialize, Serialize};

use super::{Add, Aggregate, Filtered, Kept, Merge};
use crate::{EventTime, Reject};

/// Combines what a closure takes from each record, in the order of arrival.
///
/// Merging combines two results: it is as commutative as the combining closure, which must be associative. Overflow is
/// that closure's own matter, as for [`Fold`](super::Fold).
pub struct Reduce<V, F, C> {
    value: F,
    combine: C,
    kept: PhantomData<fn() -> V>,
}

impl<V: Kept, F, C: Fn(V, V) -> V> Reduce<V, F, C> {
    /// Of `value` over events of type `E`, combined by `combine(earlier, later)`.
    pub fn of<E>(value: F, combine: C) -> Self
    where
        F: Fn(&E) -> V,
    {
        Self::over(value, combine)
    }

    pub(super) const fn over(value: F, combine: C) -> Self {
        Self { value, combine, kept: PhantomData }
    }
}

/// What a [`Reduce`] keeps: its value under a name, since a value may itself be stored as `null`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reduced<V> {
    value: V,
}

impl<V: Kept, F: Send + Sync + 'static, C: Send + Sync + 'static> Aggregate for Reduce<V, F, C> {
    type State = Option<Reduced<V>>;
    type Output = V;

    fn empty(&self) -> Self::State {
        None
    }

    fn finish(&self, state: &Self::State) -> V {
        self.finish_filtered(state).expect("a pane holds at least one record")
    }

    fn schema(&self) -> Cow<'static, str> {
        Cow::Borrowed("reduce")
    }
}

impl<E, V: Kept, F, C> Add<E> for Reduce<V, F, C>
where
    F: Fn(&E) -> V + Send + Sync + 'static,
    C: Fn(V, V) -> V + Send + Sync + 'static,
{
    fn add(&self, state: &mut Self::State, event: &E, _: EventTime) -> Result<(), Reject> {
        self.merge(state, Some(Reduced { value: (self.value)(event) }))
    }
}

impl<V: Kept, F: Send + Sync + 'static, C: Fn(V, V) -> V + Send + Sync + 'static> Merge for Reduce<V, F, C> {
    fn merge(&self, into: &mut Self::State, from: Self::State) -> Result<(), Reject> {
        *into = match (into.take(), from) {
            (Some(earlier), Some(later)) => Some(Reduced { value: (self.combine)(earlier.value, later.value) }),
            (earlier, later) => earlier.or(later),
        };
        Ok(())
    }
}

impl<V: Kept, F: Send + Sync + 'static, C: Send + Sync + 'static> Filtered for Reduce<V, F, C> {
    type Filtered = Option<V>;

    fn finish_filtered(&self, state: &Self::State) -> Option<V> {
        state.as_ref().map(|reduced| reduced.value.clone())
    }
}
