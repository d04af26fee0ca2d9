//! What a run would have cost on AWS, by what was measured and at list prices.
//!
//! What is the same however a stream is processed is left out: the source stream itself, and what its producers pay.
//! The time of invocations is this machine's, and a batch holds what it held in the run: a slow stream makes smaller
//! ones, which cost more a record.

pub mod prices;

use serde::{Deserialize, Serialize};

use prices::{FLINK_MONTH, GB_SECONDS, MONTH_HOURS, PUTS, READS, REQUESTS, WRITES, of_millions};

/// What a run used.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Used {
    /// The scenario.
    pub scenario: String,
    /// Records taken off the source stream.
    pub records: u64,
    /// Batches they came in.
    pub batches: u64,
    /// Lambda requests.
    pub invocations: u64,
    /// Lambda's memory times the time of its invocations, each rounded up to a millisecond.
    pub gb_seconds: f64,
    /// DynamoDB write units.
    pub write_units: f64,
    /// Those among them that would not have been used behind a journal's first lap, in which commits are transactions
    /// and cost double.
    pub first_lap_units: f64,
    /// DynamoDB read units.
    pub read_units: f64,
    /// PutRecords requests.
    pub put_requests: u64,
    /// Kinesis PUT payload units of the records in them.
    pub put_units: u64,
    /// How fast the stream is, by its records' own event times: records a second; `None` if that is not known.
    pub events_per_second: Option<f64>,
}

/// What something costs, in US dollars.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Parts {
    /// Lambda requests.
    pub requests: f64,
    /// Lambda's memory and time.
    pub memory_and_time: f64,
    /// DynamoDB's writes.
    pub writes: f64,
    /// DynamoDB's reads.
    pub reads: f64,
    /// Results put on Kinesis.
    pub puts: f64,
}

/// What a run's pipeline costs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cost {
    /// What was used.
    pub used: Used,
    /// When the prices held.
    pub prices_as_of: &'static str,
    /// Where they hold.
    pub region: &'static str,
    /// A million events, when each journal is past its first lap.
    pub per_million: f64,
    /// That, by what is paid for.
    pub parts: Parts,
    /// A million events within a journal's first 1,024 commits.
    pub per_million_at_first: f64,
    /// A million events with one UpdateItem a record in place of the journal, by hand: at least one write unit each,
    /// and counted twice after a retry.
    pub by_hand_per_million: f64,
    /// The smallest Managed Flink application for a month, whatever comes.
    pub flink_month: f64,
    /// So many events a second cost as much as that.
    pub break_even_per_second: f64,
    /// A month of the stream, if its rate is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub month: Option<Month>,
}

/// What a month costs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Month {
    /// Events a second.
    pub events_per_second: f64,
    /// Events in the month.
    pub events: f64,
    /// The pipeline.
    pub tidemill: f64,
    /// One UpdateItem a record, by hand.
    pub by_hand: f64,
    /// The smallest Managed Flink application.
    pub flink: f64,
}

impl Parts {
    fn of(used: &Used, write_units: f64) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "counts of a run, shown with three digits")]
        let (invocations, put_units, records) =
            (used.invocations as f64, used.put_units as f64, used.records.max(1) as f64);
        let per_million = 1e6 / records;
        Self {
            requests: of_millions(&REQUESTS, invocations) * per_million,
            memory_and_time: of_millions(&GB_SECONDS, used.gb_seconds) * per_million,
            writes: of_millions(&WRITES, write_units) * per_million,
            reads: of_millions(&READS, used.read_units) * per_million,
            puts: of_millions(&PUTS, put_units) * per_million,
        }
    }

    /// All of it.
    pub fn sum(&self) -> f64 {
        self.requests + self.memory_and_time + self.writes + self.reads + self.puts
    }
}

impl Cost {
    /// The cost at the stream's own rate, or at `rate` events a second.
    pub fn of(used: Used, rate: Option<f64>) -> Self {
        let parts = Parts::of(&used, (used.write_units - used.first_lap_units).max(0.0));
        let at_first = Parts::of(&used, used.write_units);
        let by_hand = Parts { writes: WRITES.usd, reads: 0.0, ..parts };
        let month_seconds = MONTH_HOURS * 3_600.0;
        let month = rate.or(used.events_per_second).map(|rate| {
            let events = rate * month_seconds;
            let of = |per_million: f64| per_million * events / 1e6;
            let (tidemill, by_hand) = (of(parts.sum()), of(by_hand.sum()));
            Month { events_per_second: rate, events, tidemill, by_hand, flink: FLINK_MONTH }
        });
        Self {
            used,
            prices_as_of: prices::AS_OF,
            region: prices::REGION,
            per_million: parts.sum(),
            parts,
            per_million_at_first: at_first.sum(),
            by_hand_per_million: by_hand.sum(),
            flink_month: FLINK_MONTH,
            break_even_per_second: FLINK_MONTH / (parts.sum() / 1e6) / month_seconds,
            month,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A million records in 2,000 batches.
    fn used() -> Used {
        Used {
            scenario: String::from("s"),
            records: 1_000_000,
            batches: 2_000,
            invocations: 2_000,
            gb_seconds: 60.0,
            write_units: 30_000.0,
            first_lap_units: 10_000.0,
            read_units: 8.0,
            put_requests: 1_000,
            put_units: 100_000,
            events_per_second: None,
        }
    }

    #[track_caller]
    fn about(one: f64, other: f64) {
        assert!((one - other).abs() < 1e-6 * other.abs().max(1.0), "{one} is not {other}");
    }

    #[test]
    fn a_million_events_cost_what_their_parts_cost() {
        let cost = Cost::of(used(), None);
        about(cost.parts.requests, 0.0004);
        about(cost.parts.memory_and_time, 0.000_800_004);
        about(cost.parts.writes, 0.0125);
        about(cost.parts.reads, 0.000_001);
        about(cost.parts.puts, 0.0014);
        about(cost.per_million, cost.parts.sum());
        about(cost.per_million_at_first - cost.per_million, 0.006_25);
        assert_eq!(cost.month, None);
    }

    #[test]
    fn records_are_scaled_to_a_million() {
        let half = Used { records: 500_000, ..used() };
        about(Cost::of(half, None).per_million, 2.0 * Cost::of(used(), None).per_million);
        assert!(Cost::of(Used::default(), Some(1.0)).per_million < 1e-9);
    }

    #[test]
    fn by_hand_costs_a_write_unit_a_record() {
        let cost = Cost::of(used(), None);
        about(cost.by_hand_per_million, 0.625 + 0.0004 + 0.000_800_004 + 0.0014);
    }

    #[test]
    fn the_smallest_flink_costs_two_units_and_storage() {
        about(FLINK_MONTH, 165.6);
    }

    #[test]
    fn at_the_rate_of_break_even_both_cost_the_same() {
        let rate = Cost::of(used(), None).break_even_per_second;
        let month = Cost::of(used(), Some(rate)).month.unwrap();
        about(month.tidemill, month.flink);
        assert!(month.by_hand > month.tidemill);
    }

    #[test]
    fn a_rate_that_is_given_goes_before_the_streams_own() {
        let slow = Used { events_per_second: Some(1.0), ..used() };
        assert_eq!(Cost::of(slow.clone(), None).month.unwrap().events_per_second, 1.0);
        let month = Cost::of(slow, Some(1_000.0)).month.unwrap();
        assert_eq!(month.events_per_second, 1_000.0);
        about(month.events, 2.628e9);
    }
}
