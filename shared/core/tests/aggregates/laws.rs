//! What holds for every aggregate: states survive being stored, and merge associatively.

use proptest::prelude::*;
use tidemill_core::aggregate::{Add, Aggregate, Merge};
use tidemill_core::codec;

use crate::{Made, OVER, Trade, cases, trades};

/// The bytes of a state: what two equal states have in common.
fn bytes<A: Aggregate>(_: &A, state: &A::State) -> Vec<u8> {
    codec::encode(state).expect("encodes")
}

fn state<A: Aggregate + for<'a> Add<Trade<'a>>>(aggregate: &A, made: &[Made]) -> A::State {
    made.iter().fold(aggregate.empty(), |mut state, made| {
        aggregate.add(&mut state, &made.trade(), made.time()).expect("adds");
        state
    })
}

fn merged<A: Merge>(aggregate: &A, mut into: A::State, from: A::State) -> A::State {
    aggregate.merge(&mut into, from).expect("merges");
    into
}

/// Stored and read before each record, the state comes out the same.
fn survives_storage<A: Aggregate + for<'a> Add<Trade<'a>>>(aggregate: &A, made: &[Made]) {
    let stored = made.iter().fold(aggregate.empty(), |state, made| {
        let mut state: A::State = codec::decode(&bytes(aggregate, &state)).expect("decodes");
        aggregate.add(&mut state, &made.trade(), made.time()).expect("adds");
        state
    });
    assert_eq!(bytes(aggregate, &stored), bytes(aggregate, &state(aggregate, made)), "{}", aggregate.schema());
}

/// The three parts, kept apart.
struct Parts<'m>([&'m [Made]; 3]);

impl<'m> Parts<'m> {
    fn of(made: &'m [Made], cuts: (prop::sample::Index, prop::sample::Index)) -> Self {
        let (first, second) = (cuts.0.index(made.len() + 1), cuts.1.index(made.len() + 1));
        let (from, to) = (first.min(second), first.max(second));
        Self([&made[..from], &made[from..to], &made[to..]])
    }

    /// (a + b) + c = a + (b + c), also with states that were stored; and empty + a = a = a + empty.
    fn associative<A: Merge + for<'a> Add<Trade<'a>>>(&self, aggregate: &A) -> Vec<u8> {
        let [a, b, c] = self.0.map(|part| state(aggregate, part));
        let stored = |state: &A::State| codec::decode::<A::State>(&bytes(aggregate, state)).expect("decodes");
        let left = merged(aggregate, merged(aggregate, stored(&a), b.clone()), stored(&c));
        let right = merged(aggregate, a.clone(), merged(aggregate, stored(&b), c));
        let left = bytes(aggregate, &left);
        assert_eq!(left, bytes(aggregate, &right), "{}", aggregate.schema());
        let with_empty = merged(aggregate, merged(aggregate, aggregate.empty(), a.clone()), aggregate.empty());
        assert_eq!(bytes(aggregate, &with_empty), bytes(aggregate, &a), "{}", aggregate.schema());
        left
    }

    /// Merging gives what adding all in order gives, and is associative.
    fn merge<A: Merge + for<'a> Add<Trade<'a>>>(&self, aggregate: &A) {
        let all = state(aggregate, &self.0.concat());
        assert_eq!(self.associative(aggregate), bytes(aggregate, &all), "{}", aggregate.schema());
    }

    /// That, and a + b = b + a.
    fn commute<A: Merge + for<'a> Add<Trade<'a>>>(&self, aggregate: &A) {
        self.merge(aggregate);
        let [a, b, _] = self.0.map(|part| state(aggregate, part));
        let there = merged(aggregate, a.clone(), b.clone());
        assert_eq!(bytes(aggregate, &there), bytes(aggregate, &merged(aggregate, b, a)), "{}", aggregate.schema());
    }

    /// That, and a + a = a.
    fn idempotent<A: Merge + for<'a> Add<Trade<'a>>>(&self, aggregate: &A) {
        self.commute(aggregate);
        let a = state(aggregate, self.0[0]);
        let twice = merged(aggregate, a.clone(), a.clone());
        assert_eq!(bytes(aggregate, &twice), bytes(aggregate, &a), "{}", aggregate.schema());
    }
}

