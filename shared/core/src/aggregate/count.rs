//! The number of records.

use std::borrow::Cow;

use super::sum::add_total;
use super::{Add, Aggregate, Filtered, Merge};
use crate::{EventTime, Reject};

/// The number of records.
#[derive(Clone, Copy, Debug)]
pub struct Count;

impl Aggregate for Count {
    type State = u64;
    type Output = u64;

    fn empty(&self) -> u64 {
        0
    }

    fn finish(&self, state: &u64) -> u64 {
        *state
    }

    fn schema(&self) -> Cow<'static, str> {
        Cow::Borrowed("count")
    }
}

impl<E> Add<E> for Count {
    fn add(&self, state: &mut u64, _: &E, _: EventTime) -> Result<(), Reject> {
        self.merge(state, 1)
    }
}

impl Merge for Count {
    fn merge(&self, into: &mut u64, from: u64) -> Result<(), Reject> {
        *into = add_total(*into, from)?;
        Ok(())
    }
}

impl Filtered for Count {
    type Filtered = u64;

    fn finish_filtered(&self, state: &u64) -> u64 {
        *state
    }
}
