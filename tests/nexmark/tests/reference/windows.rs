//! Windows by event time, with watermarks and late events.
//!
//! The watermark is the highest event time seen, of any event, less four seconds. An event is judged under the watermark
//! that those before it made; then it raises the watermark; then the windows that end by then fire.

use std::collections::BTreeMap;

use serde_json::{Value, json};

const BOUND: i64 = 4_000;
const SIZE: i64 = 10_000;
const STEP: i64 = 2_000;

/// Which windows a bid belongs to, and by which of its numbers it is grouped.
#[derive(Clone, Copy)]
pub(crate) struct Windows {
    key: &'static str,
    /// The spans that hold a time; the one span that a session begins with.
    spans: fn(i64) -> Vec<(i64, i64)>,
    merging: bool,
}

impl Windows {
    /// Every ten seconds.
    pub(crate) const TUMBLING: Self = Self {
        key: "auction",
        spans: |time| {
            let start = time - time % SIZE;
            vec![(start, start + SIZE)]
        },
        merging: false,
    };
    /// Ten seconds, beginning every two.
    pub(crate) const SLIDING: Self = Self {
        key: "auction",
        spans: |time| {
            let last = time - time % STEP;
            (0..SIZE / STEP).map(|back| last - back * STEP).map(|start| (start, start + SIZE)).collect()
        },
        merging: false,
    };
    /// Two, four, six, eight and ten seconds, beginning every ten.
    pub(crate) const CUMULATIVE: Self = Self {
        key: "auction",
        spans: |time| {
            let start = time - time % SIZE;
            let ends = (1..=SIZE / STEP).map(|steps| start + steps * STEP);
            ends.filter(|end| *end > time).map(|end| (start, end)).collect()
        },
        merging: false,
    };
    /// Until ten seconds without a bid: spans that overlap or touch become one.
    pub(crate) const SESSION: Self = Self { key: "bidder", spans: |time| vec![(time, time + SIZE)], merging: true };
}

/// What is kept of the bids of a window.
#[derive(Clone, Copy, Default)]
pub(crate) struct Pane {
    pub(crate) bids: u64,
    pub(crate) max_price: u64,
}

impl Pane {
    fn plus(self, other: Self) -> Self {
        Self { bids: self.bids + other.bids, max_price: self.max_price.max(other.max_price) }
    }
}

/// A result of a window.
pub(crate) struct Firing {
    pub(crate) key: u64,
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) pane: Pane,
}

impl Firing {
    /// The row of a query that counts, with this name for the key.
    pub(crate) fn counted(&self, key: &str) -> Value {
        json!({key: self.key, "window_start": self.start, "window_end": self.end, "bid_count": self.pane.bids})
    }
}

/// All that comes of an input.
pub(crate) struct Outcome {
    pub(crate) firings: Vec<Firing>,
    pub(crate) late: Vec<Value>,
}

/// Windows that are open, or kept for late bids, by (end, key, start): the order in which they fire.
type Open = BTreeMap<(i64, u64, i64), Pane>;

/// Runs the events in the order in which they come, and then ends the input.
pub(crate) fn run(events: &[Value], windows: Windows, lateness: i64) -> Outcome {
    let mut outcome = Outcome { firings: Vec::new(), late: Vec::new() };
    let mut open = Open::new();
    let mut watermark = i64::MIN;
    for event in events {
        if let Some(bid) = event.get("bid") {
            take(event, bid, windows, lateness, watermark, &mut open, &mut outcome);
        }
        let raised = watermark.max(int(&event["ts"]) - BOUND);
        fire(watermark, raised, &open, &mut outcome);
        watermark = raised;
        open = open.split_off(&ending(watermark - lateness + 1));
    }
    fire(watermark, i64::MAX, &open, &mut outcome);
    outcome
}

/// Takes a bid into those of its windows that are not gone. A window that fired already fires again.
fn take(
    event: &Value,
    bid: &Value,
    windows: Windows,
    lateness: i64,
    watermark: i64,
    open: &mut Open,
    outcome: &mut Outcome,
) {
    let (time, key) = (int(&event["ts"]), number(&bid[windows.key]));
    let one = Pane { bids: 1, max_price: number(&bid["price"]) };
    let mut is_late = true;
    for span in (windows.spans)(time) {
        let touching = if windows.merging { touching(span, key, open) } else { vec![(span.1, key, span.0)] };
        let start = touching.iter().map(|(.., start)| *start).fold(span.0, i64::min);
        let end = touching.iter().map(|(end, ..)| *end).fold(span.1, i64::max);
        if end + lateness <= watermark {
            continue;
        }
        is_late = false;
        let pane = touching.iter().filter_map(|id| open.remove(id)).fold(one, Pane::plus);
        open.insert((end, key, start), pane);
        if end <= watermark {
            outcome.firings.push(Firing { key, start, end, pane });
        }
    }
    if is_late {
        let late = json!({"seq": event["seq"], "ts": time, "auction": bid["auction"], "bidder": bid["bidder"]});
        outcome.late.push(late);
    }
}

/// The sessions of a key that a span overlaps or touches.
fn touching(span: (i64, i64), key: u64, open: &Open) -> Vec<(i64, u64, i64)> {
    let touches = |(end, of, start): &&(i64, u64, i64)| *of == key && *start <= span.1 && *end >= span.0;
    open.keys().filter(touches).copied().collect()
}

/// Fires what ends in `(before, watermark]`.
fn fire(before: i64, watermark: i64, open: &Open, outcome: &mut Outcome) {
    if watermark > before {
        let due = open.range(ending(before + 1)..).take_while(|((end, ..), _)| *end <= watermark);
        outcome.firings.extend(due.map(|(&(end, key, start), &pane)| Firing { key, start, end, pane }));
    }
}

/// Before all windows that end at a time or later.
const fn ending(time: i64) -> (i64, u64, i64) {
    (time, 0, i64::MIN)
}

fn int(value: &Value) -> i64 {
    value.as_i64().expect("an integer")
}

fn number(value: &Value) -> u64 {
    value.as_u64().expect("a number")
}
