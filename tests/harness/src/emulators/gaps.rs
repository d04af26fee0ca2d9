//! What the emulator lacks of Kinesis, made up for at its door. A function that follows shards through
//! splits and merges needs it:
//!
//! - `GetRecords` names no `ChildShards` at the end of a closed shard, and gets there up to a second late,
//!   since the emulator compares whole seconds;
//! - `MillisBehindLatest` is 0 wherever one reads;
//! - arrival times are cut to whole seconds;
//! - `ListShards` leaves `ShardFilter` out of account, and its `NextToken` leads nowhere;
//! - the operations on shards do not take a `StreamARN` in place of a `StreamName`.
//!
//! Requests in CBOR, as some SDKs send them, pass as they are.

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use ferrokinesis::sequence::{parse_sequence, resolve_shard_id, shard_ix_to_hex};
use ferrokinesis::shard_iterator::decode_shard_iterator;
use serde_json::{Value, json};

use super::{Kinesis, MAX_BODY};

/// Shards in one answer, if the request does not say.
const PAGE: usize = 1_000;
/// Operations that know a stream by its name alone.
const BY_NAME: [&str; 6] =
    ["DescribeStream", "DescribeStreamSummary", "GetShardIterator", "ListShards", "MergeShards", "SplitShard"];

const OTHERS: [&str; 3] = ["GetRecords", "PutRecord", "PutRecords"];

/// Passes a request on and makes up for what the answer lacks.
pub(super) async fn fill(State(kinesis): State<Kinesis>, request: Request, next: Next) -> Response {
    let Some(operation) = operation(request.headers()) else {
        return next.run(request).await;
    };
    let (mut parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_BODY).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let Ok(Value::Object(asked)) = serde_json::from_slice(&body) else {
        return next.run(Request::from_parts(parts, body.into())).await;
    };
    let mut asked = Value::Object(asked);
    let page = asked["MaxResults"].as_u64().and_then(|most| usize::try_from(most).ok()).unwrap_or(PAGE);
    if operation == "ListShards" {
        resume(&mut asked);
    }
    name_stream(&mut asked);
    parts.headers.remove(CONTENT_LENGTH);
    let request = Request::from_parts(parts, asked.to_string().into());
    match operation.as_str() {
        "ListShards" => changed(next.run(request).await, |answer| list(answer, &asked, page)).await,
        "GetRecords" => {
            let _stamped = kinesis.stamping.read().await;
            // Asked before it is read: a shard that is closed by now gets nothing more.
            let closed = asked["ShardIterator"].as_str().map(|iterator| kinesis.is_closed(iterator));
            let closed = if let Some(closed) = closed { closed.await } else { false };
            let answer = next.run(request).await;
            let children = children(&kinesis, &asked).await;
            let (answer, mut read) = read(answer).await;
            if let Some(read) = &mut read {
                end(read, closed, children);
                behind(&kinesis, read).await;
            }
            written(answer, read)
        }
        "PutRecord" | "PutRecords" => {
            let _stamping = kinesis.stamping.write().await;
            let (answer, put) = read(next.run(request).await).await;
            if let Some(put) = &put {
                kinesis.stamp(&asked, put).await;
            }
            written(answer, put)
        }
        _ => next.run(request).await,
    }
}

/// The operation, if there is something to make up for.
fn operation(headers: &HeaderMap) -> Option<String> {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    let json = text(CONTENT_TYPE.as_str())?.starts_with("application/x-amz-json");
    let (_, operation) = text("x-amz-target")?.split_once('.')?;
    (json && (OTHERS.contains(&operation) || BY_NAME.contains(&operation))).then(|| operation.to_owned())
}

/// Names the stream whose ARN is given.
fn name_stream(asked: &mut Value) {
    let name = asked["StreamARN"].as_str().and_then(|arn| arn.rsplit('/').next()).map(str::to_owned);
    if let Some(name) = name.filter(|_| asked["StreamName"].is_null()) {
        asked["StreamName"] = name.into();
    }
}

