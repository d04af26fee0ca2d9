//! The invocation's bytes: records of one shard, or a word of tidemill's own.
//!
//! Payloads are decoded into one buffer per batch, and partition keys copied into another.
//! Event shape: <https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html>

mod batch;
mod error;
mod scan;

pub use batch::{Batch, SourceShard, Unpacked};
pub use error::DecodeError;

use std::borrow::Cow;
use std::cmp::Ordering;

use serde::Deserialize;
use serde_json::Value;
use tidemill_core::{EventTime, SequenceNumber};

use batch::{Entry, stream_arn};
use error::Field;

/// What an invocation asks for.
#[derive(Debug)]
pub enum Invocation {
    /// To take records.
    Batch(Batch),
    /// To let quiet shards go on, as of the schedule's own time: the event of an EventBridge rule, or
    /// `{"tidemill":{"tick":{"time":"2026-01-01T00:00:00Z"}}}`, which a schedule of EventBridge Scheduler sends with
    /// `<aws.scheduler.scheduled-time>`.
    /// <https://docs.aws.amazon.com/lambda/latest/dg/services-cloudwatchevents.html>
    Tick(EventTime),
    /// To close everything: the input has ended. `{"tidemill":{"drain":{"eventSourceARN":"…","shardId":"…"}}}`
    Drain(SourceShard),
}

/// Reads an invocation's body.
///
/// An event with an empty `Records` is a batch of nothing, and no error: there is nothing that could be lost.
///
/// # Errors
/// [`DecodeError`], which names record and field. Nothing of the event is taken then.
pub fn decode(body: &[u8]) -> Result<Invocation, DecodeError> {
    scan::scan(body).map_or_else(|| decode_any(body), |batch| Ok(Invocation::Batch(batch)))
}

/// The general way, for every shape.
fn decode_any(body: &[u8]) -> Result<Invocation, DecodeError> {
    let body: Body<'_> = serde_json::from_slice(body)?;
    match (body.tidemill, body.records) {
        (Some(control), _) => control_event(control),
        (None, Some(envelopes)) => batch(envelopes).map(Invocation::Batch),
        (None, None) if body.detail_type.as_deref() == Some("Scheduled Event") => tick(body.time.as_deref()),
        (None, None) => Err(DecodeError::NotKinesis("it has no `Records`".to_owned())),
    }
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow, rename = "Records")]
    records: Option<Vec<Envelope<'a>>>,
    tidemill: Option<Value>,
    #[serde(borrow, rename = "detail-type", default)]
    detail_type: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    time: Option<Cow<'a, str>>,
}

fn tick(time: Option<&str>) -> Result<Invocation, DecodeError> {
    let read = time.and_then(|time| time.parse::<jiff::Timestamp>().ok());
    let wrong = || DecodeError::NotKinesis(format!("it is a tick, but {time:?} is no time in RFC 3339"));
    read.map(|time| Invocation::Tick(EventTime::from_millis(time.as_millisecond()))).ok_or_else(wrong)
}

// Every field is optional, so that what is missing is reported with the index of its record.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    #[serde(borrow)]
    event_source: Option<Text<'a>>,
    #[serde(borrow, rename = "eventSourceARN")]
    event_source_arn: Option<Text<'a>>,
    #[serde(borrow, rename = "eventID")]
    event_id: Option<Text<'a>>,
    #[serde(borrow)]
    kinesis: Option<Data<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data<'a> {
    #[serde(borrow)]
    partition_key: Option<Text<'a>>,
    #[serde(borrow)]
    sequence_number: Option<Text<'a>>,
    #[serde(borrow)]
    data: Option<Text<'a>>,
    approximate_arrival_timestamp: Option<f64>,
}

/// A string, borrowed unless it holds escapes. (`Option<Cow<str>>` alone would always be owned.)
#[derive(Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

fn batch(envelopes: Vec<Envelope<'_>>) -> Result<Batch, DecodeError> {
    let mut batch = Batch::default();
    batch.entries.reserve_exact(envelopes.len());
    batch.payloads.reserve_exact(envelopes.iter().map(decoded_length).sum());
    for (index, envelope) in envelopes.into_iter().enumerate() {
        check_source(index, &envelope, &mut batch.source)?;
        take(index, envelope, &mut batch)?;
    }
    Ok(batch)
}

