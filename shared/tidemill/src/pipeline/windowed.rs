//! A pipeline that groups by windows.

use std::time::Duration;

use tidemill_core::aggregate::{Add, Aggregate, Collect, Kept, Over, Sides};
use tidemill_core::operator::{Early, Migrations, Pane, Side};
use tidemill_core::window::{Accepts, Keeping, Window};
use tidemill_core::{Events, Key, Source};

use super::draft::Draft;
use super::{Aggregated, Results, Sink};

/// A pipeline with windows: say what is kept of the events of a window.
pub struct Windowed<E: Events, K, W> {
    pub(super) draft: Draft,
    pub(super) source: Source<E, K>,
    pub(super) window: W,
    pub(super) lateness: Duration,
    pub(super) early: Option<Early>,
}

impl<E: Events, K: Key, W: Window> Windowed<E, K, W> {
    /// Keeps a window's state this long after it closed, in event time: each record that comes meanwhile gives another
    /// result at once, of all its records. Zero unless set.
    #[must_use]
    pub fn allowed_lateness(mut self, lateness: Duration) -> Self {
        self.draft.check_duration("the allowed lateness", lateness);
        Self { lateness, ..self }
    }

    /// Sends late records, as they came, to a stream of their own. Without it they are counted and dropped.
    #[must_use]
    pub fn late_to(mut self, sink: impl Into<Sink>) -> Self {
        self.draft.late = Some(sink.into());
        self
    }

    /// Gives results also before a window closes.
    #[must_use]
    pub fn early(mut self, early: Early) -> Self {
        early.problems().into_iter().for_each(|problem| self.draft.problem(problem));
        Self { early: Some(early), ..self }
    }

    /// Aggregates the events of each window:
    /// `|over| (over.count(), over.sum(|f| f.delay_min), over.max(|f| f.delay_min))`.
    pub fn aggregate<A>(self, aggregate: impl FnOnce(Over<E>) -> A) -> Aggregated<E, K, W, A>
    where
        A: Aggregate + for<'a> Add<E::Event<'a>>,
        W: Accepts<A>,
    {
        self.aggregate_with(aggregate(Over::new()))
    }

    /// Aggregates by a value of your own `impl Aggregate`.
    pub fn aggregate_with<A>(mut self, aggregate: A) -> Aggregated<E, K, W, A>
    where
        A: Aggregate + for<'a> Add<E::Event<'a>>,
        W: Accepts<A>,
    {
        aggregate.problems().into_iter().for_each(|problem| self.draft.problem(problem));
        if matches!(Accepts::<A>::keeping(&self.window), Keeping::Whole(_))
            && (self.early.is_some() || !self.lateness.is_zero())
        {
            self.draft.problem(
                "a global window has no end, so neither early results nor allowed lateness: it fires by count alone"
                    .to_owned(),
            );
        }
        self.aggregating(aggregate)
    }

    fn aggregating<A: Aggregate>(self, aggregate: A) -> Aggregated<E, K, W, A> {
        Aggregated { windowed: self, aggregate, migrations: Migrations::default() }
    }

    /// Keeps all events of each window, and makes any number of results of them when it fires.
    pub fn process<T, I, C>(self, process: C) -> Results<I::Item>
    where
        T: Kept,
        E: for<'a> Events<Event<'a> = T>,
        W: Accepts<Collect<T, fn(&T) -> T>>,
        I: IntoIterator,
        I::Item: 'static,
        C: Fn(Pane<K>, Vec<T>) -> I + Send + Sync + 'static,
    {
        self.aggregate_with(Collect::of::<T>(T::clone as fn(&T) -> T)).emit_each(process)
    }

    /// Keeps what the closure says of both sides' events of each window, for a join:
    /// `.join(|event| match event { Event::Order(o) => Some(Side::Left(o.clone())), … })`.
    pub fn join<L, R, C>(self, side: C) -> Joined<E, K, W, Sides<L, R, C>>
    where
        L: Kept,
        R: Kept,
        C: for<'a, 'e> Fn(&'e E::Event<'a>) -> Option<Side<L, R>> + Send + Sync + 'static,
        W: Accepts<Sides<L, R, C>>,
    {
        Joined(self.aggregating(Sides::by(side)))
    }
}

/// A pipeline that joins by windows: say which pairs give results.
pub struct Joined<E: Events, K, W, A: Aggregate>(Aggregated<E, K, W, A>);

impl<E, K, W, L, R, C> Joined<E, K, W, Sides<L, R, C>>
where
    E: Events,
    K: Key,
    L: Kept,
    R: Kept,
    C: for<'a, 'e> Fn(&'e E::Event<'a>) -> Option<Side<L, R>> + Send + Sync + 'static,
    W: Accepts<Sides<L, R, C>>,
    Sides<L, R, C>: Aggregate<Output = (Vec<L>, Vec<R>)> + for<'a> Add<E::Event<'a>>,
{
    /// A result of each pair.
    pub fn inner<T, M>(self, emit: M) -> Results<T>
    where
        T: 'static,
        M: Fn(&Pane<K>, &L, &R) -> T + Send + Sync + 'static,
    {
        self.0.emit_each(move |pane, (left, right)| {
            let pair = |(left, right)| emit(&pane, left, right);
            left.iter().flat_map(|left| right.iter().map(move |right| (left, right))).map(pair).collect::<Vec<_>>()
        })
    }

    /// A result of each pair, and of each left event without a right one.
    pub fn left<T, M>(self, emit: M) -> Results<T>
    where
        T: 'static,
        M: Fn(&Pane<K>, &L, Option<&R>) -> T + Send + Sync + 'static,
    {
        self.full(move |pane, left, right| left.map(|left| emit(pane, left, right))).flatten()
    }

    /// A result of each pair, and of each event without one of the other side.
    pub fn full<T, M>(self, emit: M) -> Results<T>
    where
        T: 'static,
        M: Fn(&Pane<K>, Option<&L>, Option<&R>) -> T + Send + Sync + 'static,
    {
        self.0.emit_each(move |pane, (left, right)| {
            let mut results = Vec::new();
            for left in &left {
                results.extend(right.iter().map(|right| emit(&pane, Some(left), Some(right))));
                results.extend(right.is_empty().then(|| emit(&pane, Some(left), None)));
            }
            results.extend(right.iter().filter(|_| left.is_empty()).map(|right| emit(&pane, None, Some(right))));
            results
        })
    }
}
