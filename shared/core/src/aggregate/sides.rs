//! The events of both sides of a join.

use std::borrow::Cow;
use std::marker::PhantomData;

use serde::{Deserialize, Serialize};

use super::{Add, Aggregate, Kept, Merge};
use crate::operator::Side;
use crate::{EventTime, Reject};

/// What a closure takes of the events of both sides of a join, each side in the order in which they came.
pub struct Sides<L, R, C> {
    side: C,
    kept: PhantomData<fn() -> (L, R)>,
}

impl<L, R, C> Sides<L, R, C> {
    /// The closure tells which side an event is on and what is kept of it; `None` for an event of neither.
    pub const fn by(side: C) -> Self {
        Self { side, kept: PhantomData }
    }
}

/// What [`Sides`] keeps.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SidesState<L, R> {
    #[serde(rename = "l")]
    left: Vec<L>,
    #[serde(rename = "r")]
    right: Vec<R>,
}

impl<L, R, C> Aggregate for Sides<L, R, C>
where
    L: Kept,
    R: Kept,
    C: Send + Sync + 'static,
{
    type State = SidesState<L, R>;
    type Output = (Vec<L>, Vec<R>);

    fn empty(&self) -> SidesState<L, R> {
        SidesState { left: Vec::new(), right: Vec::new() }
    }

    fn finish(&self, state: &SidesState<L, R>) -> (Vec<L>, Vec<R>) {
        (state.left.clone(), state.right.clone())
    }

    fn schema(&self) -> Cow<'static, str> {
        Cow::Borrowed("sides")
    }
}

impl<E, L, R, C> Add<E> for Sides<L, R, C>
where
    L: Kept,
    R: Kept,
    C: Fn(&E) -> Option<Side<L, R>> + Send + Sync + 'static,
{
    fn add(&self, state: &mut SidesState<L, R>, event: &E, _: EventTime) -> Result<(), Reject> {
        match (self.side)(event) {
            Some(Side::Left(event)) => state.left.push(event),
            Some(Side::Right(event)) => state.right.push(event),
            None => {}
        }
        Ok(())
    }
}

impl<L, R, C> Merge for Sides<L, R, C>
where
    L: Kept,
    R: Kept,
    C: Send + Sync + 'static,
{
    fn merge(&self, into: &mut SidesState<L, R>, from: SidesState<L, R>) -> Result<(), Reject> {
        into.left.extend(from.left);
        into.right.extend(from.right);
        Ok(())
    }
}
