//! What the source carries, and where its event time stands.

use tidemill_core::{Format, IntoEventTime, OutOfOrder};

use super::Timed;
use super::draft::Draft;

/// A pipeline with a name: say what its source carries.
pub struct Named(pub(super) Draft);

impl Named {
    /// The format of the source's payloads.
    pub fn source<F: Format>(self, format: F) -> Sourced<F> {
        Sourced { draft: self.0, format }
    }
}

/// A pipeline with a source: say where the event time stands.
pub struct Sourced<F> {
    draft: Draft,
    format: F,
}

impl<F: Format> Sourced<F> {
    /// Takes the event time from each event: epoch milliseconds (`i64`), [`EventTime`](crate::EventTime), or an `Option`
    /// or `Result` of one. Without one the record is quarantined.
    ///
    /// `out_of_order` says how far behind the highest event time of their shard records may come: larger means later
    /// results, smaller means more late records.
    pub fn event_time<T, R>(mut self, time: T, out_of_order: OutOfOrder) -> Timed<F>
    where
        T: for<'a, 'e> Fn(&'e F::Event<'a>) -> R + Send + Sync + 'static,
        R: IntoEventTime,
    {
        self.draft.check_bounds(out_of_order);
        Timed {
            draft: self.draft,
            format: self.format,
            time: Box::new(move |event| time(event).into_event_time()),
            out_of_order,
        }
    }
}