/// Takes a listing up where its last page ended. What is no token of ours is for the emulator to refuse.
fn resume(asked: &mut Value) {
    let token = asked["NextToken"].as_str().map(str::as_bytes);
    let token = token.and_then(|token| base64_simd::STANDARD.decode_to_vec(token).ok());
    if let Some(begun) = token.and_then(|token| serde_json::from_slice::<Value>(&token).ok()) {
        *asked = begun;
    }
    // The emulator gives all of them, and the pages are made here.
    if let Some(asked) = asked.as_object_mut() {
        asked.remove("MaxResults");
    }
}

/// Keeps the shards that are asked for, a page of them.
fn list(answer: &mut Value, asked: &Value, page: usize) {
    let Some(shards) = answer["Shards"].as_array_mut() else { return };
    let filter = &asked["ShardFilter"];
    shards.retain(|shard| passes(shard, filter));
    let more = shards.len() > page;
    shards.truncate(page);
    let last = shards.last().map(|shard| shard["ShardId"].clone());
    if let Some(last) = last.filter(|_| more) {
        let rest = json!({"StreamName": asked["StreamName"], "ShardFilter": filter, "ExclusiveStartShardId": last})
            .to_string();
        answer["NextToken"] = base64_simd::STANDARD.encode_to_string(rest).into();
    }
}

/// Whether a shard passes a `ShardFilter`. Nothing is trimmed here, so all shards are within retention.
/// <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_ShardFilter.html>
fn passes(shard: &Value, filter: &Value) -> bool {
    let range = &shard["SequenceNumberRange"];
    let at = filter["Timestamp"].as_f64().unwrap_or_default();
    let started = || seconds(&range["StartingSequenceNumber"], |sequence| Some(sequence.shard_create_time));
    let ended = || seconds(&range["EndingSequenceNumber"], |sequence| sequence.seq_time);
    let open_at = || ended().is_none_or(|end| end >= at);
    match filter["Type"].as_str() {
        Some("AFTER_SHARD_ID") => shard["ShardId"].as_str() > filter["ShardId"].as_str(),
        Some("AT_TRIM_HORIZON") => shard["ParentShardId"].is_null(),
        Some("AT_LATEST") => range["EndingSequenceNumber"].is_null(),
        Some("AT_TIMESTAMP") => open_at() && started().is_none_or(|start| start <= at),
        Some("FROM_TIMESTAMP") => open_at(),
        _ => true,
    }
}

/// When a sequence number was made, in seconds since the epoch.
fn seconds(sequence: &Value, millis: impl Fn(ferrokinesis::sequence::SeqObj) -> Option<u64>) -> Option<f64> {
    let millis = millis(parse_sequence(sequence.as_str()?).ok()?)?;
    #[expect(clippy::cast_precision_loss, reason = "milliseconds since the epoch are exact in 53 bits")]
    Some(millis as f64 / 1_000.0)
}

/// The shards that came of the one that is read.
async fn children(kinesis: &Kinesis, asked: &Value) -> Vec<Value> {
    let Some((_, stream, shard, _)) =
        asked["ShardIterator"].as_str().and_then(|iterator| decode_shard_iterator(iterator).ok())
    else {
        return Vec::new();
    };
    let lineage = kinesis.lineage(&stream).await.unwrap_or_default().into_iter();
    let children = lineage.filter(|child| child.parents.contains(&shard)).map(|child| {
        json!({
            "ShardId": child.id,
            "ParentShards": child.parents,
            "HashKeyRange": {"StartingHashKey": child.first.to_string(), "EndingHashKey": child.last.to_string()},
        })
    });
    children.collect()
}

/// Ends a closed shard of which nothing is left, and names its children there.
fn end(answer: &mut Value, closed: bool, children: Vec<Value>) {
    let none = answer["Records"].as_array().is_some_and(Vec::is_empty);
    if let Some(answer) = answer.as_object_mut().filter(|_| closed && none) {
        answer.remove("NextShardIterator");
    }
    if answer["NextShardIterator"].is_null() && !children.is_empty() {
        answer["ChildShards"] = children.into();
    }
}

