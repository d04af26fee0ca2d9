//! How payloads become events.

use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use tidemill_core::{Format, IntoEventTime, OutOfOrder, Reason, Reject};

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

/// JSON payloads as an owned type.
pub struct Json<T>(PhantomData<fn() -> T>);

impl<T: DeserializeOwned + 'static> Json<T> {
    /// Payloads are JSON of `T`. Declare only the fields that you use: the rest is skipped, and that is faster.
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T: DeserializeOwned + 'static> Default for Json<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: DeserializeOwned + 'static> Format for Json<T> {
    type Event<'a> = T;

    fn decode(&self, payload: &[u8]) -> Result<T, Reject> {
        serde_json::from_slice(payload).map_err(undecodable)
    }
}

/// A type that borrows from its payload, named by its `'static` form. Implemented by [`borrows!`](crate::borrows).
pub trait Borrows: 'static {
    /// The type with the payload's lifetime.
    type Of<'a>: Deserialize<'a>;
}

/// Lets a type with one lifetime be used with [`JsonRef`]: `tidemill::borrows!(FlightRef);`.
#[macro_export]
macro_rules! borrows {
    ($type:ident) => {
        impl $crate::Borrows for $type<'static> {
            type Of<'a> = $type<'a>;
        }
    };
}

/// JSON payloads as a type that borrows its strings from them: `JsonRef::<FlightRef>::new()`.
///
/// A string with escapes cannot be borrowed as `&str`; use `Cow<'a, str>` where they may come.
pub struct JsonRef<B>(PhantomData<fn() -> B>);

impl<B: Borrows> JsonRef<B> {
    /// Payloads are JSON of the borrowing type.
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<B: Borrows> Default for JsonRef<B> {
    fn default() -> Self {
        Self::new()
    }
}

impl<B: Borrows> Format for JsonRef<B> {
    type Event<'a> = B::Of<'a>;

    fn decode<'a>(&self, payload: &'a [u8]) -> Result<B::Of<'a>, Reject> {
        serde_json::from_slice(payload).map_err(undecodable)
    }
}

fn undecodable(error: serde_json::Error) -> Reject {
    Reject::new(Reason::Undecodable, error.to_string())
}
