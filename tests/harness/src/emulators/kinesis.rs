//! Kinesis, emulated in process.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use ferrokinesis::actions::{Operation, dispatch};
use ferrokinesis::sequence::shard_ix_to_hex;
use ferrokinesis::store::{Store, StoreOptions};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::RwLock;

use crate::error::Error;
use crate::input;
use crate::template::{ACCOUNT, Position, REGION};

use super::clock::Clock;
use super::{MAX_BODY, gaps};

/// Limits of one PutRecords request, with room for what the emulator adds.
const MAX_PUT_RECORDS: usize = 500;
const MAX_PUT_BYTES: usize = 4 << 20;
/// A replay may take long, and the same iterator chain is followed to its end.
const ITERATOR_SECONDS: u64 = 7 * 24 * 3_600;

/// The emulated streams. Clones are the same streams.
#[derive(Clone)]
pub struct Kinesis {
    pub(super) store: Store,
    pub(super) clock: Clock,
    /// Held to write while records are put and [stamped](Self::stamp), to read while records are read.
    pub(super) stamping: Arc<RwLock<()>>,
    /// The stream of which nothing is kept that was delivered.
    forgotten: Option<String>,
}

/// A record as GetRecords gives it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Record {
    /// Its place in the shard.
    pub sequence_number: String,
    /// Its partition key.
    pub partition_key: String,
    /// Its data in base64.
    pub data: String,
    /// When it arrived, in seconds since the epoch.
    pub approximate_arrival_timestamp: f64,
}

/// How much of the input a shard got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardContent {
    /// The shard.
    pub shard: String,
    /// How many records went there.
    pub records: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetRecordsAnswer {
    records: Vec<Record>,
    next_shard_iterator: Option<String>,
}

impl Kinesis {
    /// An empty account.
    pub fn new() -> Self {
        let options = StoreOptions {
            create_stream_ms: 0,
            delete_stream_ms: 0,
            update_stream_ms: 0,
            shard_limit: u32::MAX,
            iterator_ttl_seconds: ITERATOR_SECONDS,
            aws_account_id: ACCOUNT.to_owned(),
            aws_region: REGION.to_owned(),
            ..StoreOptions::default()
        };
        Self { store: Store::new(options), clock: Clock::start(), stamping: Arc::default(), forgotten: None }
    }

    /// The wire protocol, to be served by someone else.
    pub fn router(&self) -> Router {
        let gaps = from_fn_with_state(self.clone(), gaps::fill);
        ferrokinesis::create_router(self.store.clone()).layer(gaps).layer(DefaultBodyLimit::max(MAX_BODY))
    }

    /// Creates a stream and waits until it is active.
    pub async fn create_stream(&self, name: &str, shards: u32) -> Result<(), Error> {
        let request = json!({"StreamName": name, "ShardCount": shards});
        self.call(Operation::CreateStream, request).await?;
        self.until_active(name).await
    }

