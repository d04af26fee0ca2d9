//! What a run shows of itself while it goes on: counts, watermark, windows, faults, over time.
//!
//! It is read off the wire: commits that succeed, invocations that end, records that are behind the checkpoint.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use tidemill_journal::{Kind, Record};

use crate::state::Slot;

/// Samples kept: of more, every second one is dropped.
const SAMPLES: usize = 1_000;
/// Events kept, the first ones.
const EVENTS: usize = 2_000;

/// A run's figures at a moment. Counts are totals so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Sample {
    /// Since the run began, milliseconds.
    pub ms: u64,
    /// Records behind the checkpoint.
    pub records: u64,
    /// Batches behind it.
    pub batches: u64,
    /// Invocations that came to nothing: failed, or disturbed.
    pub failed: u64,
    /// The lowest watermark of the shards, epoch milliseconds.
    pub watermark: Option<i64>,
    /// The highest event time seen, epoch milliseconds.
    pub highest: Option<i64>,
    /// Windows that are open.
    pub open: u64,
    /// Windows that were opened.
    pub opened: u64,
    /// Windows that were closed.
    pub closed: u64,
    /// Results sent.
    pub results: u64,
    /// Late records set aside.
    pub late: u64,
    /// Records that could not be processed.
    pub quarantined: u64,
    /// Bytes of all cells, keys included.
    pub state_bytes: u64,
    /// DynamoDB write units.
    pub write_units: f64,
    /// The longest invocation since the sample before, microseconds: from a batch's hand-out to its answer, behind
    /// which its results are acknowledged.
    pub longest_us: u64,
}

/// Something that went wrong, by itself or on purpose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event {
    /// Since the run began, milliseconds.
    pub ms: u64,
    /// What it was.
    pub what: &'static str,
}

/// A run's history, written while it goes on.
#[derive(Debug)]
pub struct History {
    begun: Instant,
    hasher: RandomState,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    now: Sample,
    total: u64,
    samples: Vec<Sample>,
    /// Of so many batches one is sampled.
    stride: u64,
    events: Vec<Event>,
    missing_events: u64,
    journals: BTreeMap<String, Journal>,
    /// By hash of pipeline, key and slot: bytes, and whether it is a window.
    cells: HashMap<u64, (u32, bool)>,
    latencies: Vec<u32>,
}

#[derive(Debug, Clone, Copy)]
struct Journal {
    number: u64,
    watermark: i64,
}

/// What is told of a run when it is over.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Told {
    /// The figures over time.
    pub samples: Vec<Sample>,
    /// What went wrong, and when.
    pub events: Vec<Event>,
    /// Events that are not told, there being too many.
    pub missing_events: u64,
    /// How long invocations took, milliseconds: half of them, 90, 99 and 100 of a hundred no longer than that.
    pub invocation_ms: [f64; 4],
    /// How fast the stream is, by its records' event times: records a second.
    pub events_per_second: Option<f64>,
}

impl Default for History {
    fn default() -> Self {
        let state = Mutex::new(State { stride: 1, ..State::default() });
        Self { begun: Instant::now(), hasher: RandomState::new(), state }
    }
}

impl History {
    /// A commit of the journal stored under `partition`. One that was seen before changes nothing.
    pub(crate) fn committed(&self, partition: &str, record: &Record) {
        let mut state = self.state();
        if !state.advance(partition, record) {
            return;
        }
        let pipeline = partition.split('/').next().unwrap_or_default();
        for change in &record.changes {
            let cell = self.hasher.hash_one((pipeline, &change.key, &change.slot));
            state.change(
                cell,
                &change.slot,
                change.value.as_deref().map(|value| change.key.len() + change.slot.len() + value.len()),
            );
        }
        for output in &record.outputs {
            state.output(&output.data);
        }
    }

    /// Records that a function without a journal sent.
    pub(crate) fn sent(&self, records: u64) {
        self.state().now.results += records;
    }

    /// Write units that a request took.
    pub(crate) fn wrote(&self, units: f64) {
        self.state().now.write_units += units;
    }

    /// An invocation that took so long.
    pub(crate) fn invoked(&self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let mut state = self.state();
        state.now.longest_us = state.now.longest_us.max(micros);
        state.latencies.push(u32::try_from(micros).unwrap_or(u32::MAX));
    }

    /// An invocation that came to nothing: its batch comes again.
    pub(crate) fn failed(&self, what: &'static str) {
        self.state().now.failed += 1;
        self.happened(what);
    }

    /// Something that went wrong.
    pub(crate) fn happened(&self, what: &'static str) {
        let ms = self.ms();
        let mut state = self.state();
        if state.events.len() < EVENTS {
            state.events.push(Event { ms, what });
        } else {
            state.missing_events += 1;
        }
    }

