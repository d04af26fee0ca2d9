//! From a record to its events: decode, take the event time, and what stages make of the event; then key and route.

mod decode;
mod keying;
mod stage;
mod time;

pub use decode::{Decode, DecodeTimed, Tagged, TimeFn};
pub(crate) use keying::Subject;
pub use keying::{IdFn, KeyFn, Keying, Route, RouteFn};
pub use stage::{Enrich, Filter, FlatMap, Map, TryMap, events};
pub use time::IntoEventTime;

use crate::{EventTime, Events, Record, Reject, Sent};

/// Takes an event and its time; an error refuses the whole record.
pub type Each<'e, 'a, E> = dyn FnMut(EventTime, <E as Events>::Event<'a>) -> Result<(), Reject> + 'e;

/// How far a record could be read.
#[derive(Debug)]
pub enum Reading {
    /// No usable event time: it does not raise the watermark.
    Refused(Reject),
    /// It has one, and its events were taken or refused.
    Timed {
        /// The record's event time.
        time: EventTime,
        /// Which of several inputs it belongs to, by index, where watermarks are kept by input.
        tag: Option<usize>,
        /// Whether all of its events were taken.
        taken: Result<(), Reject>,
    },
}

/// Reads records: the source's format and the stages behind it. The event time is taken at the source, before stages.
pub trait Read<E: Events>: Send + Sync + 'static {
    /// Gives each event of the record to `each`, in order.
    fn read<'a>(&self, record: &Record<'a>, each: &mut Each<'_, 'a, E>) -> Reading;

    /// Which output of another pipeline the record is, if its format tells.
    ///
    /// # Errors
    /// If it says that it is one but not which.
    fn sent<'a>(&self, record: &Record<'a>) -> Result<Option<Sent<'a>>, Reject>;
}
