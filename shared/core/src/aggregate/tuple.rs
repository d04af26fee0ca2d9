//! Tuples of aggregates are aggregates: each element sees every record.

use std::borrow::Cow;

use super::{Add, Aggregate, Filtered, Merge};
use crate::{EventTime, Reject};

macro_rules! tuples {
    ($(($($name:ident $index:tt),+))+) => {$(
        impl<$($name: Aggregate),+> Aggregate for ($($name,)+) {
            type State = ($($name::State,)+);
            type Output = ($($name::Output,)+);

            fn empty(&self) -> Self::State {
                ($(self.$index.empty(),)+)
            }

            fn finish(&self, state: &Self::State) -> Self::Output {
                ($(self.$index.finish(&state.$index),)+)
            }

            fn schema(&self) -> Cow<'static, str> {
                Cow::Owned(format!("({})", [$(self.$index.schema()),+].join(", ")))
            }

            fn problems(&self) -> Vec<String> {
                [$(self.$index.problems()),+].concat()
            }
        }

        impl<Event, $($name: Add<Event>),+> Add<Event> for ($($name,)+) {
            fn add(&self, state: &mut Self::State, event: &Event, time: EventTime) -> Result<(), Reject> {
                $(self.$index.add(&mut state.$index, event, time)?;)+
                Ok(())
            }
        }

        impl<$($name: Merge),+> Merge for ($($name,)+) {
            fn merge(&self, into: &mut Self::State, from: Self::State) -> Result<(), Reject> {
                $(self.$index.merge(&mut into.$index, from.$index)?;)+
                Ok(())
            }
        }

        impl<$($name: Filtered),+> Filtered for ($($name,)+) {
            type Filtered = ($($name::Filtered,)+);

            fn finish_filtered(&self, state: &Self::State) -> Self::Filtered {
                ($(self.$index.finish_filtered(&state.$index),)+)
            }
        }
    )+};
}

tuples! {
    (A 0)
    (A 0, B 1)
    (A 0, B 1, C 2)
    (A 0, B 1, C 2, D 3)
    (A 0, B 1, C 2, D 3, E 4)
    (A 0, B 1, C 2, D 3, E 4, F 5)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11)
}

#[cfg(test)]
mod tests {
    use super::super::{Count, Max, Mean, Min, Sum};
    use super::*;
    use crate::Reason;

    const AT: EventTime = EventTime::from_millis(0);

    struct Sale {
        price: f64,
        items: i64,
    }

    #[test]
    fn every_element_sees_every_record() {
        let aggregate = (
            Count,
            Sum::of(|s: &Sale| s.items),
            Min::of(|s: &Sale| s.price),
            Max::of(|s: &Sale| s.price),
            Mean::of(|s: &Sale| s.items),
        );
        let mut state = aggregate.empty();
        for (price, items) in [(2.5, 1), (-0.0, 4), (0.0, -2)] {
            aggregate.add(&mut state, &Sale { price, items }, AT).expect("adds");
        }
        let (count, sum, min, max, mean) = aggregate.finish(&state);
        assert_eq!((count, sum, max, mean), (3, 3, 2.5, 1.0));
        assert!(min.is_sign_negative(), "-0.0 ranks below 0.0");
        assert_eq!(aggregate.schema(), "(count, sum i64, min f64, max f64, mean i64)");
    }

    #[test]
    fn merging_equals_adding_all() {
        let aggregate = (Count, Sum::of(|n: &i64| *n), Min::of(|n: &i64| *n), Mean::of(|n: &i64| *n));
        let state = |numbers: &[i64]| {
            let mut state = aggregate.empty();
            numbers.iter().for_each(|n| aggregate.add(&mut state, n, AT).expect("adds"));
            state
        };
        let mut merged = state(&[5, -3]);
        aggregate.merge(&mut merged, state(&[7])).expect("merges");
        assert_eq!(aggregate.finish(&merged), aggregate.finish(&state(&[5, -3, 7])));
    }

    #[test]
    fn a_sum_beyond_its_range_is_refused_and_never_wraps() {
        let sum = Sum::of(|n: &i64| *n);
        let mut state = i64::MAX;
        let reject = sum.add(&mut state, &1, AT).expect_err("overflows");
        assert_eq!(reject.reason, Reason::Overflow);
        assert_eq!(state, i64::MAX);
    }
}
