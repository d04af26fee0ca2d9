//! The number of records.

use std::borrow::Cow;

use super::{Add, Aggregate, Merge};
use crate::Reject;

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
    fn add(&self, state: &mut u64, _: &E) -> Result<(), Reject> {
        *state += 1;
        Ok(())
    }
}

impl Merge for Count {
    fn merge(&self, into: &mut u64, from: u64) -> Result<(), Reject> {
        *into += from;
        Ok(())
    }
}
