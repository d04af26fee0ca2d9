//! Nexmark events as lines of JSON, always the same for the same arguments.
//!
//! The events are those of the crate `nexmark`; when they arrive is decided here. A line is
//! `{"type":"bid","seq":4,"ts":1700006340040,"bid":{…}}`: the kind of event, its number in the generator's order, its
//! event time in epoch milliseconds, and the event.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use nexmark::EventGenerator;
use nexmark::config::NexmarkConfig;
use nexmark::event::{Auction, Bid, Event, Person};
use serde::Serialize;

/// Event time of the first event, epoch milliseconds: 2023-11-14T23:59:00Z. It lies on a multiple of ten seconds, and a
/// minute before midnight, so that a run of two minutes has two days.
const FIRST: u64 = 1_700_006_340_000;
/// Unordered events arrive less than this much event time behind a younger one, milliseconds.
const DISORDER: u64 = 4_000;
/// How many of a thousand events are late where some are.
const LATE_PER_MILLE: u64 = 30;
/// How long after its event time a late event arrives: from the first to below the second, milliseconds.
const LATENESS: (u64, u64) = (34_000, 120_000);

/// In which order events arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Order {
    /// By event time.
    InOrder,
    /// Each up to four seconds of event time behind a younger one.
    Disorder,
    /// Like disorder, and three in a hundred are 34 to 120 seconds late.
    Late,
}

/// What events to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// How many.
    pub events: u64,
    /// Events a second of event time, 1 to 1,000,000.
    pub rate: u32,
    /// In which order they arrive.
    pub order: Order,
    /// Which of the many orders; the events themselves do not depend on it.
    pub seed: u64,
}

impl Plan {
    /// The lines, without line ends. Memory holds two minutes of event time at most.
    pub fn lines(self) -> impl Iterator<Item = serde_json::Result<String>> {
        Arrivals { plan: self, events: EventGenerator::new(self.config()), made: 0, waiting: BinaryHeap::new() }
            .map(|arrival| arrival.line())
    }

    fn config(self) -> NexmarkConfig {
        let rate = self.rate as usize;
        NexmarkConfig {
            base_time: FIRST,
            first_rate: rate,
            next_rate: rate,
            // The crate has them in lower case; Q3 compares with `OR`, `ID` and `CA`.
            us_states: ["AZ", "CA", "ID", "OR", "WA", "WY"].map(String::from).to_vec(),
            ..NexmarkConfig::default()
        }
    }

    /// When event `sequence` arrives, on the scale of event time.
    fn arrival(self, sequence: u64, time: u64) -> u64 {
        let random = |salt| mix(self.seed, sequence, salt);
        match self.order {
            Order::InOrder => time,
            Order::Late if random(2) % 1_000 < LATE_PER_MILLE => {
                time + LATENESS.0 + random(3) % (LATENESS.1 - LATENESS.0)
            }
            Order::Disorder | Order::Late => time + random(1) % DISORDER,
        }
    }
}

/// A hash of its arguments by splitmix64, so that the order does not hang on the random numbers of any crate.
fn mix(seed: u64, sequence: u64, salt: u64) -> u64 {
    let mut hash = seed
        .wrapping_mul(0x9E37_79B9_7F4A_7C15)
        .wrapping_add(sequence.wrapping_mul(0xBF58_476D_1CE4_E5B9))
        .wrapping_add(salt.wrapping_mul(0x94D0_49BB_1331_11EB))
        .wrapping_add(0x9E37_79B9_7F4A_7C15);
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    hash ^ (hash >> 31)
}

/// An event and when it arrives. Events that arrive together come in the generator's order.
struct Arrival {
    at: u64,
    sequence: u64,
    event: Event,
}

impl Arrival {
    const fn rank(&self) -> (u64, u64) {
        (self.at, self.sequence)
    }

    fn line(&self) -> serde_json::Result<String> {
        let bare =
            Line { kind: "", seq: self.sequence, ts: self.event.timestamp(), person: None, auction: None, bid: None };
        serde_json::to_string(&match &self.event {
            Event::Person(person) => Line { kind: "person", person: Some(person), ..bare },
            Event::Auction(auction) => Line { kind: "auction", auction: Some(auction), ..bare },
            Event::Bid(bid) => Line { kind: "bid", bid: Some(bid), ..bare },
        })
    }
}

impl PartialEq for Arrival {
    fn eq(&self, other: &Self) -> bool {
        self.rank() == other.rank()
    }
}

impl Eq for Arrival {}

impl PartialOrd for Arrival {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Arrival {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.rank().cmp(&other.rank())
    }
}

/// The events in the order of their arrival.
struct Arrivals {
    plan: Plan,
    events: EventGenerator,
    made: u64,
    waiting: BinaryHeap<Reverse<Arrival>>,
}

impl Iterator for Arrivals {
    type Item = Arrival;

    fn next(&mut self) -> Option<Arrival> {
        while self.made < self.plan.events {
            let Some(event) = self.events.next() else { break };
            let (sequence, now) = (self.made, event.timestamp());
            self.made += 1;
            self.waiting.push(Reverse(Arrival { at: self.plan.arrival(sequence, now), sequence, event }));
            // Event times never fall, and none arrives before its own: what is due now, nothing made later can precede.
            if self.waiting.peek().is_some_and(|Reverse(first)| first.at <= now) {
                break;
            }
        }
        self.waiting.pop().map(|Reverse(arrival)| arrival)
    }
}

#[derive(Serialize)]
struct Line<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    seq: u64,
    ts: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    person: Option<&'a Person>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auction: Option<&'a Auction>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bid: Option<&'a Bid>,
}
