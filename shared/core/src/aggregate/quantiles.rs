//! Quantiles, about.

use std::borrow::Cow;
use std::marker::PhantomData;

use super::ddsketch::{DdSketch, Mapping};
use super::{Add, Aggregate, Filtered, Merge, Number, Total};
use crate::{EventTime, Reject};

/// Quantiles of what a closure takes from each record, by DDSketch with a bounded relative error: 1 % unless
/// [`accuracy`](Self::accuracy) says otherwise.
///
/// The quantile q of n values is the one with rank ⌊q (n - 1)⌋, counted from 0, in ascending order: 0 is the minimum,
/// 0.5 the (lower) median, 1 the maximum. Magnitudes below 2.2e-308 count as 0; NaN lies above infinity. State grows with
/// the spread of the values, not their number: at 1 % by 64 buckets for each doubling that is filled, 2 to 4 bytes each.
///
/// The result depends on the values alone, not on their order. Merging is commutative.
pub struct Quantiles<N, F, const Q: usize> {
    quantiles: [f64; Q],
    accuracy: f64,
    value: F,
    number: PhantomData<fn() -> N>,
}

impl<N: Number, F, const Q: usize> Quantiles<N, F, Q> {
    /// Those of `value` over events of type `E`, each from 0 to 1.
    pub fn of<E>(quantiles: [f64; Q], value: F) -> Self
    where
        F: Fn(&E) -> N,
    {
        Self::over(quantiles, value)
    }

    pub(super) const fn over(quantiles: [f64; Q], value: F) -> Self {
        Self { quantiles, accuracy: 0.01, value, number: PhantomData }
    }
}

impl<N, F, const Q: usize> Quantiles<N, F, Q> {
    /// The largest relative error wanted, from 0.00001 to 0.5. Halving it doubles the state.
    #[must_use]
    pub fn accuracy(mut self, accuracy: f64) -> Self {
        self.accuracy = accuracy;
        self
    }

    fn mapping(&self) -> Mapping {
        Mapping::with_accuracy(self.accuracy)
    }
}

impl<N: Number, F: Send + Sync + 'static, const Q: usize> Aggregate for Quantiles<N, F, Q> {
    type State = DdSketch;
    type Output = [f64; Q];

    fn empty(&self) -> DdSketch {
        DdSketch::default()
    }

    fn finish(&self, state: &DdSketch) -> [f64; Q] {
        self.finish_filtered(state).expect("a pane holds at least one record")
    }

    fn schema(&self) -> Cow<'static, str> {
        Cow::Owned(format!("quantiles {} bits", self.mapping().bits()))
    }

    fn problems(&self) -> Vec<String> {
        let outside = self.quantiles.iter().filter(|q| !(0.0..=1.0).contains(*q));
        let mut problems: Vec<String> =
            outside.map(|q| format!("the quantile {q} lies outside 0 to 1: the median is 0.5")).collect();
        if Q == 0 {
            problems.push("quantiles([], ..) asks for nothing: name one, such as 0.5".to_owned());
        }
        if !(0.000_01..=0.5).contains(&self.accuracy) {
            let accuracy = self.accuracy;
            problems.push(format!("quantiles(..).accuracy({accuracy}) lies outside 0.00001 to 0.5: 0.01 is 1 %"));
        }
        problems
    }
}

impl<E, N: Number, F: Fn(&E) -> N + Send + Sync + 'static, const Q: usize> Add<E> for Quantiles<N, F, Q> {
    fn add(&self, state: &mut DdSketch, event: &E, _: EventTime) -> Result<(), Reject> {
        state.add((self.value)(event).total().as_f64(), self.mapping())
    }
}

impl<N: Number, F: Send + Sync + 'static, const Q: usize> Merge for Quantiles<N, F, Q> {
    fn merge(&self, into: &mut DdSketch, from: DdSketch) -> Result<(), Reject> {
        into.merge(from)
    }
}

impl<N: Number, F: Send + Sync + 'static, const Q: usize> Filtered for Quantiles<N, F, Q> {
    type Filtered = Option<[f64; Q]>;

    fn finish_filtered(&self, state: &DdSketch) -> Self::Filtered {
        (!state.is_empty()).then(|| self.quantiles.map(|q| state.quantile(q, self.mapping())))
    }
}
