//! What a shard takes and gives in a second. The emulator's own limits would hold for the harness's puts as
//! well; these hold for a function's alone, since they stand in its front.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use axum::body::Bytes;
use ferrokinesis::sequence::partition_key_to_hash_key;
use ferrokinesis::shard_iterator::decode_shard_iterator;
use serde_json::{Value, json};

use crate::error::Error;
use crate::template::{ACCOUNT, Stream};

use super::bucket::{Bucket, Reads};
use super::{Kinesis, lineage};

/// The limits of all shards of an account, and how much of them is used up.
#[derive(Debug)]
pub struct Limits {
    streams: Mutex<BTreeMap<String, Vec<Shard>>>,
    throttled: AtomicU64,
    /// What was read of late, by stream and shard.
    reads: Mutex<BTreeMap<(String, String), Reads>>,
}

#[derive(Debug)]
struct Shard {
    id: String,
    /// The highest hash key that goes there.
    last: u128,
    bucket: Bucket,
}

/// A PutRecords request, judged record by record.
#[derive(Debug)]
pub(super) struct Judged {
    request: Value,
    /// In place of each record that is refused, its entry in the answer.
    refusals: Vec<Option<Value>>,
}

impl Limits {
    /// The limits of these streams, nothing of them used up.
    pub async fn read(kinesis: &Kinesis, streams: &[Stream]) -> Result<Self, Error> {
        let mut all = BTreeMap::new();
        for stream in streams {
            all.insert(stream.name.clone(), unused(kinesis, &stream.name).await?);
        }
        Ok(Self { streams: Mutex::new(all), throttled: AtomicU64::default(), reads: Mutex::default() })
    }

    /// Takes note that a stream has other shards than before: theirs begin unused.
    pub async fn resharded(&self, kinesis: &Kinesis, stream: &str) -> Result<(), Error> {
        let shards = unused(kinesis, stream).await?;
        self.streams.lock().unwrap_or_else(PoisonError::into_inner).insert(stream.to_owned(), shards);
        Ok(())
    }

    /// Whether a shard gives nothing to a GetRecords request now.
    pub(super) fn refuses_read(&self, body: &[u8], now: Instant) -> bool {
        let Some(place) = read_place(body) else { return false };
        let mut reads = self.reads.lock().unwrap_or_else(PoisonError::into_inner);
        !reads.entry(place).or_insert_with(|| Reads::full(now)).take(now)
    }

    /// Takes note of how much a GetRecords request was given.
    pub(super) fn was_read(&self, body: &[u8], bytes: usize) {
        let Some(place) = read_place(body) else { return };
        let mut reads = self.reads.lock().unwrap_or_else(PoisonError::into_inner);
        reads.entry(place).and_modify(|reads| reads.gave(bytes));
    }

    /// How many records were refused so far, each as often as it was.
    pub fn throttled(&self) -> u64 {
        self.throttled.load(Ordering::Relaxed)
    }

    /// Judges a PutRecords request; `None` if all of it may pass. What is no such request passes
    /// too: the emulator says what is wrong with it.
    pub(super) fn judge(&self, body: &[u8], now: Instant) -> Option<Judged> {
        let request: Value = serde_json::from_slice(body).ok()?;
        let stream = stream_of(&request)?;
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        let shards = streams.get_mut(&stream)?;
        let records = request["Records"].as_array()?;
        let refusals: Vec<_> = records.iter().map(|record| refusal(shards, &stream, record, now)).collect();
        let refused = refusals.iter().flatten().count();
        self.throttled.fetch_add(refused as u64, Ordering::Relaxed);
        (refused > 0).then_some(Judged { request, refusals })
    }
}

impl Judged {
    /// A PutRecords request of which `refused` says, of so many records, which ones are refused; `None` if none is, or
    /// if it is no such request.
    pub(super) fn of(body: &[u8], refused: impl FnOnce(usize) -> Option<Vec<bool>>) -> Option<Self> {
        let request: Value = serde_json::from_slice(body).ok()?;
        let refused = refused(request["Records"].as_array()?.len())?.into_iter();
        let failure = || json!({"ErrorCode": "InternalFailure", "ErrorMessage": "Internal Service Failure"});
        Some(Self { request, refusals: refused.map(|refused| refused.then(failure)).collect() })
    }

    /// The request without what is refused; `None` if nothing is left.
    pub(super) fn admitted(&mut self) -> Option<Bytes> {
        let records = self.request["Records"].as_array_mut()?;
        let mut refusals = self.refusals.iter();
        records.retain(|_| refusals.next().is_some_and(Option::is_none));
        (!records.is_empty()).then(|| self.request.to_string().into())
    }

    /// The answer to the whole request, out of the emulator's answer to what was admitted; `None`
    /// if that is none to records.
    pub(super) fn answer(self, admitted: Option<&[u8]>) -> Option<Bytes> {
        let answer: Value = match admitted {
            Some(body) => serde_json::from_slice(body).ok()?,
            None => json!({"FailedRecordCount": 0, "Records": []}),
        };
        let refused = self.refusals.iter().flatten().count() as u64;
        let failed = answer["FailedRecordCount"].as_u64().unwrap_or_default() + refused;
        let mut put = answer["Records"].as_array()?.iter().cloned();
        let records: Option<Vec<Value>> =
            self.refusals.into_iter().map(|refusal| refusal.or_else(|| put.next())).collect();
        Some(json!({"FailedRecordCount": failed, "Records": records?}).to_string().into())
    }
}

/// The open shards of a stream, by ascending hash keys.
async fn unused(kinesis: &Kinesis, stream: &str) -> Result<Vec<Shard>, Error> {
    let now = Instant::now();
    let open = lineage::open(kinesis.lineage(stream).await?).into_iter();
    Ok(open.map(|shard| Shard { id: shard.id, last: shard.last, bucket: Bucket::full(now) }).collect())
}

