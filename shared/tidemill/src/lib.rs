//! Exactly-once, event-time stream processing on AWS Lambda.
//!
//! Declare a [`Pipeline`], give it to [`lambda::run`], and point a Kinesis event source at the function. Keyed window
//! state lives in DynamoDB, one conditional write a batch; results go to a Kinesis stream with ids that tell repeats.
//! Semantics are those of Apache Flink: windows by event time, watermarks, late records, each Kinesis record counted
//! exactly once, whatever Lambda retries, cuts or runs twice.
//!
//! ```no_run
//! use std::time::Duration;
//! use tidemill::{Json, Kinesis, OutOfOrder, Pipeline, Tumbling};
//!
//! #[derive(serde::Deserialize)]
//! struct Flight { origin: String, departed_at: i64, delay_min: i64 }
//!
//! #[derive(serde::Serialize)]
//! struct Departures { origin: String, flights: u64, delay_min_total: i64 }
//!
//! # #[tokio::main] async
//! fn main() -> Result<(), tidemill::Error> {
//!     let departures = Pipeline::named("departures")
//!         .source(Json::<Flight>::new())
//!         .event_time(|f| f.departed_at, OutOfOrder::at_most(Duration::from_hours(6)))
//!         .key_by(|f| f.origin.clone())
//!         .window(Tumbling::every(Duration::from_hours(1)))
//!         .late_to(Kinesis::stream("late-flights"))
//!         .aggregate(|over| (over.count(), over.sum(|f| f.delay_min)))
//!         .emit(|pane, (flights, delay_min_total)| Departures { origin: pane.key, flights, delay_min_total })
//!         .to(Kinesis::stream("departures"))
//!         .build()?;
//!     tidemill::lambda::run(departures).await
//! }
//! ```
//!
//! [`testing::Driver`] runs the same pipeline in a unit test.

pub mod describe;
mod error;
pub mod handler;
pub mod lambda;
pub mod metrics;
mod outbox;
pub mod pipeline;
pub mod settings;
mod telemetry;
pub mod testing;

pub use error::{Error, PipelineError};
pub use pipeline::{
    Borrows, Calls, Cbor, Gzip, Json, JsonRef, Kinesis, OnBad, OwnedFormat, Pipeline, Protobuf, Sink, Table, Text,
    Upstream, Zstd,
};
pub use tidemill_core::aggregate::{self, Aggregate};
pub use tidemill_core::operator::{Context, Early, KeyedProcess, List, Map, Pane, RecordInfo, Side, SideOutput, Value};
pub use tidemill_core::window::{self, Calendar, Cumulative, Global, Session, Sliding, Tumbling};
pub use tidemill_core::{
    EventTime, Events, Format, IntoEventTime, IntoKey, Key, Mapped, OutOfOrder, PartitionKey, Reason, Reject, Span,
    Timing, Watermark,
};
