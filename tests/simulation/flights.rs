//! Flights under a pipeline of this test's, all drawn from one seed.

use fastrand::Rng;
use tidemill::testing::simulation::{Message, Outcome, Plan, Subject};
use tidemill::{EventTime, Pipeline};
use tidemill_tests::Flight;

use crate::opinions::{compare_with_one_shard, count_downstream};
use crate::pipelines::{PIPELINES, pipeline};

/// The year 2030.
const BEGINS: EventTime = EventTime::from_millis(1_893_456_000_000);

/// One record to be put.
#[derive(Clone, Copy, Debug)]
struct Sent {
    key: u8,
    /// How long the clock stands before it arrives, milliseconds.
    after: i64,
    /// How far behind the clock its event time lies, milliseconds.
    behind: i64,
    flaw: Flaw,
}

/// What is wrong with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    None,
    Undecodable,
    Misrouted,
    FarAhead,
}

/// Flights of one seed.
pub(crate) struct Flights {
    pipeline: usize,
    /// No record is ever late, so results do not depend on shards and ticks.
    punctual: bool,
    sent: Vec<Sent>,
}

impl Flights {
    /// What this seed says, and what is to happen to it.
    pub(crate) fn of(seed: u64) -> (Self, Plan) {
        let rng = &mut Rng::with_seed(seed ^ 0x666c_6967_6874_7300);
        let punctual = rng.bool();
        let sent = (0..rng.usize(20..200)).map(|_| Sent::draw(rng, punctual)).collect();
        let flights = Self { pipeline: rng.usize(0..PIPELINES), punctual, sent };
        let plan = Plan::of(seed, flights.sent.len(), !punctual);
        (flights, plan)
    }
}

impl Sent {
    fn draw(rng: &mut Rng, punctual: bool) -> Self {
        let flaw = match rng.u8(0..60) {
            0..2 => Flaw::Undecodable,
            2 => Flaw::Misrouted,
            3 => Flaw::FarAhead,
            _ => Flaw::None,
        };
        let behind = if punctual { 240_000 } else { 900_000 };
        Self { key: rng.u8(0..6), after: rng.i64(0..20_000), behind: rng.i64(0..behind), flaw }
    }
}

impl Subject for Flights {
    fn pipeline(&self) -> Pipeline {
        pipeline(self.pipeline)
    }

    fn begins(&self) -> EventTime {
        BEGINS
    }

    fn record(&self, number: usize, clock: EventTime) -> (EventTime, Message) {
        let Sent { key, after, behind, flaw } = self.sent[number];
        let arrival = clock.plus(after);
        let (key, at) = (format!("K{key}"), arrival.as_millis() - behind);
        let number = i64::try_from(number).expect("few records");
        let flight = match flaw {
            Flaw::None => Flight::new(&key, at, number),
            Flaw::Undecodable => Flight { partition_key: key, payload: format!("no flight {number}").into() },
            Flaw::Misrouted => Flight { partition_key: "elsewhere".to_owned(), ..Flight::new(&key, at, number) },
            Flaw::FarAhead => Flight::new(&key, at + 48 * 3_600_000, number),
        };
        (arrival, flight.into())
    }

    fn check(&self, outcome: &Outcome<'_>) -> Result<(), String> {
        count_downstream(outcome)?;
        if self.punctual { compare_with_one_shard(self.pipeline(), outcome) } else { Ok(()) }
    }
}
