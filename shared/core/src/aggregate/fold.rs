//! A state of the user's own, changed by a closure.

use std::borrow::Cow;
use std::mem;

use super::{Add, Aggregate, Filtered, Kept, Merge};
use crate::{EventTime, Reject};

/// Starts with a value and lets a closure make the next one from it and each record, in the order of arrival.
///
/// It can merge once [`merging`](Self::merging) has said how. What the closures do to numbers is theirs: they should use
/// `checked_` or `saturating_` arithmetic, since `+` wraps in release builds.
pub struct Fold<S, F, M = ()> {
    init: S,
    step: F,
    merge: M,
}

/// How a [`Fold`] makes one value of two.
pub struct Merging<G>(G);

impl<S: Kept, F> Fold<S, F> {
    /// Starts with `init` and makes the next value by `step`, over events of type `E`.
    pub fn of<E>(init: S, step: F) -> Self
    where
        F: Fn(S, &E) -> S,
    {
        Self::over(init, step)
    }

    pub(super) const fn over(init: S, step: F) -> Self {
        Self { init, step, merge: () }
    }

    /// Makes one value of two, for windows that merge or share state. `merge` must be associative, and the initial value
    /// neutral: `merge(init, x) = x = merge(x, init)`.
    pub fn merging<G: Fn(S, S) -> S>(self, merge: G) -> Fold<S, F, Merging<G>> {
        Fold { init: self.init, step: self.step, merge: Merging(merge) }
    }
}

impl<S: Kept, F: Send + Sync + 'static, M: Send + Sync + 'static> Aggregate for Fold<S, F, M> {
    type State = S;
    type Output = S;

    fn empty(&self) -> S {
        self.init.clone()
    }

    fn finish(&self, state: &S) -> S {
        state.clone()
    }

    fn schema(&self) -> Cow<'static, str> {
        Cow::Borrowed("fold")
    }
}

impl<E, S: Kept, F: Fn(S, &E) -> S + Send + Sync + 'static, M: Send + Sync + 'static> Add<E> for Fold<S, F, M> {
    fn add(&self, state: &mut S, event: &E, _: EventTime) -> Result<(), Reject> {
        let old = mem::replace(state, self.empty());
        *state = (self.step)(old, event);
        Ok(())
    }
}

impl<S: Kept, F: Send + Sync + 'static, G: Fn(S, S) -> S + Send + Sync + 'static> Merge for Fold<S, F, Merging<G>> {
    fn merge(&self, into: &mut S, from: S) -> Result<(), Reject> {
        let old = mem::replace(into, self.empty());
        *into = (self.merge.0)(old, from);
        Ok(())
    }
}

impl<S: Kept, F: Send + Sync + 'static, M: Send + Sync + 'static> Filtered for Fold<S, F, M> {
    type Filtered = S;

    fn finish_filtered(&self, state: &S) -> S {
        state.clone()
    }
}
