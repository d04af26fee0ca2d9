//! How far a shard has come in event time: its watermark and what the watermark is made of.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::EventTime;

/// W: nothing with event time < W is expected any more.
///
/// W = (highest event time seen) − (out-of-orderness bound), and never moves back. A window `[start, end)` closes iff
/// W ≥ end. (Flink's watermark is one millisecond less and closes at ≥ end − 1: the results are the same.)
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Watermark(EventTime);

impl Watermark {
    /// Before the first record: nothing is late.
    pub const START: Self = Self(EventTime::from_millis(i64::MIN));
    /// After the end of input: everything closes.
    pub const END: Self = Self(EventTime::from_millis(i64::MAX));

    /// A watermark at `time`.
    pub const fn at(time: EventTime) -> Self {
        Self(time)
    }

    /// The instant it stands at.
    pub const fn time(self) -> EventTime {
        self.0
    }

    /// Whether what ends at `end` is over: W ≥ end.
    pub fn has_reached(self, end: EventTime) -> bool {
        self.0 >= end
    }
}

/// How far behind the highest event time a record may come and still be in time, and how far ahead of its arrival a
/// record's event time may lie before it is taken for a broken clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfOrder {
    bound: Duration,
    max_ahead: Duration,
}

impl OutOfOrder {
    /// Records come at most `bound` behind the highest event time of their shard; later ones may be late.
    ///
    /// `max_ahead` is 24 hours unless set.
    pub const fn at_most(bound: Duration) -> Self {
        Self { bound, max_ahead: Duration::from_hours(24) }
    }

    /// A record whose event time is more than `max_ahead` past its arrival is quarantined: one bad clock must not
    /// close every window. The arrival time is part of the record, so the decision is the same on every retry.
    pub const fn max_ahead(self, max_ahead: Duration) -> Self {
        Self { max_ahead, ..self }
    }

    /// The out-of-orderness bound B.
    pub const fn bound(self) -> Duration {
        self.bound
    }

    /// How far past its arrival an event time may lie.
    pub const fn ahead(self) -> Duration {
        self.max_ahead
    }
}

/// A watermark inherited for part of the key space: a record whose key hashes into the range is judged under the
/// higher of the shard's watermark and this one. Written when shards merge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Floor {
    /// First hash of the range (MD5 of the partition key, as Kinesis has it), in lower-case hexadecimal.
    pub first: String,
    /// Last hash of the range, inclusive.
    pub last: String,
    /// The watermark that holds there.
    pub watermark: Watermark,
}

/// How far a shard has come. Part of every journal record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    /// The shard's watermark.
    pub watermark: Watermark,
    /// The highest event time seen, `None` before the first record that has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub highest: Option<EventTime>,
    /// Arrival of the last record taken, `None` before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arrival: Option<EventTime>,
    /// Watermarks inherited for parts of the key space.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub floors: Vec<Floor>,
    /// The highest event time seen of each of several inputs, where the watermark is kept by input.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: BTreeMap<String, EventTime>,
}

/// What the watermark is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Clock {
    /// The out-of-orderness bound in milliseconds.
    pub(crate) bound: i64,
    /// The inputs that it waits for; empty where there is one.
    pub(crate) inputs: Vec<String>,
}

impl Progress {
    /// Where a shard without any record stands.
    pub const fn start() -> Self {
        Self { watermark: Watermark::START, highest: None, arrival: None, floors: Vec::new(), inputs: BTreeMap::new() }
    }

    /// Takes in an event time: the watermark rises to (highest − bound) unless it is there already. With several inputs
    /// it is the lowest of theirs, and there is none before each of them had a record.
    pub(crate) fn raise(&mut self, time: EventTime, input: Option<usize>, clock: &Clock) {
        let highest = self.highest.map_or(time, |highest| highest.max(time));
        self.highest = Some(highest);
        if let Some(input) = input.and_then(|input| clock.inputs.get(input)) {
            let of_input = self.inputs.entry(input.clone()).or_insert(time);
            *of_input = (*of_input).max(time);
        }
        let highest = match clock.inputs.as_slice() {
            [] => Some(highest),
            inputs => inputs.iter().map(|input| self.inputs.get(input).copied()).min().flatten(),
        };
        if let Some(highest) = highest {
            self.watermark = self.watermark.max(Watermark::at(highest.plus(-clock.bound)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn watermark_follows_the_highest_time_and_never_moves_back() {
        let mut progress = Progress::start();
        let clock = Clock { bound: 30, inputs: Vec::new() };
        for (time, watermark) in [(100, 70), (40, 70), (101, 71)] {
            progress.raise(EventTime::from_millis(time), None, &clock);
            assert_eq!(progress.watermark.time().as_millis(), watermark);
        }
    }

    #[test]
    fn watermark_of_several_inputs_waits_for_the_slowest() {
        let mut progress = Progress::start();
        let clock = Clock { bound: 0, inputs: vec!["bids".to_owned(), "asks".to_owned()] };
        progress.raise(EventTime::from_millis(100), Some(0), &clock);
        assert_eq!(progress.watermark, Watermark::START);
        for (time, input, watermark) in [(50, 1, 50), (80, 1, 80), (120, 1, 100), (90, 0, 100), (110, 0, 110)] {
            progress.raise(EventTime::from_millis(time), Some(input), &clock);
            assert_eq!(progress.watermark.time().as_millis(), watermark);
        }
    }

    #[test]
    fn a_window_is_over_exactly_at_its_end() {
        let end = EventTime::from_millis(10);
        assert!(!Watermark::at(EventTime::from_millis(9)).has_reached(end));
        assert!(Watermark::at(end).has_reached(end));
        assert!(!Watermark::START.has_reached(EventTime::FIRST));
        assert!(Watermark::END.has_reached(EventTime::LAST));
    }
}
