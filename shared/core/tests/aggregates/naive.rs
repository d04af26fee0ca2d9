//! Each aggregate against a plain computation over all values.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use proptest::prelude::*;
use tidemill_core::aggregate::{Add, Aggregate};

use crate::{Made, OVER, Trade, cases, trades};

fn aggregated<A: Aggregate + for<'a> Add<Trade<'a>>>(aggregate: &A, made: &[Made]) -> A::Output {
    let mut state = aggregate.empty();
    made.iter().for_each(|made| aggregate.add(&mut state, &made.trade(), made.time()).expect("adds"));
    aggregate.finish(&state)
}

/// Bits, so that NaN equals itself and -0.0 differs from 0.0.
fn bits(value: f64) -> u64 {
    value.to_bits()
}

fn sorted<T: Clone>(made: &[Made], value: impl Fn(&Made) -> T, order: impl Fn(&T, &T) -> Ordering) -> Vec<T> {
    let mut values: Vec<T> = made.iter().map(value).collect();
    values.sort_by(order);
    values
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn count_sum_and_mean(made in trades()) {
        let items: Vec<i64> = made.iter().map(|m| m.items).collect();
        let sum: i64 = items.iter().sum();
        let prices: f64 = made.iter().map(|m| m.price).fold(0.0, |a, b| a + b);
        let (count, items_sum, units, price_sum) =
            aggregated(&(OVER.count(), OVER.sum(|t| t.items), OVER.sum(|t| t.units), OVER.sum(|t| t.price)), &made);
        prop_assert_eq!((count, items_sum), (made.len() as u64, sum));
        prop_assert_eq!(units, made.iter().map(|m| u64::from(m.units)).sum::<u64>());
        prop_assert!(bits(price_sum) == bits(prices) || price_sum.is_nan() && prices.is_nan());
        if !made.is_empty() {
            prop_assert_eq!(aggregated(&OVER.mean(|t| t.items), &made), sum as f64 / made.len() as f64);
        }
    }

    #[test]
    fn min_max_and_top_in_total_order(made in trades(), k in 1..6_usize) {
        let ascending = sorted(&made, |m| m.price, f64::total_cmp);
        let descending: Vec<u64> = ascending.iter().rev().take(k).map(|price| bits(*price)).collect();
        let top = aggregated(&OVER.top(k, |t| t.price), &made);
        prop_assert_eq!(top.iter().map(|price| bits(*price)).collect::<Vec<_>>(), descending);
        if let [min, .., max] = *ascending {
            let found = aggregated(&(OVER.min(|t| t.price), OVER.max(|t| t.price)), &made);
            prop_assert_eq!((bits(found.0), bits(found.1)), (bits(min), bits(max)));
        }
    }

    #[test]
    fn first_and_last_by_time_then_arrival(made in trades()) {
        prop_assume!(!made.is_empty());
        let arrived: Vec<(usize, Made)> = made.iter().cloned().enumerate().collect();
        let first = &arrived.iter().min_by_key(|(i, m)| (m.at, *i)).expect("some").1.symbol;
        let last = &arrived.iter().max_by_key(|(i, m)| (m.at, *i)).expect("some").1.symbol;
        let found = aggregated(&(OVER.first(|t| t.symbol.to_owned()), OVER.last(|t| t.symbol.to_owned())), &made);
        prop_assert_eq!((&found.0, &found.1), (first, last));
    }

    #[test]
    fn distinct_exact_and_about(made in trades()) {
        let symbols: BTreeSet<&str> = made.iter().map(|m| m.symbol.as_str()).collect();
        let prices: BTreeSet<u64> = made.iter().map(|m| bits(m.price)).collect();
        let aggregate = (
            OVER.distinct(|t| t.symbol.to_owned()),
            OVER.distinct(|t| t.price),
            OVER.distinct_approx(|t| t.symbol.to_owned()),
            OVER.distinct_approx(|t| t.price),
        );
        let (symbol, price) = (symbols.len() as u64, prices.len() as u64);
        prop_assert_eq!(aggregated(&aggregate, &made), (symbol, price, symbol, price));
    }

    #[test]
    fn quantiles_within_their_accuracy(
        made in trades(), q in 0.0..=1.0, accuracy in proptest::sample::select(vec![0.2, 0.01, 0.001]),
    ) {
        prop_assume!(!made.is_empty());
        let order = |a: &f64, b: &f64| a.partial_cmp(b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()));
        let values = sorted(&made, |m| m.price, order);
        let exact = [q, 0.0, 1.0].map(|q| values[(q * (values.len() - 1) as f64).floor() as usize]);
        let about = aggregated(&OVER.quantiles([q, 0.0, 1.0], |t| t.price).accuracy(accuracy), &made);
        for (about, exact) in about.into_iter().zip(exact) {
            let alike = about == exact || about.is_nan() && exact.is_nan() || about == 0.0 && exact.abs() < 3e-308;
            prop_assert!(alike || (about - exact).abs() <= accuracy * exact.abs(), "{} for {}", about, exact);
        }
    }

    #[test]
    fn collect_fold_and_reduce(made in trades()) {
        let symbols: Vec<String> = made.iter().map(|m| m.symbol.clone()).collect();
        let (all, folded) = aggregated(
            &(OVER.collect(|t| t.symbol.to_owned()), OVER.fold(String::from(">"), |all, t| all + t.symbol)),
            &made,
        );
        prop_assert_eq!(&all, &symbols);
        prop_assert_eq!(folded, format!(">{}", symbols.concat()));
        if !made.is_empty() {
            let reduced = aggregated(&OVER.reduce(|t| t.symbol.to_owned(), |a, b| format!("({a},{b})")), &made);
            prop_assert_eq!(Some(reduced), symbols.into_iter().reduce(|a, b| format!("({a},{b})")));
        }
    }

    #[test]
    fn when_equals_the_aggregate_over_what_matches(made in trades(), units in 0..6_u8) {
        let matching: Vec<Made> = made.iter().filter(|m| m.units == units).cloned().collect();
        let aggregate = (
            OVER.count().when(move |t| t.units == units),
            (OVER.max(|t| t.items).when(move |t| t.units == units), OVER.mean(|t| t.items).when(move |t| t.units == units)),
            OVER.first(|t| t.items).when(move |t| t.units == units),
            OVER.quantiles([0.5], |t| t.items).when(move |t| t.units == units),
            OVER.collect(|t| t.items).when(move |t| t.units == units),
            OVER.count().when(move |t| t.units >= units).when(move |t| t.units <= units),
        );
        let plain = (
            (OVER.max(|t| t.items), OVER.mean(|t| t.items)),
            OVER.first(|t| t.items),
            OVER.quantiles([0.5], |t| t.items),
        );
        let some = (!matching.is_empty()).then(|| aggregated(&plain, &matching));
        let (max, first, median) = some.map_or(((None, None), None, None), |((a, b), c, d)| ((Some(a), Some(b)), Some(c), Some(d)));
        let (count, items) = (matching.len() as u64, matching.iter().map(|m| m.items).collect::<Vec<_>>());
        prop_assert_eq!(aggregated(&aggregate, &made), (count, max, first, median, items, count));
    }
}