/// The most that a record's payload takes. Not the exact length, which would need a look at the padding.
fn decoded_length(envelope: &Envelope<'_>) -> usize {
    let encoded = envelope.kinesis.as_ref().and_then(|kinesis| kinesis.data.as_ref()).map_or(0, |data| data.0.len());
    base64_simd::STANDARD.estimated_decoded_length(encoded)
}

/// The first record's shard is the batch's; each other record must be of it.
fn check_source(index: usize, envelope: &Envelope<'_>, source: &mut Option<SourceShard>) -> Result<(), DecodeError> {
    let field = Field { index, name: "eventSource" };
    let service = field.required(envelope.event_source.as_ref())?;
    if service.0 != "aws:kinesis" {
        return Err(DecodeError::NotKinesis(format!("record {index} is of `{}`, not `aws:kinesis`", service.0)));
    }
    let arn = field.named("eventSourceARN").required(envelope.event_source_arn.as_ref())?;
    let field = field.named("eventID");
    let id = field.required(envelope.event_id.as_ref())?;
    let shard = id.0.rsplit_once(':').map(|(shard, _)| shard).filter(|shard| !shard.is_empty());
    let shard = shard.ok_or_else(|| field.wrong("is not `<shard id>:<sequence number>`"))?;
    let first = source.get_or_insert_with(|| SourceShard::new(&arn.0, shard));
    if first.shard == shard && first.stream == stream_arn(&arn.0) {
        return Ok(());
    }
    Err(DecodeError::Mixed { index, first: first.clone(), other: SourceShard::new(&arn.0, shard) })
}

/// Adds a record behind those before it.
fn take(index: usize, envelope: Envelope<'_>, batch: &mut Batch) -> Result<(), DecodeError> {
    let field = Field { index, name: "kinesis" };
    let kinesis = field.required(envelope.kinesis)?;
    batch.partition_keys.push_str(&field.named("kinesis.partitionKey").required(kinesis.partition_key)?.0);
    let arrival = arrival(field.named("kinesis.approximateArrivalTimestamp"), kinesis.approximate_arrival_timestamp)?;
    let field = field.named("kinesis.sequenceNumber");
    let sequence = SequenceNumber::parse(&field.required(kinesis.sequence_number)?.0)
        .ok_or_else(|| field.wrong("is not a decimal number of 1 to 129 digits"))?;
    let field = field.named("kinesis.data");
    base64_simd::STANDARD
        .decode_append(field.required(kinesis.data)?.0.as_bytes(), &mut batch.payloads)
        .map_err(|_| field.wrong("is not base64"))?;
    check_order(index, &sequence, batch.entries.last())?;
    batch.push(sequence, arrival);
    Ok(())
}

/// Seconds with up to three decimals as whole milliseconds.
///
/// Exact: in the years 1 to 9999 a double's step is below 32 microseconds, so rounding meets the millisecond meant.
fn arrival(field: Field, seconds: Option<f64>) -> Result<EventTime, DecodeError> {
    let millis = (field.required(seconds)? * 1000.0).round();
    #[expect(clippy::cast_possible_truncation, reason = "held at the ends of the range, which are then refused")]
    let arrival = EventTime::from_millis(millis as i64);
    if arrival.in_calendar() { Ok(arrival) } else { Err(field.wrong("lies outside the years 1 to 9999")) }
}

fn check_order(index: usize, sequence: &SequenceNumber, before: Option<&Entry>) -> Result<(), DecodeError> {
    match before.map(|before| before.sequence.cmp(sequence)) {
        Some(Ordering::Equal) => Err(DecodeError::Shared { index, sequence: sequence.clone() }),
        Some(Ordering::Greater) => Err(DecodeError::Unordered { index, sequence: sequence.clone() }),
        _ => Ok(()),
    }
}

fn control_event(control: Value) -> Result<Invocation, DecodeError> {
    let verb = |name| control.get(name).filter(|_| control.as_object().is_some_and(|verbs| verbs.len() == 1));
    if let Some(at) = verb("tick") {
        return tick(at.get("time").and_then(Value::as_str));
    }
    let text = |name| verb("drain").and_then(|drain| drain.get(name)).and_then(Value::as_str);
    match (text("eventSourceARN"), text("shardId")) {
        (Some(arn), Some(shard)) => Ok(Invocation::Drain(SourceShard::new(arn, shard))),
        _ => Err(DecodeError::UnknownControl(control)),
    }
}