    /// So many of the records are behind the checkpoint.
    pub(crate) fn delivered(&self, records: u64, total: u64) {
        let ms = self.ms();
        let mut state = self.state();
        state.total = total;
        state.now.batches += 1;
        state.now.records = state.now.records.max(records);
        state.now.ms = ms;
        if state.now.batches.is_multiple_of(state.stride) {
            state.sample();
        }
    }

    /// The figures now, and how many records there are in all.
    pub fn now(&self) -> (Sample, u64) {
        let state = self.state();
        (Sample { ms: self.ms(), ..state.now }, state.total)
    }

    /// What went wrong last, and how much did so far.
    pub fn last_event(&self) -> Option<(&'static str, u64)> {
        let state = self.state();
        let last = state.events.last()?;
        Some((last.what, state.events.len() as u64 + state.missing_events))
    }

    /// Tells it all. The run is over.
    pub fn tell(&self) -> Told {
        let mut state = self.state();
        state.now.ms = self.ms();
        state.sample();
        let mut latencies = std::mem::take(&mut state.latencies);
        latencies.sort_unstable();
        let at = |hundredth: usize| {
            let index = (latencies.len() * hundredth / 100).min(latencies.len().saturating_sub(1));
            f64::from(latencies.get(index).copied().unwrap_or_default()) / 1_000.0
        };
        let events_per_second = rate(&state.samples);
        Told {
            samples: std::mem::take(&mut state.samples),
            events: std::mem::take(&mut state.events),
            missing_events: state.missing_events,
            invocation_ms: [at(50), at(90), at(99), at(100)],
            events_per_second,
        }
    }

    fn ms(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Moves a journal on; false if it is there already.
    fn advance(&mut self, partition: &str, record: &Record) -> bool {
        let watermark = record.progress.watermark.time().as_millis();
        let known = self.journals.get(partition).map_or(0, |journal| journal.number);
        if record.number <= known {
            return false;
        }
        if record.kind == Kind::Seal {
            self.journals.remove(partition);
        } else {
            self.journals.insert(partition.to_owned(), Journal { number: record.number, watermark });
        }
        // Before the first event, and behind the end of the input, a watermark is no time of a calendar.
        let known = |mark: &i64| (i64::MIN / 2..i64::MAX / 2).contains(mark);
        let lowest = self.journals.values().map(|journal| journal.watermark).filter(known).min();
        self.now.watermark = lowest.or(self.now.watermark);
        self.now.highest = self.now.highest.max(record.progress.highest.map(tidemill_core::EventTime::as_millis));
        true
    }

    fn change(&mut self, cell: u64, slot: &[u8], bytes: Option<usize>) {
        let bytes = bytes.map(|bytes| u32::try_from(bytes).unwrap_or(u32::MAX));
        let before = match bytes {
            Some(bytes) => {
                let is_window = matches!(Slot::stored(slot), Slot::Window(_) | Slot::Slice(_));
                self.now.state_bytes += u64::from(bytes);
                let before = self.cells.insert(cell, (bytes, is_window));
                self.now.opened += u64::from(is_window && before.is_none());
                before
            }
            None => {
                let before = self.cells.remove(&cell);
                self.now.closed += u64::from(before.is_some_and(|(_, is_window)| is_window));
                before
            }
        };
        self.now.state_bytes -= before.map_or(0, |(bytes, _)| u64::from(bytes));
        self.now.open = self.now.opened - self.now.closed;
    }

    fn output(&mut self, data: &[u8]) {
        match kind(data) {
            Some("tidemill.late") => self.now.late += 1,
            Some("tidemill.quarantine") => self.now.quarantined += 1,
            _ => self.now.results += 1,
        }
    }

    fn sample(&mut self) {
        self.samples.push(self.now);
        self.now.longest_us = 0;
        if self.samples.len() >= SAMPLES {
            let mut index = 0_u32;
            self.samples.retain(|_| {
                index += 1;
                index.is_multiple_of(2)
            });
            self.stride *= 2;
        }
    }
}

/// Records a second of event time, from the first sample to the last.
fn rate(samples: &[Sample]) -> Option<f64> {
    let (first, last) = (samples.first()?, samples.last()?);
    #[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
    let (records, seconds) =
        ((last.records - first.records) as f64, (last.highest?.saturating_sub(first.highest?)) as f64 / 1_000.0);
    (seconds > 0.0 && records > 0.0).then(|| records / seconds)
}

/// The type of a CloudEvent, by its first bytes: all of ours have it before their data.
fn kind(data: &[u8]) -> Option<&str> {
    const MEMBER: &[u8] = b"\"type\":\"";
    let head = data.get(..data.len().min(1_024))?;
    let start = head.windows(MEMBER.len()).position(|bytes| bytes == MEMBER)? + MEMBER.len();
    let end = head[start..].iter().position(|byte| *byte == b'"')?;
    std::str::from_utf8(&head[start..start + end]).ok()
}

#[cfg(test)]
mod tests {
    use tidemill_core::{Change, EventTime, Progress, Watermark};
    use tidemill_journal::{Format, Incarnation, Output, Ring};

