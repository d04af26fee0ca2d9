//! The Kinesis event, as Lambda writes it.

use std::fmt::Write;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::emulators::Record;
use crate::template::{ACCOUNT, REGION, stream_arn};

/// A record in its place in an event, ready to be sent as often as need be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rendered {
    pub(super) sequence_number: String,
    /// When it arrived, in milliseconds since the epoch.
    pub(super) arrival: u64,
    pub(super) json: String,
}

/// Writes records of one shard.
pub(super) struct Renderer {
    shard: String,
    tail: String,
}

const HEAD: &str = "{\"Records\":[";
const FOOT: &str = "]}";

impl Renderer {
    /// Writes records of a shard of the stream, or for the consumer, with the ARN `source`.
    pub(super) fn new(source: &str, shard: &str, function: &str) -> Self {
        let tail = format!(
            "\"eventName\":\"aws:kinesis:record\",\"invokeIdentityArn\":\"arn:aws:iam::{ACCOUNT}:role/{function}-role\",\"awsRegion\":\"{REGION}\",\"eventSourceARN\":\"{source}\"}}"
        );
        let shard = shard.to_owned();
        Self { shard, tail }
    }

    pub(super) fn render(&self, record: Record) -> Rendered {
        let Self { shard, tail } = self;
        let sequence = &record.sequence_number;
        let key = serde_json::Value::from(record.partition_key);
        let mut json = String::with_capacity(record.data.len() + tail.len() + 480);
        // Writing to a string cannot fail.
        let _ = write!(
            json,
            "{{\"kinesis\":{{\"kinesisSchemaVersion\":\"1.0\",\"partitionKey\":{key},\"sequenceNumber\":\"{sequence}\",\"data\":\"{}\",\"approximateArrivalTimestamp\":{}}},\"eventSource\":\"aws:kinesis\",\"eventVersion\":\"1.0\",\"eventID\":\"{shard}:{sequence}\",{tail}",
            record.data,
            seconds(record.approximate_arrival_timestamp),
        );
        Rendered {
            arrival: millis(record.approximate_arrival_timestamp),
            sequence_number: record.sequence_number,
            json,
        }
    }

    /// What a filter sees of a record, apart from its data.
    pub(super) fn metadata(&self, record: &Record) -> Value {
        json!({
            "kinesisSchemaVersion": "1.0",
            "partitionKey": record.partition_key,
            "sequenceNumber": record.sequence_number,
            "approximateArrivalTimestamp": seconds(record.approximate_arrival_timestamp),
        })
    }
}

/// A number of seconds with three decimals at most and no trailing zeros.
fn seconds(timestamp: f64) -> f64 {
    (timestamp * 1_000.0).round() / 1_000.0
}

/// Milliseconds since the epoch.
fn millis(timestamp: f64) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the clock is behind the epoch")]
    let millis = (timestamp * 1_000.0).round() as u64;
    millis
}

/// How long the event of these records is.
pub(super) fn length<'a>(records: impl IntoIterator<Item = &'a Rendered>) -> usize {
    let records = records.into_iter().map(|record| record.json.len() + 1);
    // One comma fewer than records, which an empty event has not either.
    (HEAD.len() + FOOT.len() + records.sum::<usize>()).saturating_sub(1)
}

/// The event of these records.
pub(super) fn of(records: &[Rendered]) -> Bytes {
    let mut event = String::with_capacity(length(records) + 1);
    event.push_str(HEAD);
    for (index, record) in records.iter().enumerate() {
        if index > 0 {
            event.push(',');
        }
        event.push_str(&record.json);
    }
    event.push_str(FOOT);
    event.into()
}

/// The event that declares a shard's input ended.
pub(super) fn drain(stream: &str, shard: &str) -> Bytes {
    let arn = stream_arn(stream);
    format!("{{\"tidemill\":{{\"drain\":{{\"eventSourceARN\":\"{arn}\",\"shardId\":\"{shard}\"}}}}}}").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(key: &str, timestamp: f64) -> Rendered {
        Renderer::new(&stream_arn("flights"), "shardId-000000000003", "departures").render(Record {
            sequence_number: String::from("4967"),
            partition_key: key.to_owned(),
            data: String::from("e30="),
            approximate_arrival_timestamp: timestamp,
        })
    }

    #[test]
    fn an_event_is_what_lambda_sends() {
        let event = of(&[record("J\"K", 1_789_808_243.705)]);
        assert_eq!(
            std::str::from_utf8(&event).unwrap(),
            r#"{"Records":[{"kinesis":{"kinesisSchemaVersion":"1.0","partitionKey":"J\"K","sequenceNumber":"4967","data":"e30=","approximateArrivalTimestamp":1789808243.705},"eventSource":"aws:kinesis","eventVersion":"1.0","eventID":"shardId-000000000003:4967","eventName":"aws:kinesis:record","invokeIdentityArn":"arn:aws:iam::000000000000:role/departures-role","awsRegion":"us-east-1","eventSourceARN":"arn:aws:kinesis:us-east-1:000000000000:stream/flights"}]}"#
        );
    }

    #[test]
    fn arrival_times_have_no_trailing_zeros() {
        assert!(record("k", 1_789_809_307.3).json.contains(":1789809307.3}"));
        assert!(record("k", 1_789_809_307.0).json.contains(":1789809307}"));
        assert!(record("k", 1_789_809_307.000_4).json.contains(":1789809307}"));
    }

    #[test]
    fn the_length_is_that_of_the_event() {
        for count in 1..4 {
            let records = vec![record("k", 1.0); count];
            assert_eq!(length(&records), of(&records).len());
        }
    }
}
