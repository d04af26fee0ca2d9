//! Putting records on a stream, as fast as it takes them.

use std::time::Duration;

use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::{PutRecordsRequestEntry, PutRecordsResultEntry};

use crate::error::Error;
use crate::input::Record;

use super::place::Streams;

/// Limits of one PutRecords request. <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html>
/// (10 MiB since October 2025; emulators take 5.)
const REQUEST_RECORDS: usize = 500;
const REQUEST_BYTES: usize = 4 << 20;
/// The pause before records that a full shard did not take are sent again, doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// How often a record is sent before it counts as refused.
const ATTEMPTS: u32 = 30;

/// What came of records that were put.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Put {
    /// How many the stream took.
    pub taken: u64,
    /// How many requests had to be repeated in part, since shards were full.
    pub throttled: u64,
    /// Those that the stream did not take.
    pub refused: Vec<Refused>,
    /// Those that it took: their places among the records, and in the stream.
    pub places: Vec<(usize, Place)>,
}

/// Where a record went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The shard.
    pub shard: String,
    /// The place in it.
    pub sequence_number: String,
}

/// A record that a stream did not take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Its place among the records, from 0.
    pub index: usize,
    /// Why.
    pub why: String,
}

impl Streams {
    /// Puts records in their order; waits where shards are full, and sends again what they did not take. Records of one
    /// request that a shard takes while others wait may come before those: Kinesis knows no order within a request.
    ///
    /// # Errors
    /// No answer, no such stream, no permission. Some records may have been taken.
    pub async fn put(&self, stream: &str, records: &[Record]) -> Result<Put, Error> {
        let mut put = Put::default();
        let mut begin = 0;
        while begin < records.len() {
            let count = fitting(&records[begin..]);
            self.put_some(stream, records, (begin..begin + count).collect(), &mut put).await?;
            begin += count;
        }
        Ok(put)
    }

    /// Puts the records with these numbers, which fit into a request.
    async fn put_some(
        &self,
        stream: &str,
        records: &[Record],
        mut waiting: Vec<usize>,
        put: &mut Put,
    ) -> Result<(), Error> {
        let mut pause = FIRST_PAUSE;
        for attempt in 1..=ATTEMPTS {
            let answers = self.request(stream, waiting.iter().map(|index| &records[*index])).await?;
            let mut again = Vec::new();
            for (index, answer) in waiting.iter().copied().zip(answers) {
                match (answer.shard_id, answer.sequence_number) {
                    (Some(shard), Some(sequence_number)) => {
                        put.taken += 1;
                        put.places.push((index, Place { shard, sequence_number }));
                    }
                    _ if attempt < ATTEMPTS => again.push(index),
                    _ => put.refused.push(Refused {
                        index,
                        why: answer.error_message.or(answer.error_code).unwrap_or_else(|| String::from("unknown")),
                    }),
                }
            }
            if again.is_empty() {
                return Ok(());
            }
            put.throttled += 1;
            waiting = again;
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        Ok(())
    }

    async fn request<'a>(
        &self,
        stream: &str,
        records: impl Iterator<Item = &'a Record>,
    ) -> Result<Vec<PutRecordsResultEntry>, Error> {
        let entries = records.map(|record| {
            let entry = PutRecordsRequestEntry::builder().partition_key(&record.partition_key);
            entry.data(Blob::new(record.payload.clone())).build()
        });
        let entries = entries.collect::<Result<Vec<_>, _>>();
        let what = format!("put records on `{stream}`");
        let entries = entries.map_err(|error| self.failed(&what, &error))?;
        let request = self.client.put_records().set_records(Some(entries));
        let request = match stream.starts_with("arn:") {
            true => request.stream_arn(stream),
            false => request.stream_name(stream),
        };
        let answer = request.send().await.map_err(|error| self.failed(&what, &error))?;
        Ok(answer.records)
    }
}

/// How many of the records go into one request: at least one.
pub(crate) fn fitting(records: &[Record]) -> usize {
    let mut bytes = 0;
    let fits = records.iter().take(REQUEST_RECORDS).take_while(|record| {
        bytes += record.payload.len() + record.partition_key.len();
        bytes <= REQUEST_BYTES
    });
    fits.count().max(1)
}