#[cfg(test)]
mod tests {
    use aws_lambda_events::event::kinesis::KinesisEvent;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_tick_carries_the_schedules_own_time() {
        let rule = json!({"version": "0", "detail-type": "Scheduled Event", "source": "aws.events",
            "time": "2026-01-01T00:00:01Z", "resources": [], "detail": {}});
        let scheduler = json!({"tidemill": {"tick": {"time": "2026-01-01T00:00:01Z"}}});
        for event in [rule, scheduler] {
            let body = serde_json::to_vec(&event).expect("serialises");
            let Ok(Invocation::Tick(time)) = decode(&body) else { panic!("a tick: {event}") };
            assert_eq!(time.as_millis(), 1_767_225_601_000);
        }
        let timeless = json!({"tidemill": {"tick": {"time": "noon"}}}).to_string();
        assert!(decode(timeless.as_bytes()).expect_err("refused").to_string().contains("noon"));
    }

    const STREAM: &str = "arn:aws:kinesis:us-east-1:123456789012:stream/flights";
    const SHARD: &str = "shardId-000000000000";
    const SEQUENCE: &str = "49678482213667495263467347962839741384025598392937742338";

    fn record(sequence: &str, partition_key: &str, payload: &[u8], arrival: f64) -> Value {
        json!({
            "kinesis": {
                "kinesisSchemaVersion": "1.0",
                "partitionKey": partition_key,
                "sequenceNumber": sequence,
                "data": base64_simd::STANDARD.encode_to_string(payload),
                "approximateArrivalTimestamp": arrival,
            },
            "eventSource": "aws:kinesis",
            "eventVersion": "1.0",
            "eventID": format!("{SHARD}:{sequence}"),
            "eventName": "aws:kinesis:record",
            "invokeIdentityArn": "arn:aws:iam::123456789012:role/role-name",
            "awsRegion": "us-east-1",
            "eventSourceARN": STREAM,
        })
    }

    fn event(records: &[Value]) -> Vec<u8> {
        json!({ "Records": records }).to_string().into_bytes()
    }

    fn batch_of(body: &[u8]) -> Batch {
        match decode(body) {
            Ok(Invocation::Batch(batch)) => batch,
            other => panic!("not a batch: {other:?}"),
        }
    }

    fn message(body: &[u8]) -> String {
        decode(body).expect_err("an error").to_string()
    }

    /// One valid record with one field set to another value, or taken out.
    fn spoiled(pointer: &str, value: Option<Value>) -> Vec<u8> {
        let mut record = record(SEQUENCE, "JFK", b"{}", 1_789_808_243.705);
        let (parent, field) = pointer.rsplit_once('/').expect("a pointer");
        let fields = record.pointer_mut(parent).and_then(Value::as_object_mut).expect("an object");
        match value {
            Some(value) => fields.insert(field.to_owned(), value),
            None => fields.remove(field),
        };
        event(&[record])
    }

    fn assert_equals_the_reference(body: &[u8]) {
        let reference: KinesisEvent = serde_json::from_slice(body).expect("the reference decodes");
        let batch = batch_of(body);
        let records = batch.records();
        assert_eq!(records.len(), reference.records.len());
        assert_eq!(batch.len(), records.len());
        for (ours, theirs) in records.iter().zip(&reference.records) {
            assert_eq!(ours.position.sequence.as_str(), theirs.kinesis.sequence_number);
            assert_eq!(ours.position.sub_sequence, 0);
            assert_eq!(ours.partition_key, theirs.kinesis.partition_key);
            assert_eq!(ours.payload, theirs.kinesis.data.0.as_slice());
            let arrival = theirs.kinesis.approximate_arrival_timestamp.0;
            // Whole seconds: the crate takes the decimals for a count of milliseconds, `.3` for 3 ms.
            assert_eq!(ours.arrival.as_millis() / 1000, arrival.timestamp());
            let source = batch.source().expect("a source");
            assert_eq!(Some(&source.stream), theirs.event_source_arn.as_ref());
            assert_eq!(theirs.event_id, Some(format!("{}:{}", source.shard, ours.position.sequence)));
        }
    }

