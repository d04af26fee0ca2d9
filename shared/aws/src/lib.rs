//! The only crate that names AWS.
//!
//! ```text
//! invocation bytes -> decode       records of one shard, borrowed from the body
//!                     kpl          those that a producer packed into one
//!                     journal  ->  dynamodb      the store: items, guards, parts
//!                     outputs  ->  cloudevents   final bytes and partition key
//!                              ->  emit          PutRecords until every record is acknowledged
//!                              ->  table         the latest result of each key and window
//! invocation answer <- respond
//! ```
//!
//! [`connect`] makes the clients that [`DynamoStore`], [`KinesisSink`] and [`TableSink`] work with; [`check_streams`] and
//! [`check_tables`] look at the sinks before the first batch comes.
//!
//! Errors are of two kinds throughout: *unavailable* (no answer, throttled, out of time: the same again is right) and
//! *refused* (no such stream or table, no permission, too large: somebody must mend it, and the message says what).

mod backoff;
mod clients;
mod cloudevents;
mod decode;
mod dynamodb;
mod emit;
mod fault;
mod kpl;
mod respond;
mod sinks;
mod source;
mod table;
#[cfg(test)]
mod testing;
mod usage;

pub use clients::{Clients, check_streams, check_tables, connect};
pub use cloudevents::{Destination, Destinations, Envelope, Numbers, Producer};
pub use decode::{Batch, DecodeError, Invocation, SourceShard, Unpacked, decode};
pub use dynamodb::{DynamoStore, TABLE_VARIABLE, list_journals};
pub use emit::{KinesisSink, MAX_RECORD_BYTES, SinkStream};
pub use respond::{failed_from, succeeded};
pub use sinks::Sinks;
pub use source::{KinesisSource, ShardInfo};
pub use table::{SinkTable, TableSink};
pub use usage::{Usage, UsageMeter};
