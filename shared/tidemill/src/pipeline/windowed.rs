//! A pipeline that groups by windows.

use tidemill_core::aggregate::{Add, Aggregate, Over};
use tidemill_core::window::{Accepts, Window};
use tidemill_core::{Format, Ingest, Key};

use super::draft::Draft;
use super::{Aggregated, Kinesis};

/// A pipeline with windows: say what is kept of the events of a window.
pub struct Windowed<F: Format, K, W> {
    pub(super) draft: Draft,
    pub(super) ingest: Ingest<F, K>,
    pub(super) window: W,
}

impl<F: Format, K: Key, W: Window> Windowed<F, K, W> {
    /// Sends late records, as they came, to a stream of their own. Without it they are counted and dropped.
    #[must_use]
    pub fn late_to(mut self, sink: Kinesis) -> Self {
        self.draft.late = Some(sink);
        self
    }

    /// Aggregates the events of each window:
    /// `|over| (over.count(), over.sum(|f| f.delay_min), over.max(|f| f.delay_min))`.
    pub fn aggregate<A>(self, aggregate: impl FnOnce(Over<F>) -> A) -> Aggregated<F, K, W, A>
    where
        A: Aggregate + for<'a> Add<F::Event<'a>>,
        W: Accepts<A>,
    {
        self.aggregate_with(aggregate(Over::new()))
    }

    /// Aggregates by a value of your own `impl Aggregate`.
    pub fn aggregate_with<A>(self, aggregate: A) -> Aggregated<F, K, W, A>
    where
        A: Aggregate + for<'a> Add<F::Event<'a>>,
        W: Accepts<A>,
    {
        Aggregated { windowed: self, aggregate }
    }
}
