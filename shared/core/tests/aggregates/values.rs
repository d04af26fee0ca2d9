//! Single values: what nothing gives, what overflows, and which settings are refused.

use tidemill_core::aggregate::{
    Add, Aggregate, Collect, Count, Distinct, Fold, Last, Merge, Quantiles, Sum, Top, When,
};
use tidemill_core::{EventTime, Mapped, Reason, codec};

use crate::{OVER, Trade};

const AT: EventTime = EventTime::from_millis(0);

fn of_nothing<A: Aggregate + for<'a> Add<Trade<'a>>>(aggregate: &A) -> A::Output {
    let mut state = aggregate.empty();
    aggregate.add(&mut state, &Trade { symbol: "", price: 1.0, items: 1, units: 1 }, AT).expect("adds");
    aggregate.finish(&state)
}

#[test]
fn without_a_match_each_gives_its_zero_or_none() {
    let zeros = (
        OVER.count().when(|_| false),
        OVER.sum(|t| t.price).when(|_| false),
        OVER.distinct(|t| t.items).when(|_| false),
        OVER.distinct_approx(|t| t.items).when(|_| false),
        OVER.top(3, |t| t.items).when(|_| false),
        OVER.collect(|t| t.items).when(|_| false),
        OVER.fold(7_u8, |n, _| n + 1).when(|_| false),
    );
    assert_eq!(of_nothing(&zeros), (0, 0.0, 0, 0, vec![], vec![], 7));
    let nones = (
        OVER.mean(|t| t.price).when(|_| false),
        OVER.min(|t| t.price).when(|_| false),
        OVER.max(|t| t.price).when(|_| false),
        OVER.first(|t| t.price).when(|_| false),
        OVER.last(|t| t.price).when(|_| false),
        OVER.quantiles([0.5, 0.9], |t| t.price).when(|_| false),
        OVER.reduce(|t| t.price, f64::max).when(|_| false),
    );
    assert_eq!(of_nothing(&nones), (None, None, None, None, None, None, None));
}

#[test]
fn direct_types_aggregate_owned_events() {
    let aggregate = (
        When::of(Count, |n: &i64| *n > 1),
        When::of((Sum::of(|n: &i64| *n), Last::of(|n: &i64| *n)), |n: &i64| *n > 5),
        Top::of(2, |n: &i64| *n),
        Distinct::of(|n: &i64| n % 2),
        Quantiles::of([1.0], |n: &i64| *n).accuracy(0.001),
        Collect::of(|n: &i64| n.to_string()),
        Fold::of(1_i64, |product, n: &i64| product * n).merging(|a, b| a * b),
    );
    let add = |numbers: &[i64]| {
        numbers.iter().fold(aggregate.empty(), |mut state, n| {
            aggregate.add(&mut state, n, AT).expect("adds");
            state
        })
    };
    let mut state = add(&[1, 2]);
    aggregate.merge(&mut state, add(&[3])).expect("merges");
    let (count, inner, top, distinct, [max], all, product) = aggregate.finish(&state);
    assert_eq!((count, inner, top, distinct, product), (2, (0, None), vec![3, 2], 2, 6));
    assert!((max - 3.0).abs() < 0.003);
    assert_eq!(all, ["1", "2", "3"]);
}

#[test]
fn a_value_that_is_none_is_a_value() {
    let aggregate = (
        OVER.reduce(|t| (t.units > 1).then_some(t.units), Option::or),
        OVER.first(|t| (t.units > 1).then_some(t.units)),
        OVER.collect(|t| (t.units > 1).then_some(t.units)),
    );
    let mut state = aggregate.empty();
    let trade = Trade { symbol: "", price: 0.0, items: 0, units: 1 };
    aggregate.add(&mut state, &trade, AT).expect("adds");
    let stored = codec::decode(&codec::encode(&state).expect("encodes")).expect("decodes");
    assert_eq!(aggregate.finish(&stored), (None, None, vec![None]));
}

#[test]
fn of_equals_those_that_arrived_first_stay_on_top() {
    #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    struct Bid(u8, char);
    impl tidemill_core::aggregate::Rank for Bid {
        fn name() -> String {
            "bid".to_owned()
        }

        fn rank(&self, other: &Self) -> std::cmp::Ordering {
            self.0.cmp(&other.0)
        }
    }
    let over = tidemill_core::aggregate::Over::<Mapped<Bid>>::new();
    let top = over.top(2, Bid::clone);
    let mut state = top.empty();
    for bid in [Bid(1, 'a'), Bid(2, 'b'), Bid(1, 'c'), Bid(2, 'd'), Bid(2, 'e')] {
        top.add(&mut state, &bid, AT).expect("adds");
    }
    assert_eq!(top.finish(&state), [Bid(2, 'b'), Bid(2, 'd')]);
    let mut merged = vec![Bid(3, 'x'), Bid(2, 'y')];
    top.merge(&mut merged, state).expect("merges");
    assert_eq!(merged, [Bid(3, 'x'), Bid(2, 'y')]);
}

#[test]
fn counts_that_would_wrap_are_refused() {
    let reject = OVER.count().merge(&mut u64::MAX.clone(), 1).expect_err("overflows");
    assert_eq!(reject.reason, Reason::Overflow);
    let sums = OVER.sum(|t| t.items).when(|t| t.units > 0);
    let mut state = i64::MIN;
    let trade = Trade { symbol: "", price: 0.0, items: -1, units: 1 };
    assert_eq!(sums.add(&mut state, &trade, AT).expect_err("overflows").reason, Reason::Overflow);
    assert_eq!(state, i64::MIN);
}

#[test]
fn every_unsound_setting_is_named() {
    let aggregate = (
        OVER.count(),
        OVER.top(0, |t| t.items).when(|t| t.units > 0),
        (OVER.quantiles([0.5, 1.5, f64::NAN], |t| t.price).accuracy(0.0), OVER.quantiles([], |t| t.price)),
        OVER.distinct_approx(|t| t.items).precision(17),
    );
    assert_eq!(
        aggregate.problems(),
        [
            "top(0, ..) keeps nothing: ask for the top 1 or more",
            "the quantile 1.5 lies outside 0 to 1: the median is 0.5",
            "the quantile NaN lies outside 0 to 1: the median is 0.5",
            "quantiles(..).accuracy(0) lies outside 0.00001 to 0.5: 0.01 is 1 %",
            "quantiles([], ..) asks for nothing: name one, such as 0.5",
            "distinct_approx(..).precision(17) lies outside 4 to 16: the default is 12",
        ]
    );
    let sound = (OVER.top(1, |t| t.items), OVER.quantiles([0.0, 1.0], |t| t.price), OVER.distinct_approx(|t| t.items));
    assert!(sound.problems().is_empty());
}
