//! Aggregates over some of the records.

use std::borrow::Cow;

use super::{Add, Aggregate, Merge};
use crate::{EventTime, Reject};

/// What an aggregate gives over some of the records of a pane, where perhaps none matched: count, sum, distinct, top,
/// collect and fold their zero, empty or initial value; others an `Option`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say what it gives when no record matches",
    note = "implement `Filtered` for it, to use it under `.when(..)`"
)]
pub trait Filtered: Aggregate {
    /// The result, with a place for "no record matched".
    type Filtered;

    /// The result of a state that may hold no record.
    fn finish_filtered(&self, state: &Self::State) -> Self::Filtered;
}

/// An aggregate over those records that a predicate holds for. Merging is that of the aggregate.
pub struct When<A, P> {
    aggregate: A,
    matches: P,
}

impl<A: Filtered, P> When<A, P> {
    /// `aggregate` over those events of type `E` that `matches` holds for.
    pub fn of<E>(aggregate: A, matches: P) -> Self
    where
        P: Fn(&E) -> bool,
    {
        Self::over(aggregate, matches)
    }

    pub(super) const fn over(aggregate: A, matches: P) -> Self {
        Self { aggregate, matches }
    }
}

impl<A: Filtered, P: Send + Sync + 'static> Aggregate for When<A, P> {
    type State = A::State;
    type Output = A::Filtered;

    fn empty(&self) -> A::State {
        self.aggregate.empty()
    }

    fn finish(&self, state: &A::State) -> A::Filtered {
        self.aggregate.finish_filtered(state)
    }

    fn schema(&self) -> Cow<'static, str> {
        Cow::Owned(format!("{} when", self.aggregate.schema()))
    }

    fn problems(&self) -> Vec<String> {
        self.aggregate.problems()
    }
}

impl<E, A: Filtered + Add<E>, P: Fn(&E) -> bool + Send + Sync + 'static> Add<E> for When<A, P> {
    fn add(&self, state: &mut A::State, event: &E, time: EventTime) -> Result<(), Reject> {
        if (self.matches)(event) { self.aggregate.add(state, event, time) } else { Ok(()) }
    }
}

impl<A: Filtered + Merge, P: Send + Sync + 'static> Merge for When<A, P> {
    fn merge(&self, into: &mut A::State, from: A::State) -> Result<(), Reject> {
        self.aggregate.merge(into, from)
    }
}

impl<A: Filtered, P: Send + Sync + 'static> Filtered for When<A, P> {
    type Filtered = A::Filtered;

    fn finish_filtered(&self, state: &A::State) -> A::Filtered {
        self.aggregate.finish_filtered(state)
    }
}
