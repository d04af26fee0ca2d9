//! Records that a producer packed into one Kinesis record, as the Kinesis Producer Library does.
//!
//! ```text
//! F3 89 9A C2 | protobuf AggregatedRecord | MD5 of the protobuf bytes, 16 bytes
//! ```
//!
//! Format: <https://github.com/awslabs/amazon-kinesis-producer/blob/master/aggregation-format.md>

mod aggregate;
mod protobuf;

pub(crate) use aggregate::{Inner, unpack};
