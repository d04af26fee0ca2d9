//! All values.

use std::borrow::Cow;
use std::marker::PhantomData;

use super::{Add, Aggregate, Filtered, Kept, Merge};
use crate::{EventTime, Reject};

/// What a closure takes from each record, all of it, in the order of arrival.
///
/// Merging puts the values of one state behind those of the other; it is not commutative.
pub struct Collect<V, F> {
    value: F,
    kept: PhantomData<fn() -> V>,
}

impl<V: Kept, F> Collect<V, F> {
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

impl<V: Kept, F: Send + Sync + 'static> Aggregate for Collect<V, F> {
    type State = Vec<V>;
    type Output = Vec<V>;

    fn empty(&self) -> Vec<V> {
        Vec::new()
    }

    fn finish(&self, state: &Vec<V>) -> Vec<V> {
        state.clone()
    }

    fn schema(&self) -> Cow<'static, str> {
        Cow::Borrowed("collect")
    }
}

impl<E, V: Kept, F: Fn(&E) -> V + Send + Sync + 'static> Add<E> for Collect<V, F> {
    fn add(&self, state: &mut Vec<V>, event: &E, _: EventTime) -> Result<(), Reject> {
        state.push((self.value)(event));
        Ok(())
    }
}

impl<V: Kept, F: Send + Sync + 'static> Merge for Collect<V, F> {
    fn merge(&self, into: &mut Vec<V>, from: Vec<V>) -> Result<(), Reject> {
        into.extend(from);
        Ok(())
    }
}

impl<V: Kept, F: Send + Sync + 'static> Filtered for Collect<V, F> {
    type Filtered = Vec<V>;

    fn finish_filtered(&self, state: &Vec<V>) -> Vec<V> {
        state.clone()
    }
}
