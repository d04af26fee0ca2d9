//! From a record to (event, event time, key): the checks that every keyed pipeline makes before its operator.

use std::borrow::Cow;
use std::fmt;

use crate::reject::guard;
use crate::{EventTime, Format, Key, OutOfOrder, Reason, Record, Reject, millis};

/// An erased event-time closure.
pub type TimeFn<F> = Box<dyn for<'a, 'e> Fn(&'e <F as Format>::Event<'a>) -> Result<EventTime, Reject> + Send + Sync>;
/// An erased key closure.
pub type KeyFn<F, K> = Box<dyn for<'a, 'e> Fn(&'e <F as Format>::Event<'a>) -> Result<K, Reject> + Send + Sync>;
/// An erased routing closure: the partition key under which the producer puts a key's records.
pub type RouteFn<K> = Box<dyn for<'k> Fn(&'k K) -> Cow<'k, str> + Send + Sync>;

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

/// Decodes records and takes their event time and key.
pub struct Ingest<F: Format, K> {
    format: F,
    time: TimeFn<F>,
    out_of_order: OutOfOrder,
    key: KeyFn<F, K>,
    route: RouteFn<K>,
}

/// A record as far as it could be read. Only a record that comes as far as `Timed` raises the watermark.
pub(crate) enum Intake<'a, F: Format, K> {
    /// No usable time, or not a record of this shard: it does not raise the watermark.
    Refused(Reject),
    /// It has a time, but its key or routing closure failed: it raises the watermark all the same.
    Keyless(EventTime, Reject),
    /// All of it.
    Timed(Event<'a, F, K>),
}

/// A decoded record with its time and key.
pub(crate) struct Event<'a, F: Format, K> {
    pub(crate) event: F::Event<'a>,
    pub(crate) time: EventTime,
    pub(crate) key: K,
}

impl<F: Format, K: Key> Ingest<F, K> {
    /// Decodes with `format`, then asks the closures. The duration limits in `out_of_order` are those of
    /// [`millis`]; longer ones count as unlimited.
    pub fn new(format: F, time: TimeFn<F>, out_of_order: OutOfOrder, key: KeyFn<F, K>, route: RouteFn<K>) -> Self {
        Self { format, time, out_of_order, key, route }
    }

    /// The out-of-orderness bound in milliseconds.
    pub(crate) fn bound(&self) -> i64 {
        millis(self.out_of_order.bound()).unwrap_or(i64::MAX)
    }

    /// The partition key under which records (and so results) of `key` travel.
    pub(crate) fn partition_key<'k>(&self, key: &'k K) -> Cow<'k, str> {
        (self.route)(key)
    }

    pub(crate) fn payload_partition_key(&self, payload: &[u8]) -> Option<String> {
        let event = guard("decoding", || self.format.decode(payload)).ok()?;
        let key = guard("the key closure", || (self.key)(&event)).ok()?;
        Some((self.route)(&key).into_owned())
    }

    pub(crate) fn read<'a>(&self, record: &Record<'a>) -> Intake<'a, F, K> {
        let event = match guard("decoding", || self.format.decode(record.payload)) {
            Ok(event) => event,
            Err(reject) => return Intake::Refused(reject),
        };
        let time =
            match guard("the event-time closure", || (self.time)(&event)).and_then(|t| self.check_time(t, record)) {
                Ok(time) => time,
                Err(reject) => return Intake::Refused(reject),
            };
        let key = match guard("the key closure", || (self.key)(&event)) {
            Ok(key) => key,
            Err(reject) => return Intake::Keyless(time, reject),
        };
        match guard("the routing closure", || Ok((self.route)(&key) == record.partition_key)) {
            Ok(true) => Intake::Timed(Event { event, time, key }),
            Ok(false) => Intake::Refused(self.misrouted(&key, record.partition_key)),
            Err(reject) => Intake::Keyless(time, reject),
        }
    }

    fn check_time(&self, time: EventTime, record: &Record<'_>) -> Result<EventTime, Reject> {
        if !time.in_calendar() {
            let message = format!(
                "event time {time} ms lies outside the years 1 to 9999; event times are milliseconds since 1970"
            );
            return Err(Reject::new(Reason::TimeOutOfRange, message));
        }
        let latest = record.arrival.plus(millis(self.out_of_order.ahead()).unwrap_or(i64::MAX));
        if time > latest {
            let message = format!(
                "event time {time} lies more than {:?} past the record's arrival {}; mend the producer's clock, or raise \
                 `max_ahead` of the pipeline",
                self.out_of_order.ahead(),
                record.arrival
            );
            return Err(Reject::new(Reason::TooFarAhead, message));
        }
        Ok(time)
    }

    fn misrouted(&self, key: &K, partition_key: &str) -> Reject {
        let expected = (self.route)(key);
        let key_text = guard("the key's text", || Ok(key.text())).unwrap_or_else(|reject| reject.message);
        let message = format!(
            "key {key_text} must come under partition key {expected:?}, but the record has {partition_key:?}: records of \
             one key must share a shard. Put them with partition key {expected:?}, declare the one in use with \
             `.routed_by(..)`, or put a routing function in front"
        );
        Reject::new(Reason::Misrouted, message)
    }
}