    /// Waits until a stream is as it was asked to become.
    pub(super) async fn until_active(&self, stream: &str) -> Result<(), Error> {
        loop {
            let request = json!({"StreamName": stream});
            let summary = self.call(Operation::DescribeStreamSummary, request).await?;
            if summary["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE" {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Whether there is a stream of that name.
    pub async fn has_stream(&self, name: &str) -> bool {
        self.store.contains_stream(name).await
    }

    /// How many shards of a stream take records.
    pub async fn open_shards(&self, stream: &str) -> Result<usize, Error> {
        let request = json!({"StreamName": stream});
        let summary = self.call(Operation::DescribeStreamSummary, request).await?;
        let open = summary["StreamDescriptionSummary"]["OpenShardCount"].as_u64();
        Ok(open.and_then(|open| usize::try_from(open).ok()).unwrap_or(0))
    }

    /// Puts records in order, and says what each shard of the stream got.
    pub async fn put(&self, stream: &str, records: &[input::Record]) -> Result<Vec<ShardContent>, Error> {
        self.put_records(stream, records, false).await
    }

    /// Puts records that leave the stream before anybody reads them, as if they had grown too old there.
    pub async fn put_trimmed(&self, stream: &str, records: &[input::Record]) -> Result<(), Error> {
        self.put_records(stream, records, true).await.map(drop)
    }

    async fn put_records(
        &self,
        stream: &str,
        records: &[input::Record],
        trimmed: bool,
    ) -> Result<Vec<ShardContent>, Error> {
        let shards = self.shards(stream).await?.into_iter();
        let mut content: Vec<ShardContent> = shards.map(|shard| ShardContent { shard, records: 0 }).collect();
        let mut rest = records;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(fitting(rest));
            let entries: Vec<Value> = now.iter().map(entry).collect();
            let request = json!({"StreamName": stream, "Records": entries});
            let stamping = self.stamping.write().await;
            let answer = self.call(Operation::PutRecords, request.clone()).await?;
            self.stamp(&request, &answer).await;
            if trimmed {
                let put = answer["Records"].as_array().into_iter().flatten();
                let keys: Vec<String> = put.filter_map(record_key).collect();
                self.store.delete_record_keys(stream, &keys).await;
            }
            drop(stamping);
            for put in answer["Records"].as_array().into_iter().flatten() {
                match content.iter_mut().find(|content| put["ShardId"] == content.shard.as_str()) {
                    Some(content) => content.records += 1,
                    None => return Err(refused(Operation::PutRecords, put)),
                }
            }
            rest = later;
        }
        Ok(content)
    }

    /// The ids of a stream's shards, parents before children.
    pub async fn shards(&self, stream: &str) -> Result<Vec<String>, Error> {
        Ok(self.lineage(stream).await?.into_iter().map(|shard| shard.id).collect())
    }

    /// An iterator at a shard's first record.
    pub async fn first(&self, stream: &str, shard: &str) -> Result<String, Error> {
        self.iterator(stream, shard, Position::Horizon).await
    }

    /// An iterator at a place in a shard.
    pub async fn iterator(&self, stream: &str, shard: &str, position: Position) -> Result<String, Error> {
        let mut request = json!({"StreamName": stream, "ShardId": shard});
        request["ShardIteratorType"] = match position {
            Position::Horizon => "TRIM_HORIZON".into(),
            Position::Latest => "LATEST".into(),
            Position::At(seconds) => {
                request["Timestamp"] = seconds.into();
                "AT_TIMESTAMP".into()
            }
        };
        let answer = self.call(Operation::GetShardIterator, request).await?;
        match answer["ShardIterator"].as_str() {
            Some(iterator) => Ok(iterator.to_owned()),
            None => Err(refused(Operation::GetShardIterator, &answer)),
        }
    }

    /// The next records of a shard, 10,000 at most, and the iterator behind them: none at the end of a closed
    /// shard.
    pub async fn records(&self, iterator: &str) -> Result<(Vec<Record>, Option<String>), Error> {
        let answer = self.get_records(iterator).await?;
        if !answer.records.is_empty() || answer.next_shard_iterator.is_none() || !self.is_closed(iterator).await {
            return Ok((answer.records, answer.next_shard_iterator));
        }
        // Nothing was there, but something may have come before the shard was closed.
        let answer = self.get_records(iterator).await?;
        let next = answer.next_shard_iterator.filter(|_| !answer.records.is_empty());
        Ok((answer.records, next))
    }

    async fn get_records(&self, iterator: &str) -> Result<GetRecordsAnswer, Error> {
        let _stamped = self.stamping.read().await;
        let answer = self.call(Operation::GetRecords, json!({"ShardIterator": iterator})).await?;
        GetRecordsAnswer::deserialize(answer).map_err(|error| Error::Emulator {
            service: "Kinesis",
            what: String::from("GetRecords"),
            why: error.to_string(),
        })
    }

    /// The same streams, of which one is read once: what is [delivered](Self::delivered) is dropped.
    #[must_use]
    pub fn forgetting(&self, stream: &str) -> Self {
        Self { forgotten: Some(stream.to_owned()), ..self.clone() }
    }

    /// Takes note that records of a shard will not be read again, by their sequence numbers.
    pub async fn delivered(&self, stream: &str, shard: &str, sequence_numbers: impl Iterator<Item = String>) {
        if self.forgotten.as_deref() == Some(stream) {
            let keys: Vec<String> = sequence_numbers.filter_map(|sequence| key_of(shard, &sequence)).collect();
            self.store.delete_record_keys(stream, &keys).await;
        }
    }

    /// All records of a stream, shard after shard, each in its order.
    pub async fn all(&self, stream: &str) -> Result<Vec<Record>, Error> {
        let mut all = Vec::new();
        for shard in self.shards(stream).await? {
            all.extend(self.all_of_shard(stream, &shard).await?);
        }
        Ok(all)
    }

    /// All records of a shard, in its order.
    pub async fn all_of_shard(&self, stream: &str, shard: &str) -> Result<Vec<Record>, Error> {
        let mut all = Vec::new();
        let mut next = Some(self.first(stream, shard).await?);
        while let Some(iterator) = next {
            let (records, behind) = self.records(&iterator).await?;
            next = behind.filter(|_| !records.is_empty());
            all.extend(records);
        }
        Ok(all)
    }

    pub(super) async fn call(&self, operation: Operation, request: Value) -> Result<Value, Error> {
        match dispatch(&self.store, operation, request).await {
            Ok(answer) => Ok(answer.unwrap_or(Value::Null)),
            Err(error) => Err(Error::Emulator {
                service: "Kinesis",
                what: format!("{operation}"),
                why: match error.body.message {
                    Some(message) => format!("{}: {message}", error.body.error_type),
                    None => error.body.error_type,
                },
            }),
        }
    }
}

impl Default for Kinesis {
    fn default() -> Self {
        Self::new()
    }
}

fn refused(operation: Operation, answer: &Value) -> Error {
    Error::Emulator { service: "Kinesis", what: format!("{operation}"), why: answer.to_string() }
}

/// How many of the records go into one request: at least one.
fn fitting(records: &[input::Record]) -> usize {
    let mut bytes = 0;
    let fits = records.iter().take(MAX_PUT_RECORDS).take_while(|record| {
        bytes += record.payload.len() + record.partition_key.len();
        bytes <= MAX_PUT_BYTES
    });
    fits.count().max(1)
}

fn entry(record: &input::Record) -> Value {
    json!({
        "PartitionKey": record.partition_key,
        "Data": base64_simd::STANDARD.encode_to_string(&record.payload),
    })
}

/// The store's key of a record that was put.
fn record_key(put: &Value) -> Option<String> {
    key_of(put["ShardId"].as_str()?, put["SequenceNumber"].as_str()?)
}

/// The store's key of a record.
fn key_of(shard: &str, sequence_number: &str) -> Option<String> {
    let number = shard.rsplit('-').next()?.parse().ok()?;
    Some(format!("{}/{sequence_number}", shard_ix_to_hex(number)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(count: usize, size: usize) -> Vec<input::Record> {
        (0..count).map(|n| input::Record { payload: vec![b'x'; size].into(), partition_key: n.to_string() }).collect()
    }

    #[test]
    fn requests_hold_500_records_or_4_mebibytes() {
        assert_eq!(fitting(&records(501, 10)), 500);
        assert_eq!(fitting(&records(10, 1_000_000)), 4);
        assert_eq!(fitting(&records(1, 5_000_000)), 1);
    }

    #[tokio::test]
    async fn what_is_put_comes_out_again_in_shard_order() {
        let kinesis = Kinesis::new();
        kinesis.create_stream("s", 3).await.unwrap();
        let content = kinesis.put("s", &records(1_200, 10)).await.unwrap();
        assert_eq!(content.iter().map(|content| content.records).sum::<u64>(), 1_200);
        let all = kinesis.all("s").await.unwrap();
        assert_eq!(all.len(), 1_200);
        let of_first: Vec<u64> = all[..usize::try_from(content[0].records).unwrap()]
            .iter()
            .map(|record| record.partition_key.parse().unwrap())
            .collect();
        assert!(of_first.is_sorted());
    }

    #[tokio::test]
    async fn what_was_delivered_is_forgotten_of_that_stream_alone() {
        let kinesis = Kinesis::new().forgetting("s");
        for stream in ["s", "t"] {
            kinesis.create_stream(stream, 2).await.unwrap();
            kinesis.put(stream, &records(100, 10)).await.unwrap();
            for shard in kinesis.shards(stream).await.unwrap() {
                let read = kinesis.all_of_shard(stream, &shard).await.unwrap();
                let all_but_one = read.into_iter().skip(1).map(|record| record.sequence_number);
                kinesis.delivered(stream, &shard, all_but_one).await;
            }
        }
        assert_eq!(kinesis.all("s").await.unwrap().len(), 2);
        assert_eq!(kinesis.all("t").await.unwrap().len(), 100);
    }
}
