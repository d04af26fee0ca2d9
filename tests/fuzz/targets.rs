//! What takes bytes from outside.

use std::io::Write as _;
use std::path::Path;

use base64_simd::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use md5::{Digest, Md5};
use serde_json::{Value, json};
use tidemill::{Cbor, Format, Gzip, Json, JsonRef, Protobuf, Text, Upstream, Zstd};
use tidemill_aws::{Invocation, decode};

use crate::{items, journals, settings};

/// Something that takes bytes.
pub(crate) struct Target {
    pub(crate) name: &'static str,
    /// What it may be given.
    pub(crate) inputs: fn() -> Vec<Vec<u8>>,
    /// Words that it knows.
    pub(crate) words: &'static [&'static str],
    /// No longer inputs are made.
    pub(crate) longest: usize,
    /// How many bytes of memory an input of so many may take.
    pub(crate) memory: fn(usize) -> usize,
    pub(crate) run: fn(&[u8]),
}

/// What a Lambda event has at most, and a Kinesis record of today.
const EVENT: usize = 6 << 20;
const RECORD: usize = 10 << 20;

/// A megabyte, and so many times the input.
const fn times(factor: usize, length: usize) -> usize {
    (1 << 20) + factor * length
}

/// All of them.
pub(crate) fn targets() -> Vec<Target> {
    vec![
        Target {
            name: "event",
            inputs: events,
            words: &["\"", "{", "[", "null", "Records", "kinesis", "\\u0000", "1e999", "aws:kinesis", "data"],
            longest: EVENT,
            memory: |length| times(40, length),
            run: event,
        },
        Target {
            name: "aggregate",
            inputs: aggregates,
            words: &["\x0a", "\x12", "\x1a\x02", "\u{80}", "\x08\x00"],
            longest: RECORD,
            memory: |length| times(60, length),
            run: aggregate,
        },
        Target {
            name: "upstream",
            inputs: outputs,
            words: &["null", "\"tidemill.late\"", "data_base64", "\\ud800", "1e400", "{", "["],
            longest: RECORD,
            memory: |length| times(100, length),
            run: upstream,
        },
        Target {
            name: "payload",
            inputs: payloads,
            words: &["{", "[", "\u{9f}", "\u{bf}", "null", "\x1f\u{8b}"],
            longest: RECORD,
            // Payloads inflate to 64 KiB at most here; zstd's own window is not counted, but bounded by the format.
            memory: |length| times(100, length) + (8 << 20),
            run: payload,
        },
        Target {
            name: "frame",
            inputs: journals::frames,
            words: &["tdm"],
            longest: 400 << 10,
            // What a record may inflate to, and that decoded.
            memory: |length| times(100, length) + (64 << 20),
            run: journals::frame,
        },
        Target {
            name: "journal",
            inputs: journals::contents,
            words: &["inc", "num", "pos", "parts", "oldest", "\u{9f}", "\u{bf}"],
            longest: 400 << 10,
            memory: |length| times(100, length) + (16 << 20),
            run: journals::journal,
        },
        Target {
            name: "item",
            inputs: items::items,
            words: &[
                "\"S\"",
                "\"N\"",
                "\"B\"",
                "\"BOOL\":true",
                "\"NULL\":true",
                "\"L\":[]",
                "\"M\":{}",
                "\"more\":{\"S\":\"\"},",
                "\"inc\"",
                "\"num\"",
                "\"due\"",
                "\"seq\"",
                "\"sub\"",
                "\"count\"",
                "\"body\"",
                "\"bytes\"",
                "slot:",
                "chunk:",
                "{}",
                "},{",
            ],
            longest: 400 << 10,
            // As for a journal.
            memory: |length| times(100, length) + (16 << 20),
            run: items::item,
        },
        Target {
            name: "template",
            inputs: settings::templates,
            words: &["- ", ": ", "{", "[", "&a", "*a", "!Sub", "!GetAtt a.b", "${", "Ref", "? ", "|", ">", "\n  "],
            longest: 64 << 10,
            memory: |length| times(2_000, length),
            run: settings::template,
        },
        Target {
            name: "scenario",
            inputs: settings::scenarios,
            words: &["=", "[", "[[", "\"", "'''", "{", "1979-05-27", "inf", "\n"],
            longest: 64 << 10,
            memory: |length| times(2_000, length),
            run: settings::scenario,
        },
    ]
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the repository")
}

/// Files of the repository.
pub(crate) fn files(folder: &str, extension: &str) -> Vec<Vec<u8>> {
    let entries = std::fs::read_dir(repository().join(folder)).expect("a folder of the repository").flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|found| found == extension));
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).expect("a file of the repository")).collect()
}

fn events() -> Vec<Vec<u8>> {
    let tick = json!({"version": "0", "id": "1", "detail-type": "Scheduled Event", "source": "aws.events",
        "account": "1", "time": "2030-01-01T00:00:00Z", "region": "us-east-1", "resources": [], "detail": {}});
    let drain =
        json!({"tidemill": {"drain": {"stream": "arn:aws:kinesis:us-east-1:1:stream/s", "shard": "shardId-0"}}});
    let mut events = files("shared/aws/testdata", "json");
    events.extend([tick, drain].map(|event| event.to_string().into_bytes()));
    events
}

