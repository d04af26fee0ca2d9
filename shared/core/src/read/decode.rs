//! The source's format, and the event time.

use super::{Each, Read, Reading, time};
use crate::reject::guard;
use crate::{EventTime, Events, Format, OutOfOrder, Reason, Record, Reject, Sent};

/// The event time of an event, and which of several inputs it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tagged {
    /// The event time.
    pub time: EventTime,
    /// The input's index; `None` where there is one input.
    pub tag: Option<usize>,
}

/// An erased event-time closure.
pub type TimeFn<E> = Box<dyn for<'a, 'e> Fn(&'e <E as Events>::Event<'a>) -> Result<Tagged, Reject> + Send + Sync>;

/// Decodes payloads. Their event time is their arrival: for pipelines without event time.
pub struct Decode<F>(pub F);

impl<F: Format> Read<F> for Decode<F> {
    fn read<'a>(&self, record: &Record<'a>, each: &mut Each<'_, 'a, F>) -> Reading {
        let taken = guard("decoding", || self.0.decode(record.payload)).and_then(|event| each(record.arrival, event));
        Reading::Timed { time: record.arrival, tag: None, taken }
    }

    fn sent<'a>(&self, record: &Record<'a>) -> Result<Option<Sent<'a>>, Reject> {
        guard("decoding", || self.0.sent(record.payload))
    }
}

/// Takes the event time of what is read, and judges it.
pub struct DecodeTimed<E: Events> {
    /// What reads.
    pub inner: Box<dyn Read<E>>,
    /// Takes the event time.
    pub time: TimeFn<E>,
    /// Which event times are taken.
    pub out_of_order: OutOfOrder,
}

impl<E: Events> Read<E> for DecodeTimed<E> {
    fn read<'a>(&self, record: &Record<'a>, each: &mut Each<'_, 'a, E>) -> Reading {
        let mut at = None;
        // Only stages that make one event of one lie before: this is called at most once.
        let inner = self.inner.read(record, &mut |_, event| {
            let tagged = guard("the event-time closure", || (self.time)(&event))?;
            at = Some(Tagged { time: time::check(tagged.time, self.out_of_order, record)?, ..tagged });
            each(tagged.time, event)
        });
        match (inner, at) {
            (Reading::Timed { taken, .. }, Some(Tagged { time, tag })) => Reading::Timed { time, tag, taken },
            (Reading::Refused(reject) | Reading::Timed { taken: Err(reject), .. }, None) => Reading::Refused(reject),
            (Reading::Refused(reject), Some(_)) => Reading::Refused(reject),
            (Reading::Timed { taken: Ok(()), .. }, None) => {
                Reading::Refused(Reject::new(Reason::NoEventTime, "no event came of the record"))
            }
        }
    }

    fn sent<'a>(&self, record: &Record<'a>) -> Result<Option<Sent<'a>>, Reject> {
        self.inner.sent(record)
    }
}