/// Takes what the record costs off its shard, or says why not.
fn refusal(shards: &mut [Shard], stream: &str, record: &Value, now: Instant) -> Option<Value> {
    let key = record["PartitionKey"].as_str().unwrap_or_default();
    let explicit = record["ExplicitHashKey"].as_str().and_then(|hash| hash.parse().ok());
    let hash = explicit.unwrap_or_else(|| partition_key_to_hash_key(key));
    let shard = shards.iter_mut().find(|shard| hash <= shard.last)?;
    let data = base64_simd::STANDARD.decoded_length(record["Data"].as_str().unwrap_or_default().as_bytes());
    if shard.bucket.take(data.unwrap_or_default() + key.len(), now) {
        return None;
    }
    let id = &shard.id;
    Some(json!({
        "ErrorCode": "ProvisionedThroughputExceededException",
        "ErrorMessage": format!("Rate exceeded for shard {id} in stream {stream} under account {ACCOUNT}."),
    }))
}

/// The stream and the shard that a GetRecords request reads.
fn read_place(body: &[u8]) -> Option<(String, String)> {
    let request: Value = serde_json::from_slice(body).ok()?;
    let (_, stream, shard, _) = decode_shard_iterator(request["ShardIterator"].as_str()?).ok()?;
    Some((stream, shard))
}

/// A stream is given by name, or by an ARN that ends with it.
fn stream_of(request: &Value) -> Option<String> {
    let name = request["StreamName"].as_str();
    let name = name.or_else(|| request["StreamARN"].as_str()?.rsplit('/').next())?;
    Some(name.to_owned())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    async fn limits(shards: u32) -> Limits {
        let kinesis = Kinesis::new();
        kinesis.create_stream("s", shards).await.unwrap();
        let stream = Stream { id: String::from("S"), name: String::from("s"), shards };
        Limits::read(&kinesis, &[stream]).await.unwrap()
    }

    fn request(keys: &[String], size: usize) -> Vec<u8> {
        let data = base64_simd::STANDARD.encode_to_string(vec![b'x'; size]);
        let records: Vec<Value> = keys.iter().map(|key| json!({"PartitionKey": key, "Data": data})).collect();
        json!({"StreamName": "s", "Records": records}).to_string().into_bytes()
    }

    fn keys(count: usize) -> Vec<String> {
        (0..count).map(|number| format!("{number:03}")).collect()
    }

    fn refused(judged: Option<&Judged>) -> usize {
        judged.map_or(0, |judged| judged.refusals.iter().flatten().count())
    }

    #[tokio::test]
    async fn a_shard_takes_a_thousand_records_a_second() {
        let (limits, now) = (limits(1).await, Instant::now());
        let request = request(&keys(500), 10);
        assert!(limits.judge(&request, now).is_none());
        assert!(limits.judge(&request, now).is_none());
        assert_eq!(refused(limits.judge(&request, now).as_ref()), 500);
        let later = now + Duration::from_millis(200);
        assert_eq!(refused(limits.judge(&request, later).as_ref()), 300);
        assert_eq!(limits.throttled(), 800);
    }

    #[tokio::test]
    async fn a_shard_takes_a_mebibyte_a_second_with_keys() {
        let (limits, now) = (limits(1).await, Instant::now());
        let quarter = (1 << 18) - 3;
        assert_eq!(refused(limits.judge(&request(&keys(5), quarter), now).as_ref()), 1);
        assert_eq!(refused(limits.judge(&request(&keys(1), 1), now).as_ref()), 1);
    }

    #[tokio::test]
    async fn each_shard_has_limits_of_its_own() {
        let (limits, now) = (limits(2).await, Instant::now());
        let one: Vec<String> = keys(1);
        while limits.judge(&request(&one, 10), now).is_none() {}
        let judged = limits.judge(&request(&keys(20), 10), now).unwrap();
        let shards: Vec<bool> = judged.refusals.iter().map(Option::is_some).collect();
        assert!(shards.contains(&true) && shards.contains(&false), "{shards:?}");
    }

    #[tokio::test]
    async fn an_answer_has_every_record_in_its_place() {
        let (limits, now) = (limits(1).await, Instant::now());
        let large = (1 << 19) - 3;
        let body = request(&keys(3), large);
        let mut judged = limits.judge(&body, now).unwrap();
        let admitted: Value = serde_json::from_slice(&judged.admitted().unwrap()).unwrap();
        assert_eq!(admitted["Records"].as_array().unwrap().len(), 2);
        let put = json!({"FailedRecordCount": 0, "Records": [{"SequenceNumber": "1"}, {"SequenceNumber": "2"}]});
        let answer = judged.answer(Some(put.to_string().as_bytes())).unwrap();
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        assert_eq!(answer["FailedRecordCount"], 1);
        assert_eq!(answer["Records"][1]["SequenceNumber"], "2");
        assert_eq!(answer["Records"][2]["ErrorCode"], "ProvisionedThroughputExceededException");

        let mut judged = limits.judge(&body, now).unwrap();
        assert_eq!(judged.admitted(), None);
        let answer: Value = serde_json::from_slice(&judged.answer(None).unwrap()).unwrap();
        assert_eq!(answer["FailedRecordCount"], 3);
    }

    #[tokio::test]
    async fn what_is_not_understood_passes() {
        let (limits, now) = (limits(1).await, Instant::now());
        assert!(limits.judge(b"no json", now).is_none());
        assert!(limits.judge(br#"{"StreamName":"other","Records":[{}]}"#, now).is_none());
    }
}
