//! The largest values.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::marker::PhantomData;

use super::{Add, Aggregate, Filtered, Merge, Rank};
use crate::{EventTime, Reject};

/// The k largest of what a closure takes from each record, in descending order; of equals those that arrived first.
///
/// Merging is commutative up to equals.
pub struct Top<V, F> {
    k: usize,
    value: F,
    ranked: PhantomData<fn() -> V>,
}

impl<V: Rank, F> Top<V, F> {
    /// The `k` largest of `value` over events of type `E`. `k` is at least 1.
    pub fn of<E>(k: usize, value: F) -> Self
    where
        F: Fn(&E) -> V,
    {
        Self::over(k, value)
    }

    pub(super) const fn over(k: usize, value: F) -> Self {
        Self { k, value, ranked: PhantomData }
    }

    /// Puts `new` behind all that are larger or equal, if it belongs to the `k` largest.
    fn insert(&self, state: &mut Vec<V>, new: V) {
        let place = state.partition_point(|old| old.rank(&new) != Ordering::Less);
        if place < self.k {
            state.truncate(self.k - 1);
            state.insert(place, new);
        }
    }
}

impl<V: Rank, F: Send + Sync + 'static> Aggregate for Top<V, F> {
    type State = Vec<V>;
    type Output = Vec<V>;

    fn empty(&self) -> Vec<V> {
        Vec::new()
    }

    fn finish(&self, state: &Vec<V>) -> Vec<V> {
        state.clone()
    }

    fn schema(&self) -> Cow<'static, str> {
        Cow::Owned(format!("top {} {}", self.k, V::name()))
    }

    fn problems(&self) -> Vec<String> {
        if self.k == 0 { vec!["top(0, ..) keeps nothing: ask for the top 1 or more".to_owned()] } else { Vec::new() }
    }
}

impl<E, V: Rank, F: Fn(&E) -> V + Send + Sync + 'static> Add<E> for Top<V, F> {
    fn add(&self, state: &mut Vec<V>, event: &E, _: EventTime) -> Result<(), Reject> {
        self.insert(state, (self.value)(event));
        Ok(())
    }
}

impl<V: Rank, F: Send + Sync + 'static> Merge for Top<V, F> {
    fn merge(&self, into: &mut Vec<V>, from: Vec<V>) -> Result<(), Reject> {
        from.into_iter().for_each(|new| self.insert(into, new));
        Ok(())
    }
}

impl<V: Rank, F: Send + Sync + 'static> Filtered for Top<V, F> {
    type Filtered = Vec<V>;

    fn finish_filtered(&self, state: &Vec<V>) -> Vec<V> {
        state.clone()
    }
}