fn event(bytes: &[u8]) {
    if let Ok(Invocation::Batch(batch)) = decode(bytes) {
        let records = batch.records();
        assert!(records.len() >= batch.len(), "a record is gone");
    }
}

fn aggregates() -> Vec<Vec<u8>> {
    let whole = files("shared/aws/testdata/kpl/aggregated", "bin");
    whole.iter().map(|aggregate| aggregate[4..aggregate.len() - 16].to_vec()).collect()
}

/// A checksum that fits, so that what lies within is looked at.
fn aggregate(body: &[u8]) {
    let checksum = Md5::digest(body);
    let payload = [&[0xf3, 0x89, 0x9a, 0xc2], body, checksum.as_slice()].concat();
    let data = STANDARD.encode_to_string(&payload);
    let event = format!(
        r#"{{"Records":[{{"kinesis":{{"kinesisSchemaVersion":"1.0","partitionKey":"p","sequenceNumber":"1","data":"{data}",
        "approximateArrivalTimestamp":1.5}},"eventSource":"aws:kinesis","eventID":"shardId-000000000000:1","eventName":
        "aws:kinesis:record","awsRegion":"r","eventSourceARN":"arn:aws:kinesis:r:1:stream/s"}}]}}"#
    );
    let Ok(Invocation::Batch(batch)) = decode(event.as_bytes()) else { panic!("the envelope is sound") };
    let bytes: usize = batch.records().iter().map(|record| record.payload.len()).sum();
    assert!(bytes <= payload.len(), "more came out than went in");
}

fn outputs() -> Vec<Vec<u8>> {
    let committed = json!({"specversion": "1.0", "type": "tidemill.result", "producer": "p", "commit": "7", "index": 2,
        "data": [1, {"a": null}]});
    let relayed = json!({"type": "tidemill.late", "producer": "p", "sequence": "12", "subsequence": "1", "index": 0,
        "floor": "9", "floorsub": "0", "data_base64": "MQ=="});
    [committed, relayed].map(|output| output.to_string().into_bytes()).to_vec()
}

fn upstream(bytes: &[u8]) {
    let format = Upstream::of(Json::<Value>::new());
    let _ = (format.decode(bytes), format.sent(bytes));
}

#[derive(serde::Deserialize, serde::Serialize)]
struct Flight {
    origin: String,
    departed_at: i64,
    #[serde(default)]
    more: Vec<Value>,
}

#[derive(serde::Deserialize)]
#[expect(dead_code, reason = "what is read is what is tested")]
struct FlightRef<'a> {
    origin: &'a str,
    departed_at: i64,
}

tidemill::borrows!(FlightRef);

/// In Protocol Buffers.
#[derive(Clone, PartialEq, prost::Message)]
struct FlightMessage {
    #[prost(string, tag = "1")]
    origin: String,
    #[prost(sint64, repeated, tag = "2")]
    times: Vec<i64>,
    #[prost(message, optional, boxed, tag = "3")]
    before: Option<Box<FlightMessage>>,
}

fn payloads() -> Vec<Vec<u8>> {
    use prost::Message as _;
    let flight = json!({"origin": "JFK", "departed_at": 1, "more": [{"a": [1.5, "x"]}]}).to_string().into_bytes();
    let before = Some(Box::new(FlightMessage { origin: "LGA".to_owned(), times: vec![1, -1], before: None }));
    let message = FlightMessage { origin: "JFK".to_owned(), times: vec![i64::MAX, 0], before };
    let mut cbor = Vec::new();
    ciborium::into_writer(&json!({"origin": "JFK", "departed_at": 1, "more": [[], {}]}), &mut cbor)
        .expect("it encodes");
    let bomb = vec![b' '; 4 << 20];
    vec![gzip(&flight), gzip(&bomb), zstd(&flight), zstd(&bomb), flight, cbor, message.encode_to_vec()]
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

fn zstd(content: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(content, 3).expect("it compresses")
}

fn payload(bytes: &[u8]) {
    const MOST: usize = 64 << 10;
    let _ = Json::<Flight>::new().decode(bytes);
    let _ = JsonRef::<FlightRef<'_>>::new().decode(bytes);
    let _ = Cbor::<Flight>::new().decode(bytes);
    let _ = Cbor::<Value>::new().decode(bytes);
    let _ = Protobuf::<FlightMessage>::new().decode(bytes);
    let _ = Text.decode(bytes);
    let _ = Gzip::of(Json::<Flight>::new()).max_inflated(MOST).decode(bytes);
    let _ = Zstd::of(Json::<Flight>::new()).max_inflated(MOST).decode(bytes);
    let _ = Gzip::of(Zstd::of(Cbor::<Value>::new()).max_inflated(MOST)).max_inflated(MOST).decode(bytes);
}
