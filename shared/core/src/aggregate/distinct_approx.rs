//! The number of different values, about.

use std::borrow::Cow;
use std::marker::PhantomData;

use super::hyperloglog::HyperLogLog;
use super::{Add, Aggregate, Filtered, Merge, Rank};
use crate::{EventTime, Reject, codec, hash};

/// About the number of different values of what a closure takes from each record, by HyperLogLog with 2^p registers of
/// 6 bits. The standard error is 1.04 / sqrt(2^p): 1.6 % at p = 12, the default, which takes 3 KB. Up to 3/16 of 2^p
/// values (768) the count is all but exact, and takes four bytes for each.
///
/// The result depends on the set of values alone, not on their order. Merging is commutative and idempotent.
pub struct DistinctApprox<V, F> {
    precision: u8,
    value: F,
    ranked: PhantomData<fn() -> V>,
}

impl<V: Rank, F> DistinctApprox<V, F> {
    /// Of `value` over events of type `E`.
    pub fn of<E>(value: F) -> Self
    where
        F: Fn(&E) -> V,
    {
        Self::over(value)
    }

    pub(super) const fn over(value: F) -> Self {
        Self { precision: 12, value, ranked: PhantomData }
    }
}

impl<V, F> DistinctApprox<V, F> {
    /// Keeps 2^`precision` registers, `precision` from 4 (26 % standard error, 12 bytes) to 16 (0.4 %, 48 KB).
    #[must_use]
    pub fn precision(mut self, precision: u8) -> Self {
        self.precision = precision;
        self
    }

    /// The precision within its range; `build()` refuses any other.
    fn registers_log2(&self) -> u8 {
        self.precision.clamp(4, 16)
    }
}

impl<V: Rank, F: Send + Sync + 'static> Aggregate for DistinctApprox<V, F> {
    type State = HyperLogLog;
    type Output = u64;

    fn empty(&self) -> HyperLogLog {
        HyperLogLog::new()
    }

    fn finish(&self, state: &HyperLogLog) -> u64 {
        state.estimate()
    }

    fn schema(&self) -> Cow<'static, str> {
        Cow::Owned(format!("distinct approx {} {}", self.precision, V::name()))
    }

    fn problems(&self) -> Vec<String> {
        if self.precision == self.registers_log2() {
            return Vec::new();
        }
        vec![format!("distinct_approx(..).precision({}) lies outside 4 to 16: the default is 12", self.precision)]
    }
}

impl<E, V: Rank, F: Fn(&E) -> V + Send + Sync + 'static> Add<E> for DistinctApprox<V, F> {
    fn add(&self, state: &mut HyperLogLog, event: &E, _: EventTime) -> Result<(), Reject> {
        let value = codec::encode(&(self.value)(event))?;
        state.insert(hash::value_hash(&value), self.registers_log2());
        Ok(())
    }
}

impl<V: Rank, F: Send + Sync + 'static> Merge for DistinctApprox<V, F> {
    fn merge(&self, into: &mut HyperLogLog, from: HyperLogLog) -> Result<(), Reject> {
        into.merge(from, self.registers_log2());
        Ok(())
    }
}

impl<V: Rank, F: Send + Sync + 'static> Filtered for DistinctApprox<V, F> {
    type Filtered = u64;

    fn finish_filtered(&self, state: &HyperLogLog) -> u64 {
        state.estimate()
    }
}