    #[test]
    fn the_fixtures_of_the_events_crate_read_the_same() {
        assert_equals_the_reference(include_bytes!("../../testdata/example-kinesis-event.json"));
        assert_equals_the_reference(include_bytes!("../../testdata/example-kinesis-event-encrypted.json"));
    }

    #[test]
    fn arrival_times_are_exact_to_the_millisecond() {
        for (seconds, millis) in [
            ("1789808243.705", 1_789_808_243_705),
            ("1789809307.3", 1_789_809_307_300),
            ("1428537600", 1_428_537_600_000),
            ("1.789809307E9", 1_789_809_307_000),
            ("0.001", 1),
            ("-0.001", -1),
            ("253402300799.999", 253_402_300_799_999),
        ] {
            let body = spoiled("/kinesis/approximateArrivalTimestamp", Some(json!("HERE")));
            let body = String::from_utf8(body).expect("JSON").replace("\"HERE\"", seconds);
            assert_eq!(batch_of(body.as_bytes()).records()[0].arrival.as_millis(), millis, "{seconds}");
        }
    }

    #[test]
    fn each_record_has_its_own_partition_key() {
        let keys = ["JFK", "\u{1}", "é\"", "JFK", "L"];
        let records: Vec<Value> = (10..).zip(keys).map(|(n, key)| record(&format!("{n}"), key, b"{}", 1.0)).collect();
        let batch = batch_of(&event(&records));
        assert_eq!(batch.records().iter().map(|record| record.partition_key).collect::<Vec<_>>(), keys);
    }

