//! A look at the source stream itself: whether the event source left records out, and how shards descend from each other.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::types::{Shard, ShardIteratorType};
use tidemill_core::{HashRange, SequenceNumber};

use crate::fault::{Fault, Kind};

/// How many answers without records a look goes on through: a closed shard, and one with large gaps, gives empty ones.
const EMPTY_ANSWERS: usize = 20;

/// What a stream says of one of its shards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardInfo {
    /// Its id.
    pub shard: String,
    /// The ids of the shards that were split or merged into it; some may be listed no more.
    pub parents: Vec<String>,
    /// Which partition keys it owns.
    pub hash_range: HashRange,
    /// Its first sequence number.
    pub starting_sequence: SequenceNumber,
    /// Whether it was split or merged when the stream was asked: it takes no more records.
    pub is_closed: bool,
}

/// The source stream of a function, as far as the function looks at it.
#[derive(Clone, Debug)]
pub struct KinesisSource {
    client: Client,
    /// Shards by stream and id, as far as they were listed: what one says of itself never changes.
    known: Arc<Mutex<BTreeMap<(String, String), ShardInfo>>>,
}

impl KinesisSource {
    /// Streams of the client's account and region, by ARN.
    pub fn new(client: Client) -> Self {
        Self { client, known: Arc::default() }
    }

    /// All shards that the stream lists.
    ///
    /// # Errors
    /// What the service said. The permission is kinesis:ListShards.
    pub async fn shards(&self, stream: &str) -> Result<Vec<ShardInfo>, String> {
        let (mut shards, mut next) = (Vec::new(), None::<String>);
        loop {
            let request = match next.take() {
                // A page's token names the stream; both together are refused.
                Some(token) => self.client.list_shards().next_token(token),
                None => self.client.list_shards().set_stream_name(name_of(stream)).stream_arn(stream),
            };
            let answer = request.send().await.map_err(|error| Fault::of(&error).text)?;
            for shard in answer.shards() {
                shards
                    .push(info(shard).ok_or_else(|| format!("ListShards tells of a shard that cannot be: {shard:?}"))?);
            }
            next = answer.next_token;
            if next.is_none() {
                break;
            }
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.extend(shards.iter().map(|info| ((stream.to_owned(), info.shard.clone()), info.clone())));
        Ok(shards)
    }

    /// The shard, if the stream lists it; by an earlier look if there was one, so that it may be closed since.
    ///
    /// # Errors
    /// As for [`shards`](Self::shards).
    pub async fn shard(&self, stream: &str, shard: &str) -> Result<Option<ShardInfo>, String> {
        let place = (stream.to_owned(), shard.to_owned());
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&place).cloned();
        match known {
            Some(info) => Ok(Some(info)),
            None => Ok(self.shards(stream).await?.into_iter().find(|info| info.shard == shard)),
        }
    }

    /// The sequence number of the record that follows `position` in the shard, `None` if there is none now; without a
    /// position the oldest that it holds. If records behind the position have left the stream, it is the oldest that is
    /// still there. A shard that the stream does not have any more holds none.
    ///
    /// # Errors
    /// What the service said. The permissions are kinesis:GetShardIterator and kinesis:GetRecords, which Lambda's event
    /// source needs of the same role.
    pub async fn next_after(
        &self,
        stream: &str,
        shard: &str,
        position: Option<&SequenceNumber>,
    ) -> Result<Option<SequenceNumber>, String> {
        let mut iterator = match self.iterator(stream, shard, position).await {
            Ok(iterator) => iterator,
            Err(Fault { kind: Kind::Absent, .. }) if position.is_some() => return Ok(None),
            Err(fault) => return Err(fault.text),
        };
        for _ in 0..EMPTY_ANSWERS {
            let Some(at) = iterator.take() else { break };
            let request = self.client.get_records().stream_arn(stream).shard_iterator(at).limit(1);
            let answer = request.send().await.map_err(|error| Fault::of(&error).text)?;
            if let Some(record) = answer.records.first() {
                return Ok(SequenceNumber::parse(&record.sequence_number));
            }
            // <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetRecords.html>: an answer may be empty
            // although records lie behind.
            let is_behind = answer.millis_behind_latest.is_some_and(|behind| behind > 0);
            iterator = answer.next_shard_iterator.filter(|_| is_behind);
        }
        Ok(None)
    }

    async fn iterator(
        &self,
        stream: &str,
        shard: &str,
        position: Option<&SequenceNumber>,
    ) -> Result<Option<String>, Fault> {
        let request =
            self.client.get_shard_iterator().set_stream_name(name_of(stream)).stream_arn(stream).shard_id(shard);
        let request = match position {
            Some(position) => request
                .shard_iterator_type(ShardIteratorType::AfterSequenceNumber)
                .starting_sequence_number(position.as_str()),
            None => request.shard_iterator_type(ShardIteratorType::TrimHorizon),
        };
        request.send().await.map(|answer| answer.shard_iterator).map_err(|error| Fault::of(&error))
    }
}

fn name_of(stream: &str) -> Option<String> {
    stream.rsplit('/').next().map(str::to_owned)
}

/// `None` if numbers are missing or none.
fn info(shard: &Shard) -> Option<ShardInfo> {
    let range = shard.hash_key_range()?;
    let numbers = shard.sequence_number_range()?;
    let parents = [shard.parent_shard_id(), shard.adjacent_parent_shard_id()];
    Some(ShardInfo {
        shard: shard.shard_id().to_owned(),
        parents: parents.into_iter().flatten().map(str::to_owned).collect(),
        hash_range: HashRange {
            first: range.starting_hash_key().parse().ok()?,
            last: range.ending_hash_key().parse().ok()?,
        },
        starting_sequence: SequenceNumber::parse(numbers.starting_sequence_number())?,
        is_closed: numbers.ending_sequence_number().is_some(),
    })
}

#[cfg(test)]
mod tests {
    use aws_sdk_kinesis::primitives::Blob;

    use super::*;
    use crate::testing::KinesisServer;

    #[tokio::test]
    async fn the_record_behind_a_position_is_found_and_none_behind_the_last() {
        let client = KinesisServer::start(&[("source", 1)]).await.client;
        let described = client.describe_stream_summary().stream_name("source").send().await.expect("described");
        let stream = described.stream_description_summary.expect("a summary").stream_arn;
        let mut numbers = Vec::new();
        for _ in 0..3 {
            let put = client.put_record().stream_name("source").partition_key("k").data(Blob::new("x"));
            let put = put.send().await.expect("put");
            numbers.push(SequenceNumber::parse(&put.sequence_number).expect("digits"));
        }
        let source = KinesisSource::new(client);
        let after = async |number| source.next_after(&stream, "shardId-000000000000", Some(number)).await;
        assert_eq!(after(&numbers[0]).await, Ok(Some(numbers[1].clone())));
        assert_eq!(after(&numbers[2]).await, Ok(None));
        assert!(source.next_after(&stream, "shardId-000000000009", None).await.is_err());
    }
}
