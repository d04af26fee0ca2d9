//! The bytes that Lambda sends: <https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html>

use std::fmt::Write;

/// The stream that all records come from.
pub(crate) const STREAM: &str = "arn:aws:kinesis:us-east-1:123456789012:stream/events";
/// Its only shard.
pub(crate) const SHARD: &str = "shardId-000000000000";
/// When every record arrived, seconds since 1970: behind all event times.
const ARRIVAL: &str = "1893456000.123";

/// One payload and the partition key that it came under.
pub(crate) struct Payload {
    pub(crate) partition_key: String,
    pub(crate) bytes: Vec<u8>,
}

/// Writes events; sequence numbers go on from one to the next.
pub(crate) struct Events {
    body: String,
    number: u64,
}

impl Events {
    pub(crate) const fn new() -> Self {
        Self { body: String::new(), number: 0 }
    }

    /// An event of these payloads, as the Lambda service writes one.
    pub(crate) fn of(&mut self, payloads: &[Payload]) -> &[u8] {
        self.body.clear();
        self.body.push_str(r#"{"Records":["#);
        for (index, payload) in payloads.iter().enumerate() {
            if index > 0 {
                self.body.push(',');
            }
            self.record(payload);
        }
        self.body.push_str("]}");
        self.body.as_bytes()
    }

    fn record(&mut self, payload: &Payload) {
        self.number += 1;
        let sequence = format!("4967848221366749526346734796283974138402{:016}", self.number);
        let key = serde_json::Value::from(payload.partition_key.as_str());
        let data = base64_simd::STANDARD.encode_to_string(&payload.bytes);
        let written = write!(
            self.body,
            "{{\"kinesis\":{{\"kinesisSchemaVersion\":\"1.0\",\"partitionKey\":{key},\"sequenceNumber\":\"{sequence}\",\
             \"data\":\"{data}\",\"approximateArrivalTimestamp\":{ARRIVAL}}},\"eventSource\":\"aws:kinesis\",\
             \"eventVersion\":\"1.0\",\"eventID\":\"{SHARD}:{sequence}\",\"eventName\":\"aws:kinesis:record\",\
             \"invokeIdentityArn\":\"arn:aws:iam::123456789012:role/lambda-role\",\"awsRegion\":\"us-east-1\",\
             \"eventSourceARN\":\"{STREAM}\"}}"
        );
        written.expect("a string takes all that is written");
    }
}
