//! Flights as records of one shard.

use serde_json::json;
use tidemill::testing::simulation::Message;
use tidemill_core::{EventTime, Position, Record, SequenceNumber};

/// One payload with its partition key.
#[derive(Clone, Debug)]
pub struct Flight {
    /// Under which key it is put.
    pub partition_key: String,
    /// Its bytes.
    pub payload: Vec<u8>,
}

impl Flight {
    /// A sound flight.
    pub fn new(origin: &str, departed_at: i64, delay_min: i64) -> Self {
        let payload = json!({"origin": origin, "departed_at": departed_at, "delay_min": delay_min});
        Self { partition_key: origin.to_owned(), payload: payload.to_string().into_bytes() }
    }
}

impl From<Flight> for Message {
    fn from(flight: Flight) -> Self {
        let Flight { partition_key, payload } = flight;
        Self { partition_key, payload }
    }
}

/// The flights as records in shard order, numbered from 1, all of one arrival in the year 2030.
pub fn records(flights: &[Flight]) -> Vec<Record<'_>> {
    flights.iter().enumerate().map(|(index, flight)| record(index + 1, flight)).collect()
}

fn record(number: usize, flight: &Flight) -> Record<'_> {
    let sequence = SequenceNumber::parse(&number.to_string()).expect("a decimal number");
    Record {
        shard: "shardId-000000000000",
        position: Position { sequence, sub_sequence: 0 },
        partition_key: &flight.partition_key,
        arrival: EventTime::from_millis(1_893_456_000_000),
        payload: &flight.payload,
        enriched: None,
    }
}
