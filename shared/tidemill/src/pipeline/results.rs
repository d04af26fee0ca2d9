//! What is sent when a window closes, and where to.

use std::fmt;
use std::marker::PhantomData;

use serde::Serialize;
use tidemill_core::aggregate::{Add, Aggregate};
use tidemill_core::operator::{AggregateWindows, EmitFn, Pane};
use tidemill_core::window::{Accepts, Window};
use tidemill_core::{Format, Key, Reason, Reject};

use super::draft::Draft;
use super::{Kinesis, OnBad, Windowed};

/// A pipeline with an aggregate: say what a result looks like.
pub struct Aggregated<F: Format, K, W, A> {
    pub(super) windowed: Windowed<F, K, W>,
    pub(super) aggregate: A,
}

impl<F, K, W, A> Aggregated<F, K, W, A>
where
    F: Format,
    K: Key,
    W: Window + Accepts<A>,
    A: Aggregate + for<'a> Add<F::Event<'a>>,
{
    /// Makes the result of each pane from the key, the window and what was aggregated.
    pub fn emit<T, C>(self, emit: C) -> Results<T>
    where
        T: Serialize,
        C: Fn(Pane<K>, A::Output) -> T + Send + Sync + 'static,
    {
        self.emit_with(Box::new(move |pane, output| json(&emit(pane, output)).map(Some)))
    }

    /// Makes the result of each pane by a closure that may fail: the pane is then quarantined with its state.
    pub fn try_emit<T, E, C>(self, emit: C) -> Results<T>
    where
        T: Serialize,
        E: fmt::Display,
        C: Fn(Pane<K>, A::Output) -> Result<T, E> + Send + Sync + 'static,
    {
        let failed = |e: E| Reject::new(Reason::Failed, format!("the emit closure failed: {e}"));
        self.emit_with(Box::new(move |pane, output| {
            emit(pane, output).map_err(failed).and_then(|result| json(&result)).map(Some)
        }))
    }

    fn emit_with<T>(self, emit: EmitFn<K, A::Output>) -> Results<T> {
        let Windowed { mut draft, ingest, window } = self.windowed;
        draft.processor = Some(AggregateWindows { ingest, window, aggregate: self.aggregate, emit }.erase());
        Results { draft, result: PhantomData }
    }
}

fn json<T: Serialize>(result: &T) -> Result<Vec<u8>, Reject> {
    serde_json::to_vec(result)
        .map_err(|e| Reject::new(Reason::OutputRefused, format!("the result cannot be written as JSON: {e}")))
}

/// A pipeline with results of type `T`: say where they go.
pub struct Results<T> {
    draft: Draft,
    result: PhantomData<fn() -> T>,
}

impl<T: Serialize> Results<T> {
    /// Sends the results to a stream.
    pub fn to(self, sink: Kinesis) -> Complete {
        Complete { draft: self.draft, results: sink, on_bad: OnBad::default(), version: 1 }
    }
}

/// A pipeline with all that it needs: [`build`](Complete::build) it.
pub struct Complete {
    pub(super) draft: Draft,
    pub(super) results: Kinesis,
    pub(super) on_bad: OnBad,
    pub(super) version: u32,
}
