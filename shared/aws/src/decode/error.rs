//! Why an invocation cannot be taken.

use serde_json::Value;
use tidemill_core::SequenceNumber;

use super::SourceShard;

/// Why an invocation cannot be taken. It is the same on every retry.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Not JSON, or of another shape.
    #[error("the invocation does not read as a Kinesis event: {0}")]
    Json(#[from] serde_json::Error),
    /// From another service.
    #[error("the invocation is not a Kinesis event: {0}. A pipeline's function takes a Kinesis event source alone")]
    NotKinesis(String),
    /// A field is missing or wrong.
    #[error("record {index} of the Kinesis event: `{field}` {why}")]
    Field {
        /// Which record, from 0.
        index: usize,
        /// Which field, in the event's spelling.
        field: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Records of several shards.
    #[error(
        "record {index} of the Kinesis event is of {} of {}, but the first one of {} of {}: a batch of an event source is \
         of one shard, so send the records of each shard on their own", other.shard, other.stream, first.shard,
        first.stream
    )]
    Mixed {
        /// Which record, from 0.
        index: usize,
        /// The shard of record 0.
        first: SourceShard,
        /// The shard of the record.
        other: SourceShard,
    },
    /// Two records at one place.
    #[error(
        "records {} and {index} of the Kinesis event share the sequence number {sequence}: enhanced fan-out unpacks \
         aggregated records without telling their sub-sequence numbers, so they cannot be told apart after a retry. Make \
         the stream itself, not a consumer, the event source, or switch aggregation off in the producer", index - 1
    )]
    Shared {
        /// The later record, from 0.
        index: usize,
        /// The sequence number.
        sequence: SequenceNumber,
    },
    /// A record lies before the one that it follows.
    #[error(
        "record {index} of the Kinesis event has the sequence number {sequence}, below that of the record before: records \
         must come in shard order"
    )]
    Unordered {
        /// The later record, from 0.
        index: usize,
        /// Its sequence number.
        sequence: SequenceNumber,
    },
    /// A `tidemill` invocation that this version does not know.
    #[error(
        "the invocation says {{\"tidemill\":{0}}}, which this version does not know. It knows \
         {{\"tidemill\":{{\"drain\":{{\"eventSourceARN\":\"…\",\"shardId\":\"…\"}}}}}}"
    )]
    UnknownControl(Value),
}

/// A field of a record, for messages.
#[derive(Clone, Copy)]
pub(super) struct Field {
    pub(super) index: usize,
    pub(super) name: &'static str,
}

impl Field {
    pub(super) const fn named(self, name: &'static str) -> Self {
        Self { name, ..self }
    }

    pub(super) fn required<T>(self, value: Option<T>) -> Result<T, DecodeError> {
        value.ok_or_else(|| self.wrong("is missing"))
    }

    pub(super) const fn wrong(self, why: &'static str) -> DecodeError {
        DecodeError::Field { index: self.index, field: self.name, why }
    }
}
