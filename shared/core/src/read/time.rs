//! Event times: what closures may return, and which are taken.

use std::fmt;

use crate::{EventTime, OutOfOrder, Reason, Record, Reject, millis};

/// What an event-time closure may return: epoch milliseconds, an [`EventTime`], or an `Option` or `Result` of one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an event time",
    note = "return epoch milliseconds (i64), EventTime, Option<_> or Result<_, E>"
)]
pub trait IntoEventTime {
    /// The event time.
    ///
    /// # Errors
    /// [`Reason::NoEventTime`] for `None` and for the closure's own error.
    fn into_event_time(self) -> Result<EventTime, Reject>;
}

impl IntoEventTime for i64 {
    fn into_event_time(self) -> Result<EventTime, Reject> {
        Ok(EventTime::from_millis(self))
    }
}

impl IntoEventTime for EventTime {
    fn into_event_time(self) -> Result<EventTime, Reject> {
        Ok(self)
    }
}

impl<T: IntoEventTime> IntoEventTime for Option<T> {
    fn into_event_time(self) -> Result<EventTime, Reject> {
        self.map_or_else(
            || Err(Reject::new(Reason::NoEventTime, "the event-time closure returned None")),
            T::into_event_time,
        )
    }
}

impl<T: IntoEventTime, E: fmt::Display> IntoEventTime for Result<T, E> {
    fn into_event_time(self) -> Result<EventTime, Reject> {
        match self {
            Ok(time) => time.into_event_time(),
            Err(e) => Err(Reject::new(Reason::NoEventTime, format!("the event-time closure failed: {e}"))),
        }
    }
}

/// The record's event time, if it may be taken.
pub(super) fn check(time: EventTime, out_of_order: OutOfOrder, record: &Record<'_>) -> Result<EventTime, Reject> {
    if !time.in_calendar() {
        let message =
            format!("event time {time} ms lies outside the years 1 to 9999; event times are milliseconds since 1970");
        return Err(Reject::new(Reason::TimeOutOfRange, message));
    }
    let latest = record.arrival.plus(millis(out_of_order.ahead()).unwrap_or(i64::MAX));
    if time > latest {
        let message = format!(
            "event time {time} lies more than {:?} past the record's arrival {}; mend the producer's clock, or raise \
             `max_ahead` of the pipeline",
            out_of_order.ahead(),
            record.arrival
        );
        return Err(Reject::new(Reason::TooFarAhead, message));
    }
    Ok(time)
}