/// Says how old the last record read is, if it is not the last one of its shard.
async fn behind(kinesis: &Kinesis, answer: &mut Value) {
    let last = answer["Records"].as_array().and_then(|records| records.last()?["ApproximateArrivalTimestamp"].as_f64());
    let next = answer["NextShardIterator"].as_str().and_then(|next| decode_shard_iterator(next).ok());
    let (Some(last), Some((_, stream, shard, sequence))) = (last, next) else { return };
    let Ok((_, number)) = resolve_shard_id(&shard) else { return };
    let range = [format!("{}/{sequence}", shard_ix_to_hex(number)), shard_ix_to_hex(number + 1)];
    if kinesis.store.get_records_range_limited(&stream, &range[0], &range[1], 1).await.is_empty() {
        return;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the clock is behind the epoch")]
    let arrived = (last * 1_000.0) as u64;
    answer["MillisBehindLatest"] = kinesis.now().saturating_sub(arrived).into();
}

impl Kinesis {
    /// Whether the shard of an iterator takes no more records.
    pub(super) async fn is_closed(&self, iterator: &str) -> bool {
        let Ok((_, stream, shard, _)) = decode_shard_iterator(iterator) else { return false };
        let lineage = self.lineage(&stream).await.unwrap_or_default();
        lineage.iter().any(|one| one.id == shard && !one.open)
    }
}

/// The answer, changed if it is none of an error.
async fn changed(answer: Response, change: impl FnOnce(&mut Value)) -> Response {
    let (answer, mut value) = read(answer).await;
    if let Some(value) = &mut value {
        change(value);
    }
    written(answer, value)
}

/// The body of an answer, unless it is one of an error.
async fn read(answer: Response) -> (Response, Option<Value>) {
    if !answer.status().is_success() {
        return (answer, None);
    }
    let (head, body) = answer.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let value = serde_json::from_slice(&body).ok();
    (Response::from_parts(head, Body::from(body)), value)
}

/// The answer with another body, if there is one.
fn written(answer: Response, value: Option<Value>) -> Response {
    let Some(value) = value else { return answer };
    let (mut head, _) = answer.into_parts();
    head.headers.remove(CONTENT_LENGTH);
    Response::from_parts(head, Body::from(Bytes::from(value.to_string())))
}

#[cfg(test)]
mod tests {
    use tower::ServiceExt;

    use super::*;
    use crate::input;

    /// A stream whose first shard was split, and its second child again, with ten records before.
    async fn resharded() -> Kinesis {
        let kinesis = Kinesis::new();
        kinesis.create_stream("s", 1).await.unwrap();
        let record =
            |n: u32| input::Record { payload: n.to_string().into_bytes().into(), partition_key: n.to_string() };
        kinesis.put("s", &(0..10).map(record).collect::<Vec<_>>()).await.unwrap();
        kinesis.split("s", &id(0), 1 << 127).await.unwrap();
        kinesis.split("s", &id(2), 3 << 126).await.unwrap();
        kinesis
    }

    fn id(number: u32) -> String {
        format!("shardId-{number:012}")
    }

    async fn ask(kinesis: &Kinesis, operation: &str, body: Value) -> (StatusCode, Value) {
        let request = Request::post("/")
            .header("x-amz-target", format!("Kinesis_20131202.{operation}"))
            .header("content-type", "application/x-amz-json-1.1")
            .header("authorization", "AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=c")
            .header("x-amz-date", "20260101T000000Z")
            .body(Body::from(body.to_string()))
            .unwrap();
        let answer = kinesis.router().oneshot(request).await.unwrap();
        let status = answer.status();
        let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    fn ids(answer: &Value) -> Vec<&str> {
        let shards = answer["Shards"].as_array().unwrap().iter();
        shards.map(|shard| shard["ShardId"].as_str().unwrap().trim_start_matches("shardId-00000000000")).collect()
    }

    #[tokio::test]
    async fn shards_are_filtered() {
        let kinesis = resharded().await;
        let far = 4_000_000_000.0_f64;
        for (filter, expected) in [
            (Value::Null, &["0", "1", "2", "3", "4"][..]),
            (json!({"Type": "FROM_TRIM_HORIZON"}), &["0", "1", "2", "3", "4"]),
            (json!({"Type": "AT_TRIM_HORIZON"}), &["0"]),
            (json!({"Type": "AT_LATEST"}), &["1", "3", "4"]),
            (json!({"Type": "AFTER_SHARD_ID", "ShardId": id(2)}), &["3", "4"]),
            (json!({"Type": "FROM_TIMESTAMP", "Timestamp": 0.0}), &["0", "1", "2", "3", "4"]),
            (json!({"Type": "FROM_TIMESTAMP", "Timestamp": far}), &["1", "3", "4"]),
            (json!({"Type": "AT_TIMESTAMP", "Timestamp": far}), &["1", "3", "4"]),
            (json!({"Type": "AT_TIMESTAMP", "Timestamp": 0.0}), &[]),
        ] {
            let mut request = json!({"StreamARN": "arn:aws:kinesis:us-east-1:000000000000:stream/s"});
            if !filter.is_null() {
                request["ShardFilter"] = filter.clone();
            }
            let (_, answer) = ask(&kinesis, "ListShards", request).await;
            assert_eq!(ids(&answer), expected, "{filter}");
        }
    }

    #[tokio::test]
    async fn pages_follow_each_other_and_keep_their_filter() {
        let kinesis = resharded().await;
        let filter = json!({"Type": "AT_LATEST"});
        let request = json!({"StreamName": "s", "ShardFilter": filter, "MaxResults": 2});
        let (_, first) = ask(&kinesis, "ListShards", request).await;
        assert_eq!(ids(&first), ["1", "3"]);
        let (_, second) = ask(&kinesis, "ListShards", json!({"NextToken": first["NextToken"], "MaxResults": 2})).await;
        assert_eq!((ids(&second), second.get("NextToken")), (vec!["4"], None));
        let (status, _) = ask(&kinesis, "ListShards", json!({"NextToken": "nonsense"})).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
    }

    #[tokio::test]
    async fn the_end_of_a_closed_shard_names_its_children() {
        let kinesis = resharded().await;
        kinesis.merge("s", &id(1), &id(3)).await.unwrap();
        let read = async |shard: u32| {
            let arn = "arn:aws:kinesis:us-east-1:000000000000:stream/s";
            let request = json!({"StreamARN": arn, "ShardId": id(shard), "ShardIteratorType": "TRIM_HORIZON"});
            let (_, answer) = ask(&kinesis, "GetShardIterator", request).await;
            let mut iterator = answer["ShardIterator"].clone();
            let mut records = 0;
            loop {
                let (_, answer) = ask(&kinesis, "GetRecords", json!({"ShardIterator": iterator})).await;
                let read = answer["Records"].as_array().unwrap().len();
                records += read;
                iterator = answer["NextShardIterator"].clone();
                if iterator.is_null() || read == 0 && shard > 3 {
                    return (records, answer["ChildShards"].clone());
                }
                assert_eq!(answer.get("ChildShards"), None);
            }
        };
        let (records, children) = read(0).await;
        let middle = (1_u128 << 127).to_string();
        let first = json!({
            "ShardId": id(1),
            "ParentShards": [id(0)],
            "HashKeyRange": {"StartingHashKey": "0", "EndingHashKey": ((1_u128 << 127) - 1).to_string()},
        });
        assert_eq!((records, &children[0]), (10, &first));
        assert_eq!(children[1]["HashKeyRange"]["StartingHashKey"], middle.as_str());
        let (_, children) = read(3).await;
        assert_eq!(children[0]["ParentShards"], json!([id(1), id(3)]));
        assert_eq!(read(5).await, (0, Value::Null));
    }

    #[tokio::test]
    async fn shards_are_split_and_described_by_arn() {
        let kinesis = resharded().await;
        let arn = "arn:aws:kinesis:us-east-1:000000000000:stream/s";
        let split = json!({"StreamARN": arn, "ShardToSplit": id(1), "NewStartingHashKey": (1_u128 << 126).to_string()});
        assert_eq!(ask(&kinesis, "SplitShard", split).await.0, StatusCode::OK);
        kinesis.until_active("s").await.unwrap();
        let (_, answer) = ask(&kinesis, "DescribeStreamSummary", json!({"StreamARN": arn})).await;
        assert_eq!(answer["StreamDescriptionSummary"]["OpenShardCount"], 4);
    }
}
