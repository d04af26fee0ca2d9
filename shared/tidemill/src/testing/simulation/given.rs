//! A user's pipeline and events.

use tidemill_core::EventTime;

use super::subject::{Message, Subject};
use crate::Pipeline;
use crate::testing::Driver;

/// Where the clock begins for a pipeline without event time: the year 2030.
const EPOCH: EventTime = EventTime::from_millis(1_893_456_000_000);

/// Events that arrive in this order, none before its own time.
pub(super) struct Given<F> {
    make: F,
    /// Each with the highest event time up to it.
    messages: Vec<(EventTime, Message)>,
}

impl<F: Fn() -> Pipeline + Sync> Given<F> {
    pub(super) fn new(make: F, payloads: Vec<Vec<u8>>) -> Self {
        let mut driver = Driver::new(make());
        let mut messages = Vec::new();
        for payload in payloads {
            let partition_key = driver.pipeline().partition_key(&payload).unwrap_or_else(|| "-".to_owned());
            driver.push_raw(&partition_key, &payload);
            let at = driver.highest().unwrap_or(EPOCH);
            messages.push((at, Message { partition_key, payload }));
        }
        Self { make, messages }
    }

    pub(super) const fn len(&self) -> usize {
        self.messages.len()
    }
}

impl<F: Fn() -> Pipeline + Sync> Subject for Given<F> {
    fn pipeline(&self) -> Pipeline {
        (self.make)()
    }

    fn begins(&self) -> EventTime {
        self.messages.first().map_or(EPOCH, |(at, _)| *at)
    }

    fn record(&self, number: usize, clock: EventTime) -> (EventTime, Message) {
        let (at, message) = &self.messages[number];
        (clock.max(*at), message.clone())
    }
}
