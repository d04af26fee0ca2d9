//! The records of an invocation.

use std::ops::RangeInclusive;

use tidemill_core::{EventTime, Position, Record, SequenceNumber};

use crate::kpl;

/// Which shard records come from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SourceShard {
    /// The stream's ARN; that of an enhanced fan-out consumer is cut down to its stream's.
    pub stream: String,
    /// The shard's id, such as `shardId-000000000000`.
    pub shard: String,
}

impl SourceShard {
    pub(super) fn new(arn: &str, shard: &str) -> Self {
        Self { stream: stream_arn(arn).to_owned(), shard: shard.to_owned() }
    }
}

/// The ARN of the stream in that of one of its consumers, `…:stream/<name>/consumer/<name>:<created>`, or in its own.
pub(super) fn stream_arn(arn: &str) -> &str {
    arn.split_once("/consumer/").map_or(arn, |(stream, _)| stream)
}

/// Kinesis records of one shard in shard order, each with a sequence number of its own. Nothing is borrowed from the event.
#[derive(Debug, Default)]
pub struct Batch {
    pub(super) source: Option<SourceShard>,
    pub(super) entries: Vec<Entry>,
    /// The partition keys, one behind the other: whoever goes through the records reads them and the payloads in a row,
    /// and not one here and there in the whole event.
    pub(super) partition_keys: String,
    pub(super) payloads: Vec<u8>,
}

/// A Kinesis record, whose partition key and payload lie in the batch's buffers. Each begins where the one before ends.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) sequence: SequenceNumber,
    pub(super) arrival: EventTime,
    pub(super) partition_key_end: usize,
    pub(super) payload_end: usize,
}

/// The records of a batch, with those that a producer packed into one Kinesis record on their own.
#[derive(Debug)]
pub struct Unpacked<'b> {
    /// In shard order, each at a position of its own.
    pub records: Vec<Record<'b>>,
    /// How many belong to another shard and were discarded.
    pub foreign: usize,
}

impl Batch {
    /// Adds a record whose partition key and payload are in the buffers.
    pub(super) fn push(&mut self, sequence: SequenceNumber, arrival: EventTime) {
        let (partition_key_end, payload_end) = (self.partition_keys.len(), self.payloads.len());
        self.entries.push(Entry { sequence, arrival, partition_key_end, payload_end });
    }

    /// The shard; `None` for a batch without records, which says nothing about its source: there is nothing to do.
    pub fn source(&self) -> Option<&SourceShard> {
        self.source.as_ref()
    }

    /// How many Kinesis records; one that holds several counts once.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no record.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The records, in shard order. Keys and payloads are borrowed from the batch.
    ///
    /// A Kinesis record as the Kinesis Producer Library aggregates them gives its inner records, each with a partition
    /// key and a payload of its own, at the sub-sequence numbers 0, 1, 2, …
    /// (<https://docs.aws.amazon.com/streams/latest/dev/kinesis-kpl-consumer-deaggregation.html>). An aggregate inside an
    /// aggregate stays packed. What looks like an aggregate but does not fit the format to the last byte is plain data.
    ///
    /// Nothing is discarded: a Lambda event does not tell the shard's hash range. See [`unpack`](Self::unpack).
    pub fn records(&self) -> Vec<Record<'_>> {
        self.unpack(None).records
    }

    /// The records as [`records`](Self::records) gives them, without the inner ones whose explicit hash key, or else the
    /// MD5 of whose partition key, lies outside the shard's hash range. They keep their sub-sequence numbers.
    ///
    /// After a reshard a producer that has not heard of it packs records of several shards together. The Kinesis
    /// Producer Library sends those that went astray again (since
    /// <https://github.com/awslabs/amazon-kinesis-producer/pull/576> those alone), so here they would be taken twice, and
    /// the first time in a shard that does not own their key. Other packers may not send them again
    /// (<https://github.com/awslabs/kinesis-aggregation/issues/11>): the count must be seen.
    pub fn unpack(&self, hash_range: Option<&RangeInclusive<u128>>) -> Unpacked<'_> {
        let shard = self.source.as_ref().map_or("", |source| &source.shard);
        let mut unpacked = Unpacked { records: Vec::with_capacity(self.entries.len()), foreign: 0 };
        let (mut key_start, mut payload_start) = (0, 0);
        for entry in &self.entries {
            let partition_key = &self.partition_keys[key_start..entry.partition_key_end];
            let payload = &self.payloads[payload_start..entry.payload_end];
            (key_start, payload_start) = (entry.partition_key_end, entry.payload_end);
            match kpl::unpack(payload, hash_range) {
                Some(inner) => unpacked.add(shard, entry, &inner),
                None => unpacked.records.push(entry.record(shard, 0, partition_key, payload)),
            }
        }
        unpacked
    }
}

impl<'b> Unpacked<'b> {
    fn add(&mut self, shard: &'b str, outer: &Entry, inner: &[kpl::Inner<'b>]) {
        let before = self.records.len();
        let own = (0..).zip(inner).filter(|(_, inner)| !inner.foreign);
        self.records.extend(own.map(|(number, inner)| outer.record(shard, number, inner.partition_key, inner.payload)));
        self.foreign += inner.len() - (self.records.len() - before);
    }
}

impl Entry {
    fn record<'b>(&self, shard: &'b str, sub_sequence: u64, partition_key: &'b str, payload: &'b [u8]) -> Record<'b> {
        let position = Position { sequence: self.sequence.clone(), sub_sequence };
        Record { shard, position, partition_key, arrival: self.arrival, payload, enriched: None }
    }
}
