//! What is sent of a firing or of an event, and where to.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tidemill_core::aggregate::{Add, Aggregate};
use tidemill_core::operator::{AggregateWindows, EmitFn, Migrations, Pane, SideOutput};
use tidemill_core::window::Accepts;
use tidemill_core::{Delivery, Events, Key, Processor, Reason, Reject, Stateless, millis};

use super::draft::Draft;
use super::{OnBad, Sink, Windowed};

/// A pipeline with an aggregate: say what a result looks like.
pub struct Aggregated<E: Events, K, W, A: Aggregate> {
    pub(super) windowed: Windowed<E, K, W>,
    pub(super) aggregate: A,
    pub(super) migrations: Migrations<A::State>,
}

impl<E, K, W, A> Aggregated<E, K, W, A>
where
    E: Events,
    K: Key,
    W: Accepts<A>,
    A: Aggregate + for<'a> Add<E::Event<'a>>,
{
    /// Goes on with windows that an earlier version of the pipeline kept as `Old`: for an aggregate with another state, or
    /// one that means something else. The pipeline's own [`.version(n)`](Complete::version) must be a later one; window, key
    /// and operator stay. One call for each version of which state may be left:
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use serde::{Deserialize, Serialize};
    /// # use tidemill::{Json, Kinesis, OutOfOrder, Pipeline, Tumbling};
    /// # #[derive(Deserialize)]
    /// # struct Flight { departed_at: i64, origin: String, delay_min: i64 }
    /// # let windowed = Pipeline::named("departures")
    /// #     .source(Json::<Flight>::new())
    /// #     .event_time(|f| f.departed_at, OutOfOrder::at_most(Duration::from_hours(6)))
    /// #     .key_by(|f| f.origin.clone())
    /// #     .window(Tumbling::every(Duration::from_hours(1)));
    /// # windowed
    ///     // Version 1: `.aggregate(|over| (over.count(), over.sum(|f| f.delay_min)))`
    ///     .aggregate(|over| (over.count(), over.sum(|f| f.delay_min), over.max(|f| f.delay_min)))
    ///     .migrate_from(1, |(flights, delay): (u64, i64)| (flights, delay, None))
    ///     .emit(|pane, result| (pane.key, result))
    ///     .to(Kinesis::stream("departures"))
    ///     .version(2)
    /// #   .build()?;
    /// # Ok::<(), tidemill::PipelineError>(())
    /// ```
    ///
    /// `Old` is what the earlier aggregate's [`State`](Aggregate::State) stores: of a tuple a tuple of them, of count and
    /// sum a number, of min and max an `Option`, of a fold its value.
    ///
    /// Cells are migrated each time they are read, and stored anew when an event changes them or their part of the state is
    /// next written; each says which version wrote it. So keep the call as long as windows of that version may be open.
    /// Earlier code refuses a journal from this one's first commit on, and overwrites nothing: to roll back, deploy code
    /// that reads both, or restore an export.
    #[must_use]
    pub fn migrate_from<Old: DeserializeOwned + 'static>(
        mut self,
        version: u32,
        migrate: impl Fn(Old) -> A::State + Send + Sync + 'static,
    ) -> Self {
        if !self.migrations.add(version, migrate) {
            self.windowed.draft.problem(format!("state of version {version} is migrated twice: say once how"));
        }
        self
    }

    /// Makes the result of each pane from the key, the window and what was aggregated.
    pub fn emit<T, C>(self, emit: C) -> Results<T>
    where
        T: 'static,
        C: Fn(Pane<K>, A::Output) -> T + Send + Sync + 'static,
    {
        self.emit_with(move |deliver| Box::new(move |pane, output| deliver(emit(pane, output))))
    }

    /// Makes the result of each pane by a closure that may fail: the pane is then quarantined with its state.
    pub fn try_emit<T, X, C>(self, emit: C) -> Results<T>
    where
        T: 'static,
        X: fmt::Display,
        C: Fn(Pane<K>, A::Output) -> Result<T, X> + Send + Sync + 'static,
    {
        let failed = |e: X| Reject::new(Reason::Failed, format!("the emit closure failed: {e}"));
        self.emit_with(move |deliver| {
            Box::new(move |pane, output| emit(pane, output).map_err(failed).and_then(&deliver))
        })
    }

    /// Makes any number of results of each pane.
    pub fn emit_each<I, C>(self, emit: C) -> Results<I::Item>
    where
        I: IntoIterator,
        I::Item: 'static,
        C: Fn(Pane<K>, A::Output) -> I + Send + Sync + 'static,
    {
        self.emit_with(move |deliver| {
            Box::new(move |pane, output| {
                let mut deliveries = Vec::new();
                for result in emit(pane, output) {
                    deliveries.append(&mut deliver(result)?);
                }
                Ok(deliveries)
            })
        })
    }

    fn emit_with<T: 'static>(self, emit: impl FnOnce(Deliver<T>) -> EmitFn<K, A::Output> + 'static) -> Results<T> {
        let Windowed { draft, source, window, lateness, early } = self.windowed;
        let lateness = millis(lateness).unwrap_or(0);
        let (aggregate, migrations) = (self.aggregate, self.migrations);
        Results::of(draft, move |deliver| {
            AggregateWindows { window, aggregate, lateness, early, migrations, emit: emit(deliver) }.over(source)
        })
    }
}

/// Encodes a result for its sinks.
pub(super) type Deliver<T> = Box<dyn Fn(T) -> Result<Vec<Delivery>, Reject> + Send + Sync>;