fn cuts() -> impl Strategy<Value = (prop::sample::Index, prop::sample::Index)> {
    any::<(prop::sample::Index, prop::sample::Index)>()
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn states_can_be_stored_at_any_point(made in trades()) {
        survives_storage(&OVER.count(), &made);
        survives_storage(&(OVER.sum(|t| t.price), OVER.mean(|t| t.price)), &made);
        survives_storage(&(OVER.min(|t| t.price), OVER.max(|t| t.symbol.to_owned())), &made);
        survives_storage(&(OVER.first(|t| t.items), OVER.last(|t| t.items)), &made);
        survives_storage(&OVER.top(3, |t| (t.units, t.symbol.to_owned())), &made);
        survives_storage(&OVER.distinct(|t| (t.price, t.symbol.to_owned())), &made);
        survives_storage(&OVER.distinct_approx(|t| t.items).precision(4), &made);
        survives_storage(&OVER.quantiles([0.5], |t| t.price), &made);
        survives_storage(&OVER.collect(|t| t.symbol.to_owned()), &made);
        survives_storage(&OVER.fold(String::new(), |all, t| all + t.symbol), &made);
        survives_storage(&OVER.reduce(|t| t.symbol.to_owned(), |a, b| a + &b), &made);
        survives_storage(&OVER.min(|t| t.items).when(|t| t.units == 0), &made);
    }

    #[test]
    fn these_merge_associatively_to_what_adding_gives(made in trades(), cuts in cuts()) {
        let parts = Parts::of(&made, cuts);
        parts.merge(&(OVER.first(|t| t.items), OVER.last(|t| t.items)));
        parts.merge(&OVER.collect(|t| t.symbol.to_owned()));
        parts.merge(&OVER.fold(String::new(), |all, t| all + t.symbol).merging(|a, b| a + &b));
        parts.merge(&OVER.reduce(|t| t.symbol.to_owned(), |a, b| a + &b));
        parts.merge(&OVER.collect(|t| t.units).when(|t| t.symbol.is_empty()));
    }

    #[test]
    fn these_commute_as_well(made in trades(), cuts in cuts()) {
        let parts = Parts::of(&made, cuts);
        parts.commute(&(OVER.count(), OVER.sum(|t| t.items), OVER.mean(|t| t.units)));
        parts.commute(&OVER.top(3, |t| (t.units, t.price)));
        parts.commute(&OVER.quantiles([0.1, 0.9], |t| t.price));
        parts.commute(&OVER.sum(|t| t.units).when(|t| t.items > 0));
        parts.idempotent(&(OVER.min(|t| t.price), OVER.max(|t| t.price)));
        parts.idempotent(&OVER.distinct(|t| (t.units, t.symbol.to_owned())));
        parts.idempotent(&OVER.distinct_approx(|t| (t.units, t.symbol.to_owned())).precision(4));
        parts.idempotent(&OVER.distinct_approx(|t| t.items).precision(6));
    }

    #[test]
    fn first_and_last_commute_where_no_times_are_shared(made in trades(), late in trades()) {
        let later = late.into_iter().map(|made| Made { at: made.at + 8, ..made });
        let all: Vec<_> = made.iter().cloned().chain(later).collect();
        let parts = Parts([&all[..made.len()], &all[made.len()..], &[]]);
        parts.commute(&(OVER.first(|t| t.symbol.to_owned()), OVER.last(|t| t.symbol.to_owned())));
    }

    #[test]
    fn float_sums_merge_to_within_rounding(prices in proptest::collection::vec(-1e6..1e6, 1..40), at in any::<prop::sample::Index>()) {
        let made: Vec<_> = prices.iter().map(|price| Made { at: 0, symbol: String::new(), price: *price, items: 0, units: 0 }).collect();
        let (a, b) = made.split_at(at.index(made.len()));
        let aggregate = (OVER.sum(|t| t.price), OVER.mean(|t| t.price));
        let merged = merged(&aggregate, state(&aggregate, a), state(&aggregate, b));
        let (sum, mean) = aggregate.finish(&merged);
        let exact = prices.iter().sum::<f64>();
        prop_assert!((sum - exact).abs() < 1e-6 && (mean - exact / prices.len() as f64).abs() < 1e-6);
    }
}
