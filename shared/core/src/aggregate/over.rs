//! Where pipelines get their aggregates from.

use std::marker::PhantomData;

use super::{
    Collect, Count, Distinct, DistinctApprox, First, Fold, Kept, Last, Max, Mean, Min, Number, On, Quantiles, Rank,
    Reduce, Sum, Top,
};
use crate::Events;

/// Makes aggregates over the events of `E`. It knows the event type, so closures need no annotation and may borrow from
/// the event.
///
/// ```
/// use tidemill_core::aggregate::{Add, Aggregate, Over};
/// use tidemill_core::{EventTime, Mapped};
///
/// struct Sale { item: String, price: u32 }
///
/// let over = Over::<Mapped<Sale>>::new();
/// let aggregate = (
///     over.count(),
///     over.sum(|s| s.price).when(|s| s.price > 10),
///     over.max(|s| s.price).when(|s| s.price > 1_000),
///     over.top(2, |s| (s.price, s.item.clone())),
/// );
/// let mut state = aggregate.empty();
/// for (item, price) in [("tea", 7), ("pot", 30), ("cup", 12)] {
///     aggregate.add(&mut state, &Sale { item: item.to_owned(), price }, EventTime::from_millis(0))?;
/// }
/// let top = vec![(30, "pot".to_owned()), (12, "cup".to_owned())];
/// assert_eq!(aggregate.finish(&state), (3, 42, None, top));
/// # Ok::<(), tidemill_core::Reject>(())
/// ```
pub struct Over<E>(PhantomData<fn() -> E>);

impl<E> Clone for Over<E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for Over<E> {}

impl<E: Events> Default for Over<E> {
    fn default() -> Self {
        Self::new()
    }
}

impl<E: Events> Over<E> {
    /// For the events of `E`.
    pub const fn new() -> Self {
        Self(PhantomData)
    }

    /// The number of records.
    pub const fn count(self) -> On<E, Count> {
        On::new(Count)
    }

    /// The sum of a number; a record that would leave the range is quarantined.
    pub fn sum<N: Number, V>(self, value: V) -> On<E, Sum<N, V>>
    where
        V: for<'a, 'e> Fn(&'e E::Event<'a>) -> N,
    {
        On::new(Sum::over(value))
    }

    /// The arithmetic mean of a number, as `f64`.
    pub fn mean<N: Number, V>(self, value: V) -> On<E, Mean<N, V>>
    where
        V: for<'a, 'e> Fn(&'e E::Event<'a>) -> N,
    {
        On::new(Mean::over(value))
    }

    /// The smallest value; floats by `total_cmp`.
    pub fn min<N: Rank, V>(self, value: V) -> On<E, Min<N, V>>
    where
        V: for<'a, 'e> Fn(&'e E::Event<'a>) -> N,
    {
        On::new(Min::over(value))
    }

    /// The largest value; floats by `total_cmp`.
    pub fn max<N: Rank, V>(self, value: V) -> On<E, Max<N, V>>
    where
        V: for<'a, 'e> Fn(&'e E::Event<'a>) -> N,
    {
        On::new(Max::over(value))
    }

    /// The value of the record with the lowest event time; of equal times the one that arrived first.
    ///
    /// ```
    /// # use tidemill_core::aggregate::{Add, Aggregate, Over};
    /// # use tidemill_core::{EventTime, Mapped};
    /// let over = Over::<Mapped<&str>>::new();
    /// let aggregate = (over.first(|e| e.to_string()), over.last(|e| e.to_string()));
    /// let mut state = aggregate.empty();
    /// for (at, event) in [(20, "b"), (10, "a"), (20, "c")] {
    ///     aggregate.add(&mut state, &event, EventTime::from_millis(at))?;
    /// }
    /// assert_eq!(aggregate.finish(&state), ("a".to_owned(), "c".to_owned()));
    /// # Ok::<(), tidemill_core::Reject>(())
    /// ```
    pub fn first<T: Kept, V>(self, value: V) -> On<E, First<T, V>>
    where
        V: for<'a, 'e> Fn(&'e E::Event<'a>) -> T,
    {
        On::new(First::over(value))
    }

    /// The value of the record with the highest event time; of equal times the one that arrived last.
    pub fn last<T: Kept, V>(self, value: V) -> On<E, Last<T, V>>
    where
        V: for<'a, 'e> Fn(&'e E::Event<'a>) -> T,
    {
        On::new(Last::over(value))
    }