pub(super) fn json<T: Serialize>(result: &T) -> Result<Vec<u8>, Reject> {
    serde_json::to_vec(result)
        .map_err(|e| Reject::new(Reason::OutputRefused, format!("the result cannot be written as JSON: {e}")))
}

/// What runs a pipeline, without its types.
pub(crate) enum Engine {
    /// With keys, state and a journal.
    Keyed(Box<dyn Processor>),
    /// Record by record.
    Stateless(Box<dyn Stateless>),
}

/// Makes the engine once it is known where results go.
type Finish<T> = Box<dyn FnOnce(Deliver<T>, BTreeMap<&'static str, u16>) -> Engine>;

/// A pipeline with results of type `T`: say where they go.
///
/// Steps apply in the order in which they are written: what `branch` takes does not come to what follows it.
pub struct Results<T> {
    draft: Draft,
    finish: Finish<T>,
    takes_sides: bool,
}

impl<T: 'static> Results<T> {
    pub(super) fn of(draft: Draft, finish: impl FnOnce(Deliver<T>) -> Box<dyn Processor> + 'static) -> Self {
        Self { draft, finish: Box::new(move |deliver, _| Engine::Keyed(finish(deliver))), takes_sides: false }
    }

    pub(super) fn with_sides(
        draft: Draft,
        finish: impl FnOnce(Deliver<T>, BTreeMap<&'static str, u16>) -> Box<dyn Processor> + 'static,
    ) -> Self {
        let finish = move |deliver, sides| Engine::Keyed(finish(deliver, sides));
        Self { draft, finish: Box::new(finish), takes_sides: true }
    }

    pub(super) fn stateless(draft: Draft, finish: impl FnOnce(Deliver<T>) -> Box<dyn Stateless> + 'static) -> Self {
        Self { draft, finish: Box::new(move |deliver, _| Engine::Stateless(finish(deliver))), takes_sides: false }
    }

    /// What lies behind this step, `before` made of what is to be done with its results.
    fn then<U: 'static>(self, before: impl FnOnce(Deliver<U>) -> Deliver<T> + 'static) -> Results<U> {
        let Self { draft, finish, takes_sides } = self;
        Results { draft, finish: Box::new(move |deliver, sides| finish(before(deliver), sides)), takes_sides }
    }

    /// Keeps the results that the closure says yes to.
    #[must_use]
    pub fn filter(self, keep: impl Fn(&T) -> bool + Send + Sync + 'static) -> Self {
        self.then(|deliver| Box::new(move |result| if keep(&result) { deliver(result) } else { Ok(Vec::new()) }))
    }

    /// Makes one result of each.
    pub fn map<U: 'static>(self, map: impl Fn(T) -> U + Send + Sync + 'static) -> Results<U> {
        self.then(|deliver| Box::new(move |result| deliver(map(result))))
    }

    /// Sends the results that the closure says yes to to another sink, and only there.
    #[must_use]
    pub fn branch(mut self, goes: impl Fn(&T) -> bool + Send + Sync + 'static, sink: impl Into<Sink>) -> Self
    where
        T: Serialize,
    {
        let sink = self.draft.further_sink(sink.into());
        self.then(move |deliver| {
            Box::new(move |result| match goes(&result) {
                true => Ok(vec![Delivery { sink, value: json(&result)? }]),
                false => deliver(result),
            })
        })
    }

    /// Sends all results to another sink, too.
    #[must_use]
    pub fn also_to(mut self, sink: impl Into<Sink>) -> Self
    where
        T: Serialize,
    {
        let sink = self.draft.further_sink(sink.into());
        self.then(move |deliver| {
            Box::new(move |result| {
                let mut deliveries = vec![Delivery { sink, value: json(&result)? }];
                deliveries.append(&mut deliver(result)?);
                Ok(deliveries)
            })
        })
    }

    /// Says where a side output of the process function goes.
    #[must_use]
    pub fn side<S>(mut self, output: SideOutput<S>, sink: impl Into<Sink>) -> Self {
        if !self.takes_sides {
            self.draft.problem(format!("side output {:?}: only process functions have side outputs", output.name()));
        }
        let number = self.draft.further_sink(sink.into());
        if self.draft.sides.insert(output.name(), number).is_some() {
            self.draft.problem(format!("two side outputs are called {:?}: give one another name", output.name()));
        }
        self
    }

    /// Sends the results to a stream or a table.
    pub fn to(mut self, sink: impl Into<Sink>) -> Complete
    where
        T: Serialize,
    {
        let sinks = self.draft.finish_sinks(sink.into());
        let sides = std::mem::take(&mut self.draft.sides);
        let deliver: Deliver<T> = Box::new(|result| Ok(vec![Delivery { sink: 0, value: json(&result)? }]));
        let engine = (self.finish)(deliver, sides);
        Complete { draft: self.draft, engine, sinks, on_bad: OnBad::default(), version: 1 }
    }
}

impl<T: 'static> Results<Option<T>> {
    /// Leaves out what is none.
    pub(super) fn flatten(self) -> Results<T> {
        self.then(|deliver| Box::new(move |result: Option<T>| result.map_or_else(|| Ok(Vec::new()), &deliver)))
    }
}

/// A pipeline with all that it needs: [`build`](Complete::build) it.
pub struct Complete {
    pub(super) draft: Draft,
    pub(super) engine: Engine,
    pub(super) sinks: Vec<Sink>,
    pub(super) on_bad: OnBad,
    pub(super) version: u32,
}
