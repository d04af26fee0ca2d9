//! How far a shard has come in event time: its watermark and what the watermark is made of.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{EventTime, HashRange, partition_hash};

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
    idle_after: Option<Duration>,
}

impl OutOfOrder {
    /// Records come at most `bound` behind the highest event time of their shard; later ones may be late.
    ///
    /// `max_ahead` is 24 hours unless set.
    pub const fn at_most(bound: Duration) -> Self {
        Self { bound, max_ahead: Duration::from_hours(24), idle_after: None }
    }

    /// A record whose event time is more than `max_ahead` past its arrival is quarantined: one bad clock must not
    /// close every window. The arrival time is part of the record, so the decision is the same on every retry.
    pub const fn max_ahead(self, max_ahead: Duration) -> Self {
        Self { max_ahead, ..self }
    }

    /// A shard that has had no record for so long is quiet: from then on scheduled ticks let its event time go on at the
    /// pace of the clock, so that its windows close. Without it they wait for the next record.
    ///
    /// A record that comes to a quiet shard may be late where it would not have been in a busy one: choose an idleness
    /// that is longer than pauses of the stream.
    #[must_use]
    pub const fn idle_after(self, idle_after: Duration) -> Self {
        Self { idle_after: Some(idle_after), ..self }
    }

    /// After how long without a record a shard is quiet, if ever.
    pub const fn idle(self) -> Option<Duration> {
        self.idle_after
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

/// A watermark inherited for part of the key space: a record whose partition key hashes into the range is judged under
/// the higher of the shard's watermark and this one. Written when shards merge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Floor {
    /// First hash of a partition key where it holds.
    #[serde(with = "crate::hash::hexadecimal")]
    pub first: u128,
    /// Last hash where it holds.
    #[serde(with = "crate::hash::hexadecimal")]
    pub last: u128,
    /// The watermark that holds there.
    pub watermark: Watermark,
}

impl Floor {
    /// A watermark that holds in this range.
    pub const fn of(range: HashRange, watermark: Watermark) -> Self {
        Self { first: range.first, last: range.last, watermark }
    }

    /// Where it holds.
    pub const fn range(&self) -> HashRange {
        HashRange { first: self.first, last: self.last }
    }
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

    /// Where a shard begins whose parents ended so, each with the range that it owned.
    ///
    /// The watermark is the lowest of theirs, and so is the highest event time: with the highest of all, the first record
    /// would make the watermark jump. Where a parent had come further, a floor remembers it.
    pub fn inherited(parents: &[(HashRange, Self)], own: HashRange) -> Self {
        let Some((_, slowest)) = parents.iter().min_by_key(|(_, progress)| progress.watermark) else {
            return Self::start();
        };
        let mut floors = Vec::new();
        for (range, progress) in parents {
            let ended = Floor::of(*range, progress.watermark);
            for floor in progress.floors.iter().chain([&ended]) {
                let range = floor.range().intersection(&own).filter(|_| floor.watermark > slowest.watermark);
                floors.extend(range.map(|range| Floor::of(range, floor.watermark)));
            }
        }
        Self { floors, ..slowest.clone() }
    }

    /// The watermark under which a record with this partition key is judged.
    pub(crate) fn watermark_for(&self, partition_key: &str) -> Watermark {
        if self.floors.is_empty() {
            return self.watermark;
        }
        let hash = partition_hash(partition_key);
        let there = self.floors.iter().filter(|floor| floor.range().contains(hash)).map(|floor| floor.watermark);
        there.fold(self.watermark, Watermark::max)
    }

    /// Moves the watermark on, never back. Floors that it reaches have done their work.
    pub fn advance_to(&mut self, watermark: Watermark) {
        self.watermark = self.watermark.max(watermark);
        let reached = self.watermark;
        self.floors.retain(|floor| floor.watermark > reached);
    }

    /// How far a quiet shard has come at `now`, the time of a tick: event time goes on from the last record at the pace
    /// of the clock, with the bound and the idleness (milliseconds) held back. `None` if it is not quiet, or has had no
    /// record.
    pub fn quiet_watermark(&self, now: EventTime, bound: i64, idle: i64) -> Option<Watermark> {
        let (highest, arrival) = (self.highest?, self.arrival?);
        let silence = now.as_millis().saturating_sub(arrival.as_millis());
        if silence < idle {
            return None;
        }
        let run_on = highest.plus(silence).min(now);
        let watermark = Watermark::at(run_on.plus(-bound).plus(-idle));
        (watermark > self.watermark).then_some(watermark)
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
            self.advance_to(Watermark::at(highest.plus(-clock.bound)));
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

    fn at(millis: i64) -> Progress {
        let time = EventTime::from_millis(millis);
        let (watermark, highest, arrival) = (Watermark::at(time), Some(time.plus(10)), Some(time.plus(20)));
        Progress { watermark, highest, arrival, ..Progress::start() }
    }

    #[test]
    fn a_merged_shard_goes_on_with_the_slowest_and_remembers_who_was_ahead() {
        let [low, high] = [HashRange { first: 0, last: 99 }, HashRange { first: 100, last: u128::MAX }];
        let merged = Progress::inherited(&[(low, at(50)), (high, at(30))], HashRange::ALL);
        assert_eq!((merged.watermark, merged.highest), (at(30).watermark, at(30).highest));
        assert_eq!(merged.floors, [Floor::of(low, at(50).watermark)]);

        let half = HashRange { first: 50, last: 150 };
        let split = Progress::inherited(&[(HashRange::ALL, merged.clone())], half);
        assert_eq!(split.floors, [Floor::of(HashRange { first: 50, last: 99 }, at(50).watermark)]);
        let mut reached = split;
        reached.advance_to(at(50).watermark);
        assert_eq!(reached.floors, []);
        assert_eq!(Progress::inherited(&[], half), Progress::start());
    }

    #[test]
    fn a_record_is_judged_under_the_floor_of_its_partition_key() {
        let hash = partition_hash("JFK");
        let range = HashRange { first: hash, last: hash };
        let progress = Progress { floors: vec![Floor::of(range, at(50).watermark)], ..at(30) };
        assert_eq!(progress.watermark_for("JFK"), at(50).watermark);
        assert_eq!(progress.watermark_for("LGA"), at(30).watermark);
    }

    #[test]
    fn a_quiet_shard_goes_on_at_the_pace_of_the_clock() {
        let progress = at(1_000);
        let quiet = |now| progress.quiet_watermark(EventTime::from_millis(now), 10, 100).map(|w| w.time().as_millis());
        assert_eq!(quiet(1_119), None, "99 ms of silence");
        assert_eq!(quiet(1_120), None, "1,110 - 10 - 100 is no further than it is");
        assert_eq!(quiet(1_150), Some(1_030));
        assert_eq!(Progress::start().quiet_watermark(EventTime::from_millis(9), 0, 0), None);
        let ahead = Progress { highest: Some(EventTime::from_millis(5_000)), ..progress.clone() };
        let now = ahead.quiet_watermark(EventTime::from_millis(1_500), 10, 100).map(|w| w.time().as_millis());
        assert_eq!(now, Some(1_390), "never ahead of the tick itself");
    }
}