    /// The `k` largest values in descending order, of equals those that arrived first. What belongs to a value goes
    /// behind it in a tuple: `over.top(3, |s| (s.price, s.item.clone()))`.
    pub fn top<T: Rank, V>(self, k: usize, value: V) -> On<E, Top<T, V>>
    where
        V: for<'a, 'e> Fn(&'e E::Event<'a>) -> T,
    {
        On::new(Top::over(k, value))
    }

    /// The number of different values, exactly: each of them is kept.
    pub fn distinct<T: Rank, V>(self, value: V) -> On<E, Distinct<T, V>>
    where
        V: for<'a, 'e> Fn(&'e E::Event<'a>) -> T,
    {
        On::new(Distinct::over(value))
    }

    /// About the number of different values, in 3 KB at most: see [`DistinctApprox`].
    ///
    /// ```
    /// # use tidemill_core::aggregate::{Add, Aggregate, Over};
    /// # use tidemill_core::{EventTime, Mapped};
    /// let over = Over::<Mapped<u64>>::new();
    /// let aggregate = (over.distinct(|e| *e), over.distinct_approx(|e| *e), over.quantiles([0.5, 0.99], |e| *e));
    /// let mut state = aggregate.empty();
    /// for event in (1..=10_000).chain(1..=10_000) {
    ///     aggregate.add(&mut state, &event, EventTime::from_millis(0))?;
    /// }
    /// let (distinct, about, [median, p99]) = aggregate.finish(&state);
    /// assert_eq!(distinct, 10_000);
    /// assert!((9_600..10_400).contains(&about));
    /// assert!((4_950.0..5_050.0).contains(&median) && (9_800.0..10_000.0).contains(&p99));
    /// # Ok::<(), tidemill_core::Reject>(())
    /// ```
    pub fn distinct_approx<T: Rank, V>(self, value: V) -> On<E, DistinctApprox<T, V>>
    where
        V: for<'a, 'e> Fn(&'e E::Event<'a>) -> T,
    {
        On::new(DistinctApprox::over(value))
    }

    /// Quantiles of a number, each from 0 to 1, with a relative error of at most 1 %: see [`Quantiles`].
    pub fn quantiles<N: Number, V, const Q: usize>(self, quantiles: [f64; Q], value: V) -> On<E, Quantiles<N, V, Q>>
    where
        V: for<'a, 'e> Fn(&'e E::Event<'a>) -> N,
    {
        On::new(Quantiles::over(quantiles, value))
    }

    /// All values in the order of arrival.
    pub fn collect<T: Kept, V>(self, value: V) -> On<E, Collect<T, V>>
    where
        V: for<'a, 'e> Fn(&'e E::Event<'a>) -> T,
    {
        On::new(Collect::over(value))
    }

    /// A state of your own, made by `step` from the last one and each record, in the order of arrival. It merges once
    /// `.merging(..)` says how.
    ///
    /// ```
    /// # use tidemill_core::aggregate::{Add, Aggregate, Over};
    /// # use tidemill_core::{EventTime, Mapped};
    /// let over = Over::<Mapped<u8>>::new();
    /// let bits = over.fold(0_u8, |bits, e| bits | e).merging(|a, b| a | b);
    /// let longest = over.reduce(|e| vec![*e; usize::from(*e)], |a, b| if b.len() > a.len() { b } else { a });
    /// let aggregate = (bits, longest);
    /// let mut state = aggregate.empty();
    /// for event in [1, 4, 2] {
    ///     aggregate.add(&mut state, &event, EventTime::from_millis(0))?;
    /// }
    /// assert_eq!(aggregate.finish(&state), (7, vec![4; 4]));
    /// # Ok::<(), tidemill_core::Reject>(())
    /// ```
    pub fn fold<S: Kept, V>(self, init: S, step: V) -> On<E, Fold<S, V>>
    where
        V: for<'a, 'e> Fn(S, &'e E::Event<'a>) -> S,
    {
        On::new(Fold::over(init, step))
    }

    /// Values combined into one by `combine(earlier, later)`, in the order of arrival. `combine` must be associative.
    pub fn reduce<T: Kept, V, C>(self, value: V, combine: C) -> On<E, Reduce<T, V, C>>
    where
        V: for<'a, 'e> Fn(&'e E::Event<'a>) -> T,
        C: Fn(T, T) -> T,
    {
        On::new(Reduce::over(value, combine))
    }
}