    use super::*;

    const WINDOW: &[u8] = b"\xa1\x61w\x82\x1a\x00\x36\xee\x80\x1a\x00\x6d\xdd\x00";

    /// Key, slot and value.
    type Changed<'a> = (&'a [u8], &'a [u8], Option<&'a [u8]>);

    fn record(number: u64, watermark: i64, changes: &[Changed<'_>], outputs: &[&str]) -> Record {
        let changes = changes.iter().map(|(key, slot, value)| Change {
            key: key.to_vec(),
            slot: slot.to_vec(),
            value: value.map(<[u8]>::to_vec),
        });
        let output = |kind: &&str| Output {
            sink: String::from("s"),
            partition_key: String::from("k"),
            data: format!(r#"{{"id":"1","type":"{kind}","data":{{"type":"x"}}}}"#).into(),
        };
        Record {
            format: Format::OLDEST,
            incarnation: Incarnation(1),
            ring: Ring::of(4).unwrap(),
            number,
            kind: Kind::Data,
            position: None,
            progress: Progress {
                watermark: Watermark::at(EventTime::from_millis(watermark)),
                highest: Some(EventTime::from_millis(watermark + 1_000)),
                ..Progress::start()
            },
            changes: changes.collect(),
            outputs: outputs.iter().map(output).collect(),
            parts: Vec::new(),
            oldest: 0,
            spills: Vec::new(),
            gap: None,
            tick: None,
            schema: None,
        }
    }

    #[test]
    fn windows_open_and_close_with_their_cells() {
        let history = History::default();
        let open =
            record(1, 5, &[(b"a", WINDOW, Some(b"1")), (b"b", WINDOW, Some(b"22")), (b"a", b"\x61?", Some(b"3"))], &[]);
        history.committed("p/s/1", &open);
        let now = history.now().0;
        assert_eq!((now.open, now.opened, now.closed), (2, 2, 0));
        let whole = now.state_bytes;
        history.committed("p/s/1", &record(2, 6, &[(b"a", WINDOW, None)], &["tidemill.result"]));
        let now = history.now().0;
        assert_eq!((now.open, now.opened, now.closed, now.results), (1, 2, 1, 1));
        assert_eq!(now.state_bytes, whole - (1 + 14 + 1));
        // The same key of another shard is the same key, after shards were split; that of another pipeline is another.
        history.committed("p/s/2", &record(1, 6, &[(b"b", WINDOW, None)], &[]));
        history.committed("q/s/1", &record(1, 6, &[(b"b", WINDOW, Some(b"1"))], &[]));
        assert_eq!((history.now().0.open, history.now().0.closed), (1, 2));
    }

    #[test]
    fn a_commit_counts_once_and_outputs_by_their_type() {
        let history = History::default();
        let commit = record(1, 5, &[], &["tidemill.result", "tidemill.late", "tidemill.quarantine"]);
        history.committed("p/s/1", &commit);
        history.committed("p/s/1", &commit);
        let now = history.now().0;
        assert_eq!((now.results, now.late, now.quarantined), (1, 1, 1));
    }

    #[test]
    fn the_slowest_shard_holds_the_watermark_until_it_is_sealed() {
        let history = History::default();
        history.committed("p/s/1", &record(1, 50, &[], &[]));
        history.committed("p/s/2", &record(1, 20, &[], &[]));
        assert_eq!((history.now().0.watermark, history.now().0.highest), (Some(20), Some(1_050)));
        history.committed("p/s/2", &Record { kind: Kind::Seal, ..record(2, 20, &[], &[]) });
        assert_eq!(history.now().0.watermark, Some(50));
    }

    #[test]
    fn a_long_run_is_told_in_few_samples() {
        let history = History::default();
        for batch in 1..=10_000 {
            history.delivered(batch * 10, 100_000);
        }
        let told = history.tell();
        assert!((SAMPLES / 4..=SAMPLES).contains(&told.samples.len()), "{}", told.samples.len());
        assert!(told.samples.is_sorted_by_key(|sample| sample.records));
        assert_eq!(told.samples.last().map(|sample| sample.records), Some(100_000));
    }

    #[test]
    fn a_streams_rate_is_that_of_its_event_times() {
        let history = History::default();
        history.committed("p/s/1", &record(1, 0, &[], &[]));
        history.delivered(10, 100);
        history.committed("p/s/1", &record(2, 9_000, &[], &[]));
        history.delivered(100, 100);
        assert_eq!(history.tell().events_per_second, Some(10.0));
        assert_eq!(History::default().tell().events_per_second, None);
    }

    #[test]
    fn invocations_are_told_by_how_long_most_of_them_took() {
        let history = History::default();
        for millis in 1..=100 {
            history.invoked(Duration::from_millis(millis));
        }
        assert_eq!(history.tell().invocation_ms, [51.0, 91.0, 100.0, 100.0]);
    }
}