    #[test]
    fn an_event_without_records_is_a_batch_of_nothing() {
        let batch = batch_of(br#"{"Records":[]}"#);
        assert!(batch.is_empty() && batch.source().is_none() && batch.records().is_empty());
    }

    #[test]
    fn a_consumers_arn_is_that_of_its_stream() {
        let body = spoiled("/eventSourceARN", Some(json!(format!("{STREAM}/consumer/fast:1789808900"))));
        assert_eq!(batch_of(&body).source().expect("a source").stream, STREAM);
    }

    #[test]
    fn what_is_missing_is_named_with_its_record() {
        for (pointer, field) in [
            ("/eventSource", "eventSource"),
            ("/eventSourceARN", "eventSourceARN"),
            ("/eventID", "eventID"),
            ("/kinesis", "kinesis"),
            ("/kinesis/partitionKey", "kinesis.partitionKey"),
            ("/kinesis/sequenceNumber", "kinesis.sequenceNumber"),
            ("/kinesis/data", "kinesis.data"),
            ("/kinesis/approximateArrivalTimestamp", "kinesis.approximateArrivalTimestamp"),
        ] {
            let expected = format!("record 0 of the Kinesis event: `{field}` is missing");
            assert_eq!(message(&spoiled(pointer, None)), expected);
            assert_eq!(message(&spoiled(pointer, Some(Value::Null))), expected);
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_its_record() {
        for (pointer, value, part) in [
            ("/eventSource", json!("aws:sqs"), "record 0 is of `aws:sqs`, not `aws:kinesis`"),
            ("/eventID", json!("1234"), "`eventID` is not `<shard id>:<sequence number>`"),
            ("/eventID", json!(":1234"), "`eventID` is not `<shard id>:<sequence number>`"),
            (
                "/kinesis/sequenceNumber",
                json!("12x"),
                "record 0 of the Kinesis event: `kinesis.sequenceNumber` is not a",
            ),
            ("/kinesis/data", json!("a\u{f6}"), "record 0 of the Kinesis event: `kinesis.data` is not base64"),
            ("/kinesis/approximateArrivalTimestamp", json!(1e300), "lies outside the years 1 to 9999"),
            ("/kinesis/partitionKey", json!(7), "invalid type: integer `7`, expected a string"),
        ] {
            let message = message(&spoiled(pointer, Some(value)));
            assert!(message.contains(part), "{message}");
        }
    }

    #[test]
    fn events_of_other_services_are_refused() {
        let sqs = br#"{"Records":[{"messageId":"1","body":"x","eventSource":"aws:sqs","eventSourceARN":"arn:x"}]}"#;
        assert!(message(sqs).contains("is not a Kinesis event: record 0 is of `aws:sqs`"));
        assert!(message(br#"{"detail-type":"Object Created"}"#).contains("it has no `Records`"));
        assert!(message(br#"{"detail-type":"Scheduled Event"}"#).contains("no time in RFC 3339"));
        assert!(message(b"not JSON").starts_with("the invocation does not read as a Kinesis event: expected"));
    }

    #[test]
    fn records_of_two_shards_or_streams_are_refused() {
        for (field, value) in [
            ("eventID", format!("shardId-000000000007:{SEQUENCE}1")),
            ("eventSourceARN", "arn:aws:kinesis:us-east-1:123456789012:stream/other".to_owned()),
        ] {
            let mut other = record(&format!("{SEQUENCE}1"), "JFK", b"{}", 1.0);
            other[field] = json!(value);
            let message = message(&event(&[record(SEQUENCE, "JFK", b"{}", 1.0), other]));
            assert!(message.starts_with("record 1 of the Kinesis event is of shardId-0"), "{message}");
            assert!(message.contains("the first one of shardId-000000000000"), "{message}");
        }
    }

    #[test]
    fn records_that_share_a_sequence_number_are_refused() {
        let twice = event(&[record("7", "a", b"1", 1.0), record("007", "b", b"2", 1.0)]);
        let message = message(&twice);
        assert!(
            message.starts_with("records 0 and 1 of the Kinesis event share the sequence number 7: enhanced fan-out")
        );
    }

    #[test]
    fn records_out_of_shard_order_are_refused() {
        let message = message(&event(&[record("10", "a", b"1", 1.0), record("9", "b", b"2", 1.0)]));
        assert!(message.starts_with("record 1 of the Kinesis event has the sequence number 9, below"), "{message}");
    }

    #[test]
    fn a_drain_names_its_shard() {
        let body =
            json!({"tidemill": {"drain": {"eventSourceARN": format!("{STREAM}/consumer/c:1"), "shardId": SHARD}}});
        let body = body.to_string();
        let Ok(Invocation::Drain(source)) = decode(body.as_bytes()) else { panic!("not a drain") };
        assert_eq!(source, SourceShard { stream: STREAM.to_owned(), shard: SHARD.to_owned() });
    }

    #[test]
    fn unknown_control_events_are_refused_with_what_is_known() {
        for control in [r#"{"tock":{}}"#, r#"{"drain":{"shardId":"x"}}"#, "7", "{}", r#"{"drain":{},"tick":{}}"#] {
            let message = message(format!(r#"{{"tidemill":{control}}}"#).as_bytes());
            assert!(message.starts_with(&format!(r#"the invocation says {{"tidemill":{control}}}"#)), "{message}");
            assert!(message.contains(r#"{"tidemill":{"drain":{"eventSourceARN":"#), "{message}");
        }
    }

    /// Field by field in the order of the service, which a map of JSON does not keep.
    fn as_lambda_writes(payloads: &[(Vec<u8>, String, i64)]) -> Vec<u8> {
        let record = |(n, (payload, key, millis)): (usize, &(Vec<u8>, String, i64))| {
            let data = base64_simd::STANDARD.encode_to_string(payload);
            let (sequence, key) = (format!("{SEQUENCE}{:03}", n + 95), json!(key));
            let (seconds, rest) = (millis / 1_000, millis % 1_000);
            format!(
                r#"{{"kinesis":{{"kinesisSchemaVersion":"1.0","partitionKey":{key},"sequenceNumber":"{sequence}","data":"{data}","approximateArrivalTimestamp":{seconds}.{rest:03}}},"eventSource":"aws:kinesis","eventVersion":"1.0","eventID":"{SHARD}:{sequence}","eventName":"aws:kinesis:record","invokeIdentityArn":"arn:aws:iam::123456789012:role/role-name","awsRegion":"us-east-1","eventSourceARN":"{STREAM}"}}"#
            )
        };
        let records: Vec<String> = payloads.iter().enumerate().map(record).collect();
        format!(r#"{{"Records":[{}]}}"#, records.join(",")).into_bytes()
    }

    /// What may be written over an event: bytes that mean something in JSON, or in base64, or nothing.
    fn damage() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            any::<[u8; 1]>().prop_map(Vec::from),
            "[0-9.eE+\\-]{1,3}|[\"\\\\,:{}\\[\\] ]{1,2}".prop_map(String::into_bytes)
        ]
    }

    #[test]
    fn what_lambda_writes_goes_the_short_way() {
        let payloads = [(b"{}".to_vec(), "JFK".to_owned(), 1_789_808_243_705), (vec![], "\u{e9}".to_owned(), 20)];
        let body = as_lambda_writes(&payloads);
        let batch = scan::scan(&body).expect("a plain event");
        assert_eq!(batch.records()[1].arrival.as_millis(), 20);
        assert_eq!(batch.source().expect("a source").stream, STREAM);
        assert_equals_the_reference(&body);
        let others =
            [(":0.020", ":00.020"), (":0.020", ":-0.020"), (":0.020", ":2e1"), ("JFK", "J\\u0046K"), ("]}", "]} ")];
        for (from, to) in others {
            let body = String::from_utf8(body.clone()).expect("text").replacen(from, to, 1);
            assert!(scan::scan(body.as_bytes()).is_none(), "{to}");
        }
    }

    prop_compose! {
        /// An event and the arrival times of its records.
        fn arb_event()(
            records in prop::collection::vec(
                (any::<Vec<u8>>(), "\\PC{1,20}|[\u{0}-\u{ff}\"\\\\/]{1,20}", 0_i64..4_000_000_000_000), 0..20
            )
        ) -> (Vec<u8>, Vec<i64>) {
            let record = |(n, (payload, key, millis)): (usize, &(Vec<u8>, String, i64))| {
                #[expect(clippy::cast_precision_loss, reason = "below 2^53")]
                let seconds = *millis as f64 / 1000.0;
                record(&(n + 95).to_string(), key, payload, seconds)
            };
            let body = event(&records.iter().enumerate().map(record).collect::<Vec<_>>());
            (body, records.into_iter().map(|(_, _, millis)| millis).collect())
        }
    }

    proptest! {
        #[test]
        fn generated_events_read_as_the_events_crate_reads_them((body, arrivals) in arb_event()) {
            assert_equals_the_reference(&body);
            let batch = batch_of(&body);
            let read = batch.records().into_iter().map(|record| record.arrival.as_millis());
            prop_assert_eq!(read.collect::<Vec<_>>(), arrivals);
        }

        #[test]
        fn the_short_way_reads_what_the_general_way_reads(
            payloads in prop::collection::vec((any::<Vec<u8>>(), "[a-z/]{1,9}|\\PC{1,9}", 0_i64..4_000_000_000_000), 1..12),
            damage in prop::collection::vec((any::<prop::sample::Index>(), damage()), 0..3),
        ) {
            let mut body = as_lambda_writes(&payloads);
            for (at, bytes) in damage {
                let at = at.index(body.len());
                let end = body.len().min(at + bytes.len());
                body.splice(at..end, bytes);
            }
            if let Some(batch) = scan::scan(&body) {
                let Ok(Invocation::Batch(general)) = decode_any(&body) else { panic!("no batch") };
                prop_assert_eq!(format!("{:?}", batch), format!("{:?}", general));
            }
        }

        #[test]
        fn digits_are_compared_as_numbers(before in "0?[0-9]{1,3}", digits in "0?[0-9]{1,3}") {
            let is_larger = SequenceNumber::parse(&before) < SequenceNumber::parse(&digits);
            let found = scan::is_behind(before.as_bytes(), digits.as_bytes());
            prop_assert!(found == is_larger || before.starts_with('0') || (digits.starts_with('0') && !found));
            prop_assert!(is_larger || !found);
        }

        #[test]
        fn damaged_events_never_panic(
            (mut body, _) in arb_event(),
            damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
        ) {
            for (at, byte) in damage {
                let at = at.index(body.len());
                body[at] = byte;
            }
            if let Ok(Invocation::Batch(batch)) = decode(&body) {
                prop_assert_eq!(batch.records().len(), batch.len());
            }
        }
    }
}
