//! Results before a window closes.

use std::time::Duration;

use crate::{EventTime, Span, Watermark, millis};

/// When an open window gives a result before it closes: each so many records of its key, each interval of event time, or
/// both. Such a result holds all records so far and is marked early; without new records there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Early {
    records: Option<u64>,
    interval: Option<Duration>,
}

impl Early {
    /// With every `count` records of a key in a window, at least 1.
    pub const fn every_records(count: u64) -> Self {
        Self { records: Some(count), interval: None }
    }

    /// When the watermark reaches a multiple of `interval` since the epoch: whole milliseconds, at least one.
    pub const fn every(interval: Duration) -> Self {
        Self { records: None, interval: Some(interval) }
    }

    /// Also with every `count` records.
    #[must_use]
    pub const fn or_every_records(self, count: u64) -> Self {
        Self { records: Some(count), ..self }
    }

    /// Also each interval.
    #[must_use]
    pub const fn or_every(self, interval: Duration) -> Self {
        Self { interval: Some(interval), ..self }
    }

    /// What is wrong with the numbers, each with the fix.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.records == Some(0) {
            problems.push("early results every 0 records: the number must be at least one".to_owned());
        }
        let whole = |d: Duration| d.subsec_nanos().is_multiple_of(1_000_000) && millis(d).is_some_and(|ms| ms > 0);
        if let Some(interval) = self.interval.filter(|interval| !whole(*interval)) {
            problems.push(format!(
                "early results every {interval:?}: the interval must be whole milliseconds, at least one"
            ));
        }
        problems
    }

    /// Whether `news` records since the last firing make a result due.
    pub(super) fn is_due(&self, news: u64) -> bool {
        self.records.is_some_and(|records| news >= records)
    }

    /// When a window that has news since a record at `time` gives its next early result, if before it closes: at the
    /// first multiple of the interval that neither the record nor the watermark has reached.
    pub(super) fn next_instant(&self, time: EventTime, watermark: Watermark, window: Span) -> Option<EventTime> {
        let interval = millis(self.interval?)?.max(1);
        let behind = time.max(watermark.time());
        let next = behind.plus(interval - behind.as_millis().rem_euclid(interval));
        (next < window.end).then_some(next)
    }
}
